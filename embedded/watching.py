"""Who watches what, and what each of them has yet to read.

For: handing every change to every watcher it concerns, in order, in the turn it was made.
Must not know: how changes are stored, or how they reach a client.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from api.kinds import Resource
from cluster.client import EventType, WatchEvent
from cluster.errors import ApiError, GoneError
from embedded.history import Change
from embedded.selection import Selector
from embedded.versions import in_version

QUEUE_MAX: Final = 4096  # changes a watcher may lag behind; then it must list again


class Watcher:
    """One open watch: a bounded queue of events. Not for more than one reader."""

    __slots__ = (
        "_error",
        "_hub",
        "_is_closed",
        "_queue",
        "_queue_max",
        "_waiter",
        "resource",
        "selector",
    )

    def __init__(
        self, hub: "Hub", resource: Resource, selector: Selector, *, queue_max: int
    ) -> None:
        self._hub = hub
        self._queue: deque[WatchEvent] = deque()
        self._queue_max = queue_max
        self._waiter: asyncio.Future[None] | None = None
        self._error: ApiError | None = None
        self._is_closed = False
        self.resource = resource
        self.selector = selector

    async def next(self) -> WatchEvent | None:
        """Wait for the next event; None once closed; GoneError after falling behind."""
        while not self._queue:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if self._is_closed:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._queue.popleft()

    def close(self) -> None:
        """Stop listening and free what was queued."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.clear()
            self._hub.forget(self)
            self._wake()

    def end(self) -> None:
        """Nothing more comes after what is queued."""
        if not self._is_closed:
            self._is_closed = True
            self._hub.forget(self)
            self._wake()

    def start(self, events: list[WatchEvent]) -> None:
        """Queue what comes before anything live; of any length, as the caller has it anyway."""
        self._queue.extend(events)

    def push(self, event: WatchEvent) -> None:
        """Queue a live event, or give up on a reader too slow for it."""
        if len(self._queue) >= self._queue_max:
            self._error = GoneError(
                f"the watcher fell {self._queue_max} changes behind: list and watch again"
            )
            self.close()
            return
        self._queue.append(event)
        self._wake()

    @property
    def waiting(self) -> int:
        """Events queued and not read."""
        return len(self._queue)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubStatistics:
    """What is open now."""

    watchers: int
    waiting: int  # events queued for all of them


class Hub:
    """All watchers, by kind."""

    def __init__(self, *, queue_max: int = QUEUE_MAX) -> None:
        self._queue_max = queue_max
        self._watchers: dict[tuple[str, str], list[Watcher]] = {}

    def open(self, resource: Resource, selector: Selector) -> Watcher:
        """A watcher that hears of every change from now on."""
        watcher = Watcher(self, resource, selector, queue_max=self._queue_max)
        self._watchers.setdefault((resource.group, resource.plural), []).append(watcher)
        return watcher

    def forget(self, watcher: Watcher) -> None:
        """Drop a closed watcher."""
        for watchers in self._watchers.values():
            if watcher in watchers:
                watchers.remove(watcher)
                return

    def publish(self, change: Change) -> None:
        """Give a change to everyone it concerns."""
        watchers = self._watchers.get((change.resource.group, change.resource.plural))
        if not watchers:
            return
        # Most watchers select everything or nothing of a change: build each event once.
        built: dict[tuple[EventType, str], WatchEvent] = {}
        for watcher in tuple(watchers):
            type_ = type_for(watcher.selector, change)
            if type_ is None:
                continue
            version = watcher.resource.api_version
            event = built.get((type_, version))
            if event is None:
                obj = in_version(watcher.resource, change.object)
                event = built[type_, version] = WatchEvent(type=type_, object=obj)
            watcher.push(event)

    def end(self, resource: Resource) -> None:
        """End the watches of a kind at this version."""
        for watcher in tuple(self._watchers.get((resource.group, resource.plural), ())):
            if watcher.resource == resource:
                watcher.end()

    def close(self) -> None:
        """End every watch."""
        for watchers in list(self._watchers.values()):
            for watcher in tuple(watchers):
                watcher.close()

    def statistics(self) -> HubStatistics:
        """What is open now."""
        every = [watcher for watchers in self._watchers.values() for watcher in watchers]
        return HubStatistics(watchers=len(every), waiting=sum(each.waiting for each in every))


def type_for(selector: Selector, change: Change) -> EventType | None:
    """What a change is to someone who sees only the selected objects; None: nothing.

    An object that leaves the selection is DELETED, with its new state, as in Kubernetes.
    """
    is_selected = selector.matches(change.object)
    if change.type == "ADDED":
        return "ADDED" if is_selected else None
    was_selected = change.old is not None and selector.matches(change.old)
    if change.type == "DELETED":
        return "DELETED" if was_selected else None
    if is_selected:
        return "MODIFIED" if was_selected else "ADDED"
    return "DELETED" if was_selected else None


def bookmark(resource: Resource, version: int, *, ends_initial: bool = False) -> WatchEvent:
    """Everything up to `version` has been sent."""
    metadata: dict[str, Any] = {"resourceVersion": str(version), "creationTimestamp": None}
    if ends_initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    raw = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return WatchEvent(type="BOOKMARK", object=raw)
