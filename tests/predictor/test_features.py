"""Tensors as columns: names, swaps, baselines, and what is none of it."""

from typing import Any

import numpy as np
import pytest

from predictor import features
from predictor.errors import RequestError


def test_a_matrix_has_a_feature_a_column_by_the_names_that_are_known() -> None:
    matrix = np.zeros((2, 3))
    assert features.of({"x": matrix}).names == ("x[0]", "x[1]", "x[2]")
    assert features.of({"x": matrix}, ("a", "b", "c")).names == ("a", "b", "c")
    assert features.of({"x": matrix}, ("a", "b")).names == ("x[0]", "x[1]", "x[2]")
    assert features.of({"x": matrix}, ("a", "a", "c")).names == ("x[0]", "x[1]", "x[2]")


def test_several_tensors_are_columns_side_by_side() -> None:
    found = features.of({"a": np.zeros(2), "b": np.zeros((2, 1)), "c": np.zeros((2, 2))})
    assert found.names == ("a", "b", "c[0]", "c[1]")
    assert (found.widths, found.rows) == ((1, 1, 2), 2)


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({}, "the model takes no input"),
        ({"x": np.zeros((1, 2, 2))}, r"'x' has shape \[1, 2, 2\]; rows of columns can be"),
        ({"x": np.array(1.0)}, r"'x' has shape \[\]"),
        ({"x": np.array(["a b"], object)}, "'x' is text as a whole"),
        ({"x": np.zeros((1, 4097))}, "4097 features, more than the 4096"),
        ({"x": np.zeros((1, 0))}, "no columns"),
        ({"x": np.zeros((0, 2))}, "no rows"),
        ({"x": np.zeros(2), "y": np.zeros(3)}, "dimension 0 is 3, but 'rows' is 2 in 'x'"),
    ],
)
def test_what_is_no_rows_of_columns_is_refused(feeds: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        features.of(feeds)
    assert caught.value.status == 400


def test_swaps_take_values_from_the_instance_where_the_mask_says_so() -> None:
    found = features.of(
        {"x": np.array([[1.0, 2.0], [3.0, 4.0]]), "word": np.array(["own", "mine"], object)}
    )
    baseline = {"x": np.array([[10.0, 20.0], [30.0, 40.0]]), "word": np.array(["b", "c"], object)}
    masks = np.array([[True, False, True], [False, True, False]])
    swapped = found.swapped(1, baseline, masks, np.array([0, 1]))
    assert swapped["x"].tolist() == [[3, 20], [30, 4]]
    assert swapped["word"].tolist() == ["mine", "c"]


def test_features_that_are_the_baseline_s_do_not_differ() -> None:
    found = features.of({"x": np.array([[1.0, np.nan, 5.0]]), "n": np.array([7])})
    baseline = {"x": np.array([[1.0, np.nan, 5.0], [1.0, np.nan, 6.0]]), "n": np.array([7, 7])}
    assert found.differing(0, baseline).tolist() == [2]


def test_zeros_are_for_numbers() -> None:
    numbers = features.of({"x": np.ones((2, 2), np.float32), "n": np.ones(2, bool)})
    found = features.zeros(numbers)
    assert (found["x"].tolist(), found["x"].dtype) == ([[0, 0]], np.float32)
    assert found["n"].tolist() == [False]
    with pytest.raises(RequestError, match=r"'w' is text, .*parameters.baseline, or .*baseline.js"):
        features.zeros(features.of({"n": np.ones(1), "w": np.array(["a"], object)}))


ROWS = {"x": np.ones((1, 2)), "w": np.array(["a"], object)}


@pytest.mark.parametrize(
    ("raw", "matrix", "words"),
    [
        ([1, 2.5, "u"], [[1, 2.5]], ["u"]),
        ([[1, 2.5, "u"], [3, "NaN", "v"]], [[1, 2.5], [3, np.nan]], ["u", "v"]),
        ({"w": "u", "x[1]": 2, "x[0]": 1}, [[1, 2]], ["u"]),
        ([{"w": "u", "x[1]": 2, "x[0]": 1}], [[1, 2]], ["u"]),
    ],
)
def test_baselines_in_each_form(raw: Any, matrix: Any, words: Any) -> None:
    _, found = features.baseline(raw, features.of(ROWS), where="b", is_declared=False)
    np.testing.assert_array_equal(found["x"], np.array(matrix, float))
    assert found["w"].tolist() == words


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (3, "b: expected a row, or a list of rows, got a whole number"),
        ([], "got an empty list"),
        ([1, 2], "b: expected a row of 3 values, got 2"),
        ([[1, 2, "u"], {"w": "u"}], "expected values of .*got none of"),
        ([[1, 2, "u"], 3], "rows of one kind"),
        ([[1, 2, "u"]] * 101, "at most 100 rows, got 101"),
        ({"x[0]": 1, "x[1]": 1}, "got none of 'w'"),
        ({"x[0]": 1, "x[1]": 1, "w": "u", "z": 1}, "got 'z'"),
        (["u", 2, "u"], "b: input 'x': expected numbers"),
        ([1, 2, 3], "b: input 'w': expected"),
        ([1, [2], "u"], "b: input 'x': ragged"),
        ([1, None, "u"], "b: input 'x'"),
    ],
)
def test_baselines_that_do_not_fit_are_refused_by_name(raw: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        features.baseline(raw, features.of(ROWS), where="b", is_declared=False)
    assert caught.value.status == 400


def test_a_point_in_a_baseline_makes_numbers_of_whole_numbers_that_nobody_declared() -> None:
    whole = features.of({"x": np.array([[1, 2]])})
    changed, found = features.baseline([0.5, 1], whole, where="b", is_declared=False)
    assert found["x"].dtype == changed.feeds["x"].dtype == np.float64
    changed, found = features.baseline([0, 1], whole, where="b", is_declared=False)
    assert found["x"].dtype == changed.feeds["x"].dtype == np.int64
    with pytest.raises(RequestError, match="expected whole numbers"):
        features.baseline([0.5, 1], whole, where="b", is_declared=True)
