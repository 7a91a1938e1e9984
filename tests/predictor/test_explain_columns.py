"""Columns of a tensor, and tensors that are kept."""

import numpy as np
import pytest

from predictor.errors import RequestError
from predictor.explain_columns import Columns, Kept

NUMBERS = Columns(name="x", array=np.array([[1.0, np.nan], [3.0, 4.0]]), slots=("a", "b"))


def test_a_column_has_the_row_s_value_or_the_baseline_s() -> None:
    baseline = np.array([[10.0, 20.0], [30.0, 40.0]])
    masks = np.array([[True, False], [False, True]])
    found = NUMBERS.swapped(1, baseline, masks, np.array([0, 1]))
    assert found.tolist() == [[3, 20], [30, 4]]
    one = Columns(name="x", array=np.array([1.0, 2.0]), slots=("x",))
    assert one.swapped(1, np.array([5.0]), masks[:, :1], np.zeros(2, int)).tolist() == [2, 5]
    assert (NUMBERS.count(0), NUMBERS.size) == (2, 2)
    assert NUMBERS.forms(0)[0].names == ("a", "b")


def test_no_number_is_like_another_and_differs_from_any_number() -> None:
    assert NUMBERS.differing(0, np.array([[1.0, np.nan]])).tolist() == [False, False]
    assert NUMBERS.differing(0, np.array([[1.0, np.nan], [1.0, 2.0]])).tolist() == [False, True]


def test_text_has_no_zero() -> None:
    assert NUMBERS.zeros().tolist() == [[0, 0]]
    text = Columns(name="w", array=np.array(["a"], object), slots=("w",))
    with pytest.raises(RequestError, match=r"'w' is text, .*baseline.json.*or .*unit: word"):
        text.zeros()


def test_what_is_kept_is_no_feature() -> None:
    kept = Kept(name="m", array=np.array([[1, 1], [1, 0]]))
    masks = np.zeros((3, 0), bool)
    assert kept.swapped(1, kept.zeros(), masks, np.zeros(3, int)).tolist() == [[1, 0]] * 3
    assert (kept.count(0), kept.forms(0), kept.slots, kept.size) == (0, (), (), 2)
    assert kept.differing(0, kept.zeros()).tolist() == []
    assert kept.based([[], []], is_declared=True)[1].shape == (2, 2)
