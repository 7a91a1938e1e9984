"""Read the first bytes of a gRPC call's body, then give the call back whole.

For: calls on the bare host, whose model is named in their first message.
Must not know: routes, queues, what becomes of the call.
"""

from collections.abc import Callable

from activator.naming import BODY_BYTES_MAX, Named, named
from wire.exchange import Exchange

_ENCODING = b"grpc-encoding"


class Peek:
    """The receiver of a call until it has said its model. `found` or `failed` is called once.

    `found(exchange, named, body)`: go on with the call by `exchange.again(body)`.
    """

    __slots__ = ("_body", "_exchange", "_failed", "_found", "_is_over")

    def __init__(
        self,
        exchange: Exchange,
        found: Callable[[Exchange, Named, bytes], None],
        failed: Callable[[Exchange, str], None],
    ) -> None:
        self._exchange = exchange
        self._found = found
        self._failed = failed
        self._body = b""
        self._is_over = False

    def begin(self) -> None:
        """Look at what came already."""
        exchange = self._exchange
        exchange.receiver = self
        is_whole = exchange.is_complete
        self._body = exchange.take()
        self._look(is_whole=is_whole)

    def on_body(self, data: bytes) -> None:
        """More of it."""
        self._body += data
        self._look(is_whole=False)

    def on_end(self) -> None:
        """All of it."""
        self._look(is_whole=True)

    def on_abort(self) -> None:
        """The client left."""
        self._is_over = True

    def on_writable(self, is_writable: bool) -> None:
        """Nothing is being written."""

    def _look(self, *, is_whole: bool) -> None:
        if self._is_over:
            return
        exchange, body = self._exchange, self._body
        is_enough = is_whole or len(body) >= BODY_BYTES_MAX
        encoding = exchange.index.get(_ENCODING, b"")
        try:
            found = named(exchange.path, body, encoding, is_whole=is_enough)
        except ValueError as error:
            self._is_over = True
            self._failed(exchange, str(error))
            return
        if found is not None:
            self._is_over = True
            self._found(exchange, found, body)
