"""The sending half of an HTTP/2 connection: windows, queues, and whose turn it is.

For: sending at once what may be sent, and the rest in fair turns, with bounded memory.
Must not know: which side of the connection this is, what is sent, sockets.
"""

from abc import ABC, abstractmethod

from wire.h2frames import (
    DATA,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    FRAME_BYTES_DEFAULT,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    WINDOW_DEFAULT,
    WINDOW_MAX,
    ConnectionFaultError,
    StreamFaultError,
    headers,
    pack_head,
)
from wire.h2hpack import NO_TABLE
from wire.h2stream import QUEUE_HIGH_BYTES, QUEUE_LOW_BYTES, Stream

_BURST_BYTES = 131_072  # of frames in one write


class Outflow(ABC):
    """Sends heads at once, and bodies as far as both windows and the transport allow."""

    def __init__(self) -> None:
        self._streams: dict[int, Stream] = {}  # open, or with something left to send
        self._send_window = WINDOW_DEFAULT  # of all streams together
        self._peer_window = WINDOW_DEFAULT  # what a stream begins with
        self._peer_frame_max = FRAME_BYTES_DEFAULT
        self._ready: dict[Stream, None] = {}  # have something to send and may; in turn
        self._is_write_paused = False
        self._table_notice = NO_TABLE

    @abstractmethod
    def _write(self, data: bytes) -> None:
        """Give bytes to the transport."""

    @abstractmethod
    def _sent_end(self, stream: Stream) -> None:
        """The last frame of a stream has been written."""

    def send(
        self,
        stream: Stream,
        block: bytes,
        data: bytes,
        *,
        is_end: bool,
        trailers: bytes = b"",
    ) -> None:
        """Send a header block, a piece of the body, or both; `is_end`: with `trailers`, all.

        `trailers` are encoded, like `block`.
        """
        size = len(data)
        if (
            stream.queued
            or self._is_write_paused
            or size > stream.send_window
            or size > self._send_window
            or size > self._peer_frame_max
        ):
            self._send_later(stream, block, data, is_end=is_end, trailers=trailers)
            return
        parts = []
        if block:
            is_all = is_end and not size and not trailers
            parts.append(self._head(stream, block, is_end=is_all))
        if size or (is_end and not block and not trailers):
            flags = END_STREAM if is_end and not trailers else 0
            parts += (pack_head(size << 8 | DATA, flags, stream.id), data)
            stream.send_window -= size
            self._send_window -= size
        if trailers:
            parts.append(self._head(stream, trailers, is_end=True))
        self._write(b"".join(parts))
        if is_end:
            stream.is_ending = stream.is_local_done = True
            self._sent_end(stream)

    def _head(self, stream: Stream, block: bytes, *, is_end: bool) -> bytes:
        if self._table_notice:
            block, self._table_notice = self._table_notice + block, b""
        return headers(stream.id, block, is_end=is_end, frame_bytes_max=self._peer_frame_max)

    def _send_later(
        self, stream: Stream, block: bytes, data: bytes, *, is_end: bool, trailers: bytes
    ) -> None:
        if block:
            self._write(self._head(stream, block, is_end=is_end and not data and not trailers))
            if is_end and not data and not trailers:
                stream.is_ending = stream.is_local_done = True
                self._sent_end(stream)
                return
        if data:
            stream.queue.append(memoryview(data))
            stream.queued += len(data)
        stream.trailers = trailers
        stream.is_ending = is_end
        self._ready[stream] = None
        self.pump()
        if stream.queued > QUEUE_HIGH_BYTES and not stream.is_backed_up and not is_end:
            stream.is_backed_up = True
            stream.on_writable(False)

    def pump(self) -> None:
        """Send what may be sent, a frame of each stream in turn."""
        relieved: list[Stream] = []
        ready = self._ready
        while ready and not self._is_write_paused:
            parts: list[bytes | memoryview] = []
            ended: list[Stream] = []
            size = 0
            while size < _BURST_BYTES and (stream := self._next_ready()) is not None:
                size += self._emit(stream, parts)
                if stream.is_local_done:
                    ended.append(stream)
                elif stream.is_backed_up and stream.queued <= QUEUE_LOW_BYTES:
                    relieved.append(stream)
            if not parts:
                break
            self._write(b"".join(parts))
            for stream in ended:
                self._sent_end(stream)
        for stream in relieved:
            self._relieve(stream)

    def _emit(self, stream: Stream, parts: list[bytes | memoryview]) -> int:
        """Write one frame of the queue, with what ends the stream if that is all."""
        queue = stream.queue
        size = 0
        if queue:
            piece = queue[0]
            size = min(len(piece), stream.send_window, self._send_window, self._peer_frame_max)
            if size == len(piece):
                queue.popleft()
            else:
                queue[0] = piece[size:]
                piece = piece[:size]
            stream.queued -= size
            stream.send_window -= size
            self._send_window -= size
        else:
            piece = memoryview(b"")
        is_last = stream.is_ending and not queue
        if size or not stream.trailers:
            flags = END_STREAM if is_last and not stream.trailers else 0
            parts += (pack_head(size << 8 | DATA, flags, stream.id), piece)
        if is_last:
            stream.is_local_done = True
            self._ready.pop(stream, None)
            if stream.trailers:
                parts.append(self._head(stream, stream.trailers, is_end=True))
        return size + 9

    def _may_emit(self, stream: Stream) -> bool:
        """Whether a frame of this stream can be sent now."""
        if stream.queue:
            return stream.send_window > 0 and self._send_window > 0
        return stream.is_ending and not stream.is_local_done

    def _next_ready(self) -> Stream | None:
        """The stream whose turn it is; it goes to the end of the line as long as it has more."""
        ready = self._ready
        while ready and self._send_window > 0:
            stream = next(iter(ready))
            del ready[stream]
            if self._may_emit(stream):
                ready[stream] = None
                return stream
            # Not in line until its window opens, or something is added.
        # The window of the connection is closed: only ends can be sent.
        return next((stream for stream in ready if self._may_emit(stream)), None)

    def _relieve(self, stream: Stream) -> None:
        """Tell a writer to go on, unless it has to stop again."""
        if (
            stream.is_backed_up
            and not self._is_write_paused
            and stream.queued <= QUEUE_LOW_BYTES
            and not stream.is_ending
        ):
            stream.is_backed_up = False
            stream.on_writable(True)

    def discard(self, stream: Stream) -> None:
        """Send nothing more of it."""
        stream.queue.clear()
        stream.queued = 0
        stream.is_ending = stream.is_local_done = True
        self._ready.pop(stream, None)

    def _stop_writers(self) -> None:
        """The transport takes no more."""
        self._is_write_paused = True
        for stream in tuple(self._streams.values()):
            if not stream.is_backed_up and not stream.is_ending:
                stream.is_backed_up = True
                stream.on_writable(False)

    def _restart_writers(self) -> None:
        """The transport takes more again."""
        self._is_write_paused = False
        self.pump()
        for stream in tuple(self._streams.values()):
            self._relieve(stream)

    # -- what the far side takes --------------------------------------------------------------

    def _widen(self, increment: int) -> None:
        """The far side takes more on all streams together."""
        self._send_window += increment
        if self._send_window > WINDOW_MAX:
            raise ConnectionFaultError(FLOW_CONTROL_ERROR, "a window over 2**31-1")
        if self._ready:
            self.pump()

    def _widen_stream(self, stream: Stream, increment: int) -> None:
        """The far side takes more on one stream."""
        stream.send_window += increment
        if stream.send_window > WINDOW_MAX:
            raise StreamFaultError(FLOW_CONTROL_ERROR, "a window over 2**31-1")
        if stream.queued and stream.send_window > 0:
            self._ready[stream] = None
            self.pump()

    def _heed(self, setting: int, value: int) -> None:
        """The far side said what it takes."""
        if setting == INITIAL_WINDOW_SIZE:
            if value > WINDOW_MAX:
                raise ConnectionFaultError(FLOW_CONTROL_ERROR, "a window over 2**31-1")
            change, self._peer_window = value - self._peer_window, value
            for stream in self._streams.values():
                stream.send_window += change
                if stream.send_window > WINDOW_MAX:
                    raise ConnectionFaultError(FLOW_CONTROL_ERROR, "a window over 2**31-1")
                if stream.queued and stream.send_window > 0:
                    self._ready[stream] = None
        elif setting == MAX_FRAME_SIZE:
            self._peer_frame_max = value
