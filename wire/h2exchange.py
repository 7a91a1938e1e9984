"""One request on a stream of HTTP/2, and its answer: an exchange like any other.

For: handlers, which need not know what their client speaks.
Must not know: frames, windows, how streams share a connection.
"""

import asyncio
from typing import ClassVar, Protocol

from typing_extensions import override

from wire.exchange import DONE, STARTED, Exchange, Link
from wire.h2hpack import encode_length, encode_lines, encode_status
from wire.h2stream import Stream
from wire.head import Head
from wire.roster import Roster

_CONTINUE = encode_status(100)


class Side(Protocol):
    """What a stream needs of its connection."""

    transport: asyncio.Transport

    def send(
        self, stream: Stream, block: bytes, data: bytes, *, is_end: bool, trailers: bytes = b""
    ) -> None:
        """Send a header block, a piece of the body, or both."""

    def answered(self, stream: "ServerStream", exchange: Exchange) -> None:
        """The handler has written the whole answer."""

    def pause_stream(self, stream: Stream) -> None:
        """Take no more of a body than was allowed already."""

    def resume_stream(self, stream: Stream) -> None:
        """Take more again."""

    def break_stream(self, stream: "ServerStream") -> None:
        """Reset a stream whose answer can not be finished."""

    def ask_again(self, exchange: Exchange) -> None:
        """Give an exchange to the handler once more."""


class ServerStream(Stream, Link):
    """The link of one exchange to its connection."""

    __slots__ = ("exchange", "is_new", "seen", "side", "since_s", "transport")

    def __init__(self, side: Side, stream_id: int, *, send_window: int, room: int) -> None:
        super().__init__(stream_id, send_window=send_window, room=room)
        self.side = side
        self.transport = side.transport
        self.exchange: H2Exchange | None = None  # until its answer has ended
        self.is_new = False  # the handler has not been asked yet
        self.seen = -1  # bytes that had moved when the connection last looked
        self.since_s = 0.0  # and since when there were no others

    @override
    def on_writable(self, is_writable: bool) -> None:
        """Tell the handler whether the client takes more."""
        exchange = self.exchange
        if exchange is not None and exchange.receiver is not None:
            exchange.receiver.on_writable(is_writable)

    @override
    def finished(self, exchange: Exchange) -> None:
        """The answer is written whole."""
        self.exchange = None
        self.side.answered(self, exchange)

    @override
    def pause(self) -> None:
        """Stop taking the request body."""
        self.side.pause_stream(self)

    @override
    def resume(self) -> None:
        """Go on."""
        self.side.resume_stream(self)

    @override
    def break_off(self, *, is_reset: bool) -> None:
        """End the stream at once; the connection serves others."""
        del is_reset  # a reset always shows
        self.exchange = None
        self.side.break_stream(self)

    @override
    def ask_again(self, exchange: Exchange) -> None:
        """Give the exchange to the handler once more."""
        self.side.ask_again(exchange)

    @override
    def hand_over(self) -> tuple[bytes, Roster]:
        """A stream is no connection of its own."""
        raise NotImplementedError("HTTP/2 has no upgrades")


class H2Exchange(Exchange):
    """Header lines are those of HTTP/1.1; what HTTP/2 does not have is left out of them."""

    __slots__ = ("_stream",)

    is_http2: ClassVar[bool] = True

    def __init__(self, stream: ServerStream, peer: str, head: Head) -> None:
        super().__init__(stream, peer, head)
        self._stream = stream

    def _send(self, block: bytes, data: bytes, *, is_end: bool, trailers: bytes = b"") -> None:
        stream = self._stream
        stream.side.send(stream, block, data, is_end=is_end, trailers=trailers)

    @override
    def respond(self, status: int, headers: bytes, body: bytes, trailers: bytes = b"") -> None:
        """Send a whole answer. With `trailers` it does not say its length beforehand."""
        if self._state:
            assert self._state == DONE, "an answer was already started"
            return
        self._state = DONE
        self.is_done = True
        self.receiver = None
        block = encode_status(status) + encode_lines(headers)
        if not self._has_body(status):
            if status != 204:
                block += encode_length(len(body))
            body = b""
        elif body and not trailers:
            block += encode_length(len(body))
        self._send(block, body, is_end=True, trailers=encode_lines(trailers))
        self._link.finished(self)

    @override
    def start(self, status: int, headers: bytes, *, content_length: int | None) -> None:
        """Send the head of an answer whose body follows by `write` and `end`."""
        if self._state:
            assert self._state == DONE, "an answer was already started"
            return
        self._state = STARTED
        block = encode_status(status) + encode_lines(headers)
        if content_length is not None and status != 204:
            block += encode_length(content_length)
        self._remaining = content_length if self._has_body(status) else 0
        self._send(block, b"", is_end=False)

    @override
    def write(self, data: bytes) -> None:
        """Send a piece of the body. More than the announced length is an error of the caller."""
        if self._state != STARTED or not data:
            return
        if self._remaining is not None:
            if self.method == b"HEAD":
                return
            assert len(data) <= self._remaining, "more body than announced"
            self._remaining -= len(data)
        self._send(b"", data, is_end=False)

    @override
    def end(self, trailers: bytes = b"") -> None:
        """Finish a started answer. A body shorter than announced resets the stream."""
        if self._state != STARTED:
            return
        if self._remaining:
            self.abort()
            return
        self._state = DONE
        self.is_done = True
        self.receiver = None
        self._send(b"", b"", is_end=True, trailers=encode_lines(trailers))
        self._link.finished(self)

    @override
    def switch(self, headers: bytes) -> tuple[asyncio.Transport, bytes, Roster] | None:
        """There is no upgrade in HTTP/2, and `upgrade` never says that one is asked for."""
        del headers
        return None

    @override
    def admit_body(self) -> None:
        """Send 100 when the client waits for it."""
        if self.head.expects_continue and not self.received and not self._state:
            self._send(_CONTINUE, b"", is_end=False)
