"""Raw tensors: both ways, in every datatype, and bytes that do not fit."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor import raw_tensors
from predictor.datatypes import DATATYPES
from predictor.errors import RequestError

NUMERIC = sorted(set(DATATYPES) - {"BYTES"})


def framed(*elements: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(each)) + each for each in elements)


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0, 2)])
def test_numbers_and_back(name: str, shape: tuple[int, ...]) -> None:
    datatype = DATATYPES[name]
    array = (np.arange(np.prod(shape, dtype=int)) % 2).astype(datatype.dtype).reshape(shape)
    raw = raw_tensors.to_raw("y", array, datatype)
    assert bytes(raw) == array.tobytes()
    again = raw_tensors.from_raw("x", raw, datatype, shape)
    assert again.dtype == datatype.dtype
    assert np.array_equal(again, array)
    assert again.shape == shape


def test_aligned_numbers_are_not_copied_and_others_are() -> None:
    data = np.arange(8, dtype=np.float64).tobytes()
    aligned = raw_tensors.from_raw("x", data, DATATYPES["FP64"], (8,))
    assert not aligned.flags.owndata
    shifted = memoryview(b"0" + data)[1:]
    moved = raw_tensors.from_raw("x", shifted, DATATYPES["FP64"], (8,))
    assert moved.flags.aligned
    assert moved.tolist() == aligned.tolist()


def test_what_lies_otherwise_in_memory_is_sent_in_order() -> None:
    array = np.arange(6, dtype=">f4").reshape(2, 3).T
    raw = raw_tensors.to_raw("y", array, DATATYPES["FP32"])
    assert bytes(raw) == array.astype("<f4").tobytes()


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ([b"a", "ü".encode(), b""], ["a", "ü", ""]),
        ([b"\xff\xd8", b"a"], [b"\xff\xd8", b"a"]),
        ([], []),
    ],
)
def test_elements_are_text_where_all_are(elements: list[bytes], expected: list[Any]) -> None:
    datatype = DATATYPES["BYTES"]
    array = raw_tensors.from_raw("x", framed(*elements), datatype, (len(elements),))
    assert array.tolist() == expected
    assert raw_tensors.to_raw("y", array, datatype) == framed(*elements)


@pytest.mark.parametrize(
    ("name", "data", "shape", "text"),
    [
        ("FP32", b"0" * 15, (2, 2), "FP32 of shape [2, 2] needs 16 raw bytes, got 15"),
        ("INT8", b"", (), "INT8 of shape [] needs 1 raw bytes, got 0"),
        ("FP32", b"", (0, 2**31 - 1, 2**31 - 1, 2**31 - 1), "sizes that fit in memory"),
        ("BOOL", b"\0\1\2", (3,), "expected bytes of 0 and 1 for BOOL, got others"),
        ("BYTES", framed(b"a"), (2,), "shape [2] needs 2 values, got 1"),
        ("BYTES", framed(b"a") + b"\0", (2,), "the BYTES element at byte 5 is longer"),
        ("BYTES", framed(b"abc")[:-1], (1,), "the BYTES element at byte 0 is longer"),
        ("BYTES", b"\xff\xff\xff\xff", (1,), "the BYTES element at byte 0 is longer"),
    ],
)
def test_bytes_that_do_not_fit(name: str, data: bytes, shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(RequestError) as caught:
        raw_tensors.from_raw("x", data, DATATYPES[name], shape)
    assert text in str(caught.value)
    assert caught.value.status == 400


def test_outputs_that_are_no_text() -> None:
    with pytest.raises(RequestError, match="output 'y' holds int objects"):
        raw_tensors.to_raw("y", np.array([1], object), DATATYPES["BYTES"])


@given(st.binary(max_size=40), st.sampled_from(sorted(DATATYPES)), st.integers(0, 9))
def test_any_bytes_are_a_tensor_or_refused(data: bytes, name: str, size: int) -> None:
    try:
        array = raw_tensors.from_raw("x", data, DATATYPES[name], (size,))
    except RequestError as error:
        status = error.status
    else:
        status = 200
        assert array.shape == (size,)
    assert status in {200, 400}
