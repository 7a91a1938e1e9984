"""Tensors as somebody wrote them down."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor import signature_file
from predictor.errors import LoadError
from predictor.model import Signature, TensorSpec

ROWS = {"name": "rows", "datatype": "FP32", "shape": [-1, 4]}


def test_inputs_and_outputs() -> None:
    said = {"inputs": [ROWS], "outputs": [{"name": "y", "datatype": "BYTES", "shape": []}]}
    assert signature_file.parse(json.dumps(said), where="f") == Signature(
        inputs=[TensorSpec(name="rows", datatype="FP32", shape=(-1, 4))],
        outputs=[TensorSpec(name="y", datatype="BYTES", shape=())],
    )
    assert signature_file.parse(json.dumps({"inputs": [ROWS]}), where="f").outputs == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "f: expected an object, got a list"),
        ({}, "f: inputs: expected a list of tensors, got none"),
        ({"inputs": []}, "got none"),
        ({"inputs": [ROWS], "input": []}, "f: input is not one of its fields: inputs, outputs"),
        ({"inputs": {}}, "f: inputs: expected a list of tensors, got an object"),
        ({"inputs": [1]}, "f: inputs[0]: expected an object, got a whole number"),
        ({"inputs": [ROWS, ROWS]}, "f: inputs: 2 tensors are named 'rows'"),
        ({"inputs": [{**ROWS, "dtype": "x"}]}, "f: inputs[0].dtype is not one of its fields"),
        ({"inputs": [{**ROWS, "name": ""}]}, "f: inputs[0].name: expected text"),
        ({"inputs": [{**ROWS, "datatype": "FLOAT"}]}, "inputs[0].datatype: expected one of BOOL"),
        ({"inputs": [{**ROWS, "datatype": []}]}, "inputs[0].datatype: expected one of BOOL"),
        ({"inputs": [{**ROWS, "shape": [-2]}]}, "inputs[0].shape: expected a list of sizes"),
        ({"inputs": [{**ROWS, "shape": [True]}]}, "shape: expected a list of sizes"),
        ({"inputs": [{**ROWS, "shape": None}]}, "got None"),
        ({"inputs": [{**ROWS, "shape": [1] * 40}]}, "shape: expected a list of sizes"),
    ],
)
def test_what_is_wrong_is_named(said: Any, words: str) -> None:
    with pytest.raises(LoadError) as caught:
        signature_file.parse(json.dumps(said), where="f")
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(LoadError, match="f is not JSON"):
        signature_file.parse(text, where="f")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "datatype", "shape", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.fixed_dictionaries({"inputs": JSON, "outputs": JSON}))
def test_any_document_is_read_or_refused(said: Any) -> None:
    with contextlib.suppress(LoadError):
        assert signature_file.parse(json.dumps(said), where="f").inputs
