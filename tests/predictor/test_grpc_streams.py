"""Streams without a socket: pieces cut anywhere, back-pressure, ends in every order."""

from collections import deque
from typing import Any

import numpy as np
import pytest

from predictor.errors import Fault, RequestError
from predictor.grpc_codec import GrpcCodec
from predictor.grpc_messages import ModelInferRequest, ModelStreamInferResponse
from predictor.grpc_streams import AnsweredStream, InferStream, WatchStream
from wire import grpc
from wire.grpc import Deframer

HEAD = grpc.CONTENT_TYPE
TENSOR = {"name": "x", "datatype": "FP32", "shape": [1]}


def request(number: int) -> bytes:
    raw = np.array([number], np.float32).tobytes()
    made = ModelInferRequest(id=str(number), inputs=[TENSOR], raw_input_contents=[raw])
    return grpc.framed(made.SerializeToString())


class FakeExchange:
    def __init__(self, **index: str) -> None:
        self.index = {
            name.replace("_", "-").encode(): value.encode() for name, value in index.items()
        }
        self.early = b""
        self.is_complete = False
        self.receiver: Any = None
        self.body = b""
        self.end_lines: bytes | None = None
        self.is_started = self.is_paused = False

    def take(self) -> bytes:
        data, self.early = self.early, b""
        return data

    def start(self, status: int, headers: bytes, *, content_length: int | None) -> None:
        assert (status, headers, content_length) == (200, HEAD, None)
        assert not self.is_started
        self.is_started = True

    def write(self, data: bytes) -> None:
        assert self.end_lines is None
        self.body += data

    def end(self, trailers: bytes) -> None:
        assert self.is_started
        self.end_lines = trailers

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        assert (status, body, self.is_started) == (200, b"", False)
        self.end_lines = headers.removeprefix(HEAD)

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    @property
    def answers(self) -> list[Any]:
        found = Deframer(b"", 10_000).feed(self.body)
        return [ModelStreamInferResponse.FromString(each) for each in found]


class FakeLane:
    """Runs a job when it is told to; one that is over is not run."""

    def __init__(self) -> None:
        self.jobs: deque[Any] = deque()
        self.abandoned_count = 0
        self.is_quick = False
        self.streams: set[Any] = set()

    def opened(self, job: Any) -> float:
        return 0.0

    def submit(self, job: Any) -> None:
        self.jobs.append(job)
        if self.is_quick:
            self.run()

    def watch(self, job: Any, now_s: float) -> None:
        pass

    def abandoned(self, job: Any) -> None:
        job.is_over = True
        self.abandoned_count += 1

    def run(self, index: int = 0) -> None:
        job = self.jobs[index]
        del self.jobs[index]
        try:
            job.request = job.decode()
        except RequestError as error:
            job.is_over = True
            job.refuse(error)
            return
        encoded = job.encode({"y": job.request.feeds["x"] * 2})
        job.is_over = True
        job.answer(encoded, 0.0, b"")


def stream(running_max: int = 4, **index: str) -> tuple[InferStream, FakeExchange, FakeLane]:
    exchange: Any = FakeExchange(**index)
    lane: Any = FakeLane()
    codec = GrpcCodec(None, name="m", version="", bytes_max=1000)
    made = InferStream(
        exchange, HEAD, bytes_max=1000, lane=lane, codec=codec, running_max=running_max
    )
    return made, exchange, lane


def ids(exchange: FakeExchange) -> list[str]:
    return [each.infer_response.id for each in exchange.answers]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pieces_cut_anywhere(size: int) -> None:
    made, exchange, lane = stream()
    lane.is_quick = True
    made.begin()
    body = b"".join(map(request, range(9)))
    for at in range(0, len(body), size):
        made.on_body(body[at : at + size])
    made.on_end()
    assert ids(exchange) == [str(number) for number in range(9)]
    assert exchange.end_lines == grpc.OK_TRAILERS


def test_answers_keep_the_order_of_requests() -> None:
    made, exchange, lane = stream()
    made.begin()
    made.on_body(b"".join(map(request, range(3))))
    lane.run(2)
    lane.run(1)
    assert ids(exchange) == []
    lane.run(0)
    assert ids(exchange) == ["0", "1", "2"]


def test_no_more_run_than_may_and_the_client_is_paused() -> None:
    made, exchange, lane = stream(running_max=2)
    made.begin()
    made.on_body(b"".join(map(request, range(5))))
    assert (len(lane.jobs), exchange.is_paused) == (2, True)
    made.on_end()
    for _ in range(5):
        lane.run()
    assert ids(exchange) == [str(number) for number in range(5)]
    assert not exchange.is_paused
    assert exchange.end_lines == grpc.OK_TRAILERS


