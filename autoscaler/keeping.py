"""Load at the start what an earlier autoscaler kept, and keep what changes.

For: a restart, or another autoscaler that takes over, goes on with the windows of this one.
Must not know: what is in a blob, how anything is decided.

No decision ever waits for the store. Only the start does, for `Timing.wait_s` at most; a store
that answers later is still heard, each pilot takes what it does not know better by then. Before
it has answered nothing is saved, lest what it has be overwritten with less.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from autoscaler.memory import Memory
from autoscaler.scaler import Key

_LOG = logging.getLogger(__name__)
_FAREWELL_S = 2.0  # the last save may hold up the end of the process for so long
_BACK_OFF_S = (0.5, 15.0)  # first wait after a failed load, longest wait
_BATCH = 512  # blobs in one save, about half a megabyte
_DUMPS_AT_ONCE = 8  # then others on this event loop have a go


class StoreError(Exception):
    """The store could not; str() says what went wrong."""


class WindowStore(Protocol):
    """Keeps one blob for each Revision. Every method may raise `StoreError`, and may hang."""

    async def load(self) -> Mapping[Key, bytes]:
        """Everything that is kept."""
        ...

    async def save(self, changed: Mapping[Key, bytes], gone: Collection[Key]) -> None:
        """Keep these, and those no longer: all of it or nothing."""
        ...

    async def close(self) -> None:
        """Let go. Nothing is called after it."""
        ...


class Revisions(Protocol):
    """All Revisions, by name."""

    def recall(self, key: Key) -> None:
        """Hand out what was kept of one, if it is known already."""
        ...

    def dump(self, key: Key) -> bytes | None:
        """The bytes to keep of one; None when there are none, or it is gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long and how often."""

    save_s: float = 5.0  # between two saves: what a death may cost
    wait_s: float = 1.0  # the start waits so long for what was kept
    timeout_s: float = 10.0  # of one load or save


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts since the start."""

    is_loaded: bool
    loaded: int  # blobs
    restored: int  # Revisions that went on from one
    unreadable: int  # blobs
    saves: int
    saved: int  # blobs
    failures: int  # of the store; what was not saved is tried again


class Keeper:
    """One store's reader and writer. A failing store is said once, counted and tried again."""

    def __init__(
        self, store: WindowStore, memory: Memory, revisions: Revisions, timing: Timing
    ) -> None:
        self._store = store
        self._memory = memory
        self._revisions = revisions
        self._timing = timing
        self._loaded = asyncio.Event()
        self._loaded_count = self._saves = self._saved = self._failures = 0
        self._failing = 0  # failures in a row

    async def run(self, synced: Callable[[], Awaitable[None]]) -> None:
        """Load, then save every `save_s`, until cancelled; then save once more.

        `synced` returns when every Revision there is was seen.
        """
        try:
            await self._load()
            await synced()
            self._memory.settle()
            if self._loaded_count:
                _LOG.info(
                    "went on from what was kept of %d Revisions, of %d",
                    self._memory.restored,
                    self._loaded_count,
                )
            while True:
                await asyncio.sleep(self._timing.save_s)
                await self._save(self._timing.timeout_s)
        finally:
            if self._loaded.is_set():
                await self._bounded(self._save(_FAREWELL_S))
            await self._bounded(self._store.close())

    async def ready(self) -> None:
        """Wait until what was kept is there, but not for long."""
        try:
            async with asyncio.timeout(self._timing.wait_s):
                await self._loaded.wait()
        except TimeoutError:
            _LOG.warning(
                "the state store has not answered for %g s: going on without what was kept",
                self._timing.wait_s,
            )

    def statistics(self) -> Statistics:
        """Counts since the start."""
        return Statistics(
            is_loaded=self._loaded.is_set(),
            loaded=self._loaded_count,
            restored=self._memory.restored,
            unreadable=self._memory.unreadable,
            saves=self._saves,
            saved=self._saved,
            failures=self._failures,
        )

    async def _load(self) -> None:
        first_s, longest_s = _BACK_OFF_S
        blobs = await self._loaded_once()
        while blobs is None:
            await asyncio.sleep(min(longest_s, first_s * 2.0 ** min(self._failing - 1, 20)))
            blobs = await self._loaded_once()
        self._memory.learn(blobs)
        self._loaded_count = len(blobs)
        self._loaded.set()
        for count, key in enumerate(blobs, start=1):
            self._revisions.recall(key)  # those that are known already: the store was late
            if count % _DUMPS_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _loaded_once(self) -> Mapping[Key, bytes] | None:
        try:
            async with asyncio.timeout(self._timing.timeout_s):
                blobs = await self._store.load()
        except (StoreError, TimeoutError) as error:
            self._failed("loading", error)
            return None
        self._worked()
        return blobs

    async def _save(self, timeout_s: float) -> None:
        """Save all that changed, in batches; what could not be saved is to be saved again."""
        due = self._memory.take()
        try:
            while due and await self._save_batch(due[:_BATCH], timeout_s):
                del due[:_BATCH]
        finally:
            for key in due:
                self._memory.touch(key)

    async def _save_batch(self, keys: list[Key], timeout_s: float) -> bool:
        changed: dict[Key, bytes] = {}
        gone: list[Key] = []
        for count, key in enumerate(keys, start=1):
            blob = self._revisions.dump(key)
            if blob is not None:
                changed[key] = blob
            elif self._memory.is_stored(key):
                gone.append(key)
            if count % _DUMPS_AT_ONCE == 0:
                await asyncio.sleep(0)
        if not changed and not gone:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._store.save(changed, gone)
        except (StoreError, TimeoutError) as error:
            self._failed("saving", error)
            return False
        self._worked()
        self._saves += 1
        self._saved += len(changed)
        self._memory.stored(changed, gone)
        return True

    async def _bounded(self, work: Awaitable[None]) -> None:
        """The end of a process waits a little, whatever the store does."""
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await work
        except (StoreError, TimeoutError) as error:
            self._failed("closing", error)

    def _failed(self, doing: str, error: Exception) -> None:
        self._failures += 1
        self._failing += 1
        if self._failing == 1:
            said = str(error) or "it did not answer in time"
            _LOG.warning(
                "%s the state failed: %s; decisions go on, and it is tried again", doing, said
            )

    def _worked(self) -> None:
        if self._failing:
            _LOG.warning("the state store works again after %d failures", self._failing)
        self._failing = 0
