"""Read arguments that are plainly flags and their values, by a parser's own table.

For: a start without argparse, which touches so much that a forked replica copies half a MiB.
Must not know: which flags there are, what they mean, what to say of bad ones.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any


class ShortWay:
    """What one parser says of its flags: where a value goes, how it is read, what it may be."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        """Flags of one value or of none; others, and positional arguments, go the long way."""
        self._defaults = dict(vars(parser.parse_args([])))
        self._switches: dict[str, tuple[str, Any]] = {}
        self._flags: dict[str, tuple[str, Callable[[str], Any] | None, Sequence[Any] | None]] = {}
        for one in parser._actions:  # noqa: SLF001 - the only list of them there is
            for name in one.option_strings:
                if one.nargs is None:
                    convert = one.type if callable(one.type) else None
                    choices = None if one.choices is None else tuple(one.choices)
                    self._flags[name] = (one.dest, convert, choices)
                elif one.nargs == 0 and one.const is not None:
                    self._switches[name] = (one.dest, one.const)

    def read(self, arguments: Sequence[str]) -> argparse.Namespace | None:
        """What the parser would say; None where it has to be asked, as for every error."""
        found = dict(self._defaults)
        words = iter(arguments)
        for word in words:
            name, equals, value = word.partition("=")
            flag = self._flags.get(name)
            if flag is None:
                if word not in self._switches:
                    return None
                dest, const = self._switches[word]
                found[dest] = const
                continue
            if not equals:
                value = next(words, "-")
            if value.startswith("-") or (equals and not value):
                return None
            dest, convert, choices = flag
            if convert is not None:
                try:
                    found[dest] = convert(value)
                except ValueError:
                    return None
            else:
                found[dest] = value
            if choices is not None and found[dest] not in choices:
                return None
        flags = argparse.Namespace()
        vars(flags).update(found)
        return flags
