"""The command line of a component that is a process of its own: flags as a table.

For: one line a flag, one sentence for each that makes no sense, and the flags that all share.
Must not know: what any flag switches.

A Deployment passes values of a ConfigMap as `--flag=$(VARIABLE)`, so an empty value means that
nothing was said. A flag that is named as a field of a Settings class fills that field: `filled`.
"""

import argparse
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from typing_extensions import override

_LEVELS: Final = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning")}
_TRUTHS: Final = {"true": True, "false": False}
Read = Callable[[str], Any]
_Settings = TypeVar("_Settings")


class FlagError(ValueError):
    """A flag that makes no sense beside others; the message names it."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One line of a table. Without a default, nothing is set unless it was said."""

    name: str  # "--port"
    read: Read  # ValueError: one clause on what was expected
    help: str
    default: Any = None
    metavar: str = ""
    is_repeated: bool = False  # also several in one value, between commas
    sets: str = ""  # the name of the value; else that of the flag


def text(said: str) -> str:
    """Any text."""
    return said


def path(said: str) -> Path:
    """A file or folder."""
    return Path(said)


def listed(said: str) -> tuple[str, ...]:
    """Several texts between commas."""
    return tuple(each.strip() for each in said.split(",") if each.strip())


def truth(said: str) -> bool:
    """A switch."""
    if said not in _TRUTHS:
        raise ValueError("expected true or false")
    return _TRUTHS[said]


def level(said: str) -> int:
    """How much is logged."""
    if said not in _LEVELS:
        raise ValueError(f"expected one of {', '.join(_LEVELS)}")
    return int(_LEVELS[said])


def whole(least: int, most: int = 2**53) -> Read:
    """A whole number within bounds."""

    def read(said: str) -> int:
        is_number = said.isascii() and said.removeprefix("-").isdigit()
        if not is_number or not least <= int(said[:20]) <= most:
            raise ValueError(f"expected a whole number, {least} to {most}")
        return int(said)

    return read


def number(least: float, most: float = 1e9) -> Read:
    """A number within bounds, as of seconds."""

    def read(said: str) -> float:
        try:
            found = float(said)
        except ValueError:
            found = math.nan
        if not least <= found <= most:
            raise ValueError(f"expected a number, {least:g} to {most:g}")
        return found

    return read


PORT: Final = whole(0, 65_535)
SYSTEM_NAMESPACE: Final = "relight-system"

COMMON: Final = (
    Flag("--kubeconfig", path, "where the API server is; else that of this Pod", metavar="FILE"),
    Flag("--namespace", text, "watch only this namespace; else all", "", "NAME"),
    Flag(
        "--system-namespace",
        text,
        "where our own objects are; else that of --namespace, else relight-system",
        "",
        "NAME",
    ),
    Flag("--pod-name", text, "the name of this Pod, which tells it from its like", "", "NAME"),
    Flag("--pod-ip", text, "where others of ours reach this Pod", "", "IP"),
    Flag("--admin-host", text, "the address of health, metrics and questions", "0.0.0.0", "HOST"),  # noqa: S104 - a kubelet probes it
    Flag("--admin-port", PORT, "their port; 0: a free one", 8081, "PORT"),
    Flag("--log-level", level, "debug, info or warning", logging.INFO, "LEVEL"),
)


class _Parser(argparse.ArgumentParser):
    @override
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message.removeprefix('argument ')}\n")


def parser(program: str, description: str, table: Sequence[Flag]) -> argparse.ArgumentParser:
    """What reads the flags of a table; it ends the process with 2 and a sentence."""
    made = _Parser(prog=program, description=description, allow_abbrev=False)
    for flag in table:
        told = {"metavar": flag.metavar} if flag.metavar else {}
        made.add_argument(
            flag.name,
            dest=flag.sets or flag.name.removeprefix("--").replace("-", "_"),
            type=_reader(flag),
            default=[] if flag.is_repeated else flag.default,
            action="append" if flag.is_repeated else "store",
            help=flag.help + _default(flag),
            **told,  # type: ignore[arg-type] # argparse's overloads
        )
    return made


def system_namespace(args: argparse.Namespace) -> str:
    """Where our own objects are."""
    return str(args.system_namespace or args.namespace or SYSTEM_NAMESPACE)


def filled(
    args: argparse.Namespace, table: Iterable[Flag], settings: type[_Settings], **more: Any
) -> _Settings:
    """A Settings object of what was said of its fields, and `more`; FlagError."""
    names = {each.name for each in fields(settings)}  # type: ignore[arg-type] # a dataclass
    said = {name: getattr(args, name) for name in names if getattr(args, name, None) is not None}
    for flag in table:
        if flag.sets in said and flag.is_repeated:
            said[flag.sets] = sum(said[flag.sets], start=())
            if not said[flag.sets]:
                del said[flag.sets]
    try:
        return settings(**said | more)
    except ValueError as error:
        name, colon, rest = str(error).partition(":")
        flags = {each.sets: each.name for each in table if each.sets}
        shown = flags.get(name) or "--" + name.replace("_", "-")
        raise FlagError(f"{shown}:{rest}" if colon and name in names else str(error)) from error


def _reader(flag: Flag) -> Read:
    def read(said: str) -> Any:
        if not said:
            return () if flag.is_repeated else flag.default
        try:
            return flag.read(said)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{error}, not {said[:80]!r}") from None

    return read


def _default(flag: Flag) -> str:
    if flag.default is None or flag.default == "":
        return ""
    said = flag.default
    if flag.read is level:
        said = next(name for name, value in _LEVELS.items() if value == flag.default)
    elif flag.read is truth:
        said = str(said).lower()
    return f" (default {said})".replace("%", "%%")
