"""Elements of BYTES tensors as text, bytes and base64."""

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor import elements
from predictor.errors import RequestError


def objects(*values: Any) -> Any:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_bytes_are_text_where_all_of_them_are() -> None:
    assert elements.of_bytes([b"a", "é".encode()]).tolist() == ["a", "é"]
    assert elements.of_bytes([b"a", b"\xff\xd8"]).tolist() == [b"a", b"\xff\xd8"]
    assert elements.of_bytes([]).shape == (0,)


@pytest.mark.parametrize(
    ("content_type", "given_values", "found"),
    [
        ("base64", ["YQ==", "w6k="], ["a", "é"]),
        ("base64", ["YQ==", "/9g="], [b"a", b"\xff\xd8"]),
        ("base64", [b"YQ=="], ["a"]),
        ("raw", ["a", "é"], [b"a", "é".encode()]),
        ("raw", [b"\xff"], [b"\xff"]),
        ("str", ["a", "é"], ["a", "é"]),
    ],
)
def test_content_types_say_what_elements_are(
    content_type: str, given_values: list[Any], found: list[Any]
) -> None:
    array = objects(*given_values).reshape(-1, 1)
    new = elements.of_content("x", array, content_type)
    assert new.shape == array.shape
    assert new.ravel().tolist() == found


@pytest.mark.parametrize(
    ("content_type", "value", "said"),
    [
        ("str", b"\xff", "input 'x': expected text in UTF-8"),
        ("base64", "?", "input 'x': expected base64 for BYTES"),
        ("base64", "é", "input 'x': expected base64 for BYTES"),
        ("base64", "YQ", "input 'x': expected base64 for BYTES"),
    ],
)
def test_elements_that_are_not_that_are_refused(content_type: str, value: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        elements.of_content("x", objects(value), content_type)
    assert caught.value.status == 400


@given(st.lists(st.binary(max_size=8), max_size=4))
def test_base64_goes_both_ways(values: list[bytes]) -> None:
    text = elements.to_base64(objects(*values))
    assert [base64.b64decode(one) for one in text] == values
    back = elements.of_content("x", text, "base64").tolist()
    assert [one.encode() if isinstance(one, str) else one for one in back] == values


def test_what_is_no_text_is_left_for_whoever_refuses_it() -> None:
    assert elements.to_base64(objects("a", 5)).tolist() == ["YQ==", 5]


@pytest.mark.parametrize(
    ("value", "is_b64"),
    [({"b64": "YQ=="}, True), ({"b64": 1}, False), ({"b64": "", "c": 1}, False), ("b64", False)],
)
def test_tensorflow_servings_bytes(value: Any, is_b64: bool) -> None:
    assert elements.is_b64(value) is is_b64
