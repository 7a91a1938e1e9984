"""Kubernetes' protobuf bodies, as kubectl's typed commands send them.

For: turning the envelope and the message in it into the JSON form of the object.
Must not know: HTTP, or what messages there are: `messages.py` lists them.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from embedded.messages import KINDS, Field, Message

MAGIC: Final = b"k8s\x00"
_LENGTH_DELIMITED: Final = 2
_VARINT_BYTES_MAX: Final = 10
_DEPTH_MAX: Final = 16


class ProtobufError(Exception):
    """The bytes are not a protobuf body of Kubernetes, or one of a kind that is not read."""


def decoded(body: bytes) -> dict[str, Any]:
    """An object as JSON; ProtobufError for a kind or a field that is not read."""
    (api_version, kind), raw = _envelope(body)
    message = KINDS.get((api_version, kind)) or KINDS.get(("", kind))
    if message is None:
        raise ProtobufError(
            f"{api_version} {kind} is not read from protobuf here: send it as JSON or YAML, "
            "for example with kubectl apply -f"
        )
    return {"apiVersion": api_version, "kind": kind, **_message(raw, message, kind)}


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


def _message(raw: bytes, message: Message, path: str, depth: int = 0) -> dict[str, Any]:
    if depth > _DEPTH_MAX:
        raise ProtobufError("the protobuf body is nested too deeply")
    found: dict[str, Any] = {}
    for number, value in _all_fields(raw):
        field = message.get(number)
        if field is None:
            raise ProtobufError(
                f"field {number} of {path} is not read from protobuf here: send the object as "
                "JSON or YAML, for example with kubectl apply -f"
            )
        here = f"{path}.{field.name}"
        if field.is_map:
            _put(found, field.name, _entry(value, field, here, depth))
        elif field.is_repeated:
            found.setdefault(field.name, []).append(_value(value, field, here, depth))
        else:
            read = _value(value, field, here, depth)
            if read not in (None, "") and not (field.is_plain and read in (0, {})):
                found[field.name] = read
    return found


def _put(found: dict[str, Any], name: str, entry: tuple[str, Any]) -> None:
    key, value = entry
    found.setdefault(name, {})[key] = value


def _entry(value: int | bytes, field: Field, path: str, depth: int) -> tuple[str, Any]:
    parts: dict[int, int | bytes] = dict(_all_fields(_bytes(value, path)))
    key = _text(_bytes(parts.get(1, b""), path))
    return key, _value(parts.get(2, b""), field, f"{path}[{key}]", depth)


def _value(value: int | bytes, field: Field, path: str, depth: int) -> Any:
    if isinstance(field.form, Mapping):
        return _message(_bytes(value, path), field.form, path, depth + 1)
    match field.form:
        case "string":
            return _text(_bytes(value, path))
        case "bytes":
            return base64.b64encode(_bytes(value, path)).decode()
        case "time":
            return _time(_bytes(value, path), digits=0)
        case "microtime":
            return _time(_bytes(value, path), digits=6)
        case "bool":
            return bool(_number(value, path))
        case _:
            number = _number(value, path)
            return number - (1 << 64) if number >= 1 << 63 else number


def _bytes(value: int | bytes, path: str) -> bytes:
    if isinstance(value, int):
        raise ProtobufError(f"{path} of the protobuf body is a number")
    return value


def _number(value: int | bytes, path: str) -> int:
    if isinstance(value, bytes):
        raise ProtobufError(f"{path} of the protobuf body is no number")
    return value


def _time(raw: bytes, *, digits: int) -> str | None:
    parts = dict(_all_fields(raw))
    if not parts:
        return None
    seconds, nanos = parts.get(1, 0), parts.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanos, int) or seconds >= 1 << 40:
        raise ProtobufError("a time of the protobuf body is no time")
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{nanos // 1000:06d}Z" if digits else f"{moment}Z"


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("a text of the protobuf body is not UTF-8") from error


def fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a message; numbers are stepped over."""
    for number, value in _all_fields(raw):
        if isinstance(value, bytes):
            yield number, value


def _all_fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, at = _varint(raw, at)
            yield number, value
            continue
        if wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        elif wire_type == _LENGTH_DELIMITED:
            size, at = _varint(raw, at)
        else:
            raise ProtobufError(f"the protobuf body has an unknown wire type {wire_type}")
        if at + size > len(raw):
            raise ProtobufError("the protobuf body is cut short")
        if wire_type == _LENGTH_DELIMITED:
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
