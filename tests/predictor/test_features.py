"""Which tensors are columns, blocks or words, their names and swaps, and what is none of it."""

from typing import Any

import numpy as np
import pytest

from predictor import features
from predictor.errors import RequestError
from predictor.explain_blocks import Blocks
from predictor.explain_requests import Asked


def test_a_matrix_has_a_feature_a_column_by_the_names_that_are_known() -> None:
    matrix = np.zeros((2, 3))
    assert features.of({"x": matrix}).names == ("x[0]", "x[1]", "x[2]")
    assert features.of({"x": matrix}, ("a", "b", "c")).names == ("a", "b", "c")
    assert features.of({"x": matrix}, ("a", "b")).names == ("x[0]", "x[1]", "x[2]")
    assert features.of({"x": matrix}, ("a", "a", "c")).names == ("x[0]", "x[1]", "x[2]")


def test_several_tensors_are_columns_side_by_side() -> None:
    found = features.of({"a": np.zeros(2), "b": np.zeros((2, 1)), "c": np.zeros((2, 2))})
    assert found.names == ("a", "b", "c[0]", "c[1]")
    assert (found.count_max(), found.rows, found.size) == (4, 2, 4)


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({}, "the model takes no input"),
        ({"x": np.array(1.0)}, r"'x' has shape \[\]"),
        ({"x": np.zeros((1, 0, 2))}, r"'x' has shape \[1, 0, 2\]: its items are empty"),
        ({"x": np.full((1, 2, 2), "a", object)}, r"'x' is text of shape \[1, 2, 2\]"),
        ({"x": np.array([b"\xff"], object)}, "'x' is bytes that are no text"),
        ({str(at): np.zeros(1) for at in range(4097)}, "4097 features, more than the 4096"),
        ({"x": np.zeros((1, 0))}, "no columns"),
        ({"x": np.zeros((0, 2))}, "no rows"),
        ({"x": np.zeros(2), "y": np.zeros(3)}, "dimension 0 is 3, but 'rows' is 2 in 'x'"),
    ],
)
def test_what_has_no_features_is_refused(feeds: dict[str, Any], said: str) -> None:
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


def kinds(feeds: Any, is_based: bool = False, **asked: Any) -> dict[str, Any]:
    found = features.of(feeds, asked=Asked(**asked), is_based=is_based)
    return {
        name: part.grid if isinstance(part, Blocks) else type(part).__name__
        for name, part in found.parts.items()
    }


TEXT = np.array(["a b"], object)


@pytest.mark.parametrize(
    ("feeds", "asked", "expected"),
    [
        ({"x": np.zeros((1, 4096))}, {}, {"x": "Columns"}),
        ({"x": np.zeros((1, 4097))}, {}, {"x": (64,)}),
        ({"x": np.zeros((1, 4097))}, {"features": 10}, {"x": (10,)}),
        ({"x": np.zeros((1, 100))}, {"features": 10}, {"x": (10,)}),
        ({"x": np.zeros((1, 100))}, {"features": 100}, {"x": "Columns"}),
        ({"x": np.zeros((1, 100))}, {"grid": {"": (7,)}}, {"x": (7,)}),
        ({"x": np.zeros((1, 3000)), "y": np.zeros((1, 3000))}, {}, {"x": (64,), "y": (64,)}),
        ({"x": np.zeros((1, 4100)), "y": np.zeros((1, 3))}, {}, {"x": (64,), "y": "Columns"}),
        ({"x": np.zeros((1, 3, 16, 16))}, {}, {"x": (1, 8, 8)}),
        ({"x": np.zeros((1, 3, 16, 16))}, {"grid": {"x": (3, 2, 2)}}, {"x": (3, 2, 2)}),
        (
            {"x": np.zeros((1, 3, 16, 16)), "n": np.zeros((1, 2))},
            {"grid": {"": (2,), "x": (1, 2, 2)}},
            None,
        ),
        ({"t": TEXT}, {}, {"t": "Words"}),
        ({"t": TEXT[:, None]}, {}, {"t": "Words"}),
        ({"t": TEXT}, {"is_based": True}, {"t": "Columns"}),
        ({"t": TEXT}, {"is_based": True, "unit": "word"}, {"t": "Words"}),
        ({"t": TEXT}, {"unit": "column"}, {"t": "Columns"}),
        ({"t": TEXT, "u": TEXT}, {}, {"t": "Columns", "u": "Columns"}),
        ({"t": TEXT, "u": TEXT}, {"unit": "word"}, {"t": "Words", "u": "Words"}),
        ({"t": TEXT, "n": np.zeros(1)}, {}, {"t": "Columns", "n": "Columns"}),
        ({"t": TEXT, "n": np.zeros(1)}, {"keep": ("n",)}, {"t": "Words", "n": "Kept"}),
        ({"t": np.full((1, 2), "a", object)}, {}, {"t": "Columns"}),
    ],
)
def test_what_is_told_apart(feeds: Any, asked: Any, expected: Any) -> None:
    if expected is None:
        with pytest.raises(
            RequestError, match=r"parameters.grid: expected an object by the inputs"
        ):
            kinds(feeds, **asked)
    else:
        assert kinds(feeds, **asked) == expected


def test_what_says_which_tokens_count_is_kept_beside_them() -> None:
    ids = np.ones((1, 5), int)
    feeds = {"input_ids": ids, "attention_mask": ids, "token_type_ids": ids}
    assert set(kinds(feeds).values()) == {"Columns", "Kept"}
    assert kinds(feeds)["input_ids"] == "Columns"
    assert set(kinds(feeds, keep=()).values()) == {"Columns"}
    found = features.of(feeds)
    swapped = found.swapped(0, features.zeros(found), np.eye(5, dtype=bool), np.zeros(5, int))
    assert swapped["input_ids"].tolist() == np.eye(5).tolist()
    assert swapped["attention_mask"].tolist() == np.ones((5, 5)).tolist()
    alone = {"attention_mask": ids}
    assert kinds(alone) == {"attention_mask": "Columns"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"grid": {"z": (1,)}}, "parameters.grid: .*numbers: x, got 'z'"),
        ({"grid": {"t": (1,)}}, "parameters.grid: .*numbers: x, got 't'"),
        ({"grid": {"x": (1, 2)}}, r"grid of input 'x': expected 1 numbers, .*\[5\], got 2"),
        ({"grid": {"x": (6,)}}, r"grid of input 'x': expected at most as many .*\[5\]"),
        ({"keep": ("z",)}, "parameters.keep: expected names of x, t, got 'z'"),
        ({"keep": ("x", "t")}, "parameters.keep: expected names of some inputs, not of all"),
        ({"unit": "word", "keep": ("t",)}, "parameters.unit: expected an input of text, got numb"),
        ({"grid": {"": (1,)}, "keep": ("x",)}, "parameters.grid: expected an input of numbers"),
    ],
)
def test_parameters_that_do_not_fit_the_inputs(asked: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        kinds({"x": np.zeros((1, 5)), "t": TEXT}, **asked)
    assert caught.value.status == 400


def test_what_the_baseline_is_called_where_nobody_gave_one() -> None:
    assert features.of({"x": np.zeros((1, 5))}).without == "zeros"
    assert features.of({"t": TEXT}).without == "words left out"
    both = features.of({"t": TEXT, "n": np.zeros(1)}, asked=Asked(unit="word"))
    assert both.without == "zeros, words left out"
