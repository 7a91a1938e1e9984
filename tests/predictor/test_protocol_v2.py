"""V2 in JSON: what is understood, what is refused and in which words."""

import contextlib
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import RequestError
from predictor.model import Signature, TensorSpec
from predictor.protocol import InferRequest
from predictor.protocol_v2 import CodecV2, metadata

SIGNATURE = Signature(
    inputs=[
        TensorSpec(name="x", datatype="FP32", shape=(-1, 2)),
        TensorSpec(name="k", datatype="INT64", shape=()),
    ],
    outputs=[
        TensorSpec(name="y", datatype="FP32", shape=(-1, 2)),
        TensorSpec(name="z", datatype="BYTES", shape=(-1,)),
    ],
)
CODEC = CodecV2(SIGNATURE, name="m", version="m-00001")
FREE = CodecV2(None, name="m", version="")
X = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}
K = {"name": "k", "shape": [], "datatype": "INT64", "data": [7]}


def decode(raw: Any, codec: CodecV2 = CODEC) -> Any:
    return codec.decode(orjson.dumps(raw))


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[1, 2], [3, 4]], [[1.0, 2.0], [3.0, 4.0]]])
def test_data_may_be_flat_or_nested(data: Any) -> None:
    request = decode({"id": "7", "inputs": [{**X, "data": data}, K]})
    assert request.feeds["x"].tolist() == [[1, 2], [3, 4]]
    assert request.feeds["x"].dtype == np.float32
    assert request.id == "7"
    assert request.outputs is None


@pytest.mark.parametrize("data", [7, [7]])
def test_rank_zero_takes_a_value_or_a_list_of_one(data: Any) -> None:
    request = decode({"inputs": [X, {**K, "data": data}]})
    assert request.feeds["k"].shape == ()
    assert int(request.feeds["k"]) == 7


def test_sizes_may_be_written_with_a_point() -> None:
    feeds = decode({"inputs": [{**X, "shape": [2.0, 2]}, K]}).feeds
    assert feeds["x"].shape == (2, 2)


def test_outputs_may_be_chosen() -> None:
    assert decode({"inputs": [X, K], "outputs": [{"name": "z"}]}).outputs == ("z",)
    assert decode({"inputs": [X, K], "outputs": []}).outputs is None
    assert decode({"inputs": [X, K], "outputs": None}).outputs is None


def test_parameters_are_hints_and_false_asks_for_json() -> None:
    content = {"content_type": "np"}
    request = {
        "parameters": {"headers": {}, "binary_data_output": False},
        "inputs": [{**X, "parameters": content}, K],
        "outputs": [{"name": "y", "parameters": {"binary_data": False}}],
    }
    assert decode(request).outputs == ("y",)


