"""The one protobuf body worth reading: the Namespace that `kubectl create namespace` sends.

For: turning Kubernetes' protobuf envelope and a Namespace in it into the JSON form.
Must not know: HTTP, or any other kind; those are named, so that the refusal can name them.
"""

from collections.abc import Iterator
from typing import Any, Final

MAGIC: Final = b"k8s\x00"
_LENGTH_DELIMITED: Final = 2
_VARINT_BYTES_MAX: Final = 10


class ProtobufError(Exception):
    """The bytes are not a protobuf body of Kubernetes, or one of a kind that is not read."""


def namespace_of(body: bytes) -> dict[str, Any]:
    """A Namespace as JSON; ProtobufError for anything else."""
    (api_version, kind), raw = _envelope(body)
    if (api_version, kind) != ("v1", "Namespace"):
        raise ProtobufError(
            f"{api_version} {kind} is not read from protobuf here: send it as JSON or YAML, "
            "for example with kubectl apply -f"
        )
    metadata: dict[str, Any] = {}
    for number, value in fields(raw):
        if number == 1:
            metadata = _metadata(value)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _envelope(body: bytes) -> tuple[tuple[str, str], bytes]:
    """A runtime.Unknown after the magic: typeMeta = 1 {apiVersion = 1, kind = 2}, raw = 2."""
    if not body.startswith(MAGIC):
        raise ProtobufError("the body is not Kubernetes protobuf: it must begin with k8s\\x00")
    type_meta, raw = b"", b""
    for number, value in fields(body[len(MAGIC) :]):
        if number == 1:
            type_meta = value
        elif number == 2:
            raw = value
    named = {number: _text(value) for number, value in fields(type_meta)}
    return (named.get(1, ""), named.get(2, "")), raw


def _metadata(raw: bytes) -> dict[str, Any]:
    """ObjectMeta: name = 1, generateName = 2, labels = 11, annotations = 12."""
    metadata: dict[str, Any] = {}
    for number, value in fields(raw):
        if number in (1, 2):
            if value:
                metadata["name" if number == 1 else "generateName"] = _text(value)
        elif number in (11, 12):
            pair = {at: _text(each) for at, each in fields(value)}
            field = "labels" if number == 11 else "annotations"
            metadata.setdefault(field, {})[pair.get(1, "")] = pair.get(2, "")
    return metadata


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("a text of the protobuf body is not UTF-8") from error


def fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a message; numbers are stepped over."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            _, at = _varint(raw, at)
            continue
        if wire_type in (1, 5):
            at += 8 if wire_type == 1 else 4
            continue
        if wire_type != _LENGTH_DELIMITED:
            raise ProtobufError(f"the protobuf body has an unknown wire type {wire_type}")
        size, at = _varint(raw, at)
        if at + size > len(raw):
            raise ProtobufError("the protobuf body is cut short")
        yield number, raw[at : at + size]
        at += size


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for step in range(_VARINT_BYTES_MAX):
        if at + step >= len(raw):
            raise ProtobufError("the protobuf body is cut short")
        byte = raw[at + step]
        value |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:
            return value, at + step + 1
    raise ProtobufError("the protobuf body has a number that is too long")
