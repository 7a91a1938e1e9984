"""Requests for a Revision that a Route has named and the watch of Revisions has not told yet.

For: holding them for the moment that one watch may be behind the other.
Must not know: why a Revision is missing, what becomes of a request that goes on.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from activator.targets import RevisionKey
from wire.exchange import Exchange
from wire.parking import Parked

_DEPARTED_MAX = 1000  # Revisions remembered as gone


class Expected:
    """One request, parked."""

    __slots__ = ("due_s", "exchange", "go_on", "key")

    def __init__(
        self, exchange: Exchange, key: RevisionKey, due_s: float, lounge: "Lounge"
    ) -> None:
        self.exchange = exchange
        self.key = key
        self.due_s = due_s
        self.go_on = Parked(exchange, partial(lounge.left, self)).go_on


class Lounge:
    """All of them: at most `count_max`, each for at most `wait_s`, with one timer."""

    def __init__(
        self, *, count_max: int, wait_s: float, give_up: Callable[[Exchange, RevisionKey], None]
    ) -> None:
        """`give_up(exchange, key)` answers a request whose Revision did not come."""
        self._count_max = count_max
        self._wait_s = wait_s
        self._give_up = give_up
        self._waiting: OrderedDict[Expected, None] = OrderedDict()  # by deadline: all wait alike
        self._departed: OrderedDict[RevisionKey, None] = OrderedDict()  # the last to go at the end
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def expect(self, exchange: Exchange, key: RevisionKey) -> bool:
        """Hold a request; False when too many are held already, or its Revision was deleted."""
        if len(self._waiting) >= self._count_max or key in self._departed:
            return False
        loop = asyncio.get_running_loop()
        expected = Expected(exchange, key, loop.time() + self._wait_s, self)
        self._waiting[expected] = None
        if self._timer is None:
            self._timer = loop.call_at(expected.due_s, self._look)
        return True

    def arrived(self, key: RevisionKey) -> None:
        """A Revision is known now. Cost: linear in what waits, which is nothing as a rule."""
        self._departed.pop(key, None)
        for expected in [each for each in self._waiting if each.key == key]:
            self.left(expected)
            expected.go_on()

    def departed(self, key: RevisionKey) -> None:
        """A Revision was deleted: nobody waits for it, whatever a Route still says."""
        self._departed[key] = None
        if len(self._departed) > _DEPARTED_MAX:
            self._departed.popitem(last=False)

    def left(self, expected: Expected) -> None:
        """A request waits no more."""
        self._waiting.pop(expected, None)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Give up on all."""
        for expected in tuple(self._waiting):
            self.left(expected)
            self._give_up(expected.exchange, expected.key)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        now_s = loop.time()
        while self._waiting:
            first = next(iter(self._waiting))
            if first.due_s > now_s:
                self._timer = loop.call_at(first.due_s, self._look)
                return
            self._waiting.pop(first)
            self._give_up(first.exchange, first.key)
