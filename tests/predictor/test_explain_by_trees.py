"""Which output trees explain, and on what scale. What the trees say is test_tree_shap's."""

from typing import Any

import numpy as np
import pytest

from predictor.errors import RequestError
from predictor.explain_requests import Asked
from predictor.loaded import Trees
from predictor.model import Signature, Tensor, TensorSpec
from tests.predictor.explain_bench import explain, linear, model

ROWS = [[1.0, 2.0, 4.0], [4.0, 0.0, 1.0]]


def margins(x: Tensor) -> Tensor:
    return np.column_stack([linear(x), -linear(x)])


def contributions(rows: Tensor) -> Tensor:
    weights = np.array([1.0, -2.0, 0.5])
    own = np.hstack([rows * weights, np.full((len(rows), 1), 3.0)])
    return np.stack([own, -own], axis=2)


def trees(**fields: Any) -> Trees:
    defaults: dict[str, Any] = {"matrix": lambda feeds: feeds["x"], "scores": margins}
    return Trees(model=None, contributions=contributions, **{**defaults, **fields})


def probability(x: Tensor) -> Tensor:
    return 1 / (1 + np.exp(-margins(x)))


DESCRIBED = Signature(inputs=[], outputs=[TensorSpec(name="y", datatype="FP64", shape=(-1, 2))])


def test_scores_behind_probabilities_are_said_to_be_scores() -> None:
    loaded = model(probability, trees=trees(), described=DESCRIBED, facts={"classes": ["a", "b"]})
    found = explain(loaded, x=ROWS)
    assert [(each.output, each.label, each.scale) for each in found] == [
        ("y[0]", "a", "score"),
        ("y[0]", "a", "score"),
    ]
    assert found[0].prediction == linear(np.array(ROWS))[0]
    asked = explain(loaded, Asked(output="y[1]"), x=ROWS)
    assert asked[0].values.tolist() == [-1, 4, -2]
    every = explain(loaded, Asked(output="all"), x=ROWS)
    assert [(each.row, each.output) for each in every] == [
        (0, "y[0]"),
        (0, "y[1]"),
        (1, "y[0]"),
        (1, "y[1]"),
    ]


def test_what_is_answered_itself_is_said_to_be_the_output() -> None:
    (found,) = explain(model(margins, trees=trees()), x=ROWS[:1])
    assert (found.output, found.scale) == ("y[0]", "output")


def test_a_label_asked_for_by_its_name_is_not_what_the_trees_tell_of() -> None:
    def labels(x: Tensor) -> Tensor:
        return margins(x).argmax(axis=1)

    def behind(feeds: dict[str, Tensor], wanted: Any) -> dict[str, Tensor]:
        del wanted
        return {"p": margins(feeds["x"])}

    loaded = model(labels, trees=trees(), scores=behind, described=DESCRIBED)
    assert {each.method for each in explain(loaded, x=ROWS)} == {"tree_shap"}
    found = explain(loaded, Asked(output="y"), x=ROWS)
    assert [(each.method, each.output) for each in found] == [("exact_shapley", "y = 0")] * 2
    assert "output 'y' is a label" in found[0].note
    with pytest.raises(RequestError, match="output 'y' is a label, and the trees tell of scores"):
        explain(loaded, Asked(output="y", method="tree_shap"), x=ROWS)


def test_columns_that_the_trees_do_not_name_are_swapped() -> None:
    def columns(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return margins(np.column_stack([a, b, c]))

    def matrix(feeds: dict[str, Tensor]) -> Tensor:
        return np.column_stack([feeds[name] for name in "abc"])

    feeds = dict(zip("cab", np.array(ROWS[:1])[:, [2, 0, 1]].T, strict=True))
    unnamed = model(columns, trees=trees(matrix=matrix))
    (found,) = explain(unnamed, **feeds)
    assert (found.method, found.names) == ("exact_shapley", ("c", "a", "b"))
    with pytest.raises(RequestError, match="not the columns that the trees name"):
        explain(unnamed, Asked(method="tree_shap"), **feeds)
    named = model(columns, trees=trees(matrix=matrix), facts={"feature_names": list("abc")})
    (other,) = explain(named, **feeds)
    assert other.method == "tree_shap"
    assert other.written()["attributions"] == found.written()["attributions"]


def test_an_unknown_output_is_named() -> None:
    loaded = model(margins, trees=trees())
    for asked in (Asked(output="z"), Asked(output="z", method="tree_shap")):
        with pytest.raises(RequestError, match="unknown output 'z': the model gives y, all"):
            explain(loaded, asked, x=ROWS)
