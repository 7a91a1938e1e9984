"""A call between a pretended exchange and a pretended lane; together: test_server.py."""

from typing import Any

from predictor.calls import Call
from predictor.errors import Fault, RequestError
from predictor.protocol import Encoded, InferRequest


class Exchange:
    def __init__(self, *, body: bytes = b"", is_complete: bool = True, **index: bytes) -> None:
        self.index = {name.replace("_", "-").encode(): value for name, value in index.items()}
        self.is_complete = is_complete
        self.content_length: int | None = None
        self.receiver: Any = None
        self._body = body

    def take(self) -> bytes:
        return self._body


class Lane:
    def __init__(self) -> None:
        self.told: list[str] = []

    def opened(self, call: Call) -> float:
        self.told.append("opened")
        return 7.0

    def submit(self, call: Call) -> None:
        self.told.append("submitted")
        call.request = call.decode()

    def watch(self, call: Call, now_s: float) -> None:
        self.told.append(f"watched from {now_s}")

    def refuse(self, call: Call, error: RequestError) -> None:
        call.is_over = True
        self.told.append(error.fault.name)

    def abandoned(self, call: Call) -> None:
        call.is_over = True
        self.told.append("abandoned")


class Codec:
    def decode(self, body: bytes, index: Any) -> InferRequest:
        return InferRequest(body.decode(), {}, None)

    def encode(self, request: InferRequest, outputs: Any) -> Encoded:
        return Encoded(b"", (request.id or "").upper().encode())


class Front:
    def __init__(self) -> None:
        self.lane: Any = Lane()


def call(exchange: Exchange) -> tuple[Call, list[str]]:
    front: Any = Front()
    made = Call(front, exchange, Codec())  # type: ignore[arg-type]  # doubles
    made.begin(bytes_max=10)
    return made, front.lane.told


def test_a_whole_request_is_submitted_at_once_and_watched() -> None:
    exchange = Exchange(body=b"abc", k_proxy_request=b"activator")
    made, told = call(exchange)
    assert told == ["opened", "submitted", "watched from 7.0"]
    assert made.is_proxied
    assert made.arrived_s == 7.0
    assert exchange.receiver is made
    assert made.encode({}) == Encoded(b"", b"ABC")
    assert made.body == b"", "it is decoded: nobody needs the bytes"


async def test_a_body_in_pieces_is_watched_from_its_head_on() -> None:
    exchange = Exchange(is_complete=False)
    made, told = call(exchange)
    assert told == ["opened", "watched from 7.0"]
    assert not made.is_proxied
    exchange.receiver.on_body(b"ab")
    exchange.receiver.on_body(b"c")
    exchange.receiver.on_end()
    assert told[-1] == "submitted"
    assert made.request == InferRequest("abc", {}, None)


def test_a_body_over_the_limit_is_refused_once() -> None:
    exchange = Exchange(is_complete=False)
    _, told = call(exchange)
    exchange.receiver.on_body(b"x" * 11)
    exchange.receiver.on_end()
    assert told == ["opened", "watched from 7.0", Fault.TOO_LARGE.name]


def test_a_client_that_leaves_before_its_body_is_forgotten() -> None:
    exchange = Exchange(is_complete=False)
    made, told = call(exchange)
    exchange.receiver.on_abort()
    exchange.receiver.on_end()
    assert told[-1] == "abandoned"
    assert made.is_over
