"""Calls of gRPC that are streams: messages in, messages out, until either side ends.

For: ModelStreamInfer through the lane, Watch of the health service, reflection.
Must not know: gates, batches, paths.

A stream's inferences run side by side, but for a replica with a limit on its concurrency: there a
stream is one request, whatever it sends. Answers keep the order of the requests. One that fails is
answered with its error_message, as Triton does, and the stream goes on.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from typing_extensions import override

from api import keys
from predictor import grpc_codec
from predictor.errors import Fault, RequestError
from predictor.grpc_codec import GrpcCodec
from predictor.grpc_messages import ModelStreamInferResponse
from predictor.lane import Lane
from predictor.model import Tensor
from predictor.protocol import InferRequest
from predictor.raw_tensors import Buffer
from wire import grpc
from wire.exchange import Exchange
from wire.grpc import Deframer, GrpcError

RUNNING_MAX = 32  # of one stream, side by side
_ENCODING = b"grpc-encoding"
_PROXY = keys.HEADER_PROXY.encode()
_TIMEOUT = b"grpc-timeout"


class Stream:
    """The receiver of an exchange that is a stream; `on_message` is for those built on it."""

    def __init__(self, exchange: Exchange, head: bytes, *, bytes_max: int) -> None:
        """`head`: the header lines of the answer."""
        self.exchange = exchange
        self._head = head
        self._bytes_max = bytes_max
        self._deframer = Deframer(exchange.index.get(_ENCODING, b""), bytes_max)
        self._is_begun = False
        self._timer: asyncio.TimerHandle | None = None
        self.deadline_s = math.inf
        self.is_over = False
        self.has_all = False  # the client says no more

    def begin(self) -> None:
        """Take what came already, and what will."""
        exchange = self.exchange
        exchange.receiver = self
        asked = exchange.index.get(_TIMEOUT)
        if asked is not None:
            self._limit(grpc.timeout_s(asked), asked)
        is_complete = exchange.is_complete
        data = exchange.take()
        if data:
            self.on_body(data)
        if is_complete:
            self.on_end()

    def send(self, pieces: list[Buffer]) -> None:
        """One message."""
        if self.is_over:
            return
        if not self._is_begun:
            self._is_begun = True
            self.exchange.start(200, self._head, content_length=None)
        self.exchange.write(b"".join((grpc.prefix(sum(map(len, pieces))), *pieces)))

    def end(self, error: RequestError | None = None) -> None:
        """The stream is over, well or not."""
        if self.is_over:
            return
        self._over()
        lines = grpc.OK_TRAILERS
        if error is not None:
            lines = grpc.status_lines(grpc.code_of(error.status), str(error))
        if self._is_begun:
            self.exchange.end(lines)
        else:
            self.exchange.respond(200, self._head + lines, b"")

    def on_message(self, message: bytes) -> None:
        """One message of the client's."""
        raise NotImplementedError

    def finished(self) -> None:
        """The client says no more."""
        self.end()

    # -- what the exchange tells -------------------------------------------------------------

    def on_body(self, data: bytes) -> None:
        """See `Receiver`."""
        try:
            for message in self._deframer.feed(data):
                if self.is_over:
                    return
                self.on_message(message)
        except GrpcError as error:
            self.end(grpc_codec.as_request_error(error, self._bytes_max))
        except RequestError as error:
            self.end(error)

    def on_end(self) -> None:
        """See `Receiver`."""
        if self.is_over:
            return
        self.has_all = True
        if self._deframer.is_between:
            self.finished()
        else:
            self.end(RequestError(Fault.BAD_FRAME, detail="the last message is cut short"))

    def on_abort(self) -> None:
        """See `Receiver`."""
        if not self.is_over:
            self._over()

    def on_writable(self, is_writable: bool) -> None:
        """See `Receiver`."""

    def _over(self) -> None:
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def _limit(self, timeout_s: float | None, asked: bytes) -> None:
        if timeout_s is None:
            self.end(bad_timeout(asked))
            return
        late = RequestError(Fault.TIMED_OUT, timeout_s=timeout_s)
        loop = asyncio.get_running_loop()
        self.deadline_s = loop.time() + timeout_s
        self._timer = loop.call_at(self.deadline_s, self.end, late)


