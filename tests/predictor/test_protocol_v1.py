"""V1: rows in, rows out."""

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
from predictor.protocol_v1 import CodecV1


def codec(*inputs: tuple[str, str, tuple[int, ...]]) -> CodecV1:
    specs = [TensorSpec(name=n, datatype=d, shape=s) for n, d, s in inputs]
    return CodecV1(Signature(inputs=specs, outputs=[]))


ONE = codec(("x", "FP32", (-1, 2)))
TWO = codec(("a", "FP32", (-1, 2)), ("n", "INT64", (-1,)))
FREE = CodecV1(None)


def feeds(of: CodecV1, instances: Any) -> dict[str, Any]:
    return of.decode(orjson.dumps({"instances": instances})).feeds


def predictions(outputs: dict[str, Any]) -> Any:
    body = FREE.encode(InferRequest(None, {}, None), outputs).body
    return orjson.loads(body)["predictions"]


def test_rows_become_the_batch_of_the_only_input() -> None:
    found = feeds(ONE, [[1, 2], [3, 4]])
    assert found["x"].dtype == np.float32
    assert found["x"].tolist() == [[1, 2], [3, 4]]
    assert feeds(ONE, [{"x": [1, 2]}])["x"].tolist() == [[1, 2]]


def test_rows_may_be_called_inputs_as_in_kserve() -> None:
    assert ONE.decode(b'{"inputs": [[1, 2]]}').feeds["x"].tolist() == [[1, 2]]
    with pytest.raises(RequestError, match="inputs: expected a list of rows, got an object"):
        ONE.decode(b'{"inputs": {"x": [[1, 2]]}}')


def test_rows_are_objects_for_several_inputs() -> None:
    found = feeds(TWO, [{"a": [1, 2], "n": 5}, {"n": 6, "a": [3, 4]}])
    assert found["a"].tolist() == [[1, 2], [3, 4]]
    assert found["n"].dtype == np.int64
    assert found["n"].tolist() == [5, 6]


