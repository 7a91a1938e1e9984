"""Triton's warm-up as requests."""

import json
import struct

import numpy as np
import pytest

from api import textproto
from predictor import triton_warmup
from predictor.errors import LoadError
from predictor.model_settings import Warmup

FILES = {
    "warmup/numbers": np.array([[1.5, 2.5]], "<f4").tobytes(),
    "warmup/texts": struct.pack("<I", 2) + b"ab" + struct.pack("<I", 0),
    "warmup/cut": b"\x09\x00\x00\x00a",
}


def warmup(text: str, *, is_batched: bool = True) -> Warmup:
    said = textproto.parse(text)
    return triton_warmup.of(said, is_batched=is_batched, where="f", read=FILES.__getitem__)


def of_input(value: str, *, before: str = "", is_batched: bool = True) -> Warmup:
    text = f'name: "w" {before} inputs {{ key: "a" value: {{ {value} }} }}'
    return warmup(text, is_batched=is_batched)


@pytest.mark.parametrize(
    ("value", "tensor"),
    [
        ("data_type: TYPE_FP32 dims: [2] zero_data: true", ("FP32", [3, 2], [0.0] * 6)),
        ("data_type: TYPE_BOOL dims: [] zero_data: true", ("BOOL", [3], [False] * 3)),
        ("data_type: TYPE_STRING dims: 1 zero_data: true", ("BYTES", [3, 1], [""] * 3)),
        ("data_type: TYPE_STRING dims: 1 random_data: true", ("BYTES", [3, 1], [""] * 3)),
    ],
)
def test_made_values(value: str, tensor: tuple[str, list[int], list[object]]) -> None:
    found = of_input(value, before="batch_size: 3 count: 2")
    datatype, shape, data = tensor
    expected = {"name": "a", "datatype": datatype, "shape": shape, "data": data}
    assert json.loads(found.body) == {"inputs": [expected]}
    assert (found.name, found.count) == ("w", 2)


def test_random_values_are_the_same_each_time() -> None:
    value = "data_type: TYPE_INT64 dims: [100] random_data: true"
    first = of_input(value, is_batched=False)
    assert first == of_input(value, is_batched=False)
    assert set(json.loads(first.body)["inputs"][0]["data"]) == {0, 1}


def test_values_from_a_file() -> None:
    numbers = of_input('data_type: TYPE_FP32 dims: [2] input_data_file: "numbers"')
    assert json.loads(numbers.body)["inputs"][0]["data"] == [1.5, 2.5]
    texts = of_input('data_type: TYPE_STRING dims: [2] input_data_file: "texts"', is_batched=False)
    assert json.loads(texts.body)["inputs"][0]["data"] == ["ab", ""]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: 'w'", "f: model_warmup 'w' has no inputs"),
        ("name: 'w' steps: 3", "steps can not be honoured"),
        ("name: 'w' count: 5000", "count: expected at most 1000, got 5000"),
        ("name: 'w' batch_size: -1", "batch_size: expected a whole number, got -1"),
        ("name: 'w' inputs { key: 'a' }", "inputs: expected a key and a value"),
    ],
)
def test_what_is_no_warmup(text: str, words: str) -> None:
    with pytest.raises(LoadError) as caught:
        warmup(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("data_type: TYPE_FP32 dims: [2]", "one of zero_data, random_data and input_data_file"),
        ("data_type: TYPE_FP32 dims: [-1] zero_data: true", "expected the sizes of one request"),
        ("data_type: TYPE_FP32 dims: [99999999999] zero_data: true", "the sizes of one request"),
        ("data_type: TYPE_BF16 dims: [1] zero_data: true", "BF16 can not be written as JSON"),
        ("data_type: INT64 dims: [1] zero_data: true", "'INT64' is none of Triton's"),
        ("data_type: TYPE_FP32 dims: 3 input_data_file: 'numbers'", "numbers has 8 bytes, not"),
        ("data_type: TYPE_FP64 dims: 1 input_data_file: 'cut'", "cut has 5 bytes, not [1, 1]"),
        ("data_type: TYPE_STRING dims: 1 input_data_file: 'cut'", "cut has 5 bytes"),
    ],
)
def test_what_is_no_tensor(value: str, words: str) -> None:
    with pytest.raises(LoadError) as caught:
        of_input(value)
    assert words in str(caught.value)
