"""Queues whose requests the supposed owner did not take, because it sees another one.

For: asking again, each time a little later; and an end of that, so that no request waits for an
agreement that does not come.
Must not know: tickets, owners, clocks. `now_s` never goes back.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

from activator.targets import RevisionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Patiences:
    """How long what is waited for among activators."""

    settle_s: float = 1.0  # a new owner, for others to say which slots they use
    retry_s: float = 0.02  # before a request is asked for again; doubles
    retry_max_s: float = 0.5
    alone_s: float = 2.0  # for the owner to see that it is the owner; then we forward ourselves


@dataclass(slots=True, kw_only=True)
class _Queue:
    since_s: float
    due_s: float  # never, while what was asked for again is not turned away again
    wait_s: float
    asked_s: float


class Astray:
    """All such queues of one activator."""

    def __init__(self, patiences: Patiences) -> None:
        self._patiences = patiences
        self._queues: dict[RevisionKey, _Queue] = {}

    def __contains__(self, key: RevisionKey) -> bool:
        """Whether it is one."""
        return key in self._queues

    def keys(self) -> Collection[RevisionKey]:
        """Whose they are."""
        return self._queues.keys()

    def turned_away(self, key: RevisionKey, now_s: float) -> None:
        """A request of this queue was not taken."""
        found = self._queues.get(key)
        patiences = self._patiences
        was_taken = (
            found is not None
            and found.due_s == math.inf
            and now_s - found.asked_s > patiences.alone_s
        )
        if found is None or was_taken:
            due_s = now_s + patiences.retry_s
            self._queues[key] = _Queue(
                since_s=now_s, due_s=due_s, wait_s=patiences.retry_s, asked_s=now_s
            )
        elif found.due_s == math.inf:
            found.due_s = now_s + found.wait_s

    def forget(self, key: RevisionKey) -> None:
        """It is served, or gone."""
        self._queues.pop(key, None)

    def clear(self) -> None:
        """All is to be found out anew."""
        self._queues.clear()

    def due_s(self) -> float:
        """When the first one is due; infinity: none is."""
        return min((each.due_s for each in self._queues.values()), default=math.inf)

    def take_due(self, now_s: float) -> tuple[list[RevisionKey], list[RevisionKey]]:
        """Which to ask for again, and which have asked in vain for too long: those are let go."""
        again: list[RevisionKey] = []
        alone: list[RevisionKey] = []
        for key, queue in tuple(self._queues.items()):
            if queue.due_s > now_s:
                continue
            if now_s - queue.since_s >= self._patiences.alone_s:
                del self._queues[key]
                alone.append(key)
            else:
                queue.asked_s = now_s
                queue.due_s = math.inf
                queue.wait_s = min(2 * queue.wait_s, self._patiences.retry_max_s)
                again.append(key)
        return again, alone
