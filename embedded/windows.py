"""The state of the autoscaler on one machine: an SQLite file of its own beside the objects.

For: the windows of a platform that was stopped, or killed, are those it starts with.
Must not know: what is in a blob, when it is read or written.

What is lost with the file is a stable window of listening and what was learned of arrivals, no
object. So a file that can not be read is put aside, said and begun anew: nobody is kept waiting.
Everything runs on a thread of its own, for a disk may take its time.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from autoscaler.keeping import StoreError
from autoscaler.scaler import Key

_LOG = logging.getLogger(__name__)
_APPLICATION_ID: Final = 0x524C4757  # "RLGW"
_SCHEMA_VERSION: Final = 1
_BUSY_TIMEOUT_S: Final = 2.0
_SCHEMA: Final = """
CREATE TABLE windows (
    namespace TEXT NOT NULL, name TEXT NOT NULL, blob BLOB NOT NULL,
    PRIMARY KEY (namespace, name)
) WITHOUT ROWID
"""
T = TypeVar("T")


class SqliteWindows:
    """A `WindowStore`. The file is opened, and made, by the first call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="windows")
        self._last: Future[Any] | None = None

    async def load(self) -> Mapping[Key, bytes]:
        """Everything that is kept."""
        return await self._run(self._load)

    async def save(self, changed: Mapping[Key, bytes], gone: Collection[Key]) -> None:
        """Keep these, and those no longer, in one transaction that survives kill -9."""
        await self._run(lambda: self._save(changed, gone))

    async def close(self) -> None:
        """Release the file."""
        try:
            await self._run(self._close)
        finally:
            self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._last is not None and not self._last.done():
            raise StoreError(f"{self._path}: the disk has not done with the last request yet")
        future = self._thread.submit(work)
        self._last = future
        try:
            return await asyncio.wrap_future(future)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self._path}: {error}") from error

    def _load(self) -> dict[Key, bytes]:
        rows = self._opened().execute("SELECT namespace, name, blob FROM windows")
        return {(namespace, name): blob for namespace, name, blob in rows}

    def _save(self, changed: Mapping[Key, bytes], gone: Collection[Key]) -> None:
        database = self._opened()
        with database:  # one transaction, rolled back when anything fails
            database.executemany(
                "INSERT OR REPLACE INTO windows VALUES (?, ?, ?)",
                ((*key, blob) for key, blob in changed.items()),
            )
            database.executemany("DELETE FROM windows WHERE namespace = ? AND name = ?", gone)

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            try:
                self._database = _open(self._path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise  # locked, full, read-only: not the fault of what is in it
                self._put_aside(error)
                self._database = _open(self._path)
        return self._database

    def _put_aside(self, error: sqlite3.DatabaseError) -> None:
        aside = self._path.with_name(f"{self._path.name}.damaged")
        _LOG.warning(
            "%s is unreadable (%s): begun anew, the old one is %s", *(self._path, error, aside)
        )
        self._path.replace(aside)
        for ending in ("-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S)
    try:
        _prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection) -> None:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    is_new = application == 0 and tables == 0
    if not is_new and (application, version) != (_APPLICATION_ID, _SCHEMA_VERSION):
        raise sqlite3.DatabaseError("not a file of this version's windows")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    if is_new:
        database.execute(_SCHEMA)
        database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
