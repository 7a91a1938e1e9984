"""Which model a call names: whole messages, every cut of them, and what names none."""

import gzip
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.model_calls import MODEL_METHODS, NAME_BYTES_MAX, Named, named

SERVICE = b"/inference.GRPCInferenceService/"
INFER = SERVICE + b"ModelInfer"
LOAD = SERVICE + b"RepositoryModelLoad"


def text(number: int, value: bytes) -> bytes:
    """A field of text, of less than 128 bytes."""
    return bytes((number << 3 | 2, len(value))) + value


def framed(message: bytes, *, flag: int = 0) -> bytes:
    return struct.pack(">BI", flag, len(message)) + message


@pytest.mark.parametrize(
    ("method", "message", "expected"),
    [
        (INFER, text(1, b"m"), Named(model=b"m")),
        (INFER, text(1, b"m") + text(2, b"v") + b"\x2a\x00", Named(model=b"m", version=b"v")),
        (INFER, text(1, b"m") + text(3, b"id"), Named(model=b"m")),
        (SERVICE + b"ModelReady", text(1, b"m"), Named(model=b"m")),
        (LOAD, text(1, b"m"), Named(model=b"m")),  # KServe's
        (LOAD, text(2, b"m"), Named(model=b"m")),  # Triton's
        (LOAD, text(1, b"repository") + text(2, b"m"), Named(model=b"m")),
    ],
)
def test_what_is_named(method: bytes, message: bytes, expected: Named) -> None:
    assert method in MODEL_METHODS
    body = framed(message)
    assert named(method, b"", body, True) == expected
    assert named(method, b"", body + framed(b"more"), False) == expected
    for coding, squeezed in (
        (b"gzip", gzip.compress(message, mtime=0)),
        (b"deflate", zlib.compress(message)),
    ):
        assert named(method, coding, framed(squeezed, flag=1), True) == expected


def test_names_are_known_before_the_message_is_whole() -> None:
    message = text(1, b"model") + text(2, b"version") + b"\x3a\xff\xff\x03" + b"0" * 65_535
    body = framed(message)
    assert named(INFER, b"", body[:40], False) == Named(model=b"model", version=b"version")
    for end in range(5 + len(text(1, b"model") + text(2, b"version"))):
        assert named(INFER, b"", body[:end], False) is None


@pytest.mark.parametrize(
    ("body", "encoding", "why"),
    [
        (b"", b"", "it has no message"),
        (framed(b""), b"", "it names no model"),
        (framed(text(3, b"id")), b"", "it names no model"),
        (framed(b"\x08\x01"), b"", "it names no model"),  # a number where a text stands
        (framed(b"\x0a\x7f"), b"", "it names no model"),
        (framed(b"\xff" * 11), b"", "it names no model"),
        (framed(b"\x0a\x01m", flag=1), b"", "its grpc-encoding is not said"),
        (framed(b"\x0a\x01m", flag=1), b"br", "its grpc-encoding is br"),
        (framed(b"\x0a\x01m", flag=1), b"gzip", "its message is not compressed as it says"),
    ],
)
def test_what_names_none(body: bytes, encoding: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        named(INFER, encoding, body, True)


def test_a_name_without_end_is_not_waited_for() -> None:
    body = framed(b"\x0a\xff\xff\x7f" + b"m" * (2 * NAME_BYTES_MAX))
    with pytest.raises(ValueError, match="it names no model"):
        named(INFER, b"", body, False)


def test_paths_say_the_same() -> None:
    assert Named(model=b"m-1_a.b").path == b"/v2/models/m-1_a.b"
    assert Named(model=b"a/b ", version=b"1").path == b"/v2/models/a%2Fb%20/versions/1"


@given(st.binary(max_size=60), st.sampled_from(sorted(MODEL_METHODS)), st.booleans())
def test_any_bytes_name_something_or_nothing(body: bytes, method: bytes, is_whole: bool) -> None:
    try:
        found = named(method, b"gzip", body, is_whole)
    except ValueError as error:
        assert str(error).startswith("it")  # noqa: PT017 - either is right
    else:
        assert found is None or found.model
