"""Which replica takes the next request: the least loaded one that has room.

For: the activator's rule (activator/balancing.py), at O(1) a request.
Must not know: time, queues, why a replica came or went.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, TypeVar

R = TypeVar("R")  # a replica, hashable


class Slots(Generic[R]):
    """Requests per ready replica. `capacity` 0 means no limit; of equal load they take turns."""

    __slots__ = ("_capacity", "_levels", "_lowest", "_used")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._used: dict[R, int] = {}  # of ready replicas
        self._levels: list[OrderedDict[R, None]] = []  # those with room, by load
        self._lowest = 0  # the first level that is not empty, or the number of levels

    def take(self) -> R | None:
        """Take a slot; None when no ready replica has one."""
        levels, lowest = self._levels, self._lowest
        if lowest == len(levels):
            return None
        level = levels[lowest]
        replica, _ = level.popitem(last=False)
        self._used[replica] = lowest + 1
        if lowest + 1 != self._capacity:
            self._put(replica, lowest + 1)
        if not level:
            self._settle()
        return replica

    def free(self, replica: R) -> None:
        """Give a slot of a ready replica back."""
        load = self._used[replica]
        assert load > 0, "a slot was given back twice"
        if load != self._capacity:
            del self._levels[load][replica]
        self._used[replica] = load - 1
        self._put(replica, load - 1)
        if load - 1 < self._lowest:
            self._lowest = load - 1
        elif not self._levels[self._lowest]:
            self._settle()

    def change(self, ready: Iterable[R], used: Iterable[int]) -> None:
        """Say which replicas are ready, and how many slots of each are taken."""
        self._used = dict(zip(ready, used, strict=True))
        self._levels = []
        self._lowest = 0
        for replica, load in self._used.items():
            if load < self._capacity or not self._capacity:
                self._put(replica, load)
        self._settle()

    def _put(self, replica: R, load: int) -> None:
        levels = self._levels
        while len(levels) <= load:
            levels.append(OrderedDict())
        levels[load][replica] = None

    def _settle(self) -> None:
        levels, lowest = self._levels, self._lowest
        while lowest < len(levels) and not levels[lowest]:
            lowest += 1
        self._lowest = lowest
