import struct

import pytest

from embedded.grpchealth import Answer, request


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream)
    return head + payload


def reply(status: bytes) -> bytes:
    return frame(0, 0, 1, b"\x00" + struct.pack(">I", len(status)) + status)


SETTINGS = frame(4, 0, 0, b"")
HEADERS = frame(1, 4, 1, b"\x88")
TRAILERS = frame(1, 5, 1, b"")


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (SETTINGS + HEADERS + reply(b"\x08\x01") + TRAILERS, ""),
        (
            SETTINGS + HEADERS + reply(b"\x08\x02"),
            "service unhealthy (responded with 'NOT_SERVING')",
        ),
        (SETTINGS + HEADERS + reply(b""), "service unhealthy (responded with 'UNKNOWN')"),
        (SETTINGS + TRAILERS, "the server has no health service, or does not know this one"),
        (SETTINGS + frame(3, 0, 1, b"\0\0\0\7"), "the call was refused"),
        (frame(0, 8, 1, b"\x02" + b"\0\0\0\0\2\x08\x01" + b"pp"), ""),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_an_answer_is_read_however_it_arrives(said: bytes, failure: str, size: int) -> None:
    answer = Answer()
    for at in range(0, len(said), size):
        answer.receive(said[at : at + size])
    assert answer.failure == failure


def test_http2_is_answered_and_an_early_end_is_told() -> None:
    answer = Answer()
    answer.receive(SETTINGS + frame(6, 0, 0, b"12345678"))
    assert answer.to_send == frame(4, 1, 0, b"") + frame(6, 1, 0, b"12345678")
    assert answer.failure is None
    answer.receive(b"")
    assert answer.failure == "the connection ended before an answer"


def test_a_request_names_its_service() -> None:
    long = "x" * 200
    asked = request(long, "localhost")
    assert asked.startswith(b"PRI * HTTP/2.0")
    assert b"\x0a\xc8\x01" + long.encode() in asked
    assert b"/grpc.health.v1.Health/Check" in asked
    assert request("", "localhost").endswith(b"\0\0\0\0\0")
