"""Collect a whole request body, then hand it over.

For: handlers that need all of a small body before they can begin.
Must not know: what the body means.
"""

from collections.abc import Callable

from wire.exchange import Exchange


class BufferedReceiver:
    """Joins the pieces of one body up to a limit and calls back once, in the same tick.

    `on_complete(exchange, body)` is called when the request is whole. A body over
    `bytes_max` is told to `on_overflow(exchange)`, which must answer; the rest is dropped.
    `on_gone()` is called when the client left, whether or not the body was complete.
    `on_writable(is_writable)` passes on back-pressure of the answer.
    """

    __slots__ = (
        "_bytes_max",
        "_exchange",
        "_is_over",
        "_on_complete",
        "_on_gone",
        "_on_overflow",
        "_on_writable",
        "_pieces",
        "_size",
    )

    def __init__(
        self,
        on_complete: Callable[[Exchange, bytes], None],
        *,
        bytes_max: int,
        on_overflow: Callable[[Exchange], None],
        on_gone: Callable[[], None] | None = None,
        on_writable: Callable[[bool], None] | None = None,
    ) -> None:
        self._on_complete = on_complete
        self._on_overflow = on_overflow
        self._on_gone = on_gone
        self._on_writable = on_writable
        self._bytes_max = bytes_max
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_over = False
        self._exchange: Exchange | None = None

    def attach(self, exchange: Exchange) -> None:
        """Receive the body of `exchange`; calls back at once when it is here already."""
        self._exchange = exchange
        exchange.receiver = self
        if exchange.content_length is not None and exchange.content_length > self._bytes_max:
            self._overflow()
            return
        if exchange.is_complete:
            body = exchange.take()
            if len(body) > self._bytes_max:
                self._overflow()
            else:
                self._on_complete(exchange, body)

    def on_body(self, data: bytes) -> None:
        """Keep one more piece."""
        if self._is_over:
            return
        self._size += len(data)
        if self._size > self._bytes_max:
            self._overflow()
        else:
            self._pieces.append(data)

    def on_end(self) -> None:
        """Hand over the whole."""
        if self._is_over:
            return
        assert self._exchange is not None, "attach() was not called"
        pieces, self._pieces = self._pieces, []
        self._on_complete(self._exchange, pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def on_abort(self) -> None:
        """Drop everything."""
        self._pieces = []
        if self._on_gone is not None:
            self._on_gone()

    def on_writable(self, is_writable: bool) -> None:
        """Pass on back-pressure of the answer."""
        if self._on_writable is not None:
            self._on_writable(is_writable)

    def _overflow(self) -> None:
        assert self._exchange is not None, "attach() was not called"
        self._is_over = True
        self._pieces = []
        self._on_overflow(self._exchange)
