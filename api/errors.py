"""What is wrong with an object that somebody wrote, in Knative's words.

For: telling every wrong field of an object at once, each by its full path.
Must not know: how objects are read, nor how an error reaches its reader.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from typing_extensions import override


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One thing that is wrong, and every path at which it is."""

    message: str
    paths: tuple[str, ...] = ()
    details: str = ""

    @override
    def __str__(self) -> str:
        where = f": {', '.join(self.paths)}" if self.paths else ""
        return f"{self.message}{where}" + (f"\n{self.details}" if self.details else "")


class InvalidObjectError(Exception):
    """An object was refused; `errors` says why, merged and in a fixed order.

    Errors with the same message and details become one with several paths, as in
    Knative, so that ten missing fields read as one line.
    """

    errors: tuple[FieldError, ...]

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = merged(errors)
        super().__init__("\n".join(map(str, self.errors)))


def merged(errors: Iterable[FieldError]) -> tuple[FieldError, ...]:
    """Join the paths of equal complaints; sort by message, then details."""
    paths: dict[tuple[str, str], set[str]] = {}
    for error in errors:
        paths.setdefault((error.message, error.details), set()).update(error.paths)
    return tuple(
        FieldError(message=message, paths=tuple(sorted(found)), details=details)
        for (message, details), found in sorted(paths.items())
    )
