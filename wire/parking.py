"""A request that waits for something before its handler can say who answers it.

For: keeping what comes of its body meanwhile, and giving it to the handler again.
Must not know: what is waited for, for how long, or who answers.
"""

from collections.abc import Callable

from wire.buffering import BufferedReceiver
from wire.exchange import Exchange

_MEASURED_BYTES_MAX = 65_536  # of a body, before its client is paused


class Parked:
    """The receiver of one exchange, until `go_on`."""

    __slots__ = ("_is_paused", "_on_gone", "_pieces", "_size", "exchange")

    def __init__(self, exchange: Exchange, on_gone: Callable[[], None]) -> None:
        """`on_gone()` is called when the client leaves."""
        self.exchange = exchange
        self._on_gone = on_gone
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_paused = False
        exchange.receiver = self

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
        self._on_gone()

    def on_writable(self, is_writable: bool) -> None:
        """Nothing is being written."""

    def go_on(self) -> None:
        """Give the request to the handler again, whole as it came."""
        if self._is_paused:
            self.exchange.resume()
        self.exchange.again(b"".join(self._pieces))


def is_whole(
    exchange: Exchange, *, bytes_max: int, on_overflow: Callable[[Exchange], None]
) -> bool:
    """Whether a request is here with all of its body; else it is given again once it is.

    For handlers that read a small body in passing. `on_overflow(exchange)` must answer.
    """
    if exchange.is_complete:
        return True
    BufferedReceiver(_give_again, bytes_max=bytes_max, on_overflow=on_overflow).attach(exchange)
    return False


def _give_again(exchange: Exchange, body: bytes) -> None:
    exchange.again(body)
