"""SQLite: every object, one resourceVersion for all of them, and the recent changes.

For: making an acknowledged write survive the death of the process, and reading at no cost.
Must not know: what an object means; of its content it touches metadata.resourceVersion only.
"""

import fcntl
import os
import sqlite3
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from api import kinds
from api.kinds import CUSTOMRESOURCEDEFINITIONS, Resource
from embedded import definitions
from embedded.checkpointing import Checkpointer
from embedded.history import Change, ChangeType, History
from embedded.storage_errors import StorageError, explained
from embedded.versions import in_version

IN_MEMORY: Final = ":memory:"
_APPLICATION_ID: Final = 0x524C4754  # "RLGT"
_SCHEMA_VERSION: Final = 1
# Versions skipped at each start: a power cut may lose the last commits (synchronous=NORMAL),
# and a version that a watcher has seen must never come back with another meaning.
_START_GAP: Final = 100_000
_BUSY_TIMEOUT_S: Final = 0.1  # another program's lock may hold up the event loop this long
_Names = tuple[str, str]  # namespace ("" for kinds without one), name
_SCHEMA = """
CREATE TABLE objects (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (resource, namespace, name)
) WITHOUT ROWID;
CREATE TABLE versions (id INTEGER PRIMARY KEY CHECK (id = 0), last INTEGER NOT NULL);
INSERT INTO versions VALUES (0, 0);
"""


class _Table:
    """The objects of one kind, by name and in order of (namespace, name)."""

    __slots__ = ("objects", "order", "resource", "selectable")

    def __init__(self, resource: Resource) -> None:
        self.resource = resource  # at whichever version
        self.selectable: tuple[str, ...] = ()  # fields that a CRD lets be selected by
        self.objects: dict[_Names, dict[str, Any]] = {}
        self.order: list[_Names] = []

    def put(self, names: _Names, obj: dict[str, Any]) -> None:
        if names not in self.objects:
            insort(self.order, names)
        self.objects[names] = obj

    def remove(self, names: _Names) -> None:
        del self.objects[names]
        del self.order[bisect_left(self.order, names)]


