"""Which number of an answer is explained."""

from typing import Any

import numpy as np
import pytest

from predictor import explain_targets
from predictor.errors import RequestError
from predictor.model import Tensor

SCORES = np.array([[0.1, 0.9], [0.7, 0.3]], np.float32)
LABELS = np.array(["b", "a"], object)


def chosen(outputs: dict[str, Tensor], asked: str = "", classes: Any = ()) -> list[tuple[Any, Any]]:
    targets = explain_targets.of_rows(outputs, 2, asked, classes)
    return [
        (target.names, target.read(outputs)[row].tolist()) for row, target in enumerate(targets)
    ]


def test_the_highest_score_of_each_row() -> None:
    found = chosen({"label": LABELS, "p": SCORES})
    assert [names for names, _ in found] == [("p[1]",), ("p[0]",)]
    np.testing.assert_allclose([values for _, values in found], [[0.9], [0.7]])
    targets = explain_targets.of_rows({"p": SCORES}, 2, "", ["no", "yes"])
    assert [target.labels for target in targets] == [("yes",), ("no",)]


def test_a_number_a_row() -> None:
    for array in (np.array([1.5, 2.5]), np.array([[1.5], [2.5]])):
        assert chosen({"y": array}) == [(("y",), [1.5]), (("y",), [2.5])]
    several = {"y": np.array([1.5, 2.5]), "z": np.array([3.5, 0.5])}
    assert [names for names, _ in chosen(several)] == [("y",), ("y",)]


def test_numbers_beside_a_label_are_scores_of_its_classes() -> None:
    outputs = {"label": LABELS, "pa": np.array([0.2, 0.6]), "pb": np.array([0.8, 0.4])}
    assert chosen(outputs) == [(("pb",), [0.8]), (("pa",), [0.6])]


def test_labels_alone_stay_or_do_not() -> None:
    targets = explain_targets.of_rows({"label": LABELS}, 2, "")
    assert [target.names for target in targets] == [("label = b",), ("label = a",)]
    others = {"label": np.array([["b"], ["c"], ["a"]], object)}
    assert targets[0].read(others).tolist() == [[1], [0], [0]]
    numbers = explain_targets.of_rows({"y": np.array([3, 4])}, 2, "")
    assert numbers[1].read({"y": np.array([4, 3])}).tolist() == [[1], [0]]
    raw = explain_targets.of_rows({"y": np.array([b"\xff", b"a"], object)}, 2, "")
    assert raw[1].names == ("y = a",)


def test_one_of_several_labels_stays_or_does_not() -> None:
    tags = np.array([["a", "b"], ["b", "b"]], object)
    targets = explain_targets.of_rows({"tags": tags}, 2, "tags[0]")
    assert [target.names for target in targets] == [("tags[0] = a",), ("tags[0] = b",)]
    assert targets[0].read({"tags": tags}).tolist() == [[1], [0]]
    with pytest.raises(ValueError, match=r"tags: \(2, 1\)"):
        targets[0].read({"tags": tags[:, :1]})


def test_what_is_asked_for() -> None:
    outputs = {"label": LABELS, "p": SCORES}
    assert [names for names, _ in chosen(outputs, "p[1]")] == [("p[1]",)] * 2
    assert [names for names, _ in chosen(outputs, "all")] == [("p[0]", "p[1]")] * 2
    assert [names for names, _ in chosen(outputs, "p")] == [("p[1]",), ("p[0]",)]
    assert [names for names, _ in chosen(outputs, "label")] == [("label = b",), ("label = a",)]
    assert [names for names, _ in chosen({"y": np.array([[1, 2], [3, 4]])}, "y[0]")] == [
        ("y[0]",)
    ] * 2


def test_axes_of_one_value_do_not_count() -> None:
    for shape in ((2, 2, 1, 1), (2, 1, 2), (2, 1, 1, 2)):
        assert [names for names, _ in chosen({"p": SCORES.reshape(shape)})] == [
            ("p[1]",),
            ("p[0]",),
        ]
    number = {"y": np.array([1.5, 2.5]).reshape(2, 1, 1, 1)}
    assert chosen(number) == [(("y",), [1.5]), (("y",), [2.5])]
    labels = explain_targets.of_rows({"label": LABELS.reshape(2, 1, 1)}, 2, "")
    assert [target.names for target in labels] == [("label = b",), ("label = a",)]


def test_one_number_of_many_axes_is_asked_for_by_its_place() -> None:
    boxes = np.arange(24.0).reshape(2, 3, 4)
    assert chosen({"b": boxes}, "b[2,1]") == [(("b[2,1]",), [9]), (("b[2,1]",), [21])]
    (target, _) = explain_targets.of_rows({"b": boxes}, 2, "b[2,1]")
    with pytest.raises(ValueError, match=r"b: \(2, 4, 3\)"):
        target.read({"b": boxes.reshape(2, 4, 3)})


@pytest.mark.parametrize(
    ("outputs", "asked", "said"),
    [
        ({"p": SCORES}, "q", "unknown output 'q': the model gives p, all"),
        ({"p": SCORES}, "p[2]", r"unknown output 'p\[2\]': the model gives p\[0\] to p\[1\]"),
        ({"p": SCORES[:1]}, "", r"'p' has shape \[1, 2\] for 2 rows"),
        ({"l": LABELS, "p": SCORES[0], "q": SCORES[:1, 0]}, "", r"'q' has shape \[1\] for 2"),
        ({"label": LABELS[:1]}, "", r"'label' has shape \[1\] for 2 rows"),
        ({"p": np.zeros((2, 3, 4))}, "", r"no output is .*'p' \[2, 3, 4\]"),
        ({"p": np.zeros((2, 3, 4))}, "", r"ask for one .*parameters.output: p\[0,0\]"),
        ({"p": np.zeros((2, 3, 4))}, "p", r"'p' has shape \[2, 3, 4\]; .*ask for one, p\[0,0\]"),
        ({"p": np.zeros((2, 3, 4))}, "p[3,0]", r"unknown output 'p\[3,0\]': .*p\[0,0\] first"),
        ({"p": np.zeros((2, 3, 4))}, "p[0,0,0]", r"unknown output 'p\[0,0,0\]'"),
        ({"y": np.zeros(2)}, "y[0,0]", r"gives 'y' of shape \[2\], y first"),
        ({"p": np.zeros((1, 3, 4))}, "p[0,0]", r"'p' has shape \[1, 3, 4\] for 2 rows"),
        ({"w": np.array([["a", "b"]] * 2, object)}, "w", r"'w' has shape \[2, 2\].* one, w\[0\]"),
        ({"w": np.array([["a", "b"]] * 2, object)}, "w[2]", r"unknown output 'w\[2\]'"),
        ({"w": np.array([["a", "b"]] * 2, object)}, "", r"ask for one .*output: w\[0\]"),
        ({"w": LABELS}, "w[0]", r"'w' has shape \[2\]; a number"),
        ({}, "", "no output is a number"),
    ],
)
def test_what_can_not_be(outputs: dict[str, Tensor], asked: str, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        explain_targets.of_rows(outputs, 2, asked)
    assert caught.value.status == 400
