"""Carry a request to a replica that speaks HTTP/2: gRPC calls, and all of a Revision named h2c.

For: streams both ways as they come, one stream a request, trailers passed on.
Must not know: which replica to choose, how long a queue is, frames.
"""

from typing import Any, cast

from typing_extensions import override

from activator.ledger import Ending
from activator.measuring import MeasuredPassage
from activator.payloads import LoggedPassage
from activator.proxy import Passage
from activator.sides import Upstream
from wire import grpc
from wire.h2pool import PooledStream


class CallPassage(Passage):
    """A passage over a stream of HTTP/2, which looks to it as a connection for one request."""

    __slots__ = ()  # so that it can be joined with other passages

    @override
    def forward(self, replica: Upstream) -> None:
        """A slot on `replica` is ours."""
        self.replica = replica
        replica.running += 1
        stream: Any = replica.streams.take()
        if stream is None:
            self._slot_s = self._keeper.ledger.now()
            self._keeper.connect(self)
        else:
            self.connected(stream)

    @override
    async def open(self) -> Any:
        """A new stream to its replica; OSError when nothing listens."""
        assert self.replica is not None
        return await self.replica.streams.connect()

    @override
    def _frame(self, body: bytes) -> tuple[bytes, bytes]:
        """HTTP/2 frames a body itself."""
        return b"", body

    @override
    def on_answer(self, connection: Any) -> None:
        """Send the answer's head, and all of it when all of it is here, trailers among it."""
        if connection.is_answer_complete:  # a call that fails at once has its status in the head
            self._call_failure = grpc.failure(connection.trailer_lines or connection.head_lines())
        if not connection.trailer_lines:
            super().on_answer(connection)
            return
        assert self.replica is not None
        headers = b"%b%bx-request-id: %b\r\n" % (
            connection.head_lines(),
            self.replica.signature,
            self.request_id,
        )
        if self._is_held:
            waited_ms = (self._sent_s - self.arrived_s) * 1000
            headers += b"server-timing: queue;dur=%.1f\r\n" % waited_ms
        status, early, trailers = connection.status, connection.early, connection.trailer_lines
        self._sent_bytes = len(early)
        self._finish()
        self._exchange.respond(status, headers, early, trailers=trailers)

    @override
    def on_answer_end(self) -> None:
        """The answer is whole."""
        trailers = self._pooled.stream.trailer_lines
        self._call_failure = grpc.failure(trailers)
        self._finish()
        self._exchange.end(trailers)

    @override
    def on_answer_lost(self, why: str) -> None:
        """The replica died, or reset the stream; one that did not look at it lost nothing."""
        pooled = self._pooled
        if not pooled.stream.is_unprocessed or pooled.body is None or self._exchange.is_started:
            super().on_answer_lost(why)
            return
        self._connection = None
        self._pieces = [pooled.body]
        self.unreachable()

    @override
    def note(
        self, serial: int, now_s: float, ending: Ending, status: int, why: str = ""
    ) -> tuple[Any, ...]:
        """See `Passage`; of an answer, which is 200, the status that its call ended with."""
        if ending is Ending.ANSWERED:
            why = self._call_failure
        return super().note(serial, now_s, ending, status, why)

    @property
    def _pooled(self) -> PooledStream:
        return cast("PooledStream", self._connection)


class LoggedCall(LoggedPassage, CallPassage):
    """And a sink is told of it."""

    __slots__ = ()


class MeasuredCall(MeasuredPassage, CallPassage):
    """And its replica is asked for its load."""

    __slots__ = ()


class MeasuredLoggedCall(MeasuredPassage, LoggedPassage, CallPassage):
    """All of it."""

    __slots__ = ()
