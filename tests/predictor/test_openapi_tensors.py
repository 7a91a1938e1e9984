"""Schemas of tensors, against what the protocols read and refuse."""

from typing import Any

import pytest

from predictor import openapi_tensors as tensors
from predictor.datatypes import DATATYPES, to_array
from predictor.errors import RequestError
from predictor.model import TensorSpec

jsonschema = pytest.importorskip("jsonschema")

SAMPLES: list[Any] = [
    True,
    0,
    -1,
    255,
    256,
    2**31,
    2**63,
    2**64,
    0.5,
    1e39,
    3.4028235e38,
    3.402823466385289e38,
    3.4028235677973366e38,
    -3.4028235677973366e38,
    65504.0,
    65519.9,
    65520.0,
    "NaN",
    "-Infinity",
    "text",
    None,
    {},
]


def fits(value: Any, schema: tensors.Schema) -> bool:
    found: bool = jsonschema.Draft202012Validator(schema).is_valid(value)
    return found


@pytest.mark.parametrize("datatype", [name for name in DATATYPES if name != "BF16"])
def test_what_fits_is_what_is_read(datatype: str) -> None:
    for value in SAMPLES:
        try:
            to_array("a", [value], DATATYPES[datatype])
            is_read = True
        except RequestError:
            is_read = False
        assert fits(value, tensors.element(datatype)) == is_read, value


def test_text_in_v1_may_be_base64() -> None:
    schema = tensors.nested("BYTES", (), has_base64=True)
    assert fits({"b64": "YQ=="}, schema)
    assert not fits({"b64": "YQ=="}, tensors.element("BYTES"))
    assert not fits({"base64": "YQ=="}, schema)


def test_nesting_follows_the_shape() -> None:
    schema = tensors.nested("INT8", (2, -1))
    for value in ([[1], []], [[1, 2], [3, 4]]):
        assert fits(value, schema)
    for value in ([], [[1]], [1, 2], [[1], [1], [1]], [["a"], []]):
        assert not fits(value, schema)


def test_values_are_flat_or_nested_as_the_shape_says() -> None:
    schema = tensors.values(TensorSpec(name="a", datatype="INT8", shape=(-1, 2)))
    for value in ([], [1, 2, 3, 4], [[1, 2]], [[1, 2], [3, 4]]):
        assert fits(value, schema)
    for value in (1, [[1], [2]], [[[1, 2]]], [1, [2, 3]], ["a"]):
        assert not fits(value, schema)
    assert fits([1] * 6, tensors.values(TensorSpec(name="a", datatype="INT8", shape=(2, 3))))
    assert not fits([1] * 5, tensors.values(TensorSpec(name="a", datatype="INT8", shape=(2, 3))))
    scalar = tensors.values(TensorSpec(name="a", datatype="INT8", shape=()))
    assert fits(1, scalar)
    assert fits([1], scalar)


def test_shapes() -> None:
    schema = tensors.shape_of((-1, 4))
    assert fits([0, 4], schema)
    for value in ([4], [-1, 4], [1, 5], [1, 4, 1], [1.5, 4]):
        assert not fits(value, schema)
    assert fits([], tensors.shape_of(()))


@pytest.mark.parametrize("datatype", list(DATATYPES))
def test_an_example_fits_its_own_schema(datatype: str) -> None:
    spec = TensorSpec(name="a", datatype=datatype, shape=(-1, 2))
    example = tensors.example(spec)
    schema = tensors.tensor(spec)
    if datatype == "BF16":  # which JSON can not carry
        assert example is None
        assert fits({"name": "a", "datatype": "BF16", "shape": [1, 2]}, schema)
        return
    assert example is not None
    assert fits(example, schema)
    assert fits({**example, "data": [example["data"]]}, schema)
    assert not fits({**example, "data": [None]}, schema)
    assert not fits({**example, "shape": [1]}, schema)
    assert not fits({**example, "more": 1}, schema)
    assert fits(example, tensors.any_tensor())


def test_a_long_example_is_left_out() -> None:
    spec = TensorSpec(name="a", datatype="FP32", shape=(-1, 3, 224, 224))
    assert tensors.example(spec) is None
    assert tensors.nested_example(TensorSpec(name="a", datatype="BYTES", shape=()), (2, -1)) == [
        [""],
        [""],
    ]
