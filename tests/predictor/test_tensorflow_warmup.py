"""TensorFlow Serving's warm-up files, written here byte by byte."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor import tensorflow_warmup
from predictor.tensorflow_warmup import Asked, DamagedError


def varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def record(log: bytes) -> bytes:
    return struct.pack("<QI", len(log), 0) + log + b"\0\0\0\0"


def request(name: str, inputs: dict[str, bytes]) -> bytes:
    found = field(1, field(1, b"m") + (field(3, name.encode()) if name else b""))
    for key, value in inputs.items():
        found += field(2, field(1, key.encode()) + field(2, value))
    return found + field(3, b"output") + varint(9 << 3) + varint(7)


def read(path: Path, data: bytes) -> list[Asked]:
    path.write_bytes(data)
    return list(tensorflow_warmup.requests(path))


def test_predict_requests_are_read_and_others_passed_over(tmp_path: Path) -> None:
    one = request("", {"a": b"1" * 300, "b": b""})
    predict = field(1, b"metadata") + field(6, field(1, one) + field(2, b"response"))
    classify = field(2, field(1, b"\x0a\x00"))
    found = read(tmp_path / "f", record(classify) + record(predict))
    assert found == [Asked(inputs={"a": b"1" * 300, "b": b""})]
    named = field(6, field(1, request("other", {})))
    assert read(tmp_path / "f", record(named)) == [Asked(signature_name="other")]
    assert read(tmp_path / "f", b"") == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"short", "is cut short after 0 records"),
        (record(b"")[:-1], "record 1 is incomplete"),
        (struct.pack("<QI", 2**63, 0) + bytes(8), "record 1 is incomplete"),
        (record(b"\x32\x7f"), "no PredictionLog"),
        (record(b"\x33"), "no PredictionLog"),
        (record(b"\xff" * 12), "no PredictionLog"),
        (record(b"") * (tensorflow_warmup.RECORDS_MAX + 1), "more than 1000 requests"),
    ],
)
def test_damage_is_told(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(DamagedError, match=said):
        read(tmp_path / "f", data)


@given(st.binary(max_size=200))
def test_no_record_makes_it_fail_otherwise(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "warmup"
    with contextlib.suppress(DamagedError):
        assert all(isinstance(one, Asked) for one in read(path, record(data)))
