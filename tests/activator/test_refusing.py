"""A refusal in the protocol of its caller."""

from typing import Any

import pytest

from activator import refusing
from activator.errors import About, Fault
from activator.throttler import Refusal


class Sent:
    """An exchange, and what was done to it."""

    def __init__(self, content_type: bytes | None, *, is_http2: bool) -> None:
        self.index = {} if content_type is None else {b"content-type": content_type}
        self.is_http2 = is_http2
        self.done: list[Any] = []

    def respond(self, *answer: Any) -> None:
        self.done.append(answer)

    def end(self, trailers: bytes) -> None:
        self.done.append(trailers)

    def abort(self) -> None:
        self.done.append("aborted")


@pytest.mark.parametrize(
    ("content_type", "is_http2", "is_call"),
    [
        (b"application/grpc", True, True),
        (b"application/grpc+proto", True, True),
        (b"application/grpc", False, False),
        (b"application/json", True, False),
        (None, True, False),
    ],
)
def test_who_is_refused_how(content_type: bytes | None, is_http2: bool, is_call: bool) -> None:
    sent: Any = Sent(content_type, is_http2=is_http2)
    assert refusing.is_call(sent) is is_call
    about = About(revision="r", request_id=b"7", retry_after_s=3)
    refusing.refuse(sent, Refusal.QUEUE_FULL, about)
    refusing.cut(sent, Fault.IDLE_TIMEOUT, About())
    (status, headers, body), end = sent.done
    if is_call:
        assert (status, body) == (200, b"")
        assert headers == (
            b"content-type: application/grpc\r\ngrpc-status: 8\r\n"
            b"grpc-message: too many requests wait for a replica already\r\n"
            b"grpc-retry-pushback-ms: 3000\r\nx-request-id: 7\r\n"
        )
        assert end.startswith(b"grpc-status: 4\r\ngrpc-message: no byte came")
    else:
        assert (status, end) == (429, "aborted")
        assert b'"reason":"QueueFull"' in body