WRONG: list[tuple[Any, str]] = [
    ([], "the body must be a JSON object, not a list"),
    ({}, "inputs: expected a list of tensors, got null"),
    ({"inputs": {}}, "inputs: expected a list of tensors, got an object"),
    ({"inputs": [X, K], "ouputs": []}, "unknown field 'ouputs'"),
    ({"inputs": [X, K], "id": 5}, "id: expected text, got a whole number"),
    ({"inputs": [X, K], "model_name": "n"}, "model_name: expected 'm', got 'n'"),
    ({"inputs": [X, K], "parameters": 1}, "parameters: expected an object, got a whole number"),
    ({"inputs": [X, 1]}, "inputs[1]: expected a tensor object, got a whole number"),
    ({"inputs": [{**X, "contents": {}}]}, "unknown field 'inputs[0].contents'"),
    ({"inputs": [{**X, "name": None}]}, "inputs[0].name: expected text, got null"),
    ({"inputs": [{**X, "name": "q"}, K]}, "unknown input 'q': the model takes x, k"),
    ({"inputs": [X]}, "missing input 'k': the model takes x, k, got x"),
    ({"inputs": []}, "missing input 'x': the model takes x, k, got none"),
    ({"inputs": [X, K, X]}, "input 'x' is given twice"),
    ({"inputs": [{**X, "datatype": "FP64"}]}, "input 'x': expected datatype FP32, got FP64"),
    ({"inputs": [{**X, "datatype": "FLOAT"}]}, "input 'x': unknown datatype 'FLOAT'"),
    ({"inputs": [{**X, "datatype": None}]}, "input 'x': unknown datatype 'null'"),
    ({"inputs": [{**X, "shape": None}]}, "inputs[0].shape: expected a list of sizes, got null"),
    ({"inputs": [{**X, "shape": [-1, 2]}]}, "inputs[0].shape: expected sizes of 0 to"),
    ({"inputs": [{**X, "shape": [True, 2]}]}, "inputs[0].shape: expected sizes of 0 to"),
    ({"inputs": [{**X, "shape": [1] * 33}]}, "inputs[0].shape: expected at most 32 sizes, got 33"),
    ({"inputs": [{**X, "shape": [4]}]}, "input 'x': expected shape [-1, 2] (rank 2), got [4]"),
    ({"inputs": [{**X, "shape": [1, 4]}]}, "got [1, 4]: dimension 1 must be 2"),
    ({"inputs": [{**X, "shape": [3, 2]}]}, "input 'x': shape [3, 2] needs 6 values, got 4"),
    ({"inputs": [{**X, "data": [[1, 2, 3, 4]]}]}, "input 'x': data is nested as [1, 4], but"),
    ({"inputs": [{**X, "data": [[1, 2], [3]]}]}, "input 'x': ragged data"),
    ({"inputs": [{**X, "data": ["a", "b", "c", "d"]}]}, "input 'x': expected numbers for FP32"),
    ({"inputs": [{**X, "data": None}]}, "inputs[0].data: expected a list of values, got null"),
    ({"inputs": [{**X, "data": 5}]}, "inputs[0].data: expected a list of values, got a whole"),
    ({"inputs": [{k: X[k] for k in X if k != "data"}]}, "inputs[0].data: expected a list"),
    ({"inputs": [X, K], "outputs": {}}, "outputs: expected a list of outputs, got an object"),
    ({"inputs": [X, K], "outputs": [{}]}, "outputs[0]: expected an object with a name"),
    (
        {"inputs": [X, K], "outputs": [{"name": "y"}, {"name": "y"}]},
        "output 'y' is asked for twice",
    ),
    ({"inputs": [{**X, "parameters": []}]}, "inputs[0].parameters: expected an object, got a list"),
    (
        {"inputs": [X, K], "outputs": [{"name": "y", "parameters": {"classification": 1}}]},
        "outputs[0].parameters.classification: the classification of outputs is not served",
    ),
    ({"inputs": [{**X, "data": ["nan", 1, 1, 1]}]}, "input 'x': expected numbers for FP32, got te"),
    ({"inputs": [X, {**K, "data": ["NaN"]}]}, "input 'k': expected numbers for INT64, got text"),
    ({"inputs": [{**X, "shape": [2**31 - 1, 2]}]}, "needs 4294967294 values, got 4"),
    ({"inputs": [{**X, "shape": [2**31, 2]}]}, "inputs[0].shape: expected sizes of 0 to"),
    ({"inputs": [{**X, "shape": [2.5, 2]}]}, "expected sizes of 0 to 2147483647, got a number"),
    ({"inputs": [{**X, "shape": [2.0**64, 2]}]}, "sizes of 0 to 2147483647, got a number"),
    ({"inputs": [X, K], "outputs": [{"name": "q"}]}, "unknown output 'q': the model gives y, z"),
    (
        {"inputs": [X, K], "outputs": [{"name": "y", "datatype": "FP32"}]},
        "unknown field 'outputs[0].datatype'",
    ),
]


@pytest.mark.parametrize(("raw", "said"), WRONG)
def test_a_wrong_request_is_refused_in_words(raw: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        decode(raw)
    assert caught.value.status == 400
    assert said in orjson.loads(caught.value.body)["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[NaN", b'{"inputs":[1e999]}'])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError, match="the body is not JSON"):
        CODEC.decode(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"\xff","inputs":[]}',
        b'{"inputs":[{"name":"\xff"}]}',
        b'{"inputs":[{"data":["\xc3\x28"]}]}',
        b'{"inputs":[{"data":["\\ud800"]}]}',
        b"[" * 5000,
        b'{"inputs":' + b"[" * 2000 + b"NaN" + b"]" * 2000 + b"}",
        b'{"inputs":[{"data":[' + b"1e9" * 400 + b"]}]}",
    ],
)
def test_text_that_is_not_utf8_and_numbers_without_end_are_refused(body: bytes) -> None:
    with pytest.raises(RequestError, match="the body is not JSON") as caught:
        CODEC.decode(body)
    assert caught.value.status == 400


def test_bare_words_are_numbers_to_models_of_floats() -> None:
    raw = b'{"inputs":[{"name":"f","shape":[2],"datatype":"FP16","data":[NaN,-Infinity]}]}'
    assert np.array_equal(FREE.decode(raw).feeds["f"], [np.nan, -np.inf], equal_nan=True)


