"""One HTTP/2 connection to an upstream: many requests at once, each with an answer of its own.

For: what `client` does for HTTP/1.1, with the same callbacks: streaming both ways with
back-pressure, trailers, and saying of a failed request whether it was looked at.
Must not know: which upstream to use, retries, models, routes.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from typing_extensions import override

from wire.address import Address
from wire.h2answer import ANSWER_WINDOW, AnswerReceiver, ClientStream
from wire.h2frames import (
    CANCEL,
    ENABLE_PUSH,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    NO_ERROR,
    PREFACE,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_ID_MAX,
    ConnectionFaultError,
    StreamFaultError,
    error_name,
    goaway,
    rst_stream,
    settings,
)
from wire.h2heads import read_answer, read_trailers
from wire.h2hpack import Block
from wire.h2inflow import FRAME_BYTES_MAX, Inflow
from wire.h2stream import Stream
from wire.limits import Limits
from wire.messages import HOP_BY_HOP

_LIMITS = Limits(header_bytes_max=262_144, header_count_max=1000)
_STREAMS_ASSUMED = 100  # until the far side has said how many it takes
_FRAMING = frozenset({b"content-length"})
_REFILL_S = 1.0
_CLOSED = "the replica closed the connection"
_INVALID = "the replica's answer is not valid HTTP/2"
_NOT_LOOKED_AT = "the replica goes away, and has not looked at the request"


class H2Connection(Inflow, asyncio.Protocol):
    """Serves requests side by side, up to what the far side allows.

    `stripped` names response headers that are left out of `head_lines`. `on_retired` is called
    once, when it takes no more requests: the far side goes away, or the connection is lost.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        *,
        stripped: frozenset[bytes] = frozenset(),
        on_retired: Callable[["H2Connection"], None] | None = None,
    ) -> None:
        super().__init__(_LIMITS)
        self._stripped = stripped | HOP_BY_HOP | _FRAMING
        self._on_retired = on_retired
        self._streams_max = _STREAMS_ASSUMED
        self._next_id = 1
        self._is_leaving = False
        self._why = _CLOSED
        self._new: list[ClientStream] = []  # whose heads have come in this read
        self._refilled_s = 0.0
        self._greeting: asyncio.Future[None] | None = None  # somebody waits for the far side's
        self.idle_since_s = 0.0  # for whoever keeps it

    @property
    def running(self) -> int:
        """Streams that are open."""
        return len(self._streams)

    @property
    def is_usable(self) -> bool:
        """It takes requests, if not now then when others have ended."""
        return not self._is_leaving

    @property
    def is_full(self) -> bool:
        """No request can be sent now."""
        return self._is_leaving or len(self._streams) >= self._streams_max

    async def greeted(self) -> None:
        """Wait until the far side has said how many requests it takes; OSError if it ends first.

        Who sends before that may have some refused.
        """
        if not self._is_greeted and not self._is_leaving:
            self._greeting = asyncio.get_running_loop().create_future()
            await self._greeting
        if self._is_leaving:
            raise ConnectionError(self._why)

    def request(
        self,
        receiver: AnswerReceiver,
        block: bytes,
        body: bytes = b"",
        *,
        is_head: bool = False,
        is_complete: bool = True,
    ) -> ClientStream:
        """Send a request of which `body` is here, all of it if `is_complete`.

        Never call this when `is_full`. `block` is made by `h2answer.request_block`.
        """
        assert not self.is_full, "the connection takes no request now"
        stream_id = self._next_id
        self._next_id += 2
        stream = ClientStream(self, stream_id, receiver, self._peer_window)
        stream.is_head = is_head
        self._streams[stream_id] = stream
        if self._next_id > STREAM_ID_MAX:
            self._retire()
        self.send(stream, block, body, is_end=is_complete)
        return stream

    def close(self) -> None:
        """Say goodbye and close. What runs is lost."""
        if not self.transport.is_closing():
            self._write(goaway(0, NO_ERROR))
            self.transport.close()
        self._lose_all()

    def release(self, stream: ClientStream) -> None:
        """A stream is of no use any more."""
        if stream.id in self._streams:
            self._write(rst_stream(stream.id, CANCEL))
            self._forget(stream, is_broken=True)

    def resume_stream(self, stream: ClientStream) -> None:
        """Take more of an answer."""
        if stream.id in self._streams:
            self._resume(stream)
        stream.is_paused = False

    # -- the transport --------------------------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        ours = {
            ENABLE_PUSH: 0,
            INITIAL_WINDOW_SIZE: ANSWER_WINDOW,
            MAX_FRAME_SIZE: FRAME_BYTES_MAX,
            MAX_HEADER_LIST_SIZE: self._limits.header_bytes_max,
        }
        self._write(PREFACE + settings(ours) + self._greeting_window())

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._refill_allowances()
        try:
            self._receive(data)
        except ConnectionFaultError as fault:
            self._write(goaway(0, fault.code, fault.why))
            self._why = _INVALID
            self.transport.close()
            for stream in self._new:
                if stream.is_answer_complete:
                    stream.tell()
            self._lose_all()
            return
        if self._greeting is not None and self._is_greeted:
            self._greet()
        while self._new:
            new, self._new = self._new, []
            for stream in new:
                stream.tell()

    def _greet(self) -> None:
        greeting, self._greeting = self._greeting, None
        if greeting is not None and not greeting.done():
            greeting.set_result(None)

    @override
    def eof_received(self) -> bool:
        return False  # close

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._lose_all()

    @override
    def pause_writing(self) -> None:
        self._stop_writers()

    @override
    def resume_writing(self) -> None:
        self._restart_writers()

    @override
    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def _refill_allowances(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._refilled_s > _REFILL_S:
            passed_s, self._refilled_s = now_s - self._refilled_s, now_s
            self._resets.refill(passed_s)
            self._nuisances.refill(passed_s)

    # -- answers --------------------------------------------------------------------------------

    @override
    def _is_idle(self, stream_id: int) -> bool:
        return stream_id >= self._next_id or not stream_id & 1

    @override
    def _heed(self, setting: int, value: int) -> None:
        if setting == MAX_CONCURRENT_STREAMS:
            self._streams_max = value
        elif setting == ENABLE_PUSH and value:
            raise ConnectionFaultError(PROTOCOL_ERROR, "a server can not enable push")
        else:
            super()._heed(setting, value)

    @override
    def _on_head(self, stream_id: int, stream: Stream | None, fields: Block, is_end: bool) -> None:
        if stream is None:
            self._judge_stray(stream_id)
            return
        stream = cast("ClientStream", stream)
        if stream.has_head:
            self._on_trailers(stream, fields, is_end)
            return
        if fields.meaning is None:
            fields.meaning = read_answer(fields, self._stripped)
        head = cast("tuple[int, bytes, int | None]", fields.meaning)
        if head[0] < 200:
            self._nuisances.spend()
            if is_end:
                raise StreamFaultError(PROTOCOL_ERROR, "an interim answer that ends")
            return
        stream.begin(*head)
        self._new.append(stream)
        if is_end:
            self._end(stream)

    def _on_trailers(self, stream: ClientStream, fields: Block, is_end: bool) -> None:
        if not is_end:
            raise StreamFaultError(PROTOCOL_ERROR, "a second head")
        stream.trailer_lines = read_trailers(fields)
        self._end(stream)

    def _end(self, stream: Stream) -> None:
        if stream.left:
            raise StreamFaultError(PROTOCOL_ERROR, "a body of another length than announced")
        self._finish(stream)

    @override
    def _on_data(self, stream: Stream, data: bytes) -> None:
        stream = cast("ClientStream", stream)
        if not stream.has_head:
            raise StreamFaultError(PROTOCOL_ERROR, "data before a head")
        stream.take(data)

    @override
    def _on_end(self, stream: Stream) -> None:
        if not cast("ClientStream", stream).has_head:
            raise StreamFaultError(PROTOCOL_ERROR, "an end before a head")
        if stream.is_local_done:
            self._forget(stream, is_broken=False)
        cast("ClientStream", stream).complete()

    @override
    def _sent_end(self, stream: Stream) -> None:
        if stream.is_remote_done:
            self._forget(stream, is_broken=False)

    @override
    def _on_broken(self, stream: Stream, code: int, why: str) -> None:
        words = _INVALID if why else f"the replica reset the stream: {error_name(code)}"
        cast("ClientStream", stream).lose(words, is_unprocessed=not why and code == REFUSED_STREAM)

    # -- ends -----------------------------------------------------------------------------------

    @override
    def _forget(self, stream: Stream, *, is_broken: bool) -> None:
        super()._forget(stream, is_broken=is_broken)
        if self._is_leaving and not self._streams:
            self.transport.close()

    @override
    def _on_goaway(self, last_id: int, code: int, why: bytes) -> None:
        if code != NO_ERROR:
            said = why.decode(errors="replace")[:200]
            self._why = f"{_CLOSED}: {error_name(code)} {said}".rstrip()
        self._retire()
        for stream in [each for each in self._streams.values() if each.id > last_id]:
            self._forget(stream, is_broken=True)
            cast("ClientStream", stream).lose(_NOT_LOOKED_AT, is_unprocessed=True)
        if not self._streams:
            self.transport.close()

    def _retire(self) -> None:
        if not self._is_leaving:
            self._is_leaving = True
            if self._on_retired is not None:
                self._on_retired(self)

    def _lose_all(self) -> None:
        self._is_deaf = True
        self._new = []
        streams, self._streams = self._streams, {}
        self._retire()
        self._greet()
        for stream in streams.values():
            self.discard(stream)
            cast("ClientStream", stream).lose(self._why, is_unprocessed=False)


async def connect(
    address: Address,
    *,
    stripped: frozenset[bytes] = frozenset(),
    on_retired: Callable[[H2Connection], None] | None = None,
) -> H2Connection:
    """Open a connection; OSError when nothing listens. The caller sets the deadline."""
    loop = asyncio.get_running_loop()

    def make() -> H2Connection:
        return H2Connection(stripped=stripped, on_retired=on_retired)

    if address.path:
        return (await loop.create_unix_connection(make, address.path))[1]
    return (await loop.create_connection(make, address.host, address.port))[1]
