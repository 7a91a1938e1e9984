"""The requests that TensorFlow Serving's users save with a model to warm it.

For: reading assets.extra/tf_serving_warmup_requests without TensorFlow Serving's own package.
Must not know: TensorFlow, or how a request is run.

The file is a TFRecord: length, its checksum, data, its checksum, again and again. Each record
is a PredictionLog, of which PredictLog.request is kept: fields 6, then 1. Records of classify,
regress and session runs are passed over, as a predictor has no such verb.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FILE = "assets.extra/tf_serving_warmup_requests"
RECORDS_MAX = 1000  # TensorFlow Serving's own limit
_PREDICT_LOG, _REQUEST = 6, 1
_MODEL_SPEC, _INPUTS = 1, 2
_SIGNATURE_NAME = 3
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class DamagedError(ValueError):
    """The file can not be read; the message is a clause that follows its path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: serialised TensorProtos by input name."""

    signature_name: str = ""
    inputs: dict[str, bytes] = field(default_factory=dict)


def requests(file: Path) -> Iterator[Asked]:
    """The predict requests in a file, in order; DamagedError where it is not such a file."""
    for record in _records(file.read_bytes()):
        for number, log in _fields(record):
            if number == _PREDICT_LOG:
                for inner, request in _fields(log):
                    if inner == _REQUEST:
                        yield _asked(request)


def _asked(request: bytes) -> Asked:
    name, inputs = "", {}
    for number, value in _fields(request):
        if number == _MODEL_SPEC:
            names = [text for inner, text in _fields(value) if inner == _SIGNATURE_NAME]
            name = names[-1].decode(errors="replace") if names else ""
        elif number == _INPUTS:
            entry = dict(_fields(value))
            inputs[entry.get(_KEY, b"").decode(errors="replace")] = entry.get(_VALUE, b"")
    return Asked(signature_name=name, inputs=inputs)


def _records(data: bytes) -> Iterator[bytes]:
    at, count = 0, 0
    while at < len(data):
        if len(data) - at < 12:
            raise DamagedError(f"is cut short after {count} records")
        (length,) = struct.unpack_from("<Q", data, at)
        start = at + 12
        if length > len(data) - start - 4:
            raise DamagedError(f"is cut short or no TFRecord: record {count + 1} is incomplete")
        count += 1
        if count > RECORDS_MAX:
            raise DamagedError(f"holds more than {RECORDS_MAX} requests")
        yield data[start : start + length]
        at = start + length + 4


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a protobuf message; the others are passed over."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _BYTES:
            size, at = _varint(data, at)
            if size > len(data) - at:
                raise DamagedError("holds a record that is no PredictionLog")
            yield number, data[at : at + size]
            at += size
        elif wire == _VARINT:
            _, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        else:
            raise DamagedError("holds a record that is no PredictionLog")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while at < len(data) and shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise DamagedError("holds a record that is no PredictionLog")
