"""What SQLite's refusals mean to the person whose disk it is.

For: one message per cause, each saying what to do.
Must not know: what was being written.
"""

import sqlite3
from types import TracebackType

import orjson

from cluster.errors import BadRequestError, InternalError

_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full: free space there; nothing was changed, so try again",
    sqlite3.SQLITE_READONLY: "the file or its directory is read-only: make both writable",
    sqlite3.SQLITE_PERM: "access was denied: make the file and its directory writable",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check that its directory exists and is writable",
    sqlite3.SQLITE_BUSY: "another program holds a lock on it: close that program and try again",
    sqlite3.SQLITE_LOCKED: "another program holds a lock on it: close that program and try again",
    sqlite3.SQLITE_IOERR: "reading or writing failed: check the disk (dmesg) and its free space",
    sqlite3.SQLITE_CORRUPT: "it is damaged: restore it from a copy, or move it away to start empty",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite file: choose another path, or move it away",
    sqlite3.SQLITE_TOOBIG: "the object is too large for SQLite: make it smaller",
}


class StorageError(Exception):
    """A write or a start that storage refused; nothing was changed. str() says what to do."""


class explained:  # noqa: N801 - reads as a keyword where it is used
    """Turn sqlite3 errors of the block into StorageError. A class: half the cost of a generator."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, sqlite3.Error):
            # Extended codes carry the primary one in their low byte.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            advice = _ADVICE.get(code, "nothing was changed; try again, and report it if it stays")
            raise StorageError(f"{self._path}: {error}; {advice}") from error


class answered:  # noqa: N801 - reads as a keyword where it is used
    """Storage failures and values that are not JSON, as answers to the caller of the server."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, StorageError):
            raise InternalError(f"storage refused the write: {error}") from error
        if isinstance(error, orjson.JSONEncodeError):
            raise BadRequestError(f"the object is not JSON: {error}") from error
