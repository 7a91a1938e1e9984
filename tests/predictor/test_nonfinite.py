"""NaN and infinities in JSON: words in, words out, text left alone."""

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from predictor import nonfinite


def written(value: Any) -> Any:
    return orjson.loads(orjson.dumps(nonfinite.written(value), option=orjson.OPT_SERIALIZE_NUMPY))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"[NaN,Infinity,-Infinity]", b'["NaN","Infinity","-Infinity"]'),
        (b'{"NaN":NaN}', b'{"NaN":"NaN"}'),
        (rb'["a\" NaN",NaN]', rb'["a\" NaN","NaN"]'),
        (rb'["\\",NaN]', rb'["\\","NaN"]'),
        (b'["NaN', b'["NaN'),
        (b'["NaN\\', b'["NaN\\'),
        (b"[nan,inf]", b"[nan,inf]"),
        (b"[--Infinity]", b'[-"-Infinity"]'),  # still no JSON
    ],
)
def test_only_bare_words_become_text(body: bytes, text: bytes) -> None:
    assert nonfinite.quoted(body) == text


json_values = st.recursive(
    st.floats() | st.text(alphabet='NaN"\\If', max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("NaN", max_size=3), inner),
)


@given(json_values)
def test_what_python_writes_is_read(value: Any) -> None:
    read = orjson.loads(nonfinite.quoted(json.dumps(value).encode()))
    # allow_nan=False of the twin is what our words replace
    words = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}

    def spelled(one: Any) -> Any:
        if isinstance(one, float):
            return words.get(str(one), one)
        if isinstance(one, list):
            return list(map(spelled, one))
        return {k: spelled(v) for k, v in one.items()} if isinstance(one, dict) else one

    assert read == spelled(value)


def test_a_text_that_never_ends_costs_its_length_once() -> None:
    body = b'NaN"' + rb"\"" * 500_000  # the square of this would not end
    assert nonfinite.quoted(body) == b'"NaN"' + body[3:]


@given(
    arrays.arrays(
        st.sampled_from([np.float16, np.float32, np.float64]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_every_array_is_read_back_by_numpy(array: Any) -> None:
    found = np.array(written(array if array.ndim else array[()]), array.dtype)
    assert np.array_equal(found.reshape(array.shape), array, equal_nan=True)


def test_other_values_stay_as_they_are() -> None:
    for value in (np.array([1, 2]), np.array([1.5]), ["null"], "null", 5):
        assert nonfinite.written(value) is value
    assert written(np.array([[0.1, np.nan]], np.float32)) == [[0.1, "NaN"]]