def test_nothing_runs_for_who_does_not_read() -> None:
    made, exchange, lane = stream()
    made.begin()
    made.on_writable(False)
    made.on_body(request(1))
    assert (len(lane.jobs), exchange.is_paused) == (0, True)
    made.on_writable(True)
    lane.run()
    assert ids(exchange) == ["1"]


def test_all_of_it_came_with_the_head() -> None:
    made, exchange, lane = stream()
    exchange.early, exchange.is_complete = request(1) + request(2), True
    lane.is_quick = True
    made.begin()
    assert ids(exchange) == ["1", "2"]
    assert exchange.end_lines == grpc.OK_TRAILERS


def test_a_fault_is_an_answer_with_its_id_once_that_is_known() -> None:
    made, exchange, lane = stream()
    made.begin()
    made.on_body(grpc.framed(b"\x0a\x7f") + request(1) + request(2))
    lane.run()
    job = lane.jobs.popleft()
    job.request = job.decode()
    job.is_over = True
    job.refuse(RequestError(Fault.TIMED_OUT, timeout_s=1))
    lane.run()
    said = [each.error_message for each in exchange.answers]
    assert "the message is not a ModelInferRequest" in said[0]
    assert said[1] == "no answer within the revision's timeout of 1 s"
    assert ids(exchange) == ["", "1", "2"]


def test_an_empty_stream_is_well() -> None:
    made, exchange, _ = stream()
    made.begin()
    made.on_end()
    assert exchange.end_lines == grpc.OK_TRAILERS
    assert not exchange.is_started


@pytest.mark.parametrize(
    ("body", "code"), [(b"\2\0\0\0\0", 3), (b"\0\0\0\xff\xff", 8), (b"\0\0\0\0", 3)]
)
def test_what_is_no_stream_ends_it_and_all_that_runs(body: bytes, code: int) -> None:
    made, exchange, lane = stream()
    made.begin()
    made.on_body(request(1) + body)
    made.on_end()
    assert exchange.end_lines is not None
    assert exchange.end_lines.startswith(b"grpc-status: %d\r\n" % code)
    assert lane.abandoned_count == 1
    made.on_body(request(2))
    assert len(lane.jobs) == 1


def test_a_client_that_leaves() -> None:
    made, exchange, lane = stream()
    made.begin()
    made.on_body(request(1) + request(2))
    made.on_abort()
    made.on_abort()
    assert lane.abandoned_count == 2
    assert exchange.end_lines is None


def test_a_timeout_that_is_none() -> None:
    made, exchange, lane = stream(grpc_timeout="soon")
    exchange.early = request(1)
    made.begin()
    assert exchange.end_lines is not None
    assert exchange.end_lines.startswith(b"grpc-status: 3\r\ngrpc-message: grpc-timeout: expected")
    assert not lane.jobs


def test_each_message_is_answered() -> None:
    exchange: Any = FakeExchange()
    made = AnsweredStream(exchange, HEAD, bytes_max=10, answer=lambda data: data * 2)
    made.begin()
    made.on_body(grpc.framed(b"a") + grpc.framed(b"b"))
    made.on_writable(False)
    made.on_end()
    assert list(Deframer(b"", 10).feed(exchange.body)) == [b"aa", b"bb"]
    assert exchange.end_lines == grpc.OK_TRAILERS


def test_a_watch_tells_what_changed() -> None:
    exchange: Any = FakeExchange()
    state = [b"on"]
    watching: set[WatchStream] = set()
    made = WatchStream(exchange, HEAD, bytes_max=10, look=lambda _: state[0], watching=watching)
    made.begin()
    made.on_body(grpc.framed(b"a"))
    made.on_end()
    assert watching == {made}
    made.changed()
    state[0] = b"off"
    made.changed()
    assert list(Deframer(b"", 10).feed(exchange.body)) == [b"on", b"off"]
    assert exchange.end_lines is None
    made.on_body(grpc.framed(b"a"))
    assert exchange.end_lines.startswith(b"grpc-status: 3\r\n")
    assert watching == set()


def test_a_watch_of_nothing() -> None:
    exchange: Any = FakeExchange()
    made = WatchStream(exchange, HEAD, bytes_max=10, look=bytes, watching=set())
    made.begin()
    made.on_end()
    assert exchange.end_lines.startswith(b"grpc-status: 3\r\n")
