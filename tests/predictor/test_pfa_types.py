"""Tensors to values by their Avro types, and back."""

import numpy as np
import pytest

from predictor.errors import RequestError
from predictor.pfa_types import Column, columns, rows, tensors

RECORD = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "a", "type": "int"},
        {"name": "b", "type": {"type": "array", "items": "float"}},
        {"name": "c", "type": {"type": "enum", "name": "E", "symbols": ["x"]}},
        {"name": "d", "type": ["double", "null"]},
        {"name": "e", "type": {"type": "map", "values": "int"}},
        {"name": "f", "type": {"type": "array", "items": {"type": "array", "items": "int"}}},
    ],
}


def test_a_record_has_a_column_a_field() -> None:
    assert columns(RECORD, default="x") == (
        Column("a", "INT32"),
        Column("b", "FP32", is_list=True),
        Column("c", "BYTES"),
        Column("d", "FP64", is_optional=True),
        Column("e", "BYTES", is_json=True),
        Column("f", "BYTES", is_json=True),
    )
    assert columns("double", default="x") == (Column("x", "FP64"),)
    assert columns("double", default="x")[0].spec().shape == (-1,)
    assert columns({"type": "array", "items": "int"}, default="x")[0].spec().shape == (-1, -1)


def test_rows_and_back() -> None:
    taken = columns(RECORD, default="x")
    inputs = {
        "a": np.array([1, 2]),
        "b": np.array([[1.5, 2.5], [3.5, 4.5]], np.float32),
        "c": np.array(["x", "x"], object),
        "d": np.array([1.0, np.nan]),
        "e": np.array(['{"k":1}', "{}"], object),
        "f": np.array(["[[1]]", "[]"], object),
    }
    found = rows(inputs, RECORD, taken)
    assert found[1] == {"a": 2, "b": [3.5, 4.5], "c": "x", "d": None, "e": {}, "f": []}
    back = tensors(found, RECORD, taken)
    for name, array in inputs.items():
        np.testing.assert_array_equal(back[name], array)
    assert tensors([], RECORD, taken)["b"].shape == (0, 0)


def test_texts_and_numbers_are_not_mistaken_for_each_other() -> None:
    taken = columns("string", default="x")
    with pytest.raises(RequestError, match="input 'x': expected text for BYTES, got numbers"):
        rows({"x": np.ones(1)}, "string", taken)