class Store:
    """All objects, in memory and on disk. Stored objects are shared: nobody may mutate them.

    Each write is one transaction, committed before memory changes. A write SQLite refuses
    raises StorageError and changes nothing. Only one process may have a store open.

    A kind that a CRD defines is kept once, whatever the version it was written in, and is
    read in the version asked for: only apiVersion differs.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        history_events_max: int = 10_000,
        history_bytes_max: int = 32 * 1024 * 1024,
    ) -> None:
        self._path = str(path)
        self._lock_fd = None if self._path == IN_MEMORY else _lock(Path(path))
        try:
            with explained(self._path):
                self._database = _open(self._path)
                self._tables = {_key(resource): _Table(resource) for resource in kinds.ALL}
                last = self._load()
        except StorageError:
            self._unlock()
            raise
        self._version = last + _START_GAP
        self._history = History(
            start=self._version, events_max=history_events_max, bytes_max=history_bytes_max
        )
        self._listeners: list[Callable[[Change], None]] = []
        self._checkpointer = None if self._path == IN_MEMORY else Checkpointer(self._path)

    @property
    def version(self) -> int:
        """The resourceVersion of the last write."""
        return self._version

    @property
    def oldest_version(self) -> int:
        """The oldest version that `changes_since` still answers for."""
        return self._history.floor

    def serves(self, resource: Resource) -> bool:
        """Whether objects of this kind can be kept here."""
        return (resource.group, resource.plural) in self._tables

    def homes(self) -> list[Resource]:
        """Every kind that is kept, once each."""
        return [table.resource for table in self._tables.values()]

    def open(self, resource: Resource, selectable: tuple[str, ...] = ()) -> None:
        """Keep objects of this kind too, if they are not kept already."""
        self._tables.setdefault(_key(resource), _Table(resource)).selectable = selectable

    def drop(self, resource: Resource) -> None:
        """Keep no objects of this kind any more. Those it still has go unheard."""
        if self._tables.pop(_key(resource), None) is not None:
            with explained(self._path):
                self._database.execute(
                    "DELETE FROM objects WHERE resource = ?", (_path_of(resource),)
                )

    def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        """The object, or None."""
        found = self._tables[_key(resource)].objects.get((namespace, name))
        return None if found is None else in_version(resource, found)

    def select(
        self, resource: Resource, namespace: str | None = None, *, after: _Names | None = None
    ) -> Iterator[dict[str, Any]]:
        """The objects of one namespace or of all, in order, those after `after` only.

        Do not write while iterating.
        """
        table = self._tables[_key(resource)]
        start = after or (namespace or "", "")
        for at in range(bisect_left(table.order, start), len(table.order)):
            names = table.order[at]
            if namespace is not None and names[0] != namespace:
                return
            if names != after:
                yield in_version(resource, table.objects[names])

    def put(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        """Write an object whose outer dict and metadata belong to this call; returns it stored.

        What is stored is decoded from the bytes written, so it shares nothing with `obj`.
        """
        metadata = obj["metadata"]
        names = (metadata.get("namespace", ""), metadata["name"])
        version = self._version + 1
        metadata["resourceVersion"] = str(version)
        body = orjson.dumps(obj)
        row = (_path_of(resource), *names, version, body)
        with explained(self._path):
            # In autocommit one statement is one transaction, without the cost of BEGIN and COMMIT.
            self._database.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", row)
        table = self._tables[_key(resource)]
        old = table.objects.get(names)
        stored: dict[str, Any] = orjson.loads(body)
        table.put(names, stored)
        self._committed("ADDED" if old is None else "MODIFIED", table.resource, (stored, old), body)
        return stored

    def remove(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        """Remove an object; `obj` is its last state, owned as in `put`; returns that state."""
        metadata = obj["metadata"]
        names = (metadata.get("namespace", ""), metadata["name"])
        table = self._tables[_key(resource)]
        old = table.objects[names]
        version = self._version + 1
        metadata["resourceVersion"] = str(version)
        body = orjson.dumps(obj)
        with explained(self._path), _transaction(self._database) as database:
            row = (_path_of(resource), *names)
            database.execute(
                "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", row
            )
            database.execute("UPDATE versions SET last = ?", (version,))
        table.remove(names)
        last: dict[str, Any] = orjson.loads(body)
        self._committed("DELETED", table.resource, (last, old), body)
        return last

    def changes_since(self, resource: Resource, version: int) -> list[Change]:
        """What happened to a kind after `version`; raises CompactedError."""
        return self._history.since(resource, version)

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` for every later change, after its commit, in order."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Release the file. What was acknowledged is on disk already."""
        if self._checkpointer is not None:
            self._checkpointer.stop()
            self._checkpointer = None
        self._database.close()
        self._unlock()

    def _committed(
        self,
        type_: ChangeType,
        resource: Resource,
        states: tuple[dict[str, Any], dict[str, Any] | None],
        body: bytes,
    ) -> None:
        self._version += 1
        new, old = states
        change = Change(version=self._version, type=type_, resource=resource, object=new, old=old)
        self._history.append(change, body, self._tables[_key(resource)].selectable)
        for listener in self._listeners:
            listener(change)
        if self._checkpointer is not None:
            self._checkpointer.wrote(len(body))

    def _load(self) -> int:
        (last,) = self._database.execute("SELECT last FROM versions").fetchone()
        rows = self._database.execute(
            "SELECT resource, namespace, name, version, body FROM objects ORDER BY resource <> ?",
            (_path_of(CUSTOMRESOURCEDEFINITIONS),),  # first: they say which kinds there are
        )
        for path, namespace, name, version, body in rows:
            last = max(last, version)
            group, _, plural = path.partition("/")
            table = self._tables.get((group, plural))
            if table is None:
                raise StorageError(
                    f"{self._path} holds objects of a kind this version does not know ({path}): "
                    "start the version of Relight that wrote it, or use another data directory"
                )
            try:
                obj = orjson.loads(body)
            except orjson.JSONDecodeError as error:
                raise StorageError(
                    f"{self._path} is damaged: {path} {namespace}/{name} cannot be read ({error}). "
                    "Restore the file from a copy, or move it away to start empty"
                ) from error
            table.put((namespace, name), obj)
            if table.resource == CUSTOMRESOURCEDEFINITIONS:
                self.open(definitions.read(obj).versions[0].resource)
        return int(last)

    def _unlock(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


def _key(resource: Resource) -> tuple[str, str]:
    return resource.group, resource.plural


def _path_of(resource: Resource) -> str:
    return f"{resource.group}/{resource.plural}"


def _lock(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(
            f"cannot open {path}: {error.strerror}. Choose a data directory that can be written"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StorageError(
            f"{path} is in use by another process (pid {owner}): stop it, "
            "or choose another data directory"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _open(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
    try:
        _check(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection, path: str) -> None:
    # The WAL is emptied by a thread of its own; this bound holds if that thread cannot.
    database.execute("PRAGMA wal_autocheckpoint = 20000")
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and tables == 0:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        with _transaction(database):
            for statement in filter(str.strip, _SCHEMA.split(";")):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        return
    if application != _APPLICATION_ID:
        raise StorageError(f"{path} is an SQLite file of another program: choose another path")
    if version > _SCHEMA_VERSION:
        raise StorageError(
            f"{path} was written by a newer Relight (schema {version}, this one reads up to "
            f"{_SCHEMA_VERSION}): start that version, or use another data directory"
        )
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    # Writes nothing, but asks for the right to: nothing could work with a read-only file.
    database.execute("DELETE FROM objects WHERE 0")
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise StorageError(
            f"{path} is damaged ({verdict}): restore it from a copy, or move it away to start empty"
        )


class _transaction:  # noqa: N801 - reads as a keyword where it is used
    __slots__ = ("_database",)

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> sqlite3.Connection:
        self._database.execute("BEGIN IMMEDIATE")
        return self._database

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            try:
                self._database.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        # SQLite has already rolled back by itself after a full disk or an IO error.
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")
