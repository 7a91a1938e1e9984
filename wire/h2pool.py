"""The HTTP/2 connections to one address: few, each shared by many requests.

For: what `pool` is for HTTP/1.1, with the same look: to a sender, a stream is a connection of its
own, which serves one request.
Must not know: what is sent, retries, which address to choose.
"""

import asyncio
from collections.abc import Callable
from functools import lru_cache

from wire import grpc, h2client
from wire.address import Address
from wire.h2answer import AnswerReceiver, ClientStream, request_block
from wire.h2client import H2Connection
from wire.h2hpack import encode_lines

_ID = b"\r\nx-request-id: "
_KEPT_BYTES_MAX = 65_536  # of a body: it can be sent again if the far side did not look at it
_HOST = b"\r\nhost: "


class H2Pool:
    """`on_idle_end()` is called when the far side ends a connection on which nothing ran."""

    def __init__(
        self,
        address: Address,
        *,
        stripped: frozenset[bytes] = frozenset(),
        on_idle_end: Callable[[], None] | None = None,
    ) -> None:
        self.address = address
        self._stripped = stripped
        self._on_idle_end = on_idle_end
        self._open: list[H2Connection] = []
        self._opening = asyncio.Lock()  # who waits for it finds a connection with room
        self._is_closed = False

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def take(self) -> "PooledStream | None":
        """A stream, to be used in this very tick, or None: then `connect`."""
        for connection in self._open:
            if not connection.is_full:
                return PooledStream(self, connection)
        return None

    async def connect(self) -> "PooledStream":
        """What `take` gives; OSError when nothing listens. The caller sets the deadline."""
        async with self._opening:
            while (stream := self.take()) is None:
                connection = await h2client.connect(
                    self.address, stripped=self._stripped, on_retired=self._retired
                )
                try:
                    await connection.greeted()
                except BaseException:  # cancelled, too
                    connection.close()
                    raise
                connection.idle_since_s = asyncio.get_running_loop().time()
                self._open.append(connection)
        return stream

    def give_back(self, stream: "PooledStream", *, now_s: float) -> None:
        """End an exchange, if it has not."""
        del now_s
        stream.let_go()

    def ended(self, connection: H2Connection) -> None:
        """A request on a connection is over."""
        if connection.running:
            return
        connection.idle_since_s = asyncio.get_running_loop().time()
        if self._is_closed:
            connection.close()

    def close_idle(self, *, before_s: float = float("inf")) -> None:
        """Close what has been idle since before `before_s` (all that is idle, unless given)."""
        for connection in tuple(self._open):
            if not connection.running and connection.idle_since_s < before_s:
                self._open.remove(connection)
                connection.close()

    def close(self) -> None:
        """Close what is idle now, and the others once nothing runs on them."""
        self._is_closed = True
        self.close_idle()

    def _retired(self, connection: H2Connection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            if not connection.running and self._on_idle_end is not None:
                self._on_idle_end()


class PooledStream:
    """A stream before and while it carries a request: it looks as `client.Connection` does."""

    __slots__ = ("_connection", "_pool", "_stream", "body")

    def __init__(self, pool: H2Pool, connection: H2Connection) -> None:
        self._pool = pool
        self._connection = connection
        self._stream: ClientStream | None = None
        self.body: bytes | None = None  # what was sent of it, if that was all, and little

    @property
    def stream(self) -> ClientStream:
        """The stream, once the request was sent."""
        assert self._stream is not None, "nothing was sent"
        return self._stream

    @property
    def status(self) -> int:
        """Of the answer."""
        return self.stream.status

    @property
    def is_request_complete(self) -> bool:
        """Nothing more of the request is to come."""
        return self.stream.is_request_complete

    def send(
        self,
        receiver: AnswerReceiver,
        data: bytes,
        is_head: bool = False,
        is_complete: bool = True,
    ) -> None:
        """Send a request head, as HTTP/1.1 writes it, and what there is of its body."""
        end = data.index(b"\r\n\r\n")
        split = data.rfind(_ID, 0, end)
        start, last = (data[:split], data[split + 2 : end]) if split >= 0 else (data[:end], b"")
        block = _block(start) + encode_lines(last)
        body = data[end + 4 :]
        if is_complete and len(body) <= _KEPT_BYTES_MAX:
            self.body = body
        self._stream = self._connection.request(
            receiver, block, body, is_head=is_head, is_complete=is_complete
        )

    def write(self, data: bytes) -> None:
        """Send more of the body."""
        self.stream.write(data)

    def finish_request(self) -> None:
        """The whole request has been written."""
        self.stream.finish_request()

    def pause(self) -> None:
        """Take no more of the answer for now."""
        self.stream.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self.stream.resume()

    def let_go(self) -> bool:
        """End the exchange, whatever is left of it. False: it serves no other."""
        if self._stream is not None:
            self._stream.let_go()
            self._pool.ended(self._connection)
        return False


@lru_cache(maxsize=256)
def _block(start: bytes) -> bytes:
    """The encoded form of a head, but for its last line."""
    first, _, _ = start.partition(b"\r\n")
    method, target, _ = first.split(b" ")
    lines = start[len(first) :]
    at = lines.find(_HOST)
    host = b""
    if at >= 0:
        line = lines[at + 2 :].partition(b"\r\n")[0]
        host = line[len(_HOST) - 2 :]
        lines = lines[:at] + lines[at + 2 + len(line) :]
    lines = lines[2:] + b"\r\n" if lines else b""
    if b"\r\ncontent-type: application/grpc" in start:
        lines += grpc.TE
    return request_block(method, host, target, lines)
