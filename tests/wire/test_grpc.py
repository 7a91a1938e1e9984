"""gRPC's framing: messages out of bodies however they are cut, statuses, timeouts."""

import contextlib
import gzip
import struct
import urllib.parse
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import grpc
from wire.grpc import Code, Deframer, GrpcError

BYTES_MAX = 1000
MESSAGES = [b"", b"a", b"0" * 1000, bytes(range(256))]


def squeezed(message: bytes, coding: bytes) -> bytes:
    data = gzip.compress(message, mtime=0) if coding == b"gzip" else zlib.compress(message)
    return struct.pack(">BI", 1, len(data)) + data


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(1, 9)))
def test_messages_come_out_whole_however_the_body_is_cut(
    messages: list[bytes], sizes: list[int]
) -> None:
    body = b"".join(map(grpc.framed, messages))
    deframer = Deframer(b"", BYTES_MAX)
    found: list[bytes] = []
    for size in sizes:
        found += deframer.feed(body[:size])
        body = body[size:]
    found += deframer.feed(body)
    assert found == messages
    assert deframer.is_between


_ZIPPED = gzip.compress(b"abc", mtime=0)  # the same whenever it is made


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
@pytest.mark.parametrize("message", MESSAGES)
def test_compressed_messages(coding: bytes, message: bytes) -> None:
    body = squeezed(message, coding)
    assert grpc.unframed(body, coding, BYTES_MAX) == message
    assert list(Deframer(coding, BYTES_MAX).feed(body + body)) == [message, message]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_unary_body(message: bytes) -> None:
    assert bytes(grpc.unframed(grpc.framed(message), b"", BYTES_MAX)) == message


def test_a_part_of_a_message_is_no_end() -> None:
    deframer = Deframer(b"", BYTES_MAX)
    assert list(deframer.feed(b"\0\0\0")) == []
    assert not deframer.is_between


WRONG: list[tuple[bytes, bytes, Code, str]] = [
    (b"", b"", Code.UNIMPLEMENTED, "the body holds no message"),
    (b"\0\0", b"", Code.INTERNAL, "the body holds a message that is cut short"),
    (b"\0\0\0\0\2a", b"", Code.INTERNAL, "the body holds a message that is cut short"),
    (b"\2\0\0\0\1a", b"", Code.INTERNAL, "a message begins with the flag 2, not 0 or 1"),
    (
        b"\0\0\0\0\0\0",
        b"",
        Code.UNIMPLEMENTED,
        "this method takes one message, and the body holds more",
    ),
    (
        grpc.framed(b"0" * 1001),
        b"",
        Code.RESOURCE_EXHAUSTED,
        "a message is larger than 1000 bytes",
    ),
    (
        squeezed(b"0" * 1001, b"gzip"),
        b"gzip",
        Code.RESOURCE_EXHAUSTED,
        "a message is larger than 1000 bytes",
    ),
    (
        squeezed(b"a", b"gzip"),
        b"snappy",
        Code.UNIMPLEMENTED,
        "a message is compressed, and grpc-encoding is 'snappy'",
    ),
    (
        squeezed(b"a", b"gzip"),
        b"",
        Code.INTERNAL,
        "a message is compressed, and grpc-encoding is 'identity'",
    ),
    (b"\1\0\0\0\1a", b"gzip", Code.INTERNAL, "a message is not valid gzip"),
    (
        b"\1" + grpc.framed(_ZIPPED[:-3])[1:],
        b"gzip",
        Code.INTERNAL,
        "not valid gzip",
    ),
    (
        b"\1" + grpc.framed(_ZIPPED + b"b")[1:],
        b"gzip",
        Code.INTERNAL,
        "not valid gzip",
    ),
]


@pytest.mark.parametrize(("body", "coding", "code", "text"), WRONG)
def test_bodies_that_are_none(body: bytes, coding: bytes, code: Code, text: str) -> None:
    with pytest.raises(GrpcError, match=text) as caught:
        grpc.unframed(body, coding, BYTES_MAX)
    assert caught.value.code is code


@pytest.mark.parametrize(("body", "coding", "code", "text"), [WRONG[3], *WRONG[5:]])
def test_the_same_in_a_stream(body: bytes, coding: bytes, code: Code, text: str) -> None:
    with pytest.raises(GrpcError, match=text) as caught:
        list(Deframer(coding, BYTES_MAX).feed(grpc.framed(b"ok") + body))
    assert caught.value.code is code


@given(st.binary(max_size=60), st.sampled_from([b"", b"gzip", b"deflate"]))
def test_any_bytes_are_messages_or_refused(body: bytes, coding: bytes) -> None:
    for read in (
        lambda: grpc.unframed(body, coding, BYTES_MAX),
        lambda: list(Deframer(coding, BYTES_MAX).feed(body)),
    ):
        with contextlib.suppress(GrpcError):
            read()


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        (b"1H", 3600.0),
        (b"2M", 120.0),
        (b"10S", 10.0),
        (b"100m", 0.1),
        (b"250u", 0.00025),
        (b"99999999n", 0.099999999),
        (b"0m", 0.0),
        (b"", None),
        (b"1", None),
        (b"S", None),
        (b"1s", None),
        (b"-1S", None),
        (b"1.5S", None),
        (b"123456789n", None),
    ],
)
def test_timeouts(value: bytes, expected_s: float | None) -> None:
    found = grpc.timeout_s(value)
    assert found == (None if expected_s is None else pytest.approx(expected_s))


@given(st.text(max_size=50))
def test_a_message_survives_its_header(text: str) -> None:
    quoted = grpc.quoted(text)
    assert b"\r" not in quoted
    assert b"\n" not in quoted
    assert urllib.parse.unquote(quoted.decode("ascii")) == text.encode("utf-8", "replace").decode()


def test_status_lines() -> None:
    assert grpc.status_lines(Code.OK) == grpc.OK_TRAILERS
    assert grpc.status_lines(Code.NOT_FOUND, "no ü 5%") == (
        b"grpc-status: 5\r\ngrpc-message: no %C3%BC 5%25\r\n"
    )
    assert len(grpc.status_lines(Code.INTERNAL, "ü" * 10_000)) < 13_000


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (grpc.OK_TRAILERS, ""),
        (b"", ""),
        (b"content-type: application/grpc\r\n", ""),
        (grpc.status_lines(Code.NOT_FOUND, "grpc-status: 0"), "NOT_FOUND"),
        (b"x-last: 2\r\ngrpc-status: 15\r\n", "DATA_LOSS"),
        (b"grpc-status: 99\r\n", "UNKNOWN"),
        (b"x-grpc-status: 5\r\n", ""),
        (b"grpc-status: x\r\n", ""),
    ],
)
def test_what_a_call_failed_with(lines: bytes, name: str) -> None:
    assert grpc.failure(lines) == name


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Code.INVALID_ARGUMENT),
        (404, Code.NOT_FOUND),
        (413, Code.RESOURCE_EXHAUSTED),
        (429, Code.RESOURCE_EXHAUSTED),
        (500, Code.INTERNAL),
        (501, Code.UNIMPLEMENTED),
        (503, Code.UNAVAILABLE),
        (504, Code.DEADLINE_EXCEEDED),
        (418, Code.UNKNOWN),
    ],
)
def test_statuses(status: int, code: Code) -> None:
    assert grpc.code_of(status) is code


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc;charset=x", True),
        (b"application/grpc-web", False),
        (b"application/json", False),
        (None, False),
    ],
)
def test_who_calls(content_type: bytes | None, expected: bool) -> None:
    assert grpc.is_grpc(content_type) is expected
