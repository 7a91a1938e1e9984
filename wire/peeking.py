"""Look at the first bytes of a body, then give the request back whole.

For: requests that say who is to answer them in their bodies.
Must not know: what is looked for, who answers.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from wire.exchange import Exchange

T = TypeVar("T")


class Peek(Generic[T]):
    """The receiver of a request until enough of it came. `found` or `failed` is called once.

    `look(body, is_enough)` gives what is looked for; None while more is needed, which is never
    when `is_enough`: the body is whole, or as long as `bytes_max`. A ValueError says why it failed;
    so does a body of which too little comes for `wait_s`.
    `found(exchange, what, body)` goes on with the request by `exchange.again(body)`.
    """

    __slots__ = (
        "_body",
        "_bytes_max",
        "_exchange",
        "_failed",
        "_found",
        "_is_over",
        "_look_for",
        "_timer",
        "_wait_s",
    )

    def __init__(
        self,
        exchange: Exchange,
        look: Callable[[bytes, bool], T | None],
        found: Callable[[Exchange, T, bytes], None],
        failed: Callable[[Exchange, str], None],
        *,
        bytes_max: int,
        wait_s: float,
    ) -> None:
        self._exchange = exchange
        self._look_for = look
        self._found = found
        self._failed = failed
        self._bytes_max = bytes_max
        self._body = b""
        self._is_over = False
        self._wait_s = wait_s
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Look at what came already."""
        exchange = self._exchange
        exchange.receiver = self
        is_whole = exchange.is_complete
        self._body = exchange.take()
        self._look(is_whole=is_whole)
        if not self._is_over:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._wait_s, self._fail, "too little of it came in time")

    def on_body(self, data: bytes) -> None:
        """More of it."""
        self._body += data
        self._look(is_whole=False)

    def on_end(self) -> None:
        """All of it."""
        self._look(is_whole=True)

    def on_abort(self) -> None:
        """The client left."""
        self._over()

    def on_writable(self, is_writable: bool) -> None:
        """Nothing is being written."""

    def _look(self, *, is_whole: bool) -> None:
        if self._is_over:
            return
        exchange, body = self._exchange, self._body
        try:
            found = self._look_for(body, is_whole or len(body) >= self._bytes_max)
        except ValueError as error:
            self._fail(str(error))
            return
        if found is not None:
            self._over()
            self._found(exchange, found, body)

    def _fail(self, why: str) -> None:
        self._over()
        self._failed(self._exchange, why)

    def _over(self) -> None:
        self._is_over = True
        self._body = b""
        if self._timer is not None:
            self._timer.cancel()
