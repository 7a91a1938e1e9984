"""Names of objects to look at: each at most once, not before it is due.

For: deciding which name is worked on next, and how long a failing one rests.
Must not know: what a name stands for, clocks, or who does the work.
"""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

BACK_OFF_FIRST_S = 0.005  # client-go's default: 5 ms, doubling, up to a bound
BACK_OFF_MAX_S = 30.0
_DOUBLINGS_MAX = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The queue's state, in names."""

    waiting: int
    working: int
    failing: int


@dataclass(slots=True)
class WorkQueue(Generic[Key]):
    """A set of names with due times. It holds at most one entry a name, O(log n) an event.

    A name added while it is worked on is given out again afterwards, never at the same time.
    """

    _due_s: dict[Key, float] = field(default_factory=dict)  # waiting names
    _heap: list[tuple[float, int, Key]] = field(default_factory=list)  # may hold stale entries
    _working: dict[Key, float | None] = field(default_factory=dict)  # → due again at, if added
    _failures: dict[Key, int] = field(default_factory=dict)
    _sequence: int = 0  # ties are served in order of arrival

    def add(self, key: Key, *, due_s: float) -> None:
        """Give out `key` at `due_s` or as soon after as asked; the earliest wish counts."""
        if key in self._working:
            again_s = self._working[key]
            self._working[key] = due_s if again_s is None else min(again_s, due_s)
            return
        if key in self._due_s and self._due_s[key] <= due_s:
            return
        self._due_s[key] = due_s
        self._sequence += 1
        heapq.heappush(self._heap, (due_s, self._sequence, key))

    def take(self, *, now_s: float) -> Key | None:
        """The longest due name, which is now being worked on; None if none is due."""
        self._drop_stale()
        if not self._heap or self._heap[0][0] > now_s:
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._due_s[key]
        self._working[key] = None
        return key

    def succeeded(self, key: Key, *, now_s: float, again_after_s: float | None = None) -> None:
        """The work on `key` is done; `again_after_s` asks for another look."""
        self._failures.pop(key, None)
        self._release(key, None if again_after_s is None else now_s + again_after_s)

    def failed(self, key: Key, *, now_s: float, share: float = 1.0) -> float:
        """The work on `key` failed: it rests, twice as long each time. Returns for how long.

        `share` of that time: of many that failed together, not all shall come back at once.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        rest_s = float(min(BACK_OFF_MAX_S, BACK_OFF_FIRST_S * 2.0 ** min(failures, _DOUBLINGS_MAX)))
        self._release(key, now_s + share * rest_s)
        return share * rest_s

    def next_due_s(self) -> float | None:
        """When the next name is due; None if none is waiting."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def statistics(self) -> Statistics:
        """How much there is to do."""
        return Statistics(
            waiting=len(self._due_s), working=len(self._working), failing=len(self._failures)
        )

    def _release(self, key: Key, due_s: float | None) -> None:
        again_s = self._working.pop(key)
        wishes = [wish for wish in (again_s, due_s) if wish is not None]
        if wishes:
            self.add(key, due_s=min(wishes))

    def _drop_stale(self) -> None:
        while self._heap and self._due_s.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
