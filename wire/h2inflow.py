"""The receiving half of an HTTP/2 connection: bytes in, header lists and pieces of bodies out.

For: frames in any order and any cut, checked (RFC 9113, 4 to 6), with bounded memory and work.
Must not know: which side of the connection this is, who the streams are for, sockets.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final

from wire.h2flood import Allowance
from wire.h2frames import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_BYTES_DEFAULT,
    FRAME_BYTES_LIMIT,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEAD_BYTES,
    HEADERS,
    MAX_FRAME_SIZE,
    PADDED,
    PING,
    PRIORITISED,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    SETTINGS_ACK,
    STREAM_CLOSED,
    STREAM_ID_MAX,
    WINDOW_DEFAULT,
    WINDOW_UPDATE,
    ConnectionFaultError,
    StreamFaultError,
    ping_ack,
    read_head,
    read_settings,
    rst_stream,
    unpadded,
    window_update,
)
from wire.h2hpack import Block, CompressionError, Decoder, OversizedError
from wire.h2outflow import Outflow
from wire.h2stream import RECEIVE_WINDOW_MAX, Stream
from wire.limits import Limits

# All streams together: they have windows of their own, so this one is refilled at once.
CONNECTION_WINDOW: Final = 4 * 1024 * 1024
FRAME_BYTES_MAX: Final = 65_536  # of a frame that we take
_ENDED_MAX = 256  # streams remembered after their end: frames may have been on the way
_CONTINUATIONS_MAX = 64  # of one header block
_SETTINGS_FREE = 16  # in one frame; more cost more
_BEYOND = 2  # times a limit: up to there a head is refused politely, beyond the connection ends


class Inflow(Outflow):
    """Reads frames; what they mean for a side of the connection is left to it."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self._decoder = Decoder(
            bytes_max=_BEYOND * limits.header_bytes_max,
            count_max=_BEYOND * limits.header_count_max,
        )
        self._resets = Allowance(limits.resets_max, "streams were broken off")
        self._nuisances = Allowance(limits.nuisances_max, "frames without a use")
        self._rest = b""  # the beginning of a frame
        self._room = CONNECTION_WINDOW
        self._is_greeted = False  # the far side has sent its settings
        self._is_settled = False  # and has taken ours
        self._is_deaf = False  # no more input is read
        self._frames = 0  # whole ones, and header blocks of several as one
        self._block: bytearray | None = None  # a header block that goes on
        self._block_stream = 0
        self._block_flags = 0
        self._block_frames = 0
        self._ended: dict[int, bool] = {}  # lately; True: we broke it off

    @abstractmethod
    def _on_head(self, stream_id: int, stream: Stream | None, fields: Block, is_end: bool) -> None:
        """A header list has come, on an open stream or another one."""

    @abstractmethod
    def _on_data(self, stream: Stream, data: bytes) -> None:
        """A piece of a body."""

    @abstractmethod
    def _on_end(self, stream: Stream) -> None:
        """The far side has sent all; the stream says so already."""

    @abstractmethod
    def _on_broken(self, stream: Stream, code: int, why: str) -> None:
        """A stream ended before its time; it is forgotten already. `why`: our own words."""

    @abstractmethod
    def _on_goaway(self, last_id: int, code: int, why: bytes) -> None:
        """The far side takes no more streams."""

    @abstractmethod
    def _is_idle(self, stream_id: int) -> bool:
        """Whether this stream has never been opened."""

    # -- frames ---------------------------------------------------------------------------------

    def _receive(self, data: bytes) -> None:
        """Read all whole frames; ConnectionFaultError when the connection has to end."""
        if self._rest:
            data = self._rest + data
        at = 0
        size = len(data)
        while size - at >= HEAD_BYTES and not self._is_deaf:
            word, flags, stream_id = read_head(data, at)
            kind = word & 0xFF
            end = at + HEAD_BYTES + (word >> 8)
            if word >> 8 > FRAME_BYTES_MAX:
                raise ConnectionFaultError(FRAME_SIZE_ERROR, "a frame larger than announced")
            if end > size:
                break
            stream_id &= STREAM_ID_MAX
            if self._block is not None and kind != CONTINUATION:
                raise ConnectionFaultError(PROTOCOL_ERROR, "a frame within a header block")
            payload = data[at + HEAD_BYTES : end]
            at = end
            self._frames += 1
            try:
                if kind == DATA and self._is_greeted:
                    self._read_data(flags, stream_id, payload)
                elif kind == HEADERS and self._is_greeted:
                    self._read_headers(flags, stream_id, payload)
                else:
                    self._read_other(kind, flags, stream_id, payload)
            except StreamFaultError as fault:
                self._break(stream_id, fault.code, fault.why)
        self._rest = data[at:] if at < size else b""

    def _read_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        self._room -= size
        if self._room < CONNECTION_WINDOW // 2:
            self._refill_all()
        if flags & PADDED:
            payload = unpadded(payload)
        stream = self._streams.get(stream_id)
        if stream is None:
            self._judge_stray(stream_id)
            return
        stream.room -= size
        if stream.is_remote_done or stream.room < 0:
            raise _surplus(stream)
        is_end = bool(flags & END_STREAM)
        if stream.left is not None:
            stream.left -= len(payload)
            if stream.left < 0 or (is_end and stream.left):
                raise StreamFaultError(PROTOCOL_ERROR, "a body of another length than announced")
        if payload:
            self._on_data(stream, payload)
        elif not is_end:
            self._nuisances.spend()
        self._end_or_refill(stream, is_end)

    def _end_or_refill(self, stream: Stream, is_end: bool) -> None:
        if is_end:
            self._finish(stream)
            return
        is_wanted = not stream.is_paused and stream.id in self._streams  # else it was answered
        if stream.room < stream.room_max // 2 and is_wanted:
            self._refill(stream)

    def _refill_all(self) -> None:
        """Take more of all streams together."""
        if self._room < 0:
            raise ConnectionFaultError(FLOW_CONTROL_ERROR, "more data than the window")
        self._write(window_update(0, CONNECTION_WINDOW - self._room))
        self._room = CONNECTION_WINDOW

    def _refill(self, stream: Stream) -> None:
        """Take more of a stream: twice as much as before, as its reader keeps up."""
        stream.room_max = min(2 * stream.room_max, RECEIVE_WINDOW_MAX)
        self._write(window_update(stream.id, stream.room_max - stream.room))
        stream.room = stream.room_max

    def _finish(self, stream: Stream) -> None:
        stream.is_remote_done = True
        self._on_end(stream)

    def _pause(self, stream: Stream) -> None:
        """Take no more of a stream than its window."""
        stream.is_paused = True

    def _resume(self, stream: Stream) -> None:
        """Undo `_pause`."""
        if stream.is_paused:
            stream.is_paused = False
            if not stream.is_remote_done and stream.room < stream.room_max // 2:
                self._refill(stream)

    def _read_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise ConnectionFaultError(PROTOCOL_ERROR, "HEADERS on stream 0")
        if flags & PADDED:
            payload = unpadded(payload)
        if flags & PRIORITISED:
            if len(payload) < 5:
                raise ConnectionFaultError(FRAME_SIZE_ERROR, "a HEADERS frame too short")
            payload = payload[5:]
        if flags & END_HEADERS:
            self._read_block(flags, stream_id, payload)
        else:
            self._block = bytearray(payload)
            self._block_stream = stream_id
            self._block_flags = flags
            self._block_frames = 0

    def _read_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        block = self._block
        if block is None or stream_id != self._block_stream:
            raise ConnectionFaultError(PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._frames -= 1
        self._block_frames += 1
        block += payload
        if (
            self._block_frames > _CONTINUATIONS_MAX
            or len(block) > _BEYOND * self._limits.header_bytes_max
        ):
            raise ConnectionFaultError(ENHANCE_YOUR_CALM, "a header block without end")
        if flags & END_HEADERS:
            self._block = None
            self._read_block(self._block_flags, stream_id, bytes(block))

    def _read_block(self, flags: int, stream_id: int, block: bytes) -> None:
        try:
            fields = self._decoder.decode(block)
        except CompressionError as error:
            raise ConnectionFaultError(COMPRESSION_ERROR, str(error)) from error
        except OversizedError as error:
            raise ConnectionFaultError(ENHANCE_YOUR_CALM, "far too many headers") from error
        stream = self._streams.get(stream_id)
        if stream is not None and stream.is_remote_done:
            raise StreamFaultError(STREAM_CLOSED, "headers behind the end")
        self._on_head(stream_id, stream, fields, bool(flags & END_STREAM))

    def _read_other(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if not self._is_greeted:
            if kind != SETTINGS or flags & ACK:
                raise ConnectionFaultError(PROTOCOL_ERROR, "no SETTINGS at the beginning")
            self._is_greeted = True
        read = self._READERS.get(kind)
        if read is not None:
            read(self, flags, stream_id, payload)
        else:
            self._nuisances.spend()  # frames of extensions are passed over

    def _read_priority(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags  # it has none
        if not stream_id:
            raise ConnectionFaultError(PROTOCOL_ERROR, "PRIORITY on stream 0")
        self._nuisances.spend()
        if len(payload) != 5:
            raise StreamFaultError(FRAME_SIZE_ERROR, "a PRIORITY frame of another size than 5")

    def _read_reset(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags  # it has none
        if len(payload) != 4:
            raise ConnectionFaultError(
                FRAME_SIZE_ERROR, "a RST_STREAM frame of another size than 4"
            )
        if not stream_id or self._is_idle(stream_id):
            raise ConnectionFaultError(PROTOCOL_ERROR, "RST_STREAM on a stream that is not open")
        self._resets.spend()
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._forget(stream, is_broken=False)
            self._on_broken(stream, int.from_bytes(payload, "big"), "")

    def _read_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFaultError(PROTOCOL_ERROR, "SETTINGS on a stream")
        if len(payload) % 6 or (flags & ACK and payload):
            raise ConnectionFaultError(FRAME_SIZE_ERROR, "a SETTINGS frame of a wrong size")
        if flags & ACK:
            self._nuisances.spend()
            self._is_settled = True
            return
        self._nuisances.spend(1 + len(payload) // 6 // _SETTINGS_FREE)
        for setting, value in read_settings(payload):
            if setting == ENABLE_PUSH and value > 1:
                raise ConnectionFaultError(PROTOCOL_ERROR, "ENABLE_PUSH is 0 or 1")
            if setting == MAX_FRAME_SIZE and not FRAME_BYTES_DEFAULT <= value <= FRAME_BYTES_LIMIT:
                raise ConnectionFaultError(PROTOCOL_ERROR, "a MAX_FRAME_SIZE out of range")
            self._heed(setting, value)
        self._write(SETTINGS_ACK)
        self.pump()

    def _read_push(self, flags: int, stream_id: int, payload: bytes) -> None:
        raise ConnectionFaultError(PROTOCOL_ERROR, "PUSH_PROMISE, which nobody asked for")

    def _read_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFaultError(PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ConnectionFaultError(FRAME_SIZE_ERROR, "a PING frame of another size than 8")
        self._nuisances.spend()
        if not flags & ACK:
            self._write(ping_ack(payload))

    def _read_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags  # it has none
        if stream_id:
            raise ConnectionFaultError(PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ConnectionFaultError(FRAME_SIZE_ERROR, "a GOAWAY frame too short")
        self._nuisances.spend()
        last_id = int.from_bytes(payload[:4], "big") & STREAM_ID_MAX
        self._on_goaway(last_id, int.from_bytes(payload[4:8], "big"), payload[8:])

    def _read_window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags  # it has none
        if len(payload) != 4:
            raise ConnectionFaultError(FRAME_SIZE_ERROR, "a WINDOW_UPDATE of another size than 4")
        increment = int.from_bytes(payload, "big") & STREAM_ID_MAX
        if not stream_id:
            if not increment:
                raise ConnectionFaultError(PROTOCOL_ERROR, "a WINDOW_UPDATE by nothing")
            self._widen(increment)
            return
        stream = self._streams.get(stream_id)
        if stream is not None:
            if not increment:
                raise StreamFaultError(PROTOCOL_ERROR, "a WINDOW_UPDATE by nothing")
            self._widen_stream(stream, increment)
        elif self._is_idle(stream_id):
            raise ConnectionFaultError(PROTOCOL_ERROR, "a window of a stream that is not open")

    _READERS: ClassVar[dict[int, Callable[[Any, int, int, bytes], None]]] = {
        PRIORITY: _read_priority,
        RST_STREAM: _read_reset,
        SETTINGS: _read_settings,
        PUSH_PROMISE: _read_push,
        PING: _read_ping,
        GOAWAY: _read_goaway,
        WINDOW_UPDATE: _read_window_update,
        CONTINUATION: _read_continuation,
    }

    # -- ends of streams --------------------------------------------------------------------------

    def _judge_stray(self, stream_id: int) -> None:
        """A frame came for a stream that is not open: it crossed our reset, or should not be."""
        if not stream_id or self._is_idle(stream_id):
            raise ConnectionFaultError(PROTOCOL_ERROR, "a frame of a stream that is not open")
        if not self._ended.get(stream_id):
            raise StreamFaultError(STREAM_CLOSED, "a frame behind the end of its stream")

    def _break(self, stream_id: int, code: int, why: str) -> None:
        """Reset a stream because of what its frames said."""
        self._resets.spend()
        stream = self._streams.get(stream_id)
        self._write(rst_stream(stream_id, code))
        if stream is None:
            self._note_end(stream_id, is_broken=True)
        else:
            self._forget(stream, is_broken=True)
            self._on_broken(stream, code, why)

    def _forget(self, stream: Stream, *, is_broken: bool) -> None:
        """The stream is over; `is_broken`: we reset it, and what still comes is no fault."""
        if self._streams.pop(stream.id, None) is not None:
            self.discard(stream)
            self._note_end(stream.id, is_broken=is_broken)

    def _note_end(self, stream_id: int, *, is_broken: bool) -> None:
        ended = self._ended
        ended[stream_id] = is_broken
        if len(ended) > _ENDED_MAX:
            del ended[next(iter(ended))]

    def _greeting_window(self) -> bytes:
        """Widen the window of the connection from its default; sent behind our settings."""
        return window_update(0, CONNECTION_WINDOW - WINDOW_DEFAULT)


def _surplus(stream: Stream) -> StreamFaultError:
    if stream.is_remote_done:
        return StreamFaultError(STREAM_CLOSED, "data behind the end")
    return StreamFaultError(FLOW_CONTROL_ERROR, "more data than the window")
