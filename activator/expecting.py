"""Requests for a Revision that a Route has named and the watch of Revisions has not told yet.

For: holding them for the moment that one watch may be behind the other.
Must not know: why a Revision is missing, what becomes of a request that goes on.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from activator.targets import RevisionKey
from wire.exchange import Exchange

_DEPARTED_MAX = 1000  # Revisions remembered as gone
_MEASURED_BYTES_MAX = 65_536  # of a body of unknown length, before its client is paused


class Expected:
    """One request. It keeps what comes of the body until the request is asked again."""

    __slots__ = ("_is_paused", "_lounge", "_pieces", "_size", "due_s", "exchange", "key")

    def __init__(
        self, exchange: Exchange, key: RevisionKey, due_s: float, lounge: "Lounge"
    ) -> None:
        self.exchange = exchange
        self.key = key
        self.due_s = due_s
        self._lounge = lounge
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_paused = False

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= _MEASURED_BYTES_MAX and not self._is_paused:
            self._is_paused = True
            self.exchange.pause()

    def on_end(self) -> None:
        """The request is whole: it says so itself when it is asked again."""

    def on_abort(self) -> None:
        """The client left."""
        self._lounge.left(self)

    def on_writable(self, is_writable: bool) -> None:
        """Nothing is being written."""

    def go_on(self) -> None:
        """Give the request to the handler again, whole as it came."""
        if self._is_paused:
            self.exchange.resume()
        self.exchange.again(b"".join(self._pieces))


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
        exchange.receiver = expected
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
