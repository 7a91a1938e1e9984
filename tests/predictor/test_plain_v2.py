"""The short way reads what the long way reads, or leaves it alone."""

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.errors import Fault, RequestError
from predictor.model import Signature, TensorSpec
from predictor.plain_v2 import PlainInputs
from predictor.protocol_v2 import CodecV2

SIGNATURE = Signature(
    inputs=[
        TensorSpec(name="x", datatype="FP32", shape=(-1, 2)),
        TensorSpec(name="k", datatype="INT8", shape=(2,)),
        TensorSpec(name="t", datatype="BYTES", shape=(-1, -1)),
    ],
    outputs=[],
)
PLAIN = PlainInputs(SIGNATURE)
SHORT = CodecV2(SIGNATURE, name="m", version="")
LONG = CodecV2(SIGNATURE, name="m", version="")
LONG._plain = None

X = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2.5, 3, 4]}
K = {"name": "k", "shape": [2], "datatype": "INT8", "data": [7, -8]}
T = {"name": "t", "shape": [2, 2], "datatype": "BYTES", "data": ["a", "", "c", "é"]}


def outcome(codec: CodecV2, body: bytes) -> Any:
    try:
        feeds = codec.decode(body).feeds
    except RequestError as error:
        return error.fault, error.body
    return {
        name: (array.dtype, array.shape, [repr(one) for one in array.ravel().tolist()])
        for name, array in feeds.items()
    }


def test_tensors_as_the_model_has_them_are_read() -> None:
    feeds = PLAIN.read([K, X, T])
    assert feeds is not None
    assert list(feeds) == ["k", "x", "t"]
    assert feeds["x"].tolist() == [[1, 2.5], [3, 4]]
    assert (feeds["x"].dtype, feeds["k"].dtype) == (np.float32, np.int8)
    assert feeds["t"].tolist() == [["a", ""], ["c", "é"]]


@pytest.mark.parametrize(
    "changed",
    [
        {"data": [[1, 2], [3, 4]]},  # nested
        {"data": [1, 2, 3]},
        {"data": []},
        {"data": 7},
        {"shape": [2, True]},
        {"shape": [2, 2.0]},
        {"shape": [-2, -2]},
        {"shape": [0, 2]},
        {"shape": [4, 1]},  # not the model's
        {"shape": [4]},
        {"shape": "22"},
        {"datatype": "FP64"},
        {"datatype": ["FP32"]},
        {"name": "y"},
        {"name": ["x"]},
        {"name": "k"},  # repeated
        {"parameters": {}},
    ],
)
def test_anything_else_is_left_alone(changed: dict[str, Any]) -> None:
    assert PLAIN.read([{**X, **changed}, K, T]) is None


@pytest.mark.parametrize("raw", [[], [X, K], [X, K, "t"], [X, K, {"name": "t"}], None, {}])
def test_so_are_tensors_that_are_not_all_there(raw: Any) -> None:
    assert PLAIN.read(raw) is None


def test_values_that_do_not_fit_are_faults() -> None:
    with pytest.raises(RequestError) as caught:
        PLAIN.read([X, {**K, "data": [1, 128]}, T])
    assert caught.value.fault is Fault.OUT_OF_RANGE


NUMBERS = st.one_of(
    st.integers(-200, 200), st.floats(allow_nan=False), st.sampled_from([1e39, 2.0, 127, 128])
)
VALUES = st.one_of(
    NUMBERS, st.booleans(), st.none(), st.sampled_from(["", "NaN", "a", [1], {"b64": "YQ=="}])
)
SIZES = st.sampled_from([0, 1, 2, 4, -1, -2, True, 2.0, None, 2**31, "2"])
NEAR: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["x", "k", "t", "", None, ["x"]]),
    "datatype": st.sampled_from(["FP32", "INT8", "BYTES", "FP64", None, ["FP32"]]),
    "shape": st.one_of(st.lists(SIZES, min_size=1, max_size=2), st.none()),
    "data": st.one_of(
        st.lists(VALUES, max_size=4),
        st.sampled_from([[[1, 2], [3, 4]], [[1], [2], [3], [4]], [[1], 2, 3, 4], [1, [2], 3, 4]]),
        VALUES,
    ),
    "parameters": st.sampled_from([{}, None, {"binary_data_size": 4}]),
    "more": st.none(),
}


@st.composite
def requests(draw: st.DrawFn) -> list[Any]:
    """All three tensors, of which some are not quite right."""
    found: list[Any] = draw(st.permutations([X, K, T]))
    for index in range(draw(st.integers(1, 2))):
        field = draw(st.sampled_from(list(NEAR)))
        found[index] = {**found[index], field: draw(NEAR[field])}
    found[2] = draw(st.sampled_from([found[2], found[2], found[1]]))
    dropped = draw(st.sampled_from(["", "", "", *X]))
    found[0] = {key: value for key, value in found[0].items() if key != dropped}
    return found[: draw(st.sampled_from([3, 3, 3, 2]))]


@settings(max_examples=1000)
@given(requests(), VALUES)
def test_the_short_way_and_the_long_way_agree(inputs: Any, identity: Any) -> None:
    plain = orjson.dumps({"inputs": inputs})
    assert outcome(SHORT, plain) == outcome(LONG, plain)
    named = orjson.dumps({"inputs": inputs, "id": identity})
    assert outcome(SHORT, named) == outcome(LONG, named)


@given(st.lists(NUMBERS, min_size=4, max_size=4), st.lists(st.integers(-128, 127), min_size=2))
def test_and_on_numbers_of_any_size(rows: list[Any], few: list[int]) -> None:
    inputs = [{**X, "data": rows}, {**K, "data": few}, T]
    body = orjson.dumps({"inputs": inputs})
    assert outcome(SHORT, body) == outcome(LONG, body)
