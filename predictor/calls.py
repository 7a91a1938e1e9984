"""One HTTP request that asks for an inference: its body, its codec, its answer.

For: joining an exchange to the lane of its model.
Must not know: gates, batches, workers, or which protocol the codec speaks.
"""

import asyncio
import math
from collections.abc import Mapping
from typing import Protocol

from api import keys
from predictor import coding
from predictor.errors import Fault, RequestError
from predictor.lane import Lane
from predictor.model import Tensor
from predictor.protocol import Codec, Encoded, InferRequest
from wire.buffering import BufferedReceiver
from wire.exchange import Exchange

PROXY = keys.HEADER_PROXY.encode()


class Front(Protocol):
    """What a call needs of the server: who answers, how long its start took, whether it drains."""

    lane: Lane

    def answered(self, call: "Call", encoded: Encoded, run_s: float, timing: bytes) -> None:
        """Send an answer."""

    def refused(self, call: "Call", error: RequestError, *, status: int = 0) -> None:
        """Send a refusal, with the fault's own status unless another is given."""

    def heading(self, content: bytes) -> bytes:
        """What an answer's head says of who answers, below what it says of its content."""
        ...


class Call:
    """A job of the lane, and the receiver of its exchange."""

    __slots__ = (
        "arrived_s",
        "body",
        "bytes_max",
        "codec",
        "deadline_s",
        "exchange",
        "front",
        "is_over",
        "is_proxied",
        "request",
    )

    def __init__(self, front: Front, exchange: Exchange, codec: Codec) -> None:
        self.front = front
        self.exchange = exchange
        self.codec = codec
        self.is_proxied = exchange.index.get(PROXY) == b"activator"
        self.is_over = False
        self.deadline_s = math.inf
        self.body = b""
        self.bytes_max = 0  # of the body, as sent and inflated
        self.arrived_s = 0.0  # whole
        self.request: InferRequest | None = None

    def begin(self, *, bytes_max: int) -> None:
        """Take the body, and the lane once it is whole."""
        lane, exchange = self.front.lane, self.exchange
        self.bytes_max = bytes_max
        now_s = lane.opened(self)
        if exchange.is_complete:
            self.body = exchange.take()
            self.arrived_s = now_s
            lane.submit(self)
            if not self.is_over:
                exchange.receiver = self
                lane.watch(self, now_s)
            return
        lane.watch(self, now_s)
        BufferedReceiver(
            self._received,
            bytes_max=bytes_max,
            on_overflow=self._overflowed,
            on_gone=self.on_abort,
        ).attach(exchange)

    def _received(self, exchange: Exchange, body: bytes) -> None:
        del exchange  # ours
        if not self.is_over:
            self.body = body
            self.arrived_s = asyncio.get_running_loop().time()
            self.front.lane.submit(self)

    def _overflowed(self, exchange: Exchange) -> None:
        del exchange
        if not self.is_over:
            too_large = RequestError(Fault.TOO_LARGE, limit_bytes=self.bytes_max)
            self.front.lane.refuse(self, too_large)

    # -- what the lane asks ------------------------------------------------------------------

    def decode(self) -> InferRequest:
        """See `Job`."""
        body, self.body = self.body, b""
        index = self.exchange.index
        if b"content-encoding" in index:
            body = coding.inflated(body, index[b"content-encoding"], bytes_max=self.bytes_max)
        return self.codec.decode(body, index)

    def encode(self, outputs: Mapping[str, Tensor]) -> Encoded:
        """See `Job`."""
        assert self.request is not None
        return self.codec.encode(self.request, outputs)

    def answer(self, encoded: Encoded, run_s: float, timing: bytes) -> None:
        """See `Job`."""
        self.front.answered(self, encoded, run_s, timing)

    def refuse(self, error: RequestError) -> None:
        """See `Job`."""
        self.front.refused(self, error)

    # -- what the exchange tells -------------------------------------------------------------

    def on_body(self, data: bytes) -> None:
        """The body was taken whole before this became the receiver."""

    def on_end(self) -> None:
        """See on_body."""

    def on_abort(self) -> None:
        """The client left: its place in the queue is free, its run is not interrupted."""
        self.front.lane.abandoned(self)

    def on_writable(self, is_writable: bool) -> None:
        """An answer is one write; what the client does not take is kept by the transport."""
