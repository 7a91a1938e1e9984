import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.protobuf import MAGIC, ProtobufError, namespace_of


def field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


def envelope(api_version: str, kind: str, raw: bytes = b"") -> bytes:
    meta = field(1, api_version.encode()) + field(2, kind.encode())
    return MAGIC + field(1, meta) + field(2, raw)


def test_a_namespace_is_read() -> None:
    label = field(1, b"a") + field(2, b"b")
    metadata = field(1, b"team") + field(11, label) + field(12, field(1, b"c") + field(2, b"d"))
    # Numbers (generation = 7) and fields of fixed size are stepped over.
    metadata += (
        bytes([7 << 3, 0x96, 0x01])
        + bytes([9 << 3 | 1])
        + bytes(8)
        + bytes([10 << 3 | 5])
        + bytes(4)
    )
    body = envelope("v1", "Namespace", field(1, metadata) + field(2, b"") + field(3, b""))
    assert namespace_of(body) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "team", "labels": {"a": "b"}, "annotations": {"c": "d"}},
    }


def test_other_kinds_are_named_with_a_way_out() -> None:
    body = envelope("apps/v1", "Deployment")
    with pytest.raises(ProtobufError, match=r"apps/v1 Deployment is not read .* kubectl apply -f"):
        namespace_of(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "must begin with"),
        (b"{}", "must begin with"),
        (MAGIC + b"\x0a\x7f", "cut short"),
        (MAGIC + b"\x0a", "cut short"),
        (MAGIC + b"\x0b", "wire type 3"),
        (MAGIC + b"\xff" * 12, "too long"),
        (envelope("v1", "Namespace", field(1, field(1, b"\xff"))), "not UTF-8"),
    ],
)
def test_what_is_no_protobuf_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(ProtobufError, match=words):
        namespace_of(body)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for body in (raw, MAGIC + raw, envelope("v1", "Namespace", raw)):
        with contextlib.suppress(ProtobufError):
            namespace_of(body)
