import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.protobuf import MAGIC, ProtobufError, decoded


def field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


def envelope(api_version: str, kind: str, raw: bytes = b"") -> bytes:
    meta = field(1, api_version.encode()) + field(2, kind.encode())
    return MAGIC + field(1, meta) + field(2, raw)


def test_a_namespace_is_read() -> None:
    label = field(1, b"a") + field(2, b"b")
    metadata = field(1, b"team") + field(11, label) + field(12, field(1, b"c") + field(2, b"d"))
    # Fields of fixed size are stepped over; an empty time is none.
    metadata += bytes([7 << 3, 0x96, 0x01]) + bytes([9 << 3 | 1]) + bytes(8) + field(8, b"")
    body = envelope("v1", "Namespace", field(1, metadata) + field(2, b"") + field(3, b""))
    assert decoded(body) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "team",
            "generation": 150,
            "labels": {"a": "b"},
            "annotations": {"c": "d"},
        },
    }


def entry(key: bytes, value: bytes) -> bytes:
    return field(1, key) + field(2, value)


@pytest.mark.parametrize(
    ("api_version", "kind", "raw", "wanted"),
    [
        (
            "v1",
            "ConfigMap",
            field(2, entry(b"a", b"b")) + field(3, entry(b"c", b"\xff")) + bytes([4 << 3, 1]),
            {"data": {"a": "b"}, "binaryData": {"c": "/w=="}, "immutable": True},
        ),
        (
            "v1",
            "Secret",
            field(2, entry(b"a", b"b")) + field(3, b"Opaque"),
            {"data": {"a": "Yg=="}, "type": "Opaque"},
        ),
        (
            "v1",
            "ServiceAccount",
            field(3, field(1, b"pull")) + bytes([4 << 3, 0]),
            {"imagePullSecrets": [{"name": "pull"}], "automountServiceAccountToken": False},
        ),
        (
            "coordination.k8s.io/v1",
            "Lease",
            field(
                2,
                field(1, b"me")
                + bytes([2 << 3, 15])
                + field(4, bytes([1 << 3, 5, 2 << 3, 0x80, 0x08])),
            ),
            {
                "spec": {
                    "holderIdentity": "me",
                    "leaseDurationSeconds": 15,
                    "renewTime": "1970-01-01T00:00:05.000001Z",
                }
            },
        ),
        (
            "authorization.k8s.io/v1",
            "SelfSubjectAccessReview",
            field(2, field(1, field(2, b"get") + field(5, b"pods"))),
            {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}},
        ),
        (
            "v1",
            "DeleteOptions",
            bytes([1 << 3, 0]) + field(4, b"Orphan") + field(5, b"All"),
            {"gracePeriodSeconds": 0, "propagationPolicy": "Orphan", "dryRun": ["All"]},
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_other_kinds_are_read(
    api_version: str, kind: str, raw: bytes, wanted: dict[str, object]
) -> None:
    found = decoded(envelope(api_version, kind, raw))
    assert found == {"apiVersion": api_version, "kind": kind} | wanted


def test_a_field_that_is_not_known_is_refused_by_its_number() -> None:
    body = envelope("v1", "ConfigMap", field(9, b"x"))
    with pytest.raises(ProtobufError, match=r"field 9 of ConfigMap is not read"):
        decoded(body)
    wrong = envelope("v1", "ConfigMap", bytes([1 << 3, 1]))
    with pytest.raises(ProtobufError, match=r"ConfigMap\.metadata .* is a number"):
        decoded(wrong)


def test_other_kinds_are_named_with_a_way_out() -> None:
    body = envelope("batch/v1", "Job")
    with pytest.raises(ProtobufError, match=r"batch/v1 Job is not read .* kubectl apply -f"):
        decoded(body)


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
        decoded(body)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for body in (raw, MAGIC + raw, envelope("v1", "Namespace", raw), envelope("v1", "Secret", raw)):
        with contextlib.suppress(ProtobufError):
            decoded(body)
