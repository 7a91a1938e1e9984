"""What models of rows and columns share."""

import numpy as np
import pytest

from predictor.errors import Fault, RequestError
from predictor.model import Tensor
from predictor.tabular import described, numbers

NAMES = ("age", "town")
CODES = {1: {"oslo": 0, "rome": 1}}


def test_the_outputs_are_those_of_a_row_of_zeros() -> None:
    found = described(
        lambda feeds, _: {"y": feeds["input-0"] @ np.ones((2, 3))}, datatype="FP32", width=2
    )
    assert [(one.name, one.datatype, one.shape) for one in found.inputs] == [
        ("input-0", "FP32", (-1, 2))
    ]
    assert [(one.name, one.datatype, one.shape) for one in found.outputs] == [
        ("y", "FP64", (-1, 3))
    ]


def test_a_model_that_refuses_zeros_has_no_known_outputs() -> None:
    def refuse(*_: object) -> dict[str, Tensor]:
        raise RequestError(Fault.BUG)

    assert described(refuse, datatype="FP32", width=2).outputs == []
    assert described(refuse, datatype="FP32", width=0).inputs[0].shape == (-1, -1)


def test_numbers_pass_and_words_become_their_codes() -> None:
    plain = np.ones((2, 2), np.int64)
    assert numbers(plain, NAMES, CODES, unknown=None) is plain
    rows = np.array([[31, "rome"], [True, "oslo"], [2.5, np.float32(1)]], object)
    assert numbers(rows, NAMES, CODES, unknown=None).tolist() == [[31, 1], [1, 0], [2.5, 1]]


def test_a_word_that_is_no_category_is_refused_or_missing() -> None:
    rows = np.array([[1, "bonn"]], object)
    with pytest.raises(RequestError, match="input 'town': 'bonn' is none of its categories: oslo"):
        numbers(rows, NAMES, CODES, unknown=None)
    assert np.isnan(numbers(rows, NAMES, CODES, unknown=np.nan)[0, 1])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.array([["old", "rome"]], object), "input 'age': expected numbers"),
        (np.array([[None, "rome"]], object), "input 'age': expected a number, got NoneType"),
        (np.array(["rome"], object), "the model takes numbers, not object"),
        (np.ones((1, 2), np.complex64), "the model takes numbers, not complex64"),
    ],
)
def test_what_is_no_number_is_refused_by_name(rows: Tensor, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        numbers(rows, NAMES, CODES, unknown=None)
    assert caught.value.status == 400
