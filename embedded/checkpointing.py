"""Move the write-ahead log into the database file, beside the writer and not in it.

For: keeping fsync (tens of milliseconds) off the event loop.
Must not know: what is written; it only counts bytes.
"""

import logging
import sqlite3
import threading
from typing import Final

_LOG = logging.getLogger(__name__)
_BYTES_BETWEEN: Final = 4 * 1024 * 1024


class Checkpointer:
    """A thread with a connection of its own that checkpoints when enough was written."""

    def __init__(self, path: str, *, bytes_between: int = _BYTES_BETWEEN) -> None:
        self._path = path
        self._bytes_between = bytes_between
        self._bytes = 0
        self._wanted = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="store-checkpoint", daemon=True)
        self._thread.start()

    def wrote(self, size: int) -> None:
        """Count a committed write."""
        self._bytes += size
        if self._bytes >= self._bytes_between:
            self._bytes = 0
            self._wanted.set()

    def stop(self) -> None:
        """End the thread; a checkpoint under way is finished first."""
        self._is_stopping = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._is_stopping:
                return
            try:
                self._checkpoint()
            except sqlite3.Error as error:
                # The log only grows meanwhile; the writer's own bound on it still holds.
                _LOG.warning("checkpoint of %s failed: %s", self._path, error)

    def _checkpoint(self) -> None:
        # PASSIVE neither waits for the writer nor makes it wait.
        database = sqlite3.connect(self._path, isolation_level=None)
        try:
            database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            database.close()
