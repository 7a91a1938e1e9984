"""The requests of an HTTP/2 client: streams in, exchanges out, within limits.

For: heads, bodies and trailers of many requests at once.
Must not know: who answers, when a connection ends, models, routes.
"""

from abc import abstractmethod
from typing import cast

from typing_extensions import override

from wire import grpc
from wire.h2exchange import H2Exchange, ServerStream, Side
from wire.h2frames import (
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    WINDOW_DEFAULT,
    ConnectionFaultError,
    StreamFaultError,
    rst_stream,
)
from wire.h2heads import read_request, read_trailers
from wire.h2hpack import Block
from wire.h2inflow import Inflow
from wire.h2stream import Stream
from wire.head import Head
from wire.limits import Limits


class Requests(Inflow, Side):
    """Turns streams into exchanges. Those of one read are gathered, with what came of them."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._peer = ""
        self._last_id = 0  # the youngest stream that was looked at
        self._is_leaving = False  # no stream is opened any more
        self._new: list[ServerStream] = []  # not given to the handler yet

    @abstractmethod
    def _refuse(self, stream: ServerStream, status: int) -> None:
        """Answer a request that the handler does not get, or should not have got."""

    @override
    def _is_idle(self, stream_id: int) -> bool:
        return stream_id > self._last_id or not stream_id & 1

    @override
    def _on_head(self, stream_id: int, stream: Stream | None, fields: Block, is_end: bool) -> None:
        if stream is not None:
            self._on_trailers(stream, fields, is_end)
            return
        if not self._open(stream_id):
            return
        if fields.meaning is None:
            fields.meaning = read_request(fields, self._limits)
        head, status = cast("tuple[Head, int]", fields.meaning)
        if is_end and head.content_length:
            raise StreamFaultError(PROTOCOL_ERROR, "a body of another length than announced")
        self._streams[stream_id] = stream = ServerStream(
            self, stream_id, send_window=self._peer_window, room=WINDOW_DEFAULT
        )
        stream.left = head.content_length
        stream.is_remote_done = is_end
        stream.exchange = exchange = H2Exchange(stream, self._peer, head)
        exchange.is_complete = is_end
        if status:
            self._resets.spend()
            self._refuse(stream, status)
        else:
            stream.is_new = True
            self._new.append(stream)

    def _open(self, stream_id: int) -> bool:
        """Whether a stream may be opened; False: its head is passed over."""
        if not stream_id & 1:
            raise ConnectionFaultError(PROTOCOL_ERROR, "a client's streams have odd numbers")
        if stream_id <= self._last_id:
            is_broken = self._ended.get(stream_id)
            if is_broken is None:
                raise ConnectionFaultError(PROTOCOL_ERROR, "a stream number that goes back")
            if not is_broken:
                raise ConnectionFaultError(STREAM_CLOSED, "headers behind the end of a stream")
            return False
        if self._is_leaving:
            return False  # the client was told that it is not looked at
        self._last_id = stream_id
        if len(self._streams) < self._limits.streams_max:
            return True
        if self._is_settled:  # before, the client could not know
            self._resets.spend()
        self._note_end(stream_id, is_broken=True)
        self._write(rst_stream(stream_id, REFUSED_STREAM))
        return False

    def _on_trailers(self, stream: Stream, fields: Block, is_end: bool) -> None:
        if not is_end:
            raise StreamFaultError(PROTOCOL_ERROR, "a second head")
        read_trailers(fields)  # nobody asked for them, but they must be well-formed
        if stream.left:
            raise StreamFaultError(PROTOCOL_ERROR, "a body of another length than announced")
        self._finish(stream)

    @override
    def _on_data(self, stream: Stream, data: bytes) -> None:
        stream = cast("ServerStream", stream)
        exchange = stream.exchange
        if exchange is None:
            return
        exchange.received += len(data)
        if (
            exchange.content_length is None
            and exchange.received > self._limits.body_bytes_max
            and not grpc.is_grpc(exchange.index.get(b"content-type"))  # its messages have limits
        ):
            self._resets.spend()
            self._refuse(stream, 413)
        elif stream.is_new:
            exchange.early = exchange.early + data if exchange.early else data
        elif exchange.receiver is not None and not exchange.is_done:
            exchange.receiver.on_body(data)

    @override
    def _on_end(self, stream: Stream) -> None:
        exchange = cast("ServerStream", stream).exchange
        if exchange is None:
            return
        exchange.is_complete = True
        if exchange.receiver is not None and not exchange.is_done:
            exchange.receiver.on_end()
