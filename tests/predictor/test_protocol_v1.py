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
    request = ONE.decode(b'{"inputs": [[1, 2]]}')
    answer = ONE.encode(request, {"y": np.array([1.0])})
    assert orjson.loads(answer.body) == {"predictions": [1.0]}, "as KServe, not TensorFlow Serving"


def test_rows_are_objects_for_several_inputs() -> None:
    found = feeds(TWO, [{"a": [1, 2], "n": 5}, {"n": 6, "a": [3, 4]}])
    assert found["a"].tolist() == [[1, 2], [3, 4]]
    assert found["n"].dtype == np.int64
    assert found["n"].tolist() == [5, 6]


SCALAR = codec(("t", "FP32", ()))
MIXED = codec(("x", "FP32", (-1, 2)), ("t", "FP32", ()))


def columns(of: CodecV1, inputs: Any) -> dict[str, Any]:
    found = of.decode(orjson.dumps({"inputs": inputs})).feeds
    return {name: array.tolist() for name, array in found.items()}


@pytest.mark.parametrize(
    ("of", "inputs", "found"),
    [
        (TWO, {"n": [1, 2, 3], "a": [[1, 2]]}, {"a": [[1, 2]], "n": [1, 2, 3]}),
        (ONE, {"x": [[1, 2], [3, "NaN"]]}, None),
        (MIXED, {"x": [[1, 2]], "t": 0.5}, {"x": [[1, 2]], "t": 0.5}),
        (SCALAR, {"t": 0.5}, {"t": 0.5}),
        (SCALAR, 0.5, {"t": 0.5}),
        (codec(("s", "BYTES", ())), {"b64": "/9j/"}, {"s": b"\xff\xd8\xff"}),
        (codec(("b64", "BYTES", ())), {"b64": "YQ=="}, {"b64": "YQ=="}),
        (FREE, {"a": [1, 2], "b": [["x"]], "c": True}, {"a": [1, 2], "b": [["x"]], "c": True}),
        (FREE, 2, {"instances": 2}),
    ],
)
def test_an_object_of_inputs_has_whole_tensors_in_it(of: CodecV1, inputs: Any, found: Any) -> None:
    if found is None:
        array = of.decode(orjson.dumps({"inputs": inputs})).feeds["x"]
        assert np.array_equal(array, np.array([[1, 2], [3, np.nan]], np.float32), equal_nan=True)
    else:
        assert columns(of, inputs) == found


@pytest.mark.parametrize(
    ("of", "inputs", "said"),
    [
        (ONE, {}, "inputs: expected an object with x, got an empty object"),
        (FREE, {}, "inputs: expected an object of tensors, got an empty object"),
        (ONE, None, "inputs: expected a list of rows, got null"),
        (TWO, 5, "inputs: expected an object with a, n, got a whole number"),
        (TWO, "text", "inputs: expected an object with a, n, got text"),
        (TWO, {"a": [[1, 2]]}, "missing input 'n': the model takes a, n, got a"),
        (TWO, {"a": [[1, 2]], "m": [1]}, "unknown input 'm': the model takes a, n"),
        (ONE, {"x": [1, 2]}, "input 'x': expected shape [-1, 2] (rank 2), got [2] (rank 1)"),
        (ONE, {"x": [[1], [2, 3]]}, "input 'x': ragged data"),
        (ONE, {"x": None}, "input 'x': expected numbers for FP32, got null"),
        (ONE, 5, "input 'x': expected shape [-1, 2] (rank 2), got [] (rank 0)"),
        (SCALAR, {"t": [0.5]}, "input 't': expected shape [] (rank 0), got [1] (rank 1)"),
    ],
)
def test_wrong_columns_are_refused_in_words(of: CodecV1, inputs: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        columns(of, inputs)
    assert caught.value.status == 400
    assert said in str(caught.value)


@pytest.mark.parametrize(("of", "instances"), [(SCALAR, [0.5]), (MIXED, [{"x": [1, 2], "t": 0.5}])])
def test_of_one_value_there_are_no_rows(of: CodecV1, instances: Any) -> None:
    with pytest.raises(RequestError) as caught:
        feeds(of, instances)
    said = (
        "instances: input 't' is one value (shape []), of which there are no rows: ask in columns"
    )
    assert str(caught.value).startswith(said)
    assert '{"inputs": {"t": ...}}' in str(caught.value)


def test_columns_are_answered_in_columns() -> None:
    def outputs(of_model: dict[str, Any]) -> Any:
        request = SCALAR.decode(b'{"inputs": 1}')
        return orjson.loads(SCALAR.encode(request, of_model).body)

    assert outputs({"y": np.array([[1, 2]], "q")}) == {"outputs": [[1, 2]]}
    assert outputs({"y": np.array(np.nan)}) == {"outputs": "NaN"}
    several = {
        "a": np.array([1.5, np.inf], np.float32),
        "b": np.array(3, np.int32),
        "text": np.array(["null", "b"], object),
    }
    found = {"a": [1.5, "Infinity"], "b": 3, "text": ["null", "b"]}
    assert outputs(several) == {"outputs": found}, "they need not have rows in common"


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
    with pytest.raises(RequestError, match=r"ask in columns, .*, or use /v2"):
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
        with contextlib.suppress(RequestError):
            columns(of, instances)
