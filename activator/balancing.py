"""Which replica gets the next request: the least loaded one that has room.

For: a hard limit of requests per replica, and even load, at O(1) a request.
Must not know: what an endpoint is, queues, clocks, sockets.
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import Generic, TypeVar

from typing_extensions import override

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
        self._sole: E | None = None  # the only ready endpoint: it needs no levels
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
        if self._sole is not None:
            return not self._capacity or self._in_use[self._sole] < self._capacity
        return self._lowest < len(self._levels)

    def in_use(self, endpoint: E) -> int:
        """How many slots of an endpoint are taken, ready or not."""
        return self._in_use.get(endpoint, 0)

    def take(self) -> E | None:
        """Take a slot of the least loaded ready endpoint; None when there is no room."""
        sole = self._sole
        if sole is not None:
            load = self._in_use[sole] + 1
            if load > self._capacity and self._capacity:
                return None
            self._in_use[sole] = load
            return sole
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
        if endpoint is self._sole:
            self._in_use[endpoint] = load - 1
        elif endpoint in self._ready:
            if load != self._capacity:
                del self._levels[load][endpoint]
            self._in_use[endpoint] = load - 1
            self._put(endpoint, load - 1)
        elif load > 1:
            self._in_use[endpoint] = load - 1
        else:
            del self._in_use[endpoint]

    def change(self, ready: Collection[E]) -> None:
        """Say which endpoints are ready. Cost: linear in their number."""
        for endpoint in self._ready.difference(ready):
            if not self._in_use[endpoint]:
                del self._in_use[endpoint]
        self._ready = set(ready)
        self._sole = None
        self._levels = []
        self._lowest = 0
        for endpoint in ready:
            load = self._in_use.setdefault(endpoint, 0)
            if load < self._capacity or not self._capacity:
                self._put(endpoint, load)
        self._settle()
        if len(self._ready) == 1:
            (self._sole,) = self._ready
            self._levels = []
            self._lowest = 0

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


class SharedBalancer(Balancer[E]):
    """One of which others take slots, too: at times more than there are."""

    def occupy(self, endpoint: E) -> None:
        """A slot of an endpoint is in use, ready or not, room or not."""
        load = self._in_use.get(endpoint, 0)
        self._in_use[endpoint] = load + 1
        if endpoint in self._ready and endpoint is not self._sole:
            if load < self._capacity or not self._capacity:
                del self._levels[load][endpoint]
            if load + 1 < self._capacity or not self._capacity:
                self._put(endpoint, load + 1)
            self._settle()

    @override
    def free(self, endpoint: E) -> None:
        load = self._in_use[endpoint]
        if load > self._capacity > 0 and endpoint in self._ready:
            self._in_use[endpoint] = load - 1  # it has no room before, and none after
        else:
            super().free(endpoint)