def test_base64_in_json_is_bytes() -> None:
    said = {"content_type": "base64"}
    one = {"name": "b", "shape": [1], "datatype": "BYTES", "data": ["/9j/"], "parameters": said}
    assert decode({"inputs": [one]}, FREE).feeds["b"].tolist() == [b"\xff\xd8\xff"]
    with pytest.raises(RequestError, match="input 'b': expected base64"):
        decode({"inputs": [{**one, "data": ["?"]}]}, FREE)


def test_a_model_without_a_signature_takes_what_the_request_declares() -> None:
    request = decode({"inputs": [X, {**K, "name": "any", "datatype": "UINT8"}]}, FREE)
    assert request.feeds["x"].shape == (2, 2)
    assert request.feeds["any"].dtype == np.uint8
    assert decode({"inputs": []}, FREE).feeds == {}


def test_sizes_that_overflow_are_refused_even_with_no_values() -> None:
    huge = {"name": "x", "shape": [0] + [2**31 - 1] * 4, "datatype": "FP32", "data": []}
    with pytest.raises(RequestError, match="sizes that fit in memory"):
        decode({"inputs": [huge]}, FREE)


def test_the_answer_is_flat_and_echoes_the_id() -> None:
    request = decode({"id": "7", "inputs": [X, K]})
    outputs = {"y": np.array([[1, np.nan]], np.float32), "z": np.array([["a"]], object)}
    assert orjson.loads(CODEC.encode(request, outputs).body) == {
        "model_name": "m",
        "model_version": "m-00001",
        "id": "7",
        "outputs": [
            {"name": "y", "shape": [1, 2], "datatype": "FP32", "data": [1.0, "NaN"]},
            {"name": "z", "shape": [1, 1], "datatype": "BYTES", "data": ["a"]},
        ],
    }


def test_an_answer_without_id_and_version_has_neither() -> None:
    answer = orjson.loads(FREE.encode(decode({"inputs": []}, FREE), {"y": np.array(1.5)}).body)
    assert answer == {
        "model_name": "m",
        "outputs": [{"name": "y", "shape": [], "datatype": "FP64", "data": [1.5]}],
    }


def test_a_chosen_output_that_the_model_did_not_give_is_our_fault() -> None:
    request = decode({"inputs": [X, K], "outputs": [{"name": "z"}]})
    with pytest.raises(RequestError, match="output 'z' is missing") as caught:
        CODEC.encode(request, {"y": np.zeros(1)})
    assert caught.value.status == 500


def test_a_chosen_output_that_nobody_promised_is_the_callers_fault() -> None:
    request = InferRequest(None, {}, ("z",))
    with pytest.raises(RequestError, match="unknown output 'z': the model gives y") as caught:
        FREE.encode(request, {"y": np.zeros(1)})
    assert caught.value.status == 400


def test_metadata_has_minus_one_for_variable_dimensions() -> None:
    described = metadata(
        SIGNATURE,
        name="m",
        version="r",
        platform="onnx_onnxv1",
        facts={"execution_provider": "CPUExecutionProvider"},
    )
    assert orjson.loads(described) == {
        "name": "m",
        "versions": ["r"],
        "platform": "onnx_onnxv1",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "k", "datatype": "INT64", "shape": []},
        ],
        "outputs": [
            {"name": "y", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "z", "datatype": "BYTES", "shape": [-1]},
        ],
        "parameters": {"execution_provider": "CPUExecutionProvider"},
    }


def test_metadata_of_a_model_without_a_signature_has_no_tensors() -> None:
    described = metadata(None, name="m", version="", platform="python", facts={})
    expected = {"name": "m", "platform": "python", "inputs": [], "outputs": []}
    assert orjson.loads(described) == expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "shape", "datatype", "data", "inputs", "outputs", "parameters"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(raw=st.dictionaries(st.sampled_from(["inputs", "outputs", "id", "parameters"]), json_values))
def test_no_json_makes_it_fail_in_another_way(raw: Any) -> None:
    for codec in (CODEC, FREE):
        with contextlib.suppress(RequestError):
            codec.decode(orjson.dumps(raw))


@given(field=st.sampled_from(list(X)), value=json_values)
def test_no_field_of_a_tensor_makes_it_fail_in_another_way(field: str, value: Any) -> None:
    for codec in (CODEC, FREE):
        with contextlib.suppress(RequestError):
            codec.decode(orjson.dumps({"inputs": [{**X, field: value}, K]}))