class InferStream(Stream):
    """ModelStreamInfer."""

    def __init__(
        self,
        exchange: Exchange,
        head: bytes,
        *,
        bytes_max: int,
        lane: Lane,
        codec: GrpcCodec,
        running_max: int,
    ) -> None:
        super().__init__(exchange, head, bytes_max=bytes_max)
        self.lane = lane
        self.codec = codec
        self.is_proxied = exchange.index.get(_PROXY) == b"activator"
        self._running_max = running_max
        self._waiting: deque[bytes] = deque()  # messages; at most what one read brought
        self._jobs: deque[StreamJob] = deque()  # not answered, in order
        self._is_writable = True
        self._is_paused = False
        self._is_going = False
        lane.streams.add(self)

    @override
    def on_message(self, message: bytes) -> None:
        """One inference more."""
        self._waiting.append(message)
        self._go_on()

    @override
    def finished(self) -> None:
        """End, once all is answered."""
        self._go_on()

    @override
    def on_abort(self) -> None:
        """Nobody waits for any of them."""
        super().on_abort()
        self._abandon()

    @override
    def end(self, error: RequestError | None = None) -> None:
        """See `Stream`."""
        super().end(error)
        self._abandon()

    @override
    def on_writable(self, is_writable: bool) -> None:
        """Run nothing for a client that does not read."""
        self._is_writable = is_writable
        self._go_on()

    @override
    def _over(self) -> None:
        super()._over()
        self.lane.streams.discard(self)

    def settled(self) -> None:
        """A job has its answer."""
        while self._jobs and self._jobs[0].answered is not None:
            self.send(self._jobs.popleft().answered or [])
        self._go_on()

    def _go_on(self) -> None:
        if self._is_going or self.is_over:
            return  # a job that is answered at once comes back here
        self._is_going = True
        while self._waiting and self._is_writable and len(self._jobs) < self._running_max:
            job = StreamJob(self, self._waiting.popleft())
            self._jobs.append(job)
            now_s = self.lane.opened(job)
            self.lane.submit(job)
            if not job.is_over:
                self.lane.watch(job, now_s)
        self._is_going = False
        if self._is_paused != bool(self._waiting):
            self._is_paused = not self._is_paused
            (self.exchange.pause if self._is_paused else self.exchange.resume)()
        if self.has_all and not self._waiting and not self._jobs:
            self.end()

    def _abandon(self) -> None:
        self._waiting.clear()
        jobs, self._jobs = self._jobs, deque()
        for job in jobs:
            self.lane.abandoned(job)


class StreamJob:
    """One inference of a stream: a job of the lane."""

    __slots__ = (
        *("_message", "_stream", "answered", "deadline_s", "is_over", "is_proxied", "request"),
    )

    def __init__(self, stream: InferStream, message: bytes) -> None:
        self._stream = stream
        self._message = message
        self.answered: list[Buffer] | None = None  # a message, in pieces
        self.is_over = False
        self.is_proxied = stream.is_proxied
        self.deadline_s = stream.deadline_s
        self.request: InferRequest | None = None

    def decode(self) -> InferRequest:
        """See `Job`."""
        message, self._message = self._message, b""
        return self._stream.codec.read(message)

    def encode(self, outputs: Mapping[str, Tensor]) -> list[Buffer]:
        """See `Job`."""
        assert self.request is not None
        return grpc_codec.wrapped(self._stream.codec.write(self.request, outputs))

    def answer(self, encoded: list[Buffer], run_s: float, timing: bytes) -> None:
        """See `Job`. A message has no place for times."""
        del run_s, timing
        self._settle(encoded)

    def refuse(self, error: RequestError) -> None:
        """See `Job`."""
        response = ModelStreamInferResponse(error_message=str(error))
        if self.request is not None and self.request.id:
            response.infer_response.id = self.request.id
        self._settle([response.SerializeToString()])

    def _settle(self, answered: list[Buffer]) -> None:
        self.answered = answered
        self._stream.settled()


class AnsweredStream(Stream):
    """Each message has its answer at once."""

    def __init__(
        self,
        exchange: Exchange,
        head: bytes,
        *,
        bytes_max: int,
        answer: Callable[[bytes], bytes],
    ) -> None:
        super().__init__(exchange, head, bytes_max=bytes_max)
        self._answer = answer

    @override
    def on_message(self, message: bytes) -> None:
        """Answer it."""
        self.send([self._answer(message)])


class WatchStream(Stream):
    """Tells of a state after one message, and whenever it changes, while somebody listens."""

    def __init__(
        self,
        exchange: Exchange,
        head: bytes,
        *,
        bytes_max: int,
        look: Callable[[bytes], Any],
        watching: "set[WatchStream]",
    ) -> None:
        """`look` gives what is to be told of what the message names."""
        super().__init__(exchange, head, bytes_max=bytes_max)
        self._look = look
        self._watching = watching
        self._asked: bytes | None = None
        self._told = b""

    @override
    def on_message(self, message: bytes) -> None:
        """Tell it for the first time."""
        if self._asked is not None:
            raise RequestError(Fault.BAD_FRAME, detail="Watch takes one message")
        self._asked = message
        self._watching.add(self)
        self.changed()

    @override
    def finished(self) -> None:
        """It has said what it asks for, and listens."""
        if self._asked is None:
            self.end(RequestError(Fault.BAD_FRAME, detail="the body holds no message"))

    def changed(self) -> None:
        """Tell again if it is something else."""
        assert self._asked is not None
        told = self._look(self._asked)
        if told != self._told:
            self._told = told
            self.send([told])

    @override
    def _over(self) -> None:
        super()._over()
        self._watching.discard(self)


def bad_timeout(asked: bytes) -> RequestError:
    """A grpc-timeout that is none."""
    expected, got = "digits and a unit of HMSmun", repr(asked.decode("latin-1"))
    return RequestError(Fault.BAD_FIELD, field=_TIMEOUT.decode(), expected=expected, got=got)
