"""An HTTP/2 server connection: streams in, exchanges out, answers as they are ready.

For: many requests of one client at once, each with its limits, deadlines and back-pressure.
What a stream carries is the handler's as on HTTP/1.1; a refusal ends a stream, a broken protocol
the connection.
Must not know: models, routes, what an answer means.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from typing_extensions import override

from wire import grpc
from wire.exchange import Exchange
from wire.h2exchange import H2Exchange, ServerStream
from wire.h2frames import (
    CANCEL,
    INTERNAL_ERROR,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    NO_ERROR,
    PING_US,
    PROTOCOL_ERROR,
    ConnectionFaultError,
    goaway,
    rst_stream,
    settings,
)
from wire.h2hpack import encode_length, encode_lines, encode_status
from wire.h2inflow import FRAME_BYTES_MAX
from wire.h2requests import Requests
from wire.h2stream import Stream
from wire.limits import Limits
from wire.messages import REFUSAL_BODIES, refusal_text
from wire.roster import Roster

_NEVER = -1.0
_REFUSAL_LINES = b"content-type: application/json\r\n"


class H2ServerProtocol(Requests, asyncio.Protocol):
    """One connection, taken over from `origin` behind the preface."""

    transport: asyncio.Transport

    def __init__(
        self,
        on_request: Callable[[Exchange], None],
        limits: Limits,
        roster: Roster,
        transport: asyncio.Transport,
        origin: asyncio.Protocol,
    ) -> None:
        """`origin` is told when the connection is lost, as whoever made it expects."""
        super().__init__(limits)
        self._on_request = on_request
        self._roster = roster
        self._origin = origin
        self.transport = transport
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else ""
        self._idle_since_s = roster.now_s
        self._closing_since_s = _NEVER
        self._partial: tuple[int, float] = (0, _NEVER)  # frames seen, and since when no other
        self._heard: tuple[int, float] = (0, roster.now_s)  # likewise, whatever is awaited
        self._has_pinged = False
        self._refilled_s = roster.now_s

    def begin(self, data: bytes) -> None:
        """Speak HTTP/2 from here on; `data` is what came behind the preface."""
        self._roster.add(self)
        self.transport.set_protocol(self)
        ours = settings(
            {
                MAX_CONCURRENT_STREAMS: self._limits.streams_max,
                MAX_FRAME_SIZE: FRAME_BYTES_MAX,
                MAX_HEADER_LIST_SIZE: self._limits.header_bytes_max,
            }
        )
        self._write(ours + self._greeting_window())
        if data:
            self.data_received(data)

    # -- the transport --------------------------------------------------------------------------

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        try:
            self._receive(data)
        except ConnectionFaultError as fault:
            self._fail(fault.code, fault.why)
            return
        while self._new:
            new, self._new = self._new, []
            for stream in new:
                stream.is_new = False
                if stream.exchange is not None:
                    self._dispatch(stream.exchange)

    @override
    def eof_received(self) -> bool:
        self._drop()
        return False  # close, after what is buffered has been sent

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._roster.discard(self)
        self._drop()
        self._origin.connection_lost(exc)

    @override
    def pause_writing(self) -> None:
        # Nobody who does not read our answers makes us write more of them.
        if not self.transport.is_closing():
            self.transport.pause_reading()
        self._stop_writers()

    @override
    def resume_writing(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()
        self._restart_writers()

    @override
    def _write(self, data: bytes) -> None:
        if not self._is_deaf:  # then our side has ended too
            self.transport.write(data)

    @property
    def has_unsent(self) -> bool:
        """Whether a finished answer waits for the client to take it."""
        return any(not cast("ServerStream", each).exchange for each in self._streams.values())

    # -- requests and answers --------------------------------------------------------------------

    def _dispatch(self, exchange: H2Exchange) -> None:
        """Give an exchange to the handler, with what has come of its body."""
        self._on_request(exchange)
        if exchange.is_taken or exchange.is_done:
            return
        receiver = exchange.receiver
        if receiver is not None:
            if exchange.early:
                data, exchange.early = exchange.early, b""
                receiver.on_body(data)
            if exchange.is_complete:
                if not exchange.is_done:
                    receiver.on_end()
                return
        if exchange.head.expects_continue:
            exchange.admit_body()

    @override
    def ask_again(self, exchange: Exchange) -> None:
        """Give an exchange to the handler once more."""
        self._dispatch(cast("H2Exchange", exchange))

    @override
    def answered(self, stream: ServerStream, exchange: Exchange) -> None:
        """The handler has written the whole answer; some may wait for the client's windows."""
        if not exchange.keep_alive:
            self.retire()

    @override
    def _sent_end(self, stream: Stream) -> None:
        is_whole = stream.is_remote_done
        if not is_whole and (stream.left is None or stream.left > stream.room):
            # The rest of the request is not needed. Where the client may send it all the same, it
            # is dropped: many (curl, httpx) lose the answer if a reset comes while they send.
            self._write(rst_stream(stream.id, NO_ERROR))
        self._forget(stream, is_broken=not is_whole)

    @override
    def _forget(self, stream: Stream, *, is_broken: bool) -> None:
        super()._forget(stream, is_broken=is_broken)
        if not self._streams:
            self._idle_since_s = self._roster.now_s
            if self._is_leaving and not self._is_deaf:
                self._close()

    @override
    def pause_stream(self, stream: Stream) -> None:
        """The handler takes no more of a body for now."""
        self._pause(stream)

    @override
    def resume_stream(self, stream: Stream) -> None:
        """The handler takes more."""
        if stream.id in self._streams and not self._is_deaf:
            self._resume(stream)

    @override
    def break_stream(self, stream: ServerStream) -> None:
        """Reset a stream whose answer can not be finished."""
        self._cut(stream, INTERNAL_ERROR)

    def _cut(self, stream: Stream, code: int) -> None:
        if stream.id in self._streams:
            self._write(rst_stream(stream.id, code))
            self._forget(stream, is_broken=True)

    @override
    def _refuse(self, stream: ServerStream, status: int) -> None:
        """Answer a request that the handler does not get, or should not have got."""
        exchange, stream.exchange = stream.exchange, None
        is_started = exchange is not None and exchange.is_started
        if exchange is not None:
            exchange.lost()
        if is_started:
            self._cut(stream, CANCEL)
            return
        if exchange is not None and grpc.is_grpc(exchange.index.get(b"content-type")):
            lines = grpc.status_lines(grpc.code_of(status), refusal_text(status))
            block = encode_status(200) + encode_lines(grpc.CONTENT_TYPE + lines)
            self.send(stream, block, b"", is_end=True)
            return
        body = REFUSAL_BODIES[status]
        block = encode_status(status) + encode_lines(_REFUSAL_LINES) + encode_length(len(body))
        self.send(stream, block, body, is_end=True)

    @override
    def _on_broken(self, stream: Stream, code: int, why: str) -> None:
        self._lose(cast("ServerStream", stream))

    def _lose(self, stream: ServerStream) -> None:
        exchange, stream.exchange = stream.exchange, None
        if exchange is not None:
            exchange.lost()

    # -- ends -----------------------------------------------------------------------------------

    @override
    def _on_goaway(self, last_id: int, code: int, why: bytes) -> None:
        """The client opens no more streams; those that are open are answered."""
        del last_id, code, why
        self.retire()

    def wind_down(self) -> None:
        """Nothing is lost on a connection that says when it ends: `retire` does."""

    def retire(self) -> None:
        """Take no new streams; close when those that are open have ended."""
        if self._is_leaving or self._is_deaf or self.transport.is_closing():
            return
        self._is_leaving = True
        self._write(goaway(self._last_id, NO_ERROR))
        if not self._streams:
            self._close()

    def _fail(self, code: int, why: str) -> None:
        """The client broke the protocol, or asks for too much work."""
        self._write(goaway(self._last_id, code, why))
        self._close()
        self._drop()

    def _close(self) -> None:
        """Close so that the client can read what was sent, as `ServerProtocol` does."""
        self._is_deaf = True
        self._rest = b""
        self._closing_since_s = self._roster.now_s
        try:
            if self.transport.can_write_eof():
                self.transport.write_eof()
                return
        except OSError:  # the client left, and the transport has not noticed
            pass
        self.transport.close()

    def _drop(self) -> None:
        """The client is gone: nothing can be sent any more."""
        self._is_deaf = True
        self._rest = b""
        self._new = []
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            self.discard(stream)
            self._lose(cast("ServerStream", stream))

    # -- deadlines ------------------------------------------------------------------------------

    def check(self, now_s: float) -> None:
        """Act on deadlines. Called once a period by the roster. Cost: linear in open streams."""
        passed_s, self._refilled_s = now_s - self._refilled_s, now_s
        self._resets.refill(passed_s)
        self._nuisances.refill(passed_s)
        limits = self._limits
        now_s -= self._roster.period_s
        if self._closing_since_s != _NEVER:
            if now_s - self._closing_since_s > limits.linger_s:
                self.transport.abort()
            return
        if self._is_partial_too_long(now_s):
            self._fail(PROTOCOL_ERROR, "a frame that does not end")
            return
        self._check_life(now_s)
        for stream in tuple(self._streams.values()):
            self._check_stream(cast("ServerStream", stream), now_s)
        if not self._streams and now_s - self._idle_since_s > limits.idle_s:
            self.retire()

    def _is_partial_too_long(self, now_s: float) -> bool:
        """Whether a frame, or a header block, has been coming for longer than it may."""
        frames, since_s = self._partial
        if self._is_write_paused or (not self._rest and self._block is None):
            self._partial = (0, _NEVER)
        elif frames != self._frames or since_s == _NEVER:
            self._partial = (self._frames, self._roster.now_s)
        else:
            limits = self._limits
            return now_s - since_s > (limits.body_s if self._streams else limits.head_s)
        return False

    def _check_life(self, now_s: float) -> None:
        """Ask a client that has been silent for long whether it is there: streams may rest."""
        frames, since_s = self._heard
        if frames != self._frames or not self._streams or self._is_write_paused:
            self._heard = (self._frames, self._roster.now_s)
            self._has_pinged = False
        elif now_s - since_s > 2 * self._limits.idle_s:
            self.transport.abort()
        elif now_s - since_s > self._limits.idle_s and not self._has_pinged:
            self._has_pinged = True
            self._write(PING_US)

    def _check_stream(self, stream: ServerStream, now_s: float) -> None:
        """Break off a stream of which nothing moves, if that is the client's doing."""
        exchange = stream.exchange
        if exchange is None:
            moved, limit_s = stream.queued, self._limits.idle_s  # it does not take its answer
        elif self._may_rest(stream, exchange):
            stream.seen = -1
            return
        else:
            moved, limit_s = exchange.received, self._limits.body_s
        if moved != stream.seen:
            stream.seen = moved
            stream.since_s = self._roster.now_s
        elif now_s - stream.since_s > limit_s:
            if exchange is None:
                self._cut(stream, CANCEL)
            else:
                self._refuse(stream, 408)

    def _may_rest(self, stream: ServerStream, exchange: Exchange) -> bool:
        """Whether nothing is asked of the client now. Who talks both ways may fall silent."""
        return (
            stream.is_remote_done
            or stream.is_paused
            or self._is_write_paused
            or exchange.is_started
            or grpc.is_grpc(exchange.index.get(b"content-type"))
        )
