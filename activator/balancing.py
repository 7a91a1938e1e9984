"""Which replica gets the next request: the least loaded one that has room.

For: a hard limit of requests per replica, and even load, at O(1) a request.
Must not know: what an endpoint is, queues, clocks, sockets.
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import Generic, TypeVar

E = TypeVar("E")  # hashable


class Balancer(Generic[E]):
    """Counts the slots in use per endpoint. `capacity` 0 means no limit.

    Endpoints of equal load take turns. Slots in use outlive readiness: an endpoint that
    leaves and returns still has what runs on it. Knative forgets this, and overloads it.
    """

    def __init__(self, capacity: int) -> None:
        assert capacity >= 0, "a negative capacity"
        self._capacity = capacity
        self._in_use: dict[E, int] = {}  # ready, or with slots in use
        self._ready: set[E] = set()
        # Ready endpoints with room, by load. `_lowest` is the first non-empty level, or the
        # number of levels.
        self._levels: list[OrderedDict[E, None]] = []
        self._lowest = 0

    @property
    def ready(self) -> Collection[E]:
        """The endpoints that may be used."""
        return self._ready

    @property
    def has_room(self) -> bool:
        """Whether `take` would find an endpoint."""
        return self._lowest < len(self._levels)

    def in_use(self, endpoint: E) -> int:
        """How many slots of an endpoint are taken, ready or not."""
        return self._in_use.get(endpoint, 0)

    def take(self) -> E | None:
        """Take a slot of the least loaded ready endpoint; None when there is no room."""
        lowest = self._lowest
        levels = self._levels
        if lowest == len(levels):
            return None
        level = levels[lowest]
        endpoint = level.popitem(last=False)[0]
        load = self._in_use[endpoint] = lowest + 1
        if load != self._capacity:
            if load == len(levels):
                levels.append(OrderedDict())
            levels[load][endpoint] = None
        if not level:
            self._settle()
        return endpoint

    def free(self, endpoint: E) -> None:
        """Give a slot back."""
        load = self._in_use[endpoint]
        assert load > 0, "a slot was given back twice"
        if endpoint in self._ready:
            if load != self._capacity:
                del self._levels[load][endpoint]
            self._in_use[endpoint] = load - 1
            self._put(endpoint, load - 1)
        elif load > 1:
            self._in_use[endpoint] = load - 1
        else:
            del self._in_use[endpoint]

    def change(self, ready: Collection[E]) -> None:
        """Say which endpoints are ready. Cost: linear in the endpoints that changed."""
        for endpoint in self._ready.difference(ready):
            load = self._in_use[endpoint]
            if load != self._capacity or not load:
                del self._levels[load][endpoint]
            if not load:
                del self._in_use[endpoint]
        added = [endpoint for endpoint in ready if endpoint not in self._ready]
        self._ready = set(ready)
        self._settle()
        for endpoint in added:
            load = self._in_use.setdefault(endpoint, 0)
            if load != self._capacity or not load:
                self._put(endpoint, load)

    def _put(self, endpoint: E, load: int) -> None:
        levels = self._levels
        while len(levels) <= load:
            levels.append(OrderedDict())
        levels[load][endpoint] = None
        if load < self._lowest:
            self._lowest = load
        elif not levels[self._lowest]:
            self._settle()

    def _settle(self) -> None:
        levels = self._levels
        lowest = self._lowest
        while lowest < len(levels) and not levels[lowest]:
            lowest += 1
        self._lowest = lowest