def test_without_a_signature_rows_are_one_array_or_named_columns() -> None:
    assert feeds(FREE, [1, 2])["instances"].tolist() == [1, 2]
    assert feeds(FREE, [{"t": "a"}, {"t": "b"}])["t"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("of", "raw", "said"),
    [
        (ONE, [], "the body must be a JSON object, not a list"),
        (ONE, {}, "instances: expected a list of rows, got null"),
        (ONE, {"instances": []}, "instances: expected a list of rows, got an empty list"),
        (ONE, {"instances": {}}, "instances: expected a list of rows, got an object"),
        (ONE, {"instances": [[1, 2]], "inputs": 1}, "unknown field 'inputs'"),
        (ONE, {"instances": [[1, 2, 3]]}, "input 'x': expected shape [-1, 2], got [1, 3]"),
        (ONE, {"instances": [1, 2]}, "input 'x': expected shape [-1, 2] (rank 2), got [2]"),
        (ONE, {"instances": [[1, 2], [3]]}, "input 'x': ragged data"),
        (ONE, {"instances": [[1, "2"]]}, "input 'x': expected numbers for FP32, got text"),
        (ONE, {"instances": [{"y": 1}]}, "unknown input 'y': the model takes x"),
        (TWO, {"instances": [[1, 2]]}, "instances[0]: expected an object with a, n, got a list"),
        (TWO, {"instances": [{"a": [1, 2]}]}, "missing input 'n': the model takes a, n"),
        (
            TWO,
            {"instances": [{"a": [1, 2], "n": 1}, 5]},
            "instances[1]: expected an object, as the row before it, got a whole number",
        ),
        (TWO, {"instances": [{"a": [1, 2], "n": 1.5}]}, "input 'n': expected whole numbers"),
        (ONE, {"instances": [[1, 2]], "signature_name": "mine"}, "signature_name: expected 'serv"),
        (ONE, {"instances": [[1, 2]], "signature_name": {}}, "signature_name: expected 'serving"),
        (codec(("s", "BYTES", (-1,))), {"instances": [{"b64": "?"}]}, "'s': expected base64 for"),
        (codec(("s", "BYTES", (-1,))), {"instances": [[{"b64": 1}]]}, "input 's': "),
        (ONE, {"instances": [{"b64": "YQ=="}]}, "input 'x': expected numbers for FP32, got an obj"),
        (
            FREE,
            {"instances": [{"b64": "YQ=="}, {"a": 1}]},
            "expected text for BYTES, got an object",
        ),
        (codec(("h", "BF16", (-1,))), {"instances": [1.5]}, "BF16 travels as binary data only"),
        (codec(("b", "UINT8", (-1,))), {"instances": [256]}, "expected UINT8, 0 to 255"),
    ],
)
def test_a_wrong_request_is_refused_in_words(of: CodecV1, raw: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        of.decode(orjson.dumps(raw))
    assert caught.value.status == 400
    assert said in str(caught.value)


def test_one_output_gives_its_rows() -> None:
    assert predictions({"y": np.array([[1.5, np.nan]], np.float32)}) == [[1.5, "NaN"]]
    assert predictions({"y": np.array(["a"], object)}) == ["a"]
    assert predictions({"y": np.array(2, np.int32)}) == 2


def test_several_outputs_give_objects() -> None:
    outputs = {
        "label": np.array([1, 0], "q"),  # what ONNX Runtime calls int64
        "score": np.array([[0.1, 0.9], [0.5, 0.5]], np.float32),
        "ok": np.array([True, False]),
    }
    assert predictions(outputs) == [
        {"label": 1, "score": [0.1, 0.9], "ok": True},
        {"label": 0, "score": [0.5, 0.5], "ok": False},
    ]


def test_numbers_that_json_has_not_are_words_in_every_row() -> None:
    outputs = {
        "score": np.array([[np.nan, 0.1], [np.inf, -np.inf]], np.float32),
        "one": np.array([1.5, np.nan]),
        "text": np.array(["null", "NaN"], object),
    }
    assert predictions(outputs) == [
        {"score": ["NaN", 0.1], "one": 1.5, "text": "null"},
        {"score": ["Infinity", "-Infinity"], "one": "NaN", "text": "NaN"},
    ]
    assert predictions({"y": np.array(np.inf)}) == "Infinity"
    assert predictions({"y": np.array(["null"], object)}) == ["null"]


@pytest.mark.parametrize("body", [b'{"instances":[[NaN,1]]}', b'{"instances":[["NaN",1]]}'])
def test_they_are_read_bare_and_as_text(body: bytes) -> None:
    assert np.array_equal(ONE.decode(body).feeds["x"], [[np.nan, 1]], equal_nan=True)
    with pytest.raises(RequestError, match="expected numbers for INT64, got text"):
        codec(("n", "INT64", (-1, 2))).decode(body)


BYTES = codec(("s", "BYTES", (-1,)))
PICTURE = {"b64": "/9j/"}


@pytest.mark.parametrize(
    ("of", "instances", "found"),
    [
        (BYTES, [PICTURE, PICTURE], [b"\xff\xd8\xff"] * 2),
        (BYTES, [{"s": PICTURE}], [b"\xff\xd8\xff"]),
        (BYTES, [{"b64": "YQ=="}, "b"], ["a", "b"]),
        (codec(("s", "BYTES", (-1, 2))), [[{"b64": "YQ=="}, "b"]], [["a", "b"]]),
        (FREE, [PICTURE], [b"\xff\xd8\xff"]),
    ],
)
def test_bytes_are_written_as_tensorflow_serving_does(
    of: CodecV1, instances: Any, found: Any
) -> None:
    (array,) = feeds(of, instances).values()
    assert array.tolist() == found


@pytest.mark.parametrize("name", ["serving_default", None, "mine"])
def test_the_models_signature_may_be_named(name: Any) -> None:
    of = CodecV1(None, signature_name="mine")
    raw = {"signature_name": name, "instances": [1]}
    assert of.decode(orjson.dumps(raw)).feeds["instances"].tolist() == [1]


@pytest.mark.parametrize("other", [np.zeros((3, 1)), np.array(1.0)])
def test_outputs_that_have_no_rows_in_common_are_refused(other: Any) -> None:
    with pytest.raises(RequestError, match="use /v2"):
        predictions({"a": np.zeros((2, 1)), "b": other})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=2),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["a", "n", "x"]), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_no_instances_make_it_fail_in_another_way(instances: Any) -> None:
    for of in (ONE, TWO, FREE):
        with contextlib.suppress(RequestError):
            feeds(of, instances)
