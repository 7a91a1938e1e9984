"""JSON to arrays to JSON for every datatype, and every way in which values can be wrong."""

import subprocess
import sys
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor import datatypes
from predictor.datatypes import DATATYPES
from predictor.errors import RequestError
from predictor.model import TensorSpec

IN_JSON = [name for name in DATATYPES if name != "BF16"]
FLOAT_BITS = {"FP16": 16, "FP32": 32, "FP64": 64}


def values(name: str) -> st.SearchStrategy[Any]:
    datatype = DATATYPES[name]
    if name == "BOOL":
        return st.booleans()
    if name == "BYTES":
        return st.text()
    if name in FLOAT_BITS:
        width: Any = FLOAT_BITS[name]
        return st.floats(allow_nan=False, allow_infinity=False, width=width)
    return st.integers(int(datatype.low), int(datatype.high))


def round_trip(name: str, given_values: Any) -> Any:
    array = datatypes.to_array("x", orjson.loads(orjson.dumps(given_values)), DATATYPES[name])
    assert array.dtype == DATATYPES[name].dtype
    json = datatypes.to_json("x", array, datatypes.describe("x", array))
    return orjson.loads(orjson.dumps(json, option=orjson.OPT_SERIALIZE_NUMPY))


@pytest.mark.parametrize("name", IN_JSON)
@given(data=st.data())
def test_every_value_of_every_datatype_survives_both_ways(name: str, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    row = st.lists(values(name), min_size=columns, max_size=columns)
    sent = data.draw(st.lists(row, min_size=rows, max_size=rows))
    came = round_trip(name, sent)
    if name in FLOAT_BITS:  # the shortest text of a float32 is not that of its double
        assert np.array_equal(*(np.array(one, DATATYPES[name].dtype) for one in (came, sent)))
    else:
        assert came == sent


@pytest.mark.parametrize("name", IN_JSON)
def test_an_empty_list_is_an_empty_array(name: str) -> None:
    assert round_trip(name, []) == []
    assert round_trip(name, [[], []]) == [[], []]


@pytest.mark.parametrize("name", [name for name in IN_JSON if name not in ("BYTES", "BOOL")])
def test_a_single_number_is_rank_zero(name: str) -> None:
    assert datatypes.to_array("x", 5, DATATYPES[name]).shape == ()
    assert round_trip(name, 5) == 5


@pytest.mark.parametrize("name", ["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT64"])
@pytest.mark.parametrize("way", [-1, 1])
def test_one_beyond_the_range_is_refused(name: str, way: int) -> None:
    datatype = DATATYPES[name]
    beyond = int(datatype.high if way > 0 else datatype.low) + way
    with pytest.raises(RequestError, match=f"input 'x': expected {name}, {datatype.low} to"):
        datatypes.to_array("x", [0, beyond], datatype)


@pytest.mark.parametrize(("name", "value"), [("FP16", 70000.0), ("FP16", 70000), ("FP32", 1e39)])
def test_a_number_too_large_for_a_float_is_refused(name: str, value: float) -> None:
    with pytest.raises(RequestError, match=f"expected {name}, .* got a value beyond"):
        datatypes.to_array("x", [value], DATATYPES[name])


def test_mixed_large_whole_numbers_keep_every_digit() -> None:
    array = datatypes.to_array("x", [1, 2**64 - 1], DATATYPES["UINT64"])
    assert array.tolist() == [1, 2**64 - 1]


def test_a_number_below_all_of_64_bits_is_not_the_least_of_them() -> None:
    assert datatypes.to_array("x", [-(2**63)], DATATYPES["INT64"]).tolist() == [-(2**63)]
    with pytest.raises(RequestError, match="got a value beyond"):  # as orjson reads -2**63 - 1
        datatypes.to_array("x", [-(2.0**63)], DATATYPES["INT64"])


def test_whole_numbers_may_be_written_with_a_point_and_fractions_may_not() -> None:
    assert datatypes.to_array("x", [2.0, 3], DATATYPES["INT32"]).tolist() == [2, 3]
    with pytest.raises(RequestError, match=r"expected whole numbers for INT32, got 2\.5"):
        datatypes.to_array("x", [2.5], DATATYPES["INT32"])
    with pytest.raises(RequestError, match="got a value beyond"):
        datatypes.to_array("x", [1e300], DATATYPES["INT64"])


def test_booleans_may_be_written_as_zero_and_one() -> None:
    assert datatypes.to_array("x", [0, 1], DATATYPES["BOOL"]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("name", "sent", "said"),
    [
        ("FP32", ["1.5"], "expected numbers for FP32, got text"),
        ("FP32", [1.5, None], "expected numbers for FP32, got null"),
        ("FP32", [True], "expected numbers for FP32, got true or false"),
        ("INT64", [1, True], "expected numbers for INT64, got true or false"),
        ("INT64", [{"a": 1}], "expected numbers for INT64, got an object"),
        ("BOOL", [2], "expected true or false for BOOL, got a whole number"),
        ("BYTES", [1], "expected text for BYTES, got a whole number"),
        ("BYTES", ["a", None], "expected text for BYTES, got null"),
        ("FP32", [[1.0], [1.0, 2.0]], "ragged"),
        ("FP32", [[1.0], 2.0], "ragged"),
        ("FP32", [1.0, [2.0]], "ragged"),
        ("BYTES", [["a"], ["b", "c"]], "ragged"),
    ],
)
def test_values_of_another_kind_are_refused_by_name(name: str, sent: Any, said: str) -> None:
    with pytest.raises(RequestError, match=f"input 'x': .*{said}") as caught:
        datatypes.to_array("x", sent, DATATYPES[name])
    assert caught.value.status == 400


def test_nesting_ends_somewhere() -> None:
    deep: Any = 1.0
    for _ in range(40):
        deep = [deep]
    with pytest.raises(RequestError, match="nested deeper than 32"):
        datatypes.to_array("x", deep, DATATYPES["FP32"])


@pytest.mark.parametrize("name", FLOAT_BITS)
def test_numbers_that_json_has_not_are_words(name: str) -> None:
    array = datatypes.to_array("x", [1.5, "NaN", "Infinity", "-Infinity"], DATATYPES[name])
    assert np.array_equal(array, [1.5, np.nan, np.inf, -np.inf], equal_nan=True)


@pytest.mark.parametrize("word", ["nan", "inf", "+Infinity", "1.5", ""])
def test_other_words_are_no_numbers(word: str) -> None:
    with pytest.raises(RequestError, match="expected numbers for FP32, got text"):
        datatypes.to_array("x", [1.5, word], DATATYPES["FP32"])


def test_bf16_is_not_read_from_json_nor_written() -> None:
    with pytest.raises(RequestError, match="input 'x': BF16 travels as binary data only"):
        datatypes.to_array("x", [1.0], DATATYPES["BF16"])
    array = np.ones(2, DATATYPES["BF16"].dtype)
    assert datatypes.describe("y", array) is DATATYPES["BF16"]
    with pytest.raises(RequestError, match=r"output 'y' is BF16, .*binary_data") as caught:
        datatypes.to_json("y", array, DATATYPES["BF16"])
    assert caught.value.status == 400


def test_nothing_is_imported_for_bf16_until_somebody_sends_it() -> None:
    code = (
        "import sys; from predictor.datatypes import DATATYPES as table; repr(table)\n"
        "assert 'ml_dtypes' not in sys.modules\n"
        "assert table['BF16'].dtype.itemsize == 2 and not hasattr(table['BF16'], 'other')\n"
        "assert 'ml_dtypes' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_bytes_may_be_written_as_tensorflow_serving_does() -> None:
    said = [["a", {"b64": "w6k="}]]
    assert datatypes.to_array("x", said, DATATYPES["BYTES"]).tolist() == [["a", "\u00e9"]]
    raw = [{"b64": "/9j/"}, "a"]
    assert datatypes.to_array("x", raw, DATATYPES["BYTES"]).tolist() == [b"\xff\xd8\xff", b"a"]
    assert datatypes.guess("x", raw).name == "BYTES"


@pytest.mark.parametrize("shape", [(0, 2**31 - 1), (2**31 - 1, 0), (2**31 - 1,) * 31 + (0,)])
def test_nothing_may_not_be_of_any_size(shape: tuple[int, ...]) -> None:
    with pytest.raises(RequestError, match="sizes that fit in memory"):
        datatypes.check_count("x", shape)
    assert datatypes.check_count("x", (0, 3, 1024, 1024)) == 0
    assert datatypes.check_count("x", (2**31 - 1,) * 32) == (2**31 - 1) ** 32


def test_any_memory_layout_is_written_in_row_major_order() -> None:
    for array in (
        np.array([[1, 3], [2, 4]], np.int64).T,
        np.array([[1, 2], [3, 4]], ">i8"),
        np.array([[1, 2], [3, 4]], "q"),
    ):
        json = datatypes.to_json("x", array, datatypes.describe("x", array))
        assert orjson.dumps(json, option=orjson.OPT_SERIALIZE_NUMPY) == b"[[1,2],[3,4]]"


def test_text_arrays_of_any_kind_are_bytes() -> None:
    for array in (np.array(["é", "b"]), np.array(["é".encode(), b"b"], object)):
        assert datatypes.describe("x", array).name == "BYTES"
        assert datatypes.to_json("x", array, DATATYPES["BYTES"]) == ["é", "b"]


@pytest.mark.parametrize("array", [np.array([1j]), np.array(["2020-01-01"], "M8[D]")])
def test_an_output_that_v2_cannot_name_is_refused(array: Any) -> None:
    with pytest.raises(RequestError, match="output 'y' holds"):
        datatypes.describe("y", array)


def test_an_output_of_bytes_is_to_be_asked_for_in_another_way() -> None:
    with pytest.raises(RequestError, match=r"output 'y' is of bytes .*with binary_data") as caught:
        datatypes.to_json("y", np.array([b"\xff"], object), DATATYPES["BYTES"])
    assert caught.value.status == 400


@pytest.mark.parametrize("value", [5, None])
def test_an_object_output_that_is_not_text_is_refused(value: Any) -> None:
    with pytest.raises(RequestError, match="output 'y' holds") as caught:
        datatypes.to_json("y", np.array([value], object), DATATYPES["BYTES"])
    assert caught.value.status == 500


@pytest.mark.parametrize(
    ("sent", "name"),
    [([1.5, 2], "FP64"), ([1], "INT64"), ([True], "BOOL"), (["a"], "BYTES"), ([], "FP64")],
)
def test_undeclared_values_are_guessed(sent: Any, name: str) -> None:
    assert datatypes.guess("x", sent).name == name


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((4,), r"expected shape \[-1, 4\] \(rank 2\), got \[4\] \(rank 1\)"),
        ((2, 5), r"expected shape \[-1, 4\], got \[2, 5\]: dimension 1 must be 4"),
    ],
)
def test_a_wrong_shape_is_refused(shape: tuple[int, ...], said: str) -> None:
    spec = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))
    datatypes.check_shape(spec, (9, 4))
    with pytest.raises(RequestError, match=said):
        datatypes.check_shape(spec, shape)
