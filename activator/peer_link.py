"""One connection between two activators: lines both ways.

For: cutting what comes into messages, and writing what is said in one event together.
Must not know: what any message but the first means, who connects to whom.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from typing_extensions import override

from activator.peer_messages import (
    LINE_BYTES_MAX,
    Hello,
    Message,
    MessageError,
    decode,
    encode,
)

UNSENT_BYTES_MAX = 8 * 1024 * 1024  # a peer that reads nothing is no peer


class PeerLink(asyncio.Protocol):
    """Ends with a sentence that says why, which is told once."""

    def __init__(
        self,
        on_message: Callable[["PeerLink", Message], None],
        on_end: Callable[["PeerLink"], None],
    ) -> None:
        self._on_message = on_message
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._partial = b""
        self._lines: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.greeted: asyncio.Future[Hello] = self._loop.create_future()
        self.name = ""  # whose the other side is, once it is known
        self.host = ""
        self.why = "it ended the connection"
        self.heard_s = self._loop.time()

    @property
    def is_over(self) -> bool:
        """Whether we have no more to do with it; `on_end` may still be to come."""
        return self._transport is None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.host = peer[0] if isinstance(peer, tuple) else ""

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.greeted.done():
            self.greeted.cancel()
        if not self.ended.done():
            self.ended.set_result(None)
        self._on_end(self)

    @override
    def data_received(self, data: bytes) -> None:
        self.heard_s = self._loop.time()
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()
        if len(self._partial) > LINE_BYTES_MAX:
            self.end("it sent a line without an end")
            return
        for line in lines:
            if self._transport is None:
                return
            try:
                message = decode(line)
            except MessageError as error:
                self.end(f"it sent what can not be read: {error}")
                return
            self._on_message(self, message)

    def send(self, message: Message) -> None:
        """Say something. What is said in one event of the loop goes out together."""
        if not self._lines:
            self._loop.call_soon(self._flush)
        self._lines.append(encode(message))

    def end(self, why: str) -> None:
        """Have no more to do with it."""
        transport, self._transport = self._transport, None
        if transport is not None:
            self.why = why
            transport.abort()

    def close(self) -> None:
        """End it behind what was said."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        if self._transport is None or not lines:
            return
        self._transport.write(b"".join(lines))
        if self._transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            self.end("it reads too slowly")
