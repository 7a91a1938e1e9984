"""Baselines in every form that somebody may write them."""

from typing import Any

import numpy as np
import pytest

from predictor import feature_baselines, features
from predictor.errors import RequestError
from predictor.explain_requests import Asked

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
    _, found = feature_baselines.read(raw, features.of(ROWS), where="b", is_declared=False)
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
        feature_baselines.read(raw, features.of(ROWS), where="b", is_declared=False)
    assert caught.value.status == 400


def test_a_point_in_a_baseline_makes_numbers_of_whole_numbers_that_nobody_declared() -> None:
    whole = features.of({"x": np.array([[1, 2]])})
    changed, found = feature_baselines.read([0.5, 1], whole, where="b", is_declared=False)
    assert found["x"].dtype == changed.feeds["x"].dtype == np.float64
    changed, found = feature_baselines.read([0, 1], whole, where="b", is_declared=False)
    assert found["x"].dtype == changed.feeds["x"].dtype == np.int64
    with pytest.raises(RequestError, match="expected whole numbers"):
        feature_baselines.read([0.5, 1], whole, where="b", is_declared=True)


def items(**fields: Any) -> features.Features:
    return features.of({"x": np.ones((2, 3, 8, 8), np.float32), **fields})


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("is_named", [True, False])
def test_an_item_in_blocks_is_nested_as_it_is_or_a_number(rows: int, is_named: bool) -> None:
    item = np.arange(192.0).reshape(3, 8, 8)
    raw: Any = [item.tolist()] * rows
    if is_named:
        raw = [{"x": one} for one in raw]
    if rows == 1:
        raw = raw[0]
    _, found = feature_baselines.read(raw, items(), where="b", is_declared=True)
    assert (found["x"].shape, found["x"].dtype) == ((rows, 3, 8, 8), np.float32)
    assert (found["x"] == item).all()
    for number in (0.5, {"x": 0.5}, [{"x": 0.5}]):
        _, found = feature_baselines.read(number, items(), where="b", is_declared=True)
        assert (found["x"] == np.full((1, 3, 8, 8), 0.5)).all()


def test_items_beside_columns_go_by_name() -> None:
    found = items(age=np.ones(2))
    _, read = feature_baselines.read({"x": 1, "age": 3}, found, where="b", is_declared=True)
    assert (read["x"].shape, read["age"].tolist()) == ((1, 3, 8, 8), [3])
    with pytest.raises(RequestError, match="expected an object of x, age, or a list of such"):
        feature_baselines.read([1, 3], found, where="b", is_declared=True)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("zero", "b: expected a number, an item nested 3 deep, or a list of items, got text"),
        ([], "b: expected a number, an item nested 3 deep, or a list of items, got an empty list"),
        ([1, 2], "b: .*got a list nested 1 deep"),
        ([[[1.0]]], r"b: .*input 'x'.*values of shape \[3, 8, 8\], got \[1, 1, 1\]"),
        ({"x": "a"}, "b: input 'x': expected numbers"),
        ([[[1.0]], [[[2.0]]]], "b: input 'x'"),
        ([{"x": 1}] * 101, "at most 100 rows, got 101"),
        ([[[[1.0]]]] * 101, "at most 100 rows, got 101"),
        ([{"x": 1}, 3], "rows of one kind"),
        ({"y": 1}, "expected values of x, got 'y'"),
    ],
)
def test_items_that_do_not_fit_are_refused_by_name(raw: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        feature_baselines.read(raw, items(), where="b", is_declared=True)
    assert caught.value.status == 400


def test_whole_numbers_in_blocks_are_widened_for_a_point_that_nobody_declared() -> None:
    whole = features.of({"x": np.ones((1, 8, 8), int)})
    changed, found = feature_baselines.read(0.5, whole, where="b", is_declared=False)
    assert found["x"].dtype == changed.feeds["x"].dtype == np.float64
    with pytest.raises(RequestError, match="whole numbers"):
        feature_baselines.read(0.5, whole, where="b", is_declared=True)


def test_a_text_is_what_stands_in_place_of_its_words_and_what_is_kept_has_none() -> None:
    feeds = {"t": np.array(["a b"], object), "n": np.ones(1), "k": np.ones((1, 4))}
    found = features.of(feeds, asked=Asked(unit="word", keep=("k",)))
    _, read = feature_baselines.read({"t": "_", "n": 2}, found, where="b", is_declared=True)
    assert (read["t"].tolist(), read["n"].tolist(), read["k"].tolist()) == (["_"], [2], [[1] * 4])
