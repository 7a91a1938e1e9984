"""Which way rows are explained, and from what baseline."""

from typing import Any

import numpy as np
import pytest

from predictor.errors import Fault, RequestError
from predictor.explain_requests import Asked
from predictor.loaded import Trees
from predictor.model import Tensor
from tests.predictor import explain_bench
from tests.predictor.explain_bench import explain, linear, model

ROW = [[1.0, 2.0, 4.0]]


def trees(**fields: Any) -> Trees:
    """Of the linear model, as if it were made of trees; the baseline is a row of ones."""

    def contributions(rows: Tensor) -> Tensor:
        weights = np.array([1.0, -2.0, 0.5])
        base = np.full((len(rows), 1), linear(np.ones((1, 3)))[0])
        return np.hstack([(rows - 1) * weights, base])[:, :, None]

    defaults: dict[str, Any] = {
        "model": None,
        "matrix": lambda feeds: feeds["x"],
        "scores": linear,
        "contributions": contributions,
    }
    return Trees(**{**defaults, **fields})


def test_trees_go_first_and_say_what_they_started_from() -> None:
    (found,) = explain(model(linear, trees=trees()), x=ROW)
    assert (found.method, found.scale, found.output) == ("tree_shap", "output", "y")
    assert found.values.tolist() == [0, -2, 1.5]
    assert found.baseline == "the training rows, as the trees counted them"
    (other,) = explain(model(linear, trees=trees()), Asked(method="permutation"), x=ROW)
    assert (other.method, other.baseline) == ("exact_shapley", "zeros")
    assert other.values.tolist() == pytest.approx([1, -4, 2])


def test_trees_that_do_not_tell_give_way_and_it_is_said() -> None:
    def failing(rows: Tensor) -> Tensor:
        raise ValueError("no such split")

    (found,) = explain(model(linear, trees=trees(contributions=failing)), x=ROW)
    assert found.method == "exact_shapley"
    assert "no such split" in found.note
    asked = Asked(method="tree_shap")
    with pytest.raises(RequestError, match="no such split"):
        explain(model(linear, trees=trees(contributions=failing)), asked, x=ROW)
    with pytest.raises(RequestError, match="models of trees that are known as such"):
        explain(model(linear), Asked(method="tree_shap"), x=ROW)


def test_a_request_s_baseline_goes_before_the_stored_one_and_that_before_zeros() -> None:
    stored = model(linear, baseline=[1, 1, 1])
    cases = [
        (model(linear), None, "zeros", [1, -4, 2]),
        (stored, None, "baseline.json, 1 row", [0, -2, 1.5]),
        (stored, [[1, 2, 0], [1, 2, 2]], "parameters.baseline, 2 rows", [0, 0, 1.5]),
        (stored, "zeros", "zeros", [1, -4, 2]),
    ]
    for loaded, baseline, said, values in cases:
        (found,) = explain(loaded, Asked(baseline=baseline), x=ROW)
        assert found.baseline == said
        assert found.values.tolist() == pytest.approx(values)
    with pytest.raises(RequestError, match=r"parameters.baseline: .*'zeros', got 'means'"):
        explain(stored, Asked(baseline="means"), x=ROW)
    with pytest.raises(RequestError, match=r"baseline.json: expected a row of 3 values, got 1"):
        explain(model(linear, baseline=[1]), x=ROW)


def test_labels_are_explained_by_the_scores_behind_them() -> None:
    def label(x: Tensor) -> Tensor:
        return np.where(linear(x) > 0, "yes", "no").astype(object)

    def scores(feeds: dict[str, Tensor], wanted: Any) -> dict[str, Tensor]:
        return {"p": np.column_stack([-linear(feeds["x"]), linear(feeds["x"])])}

    described = explain_bench.MATRIX
    loaded = model(label, scores=scores, described=described, facts={"classes": ["no", "yes"]})
    (found,) = explain(loaded, x=ROW)
    assert (found.output, found.label, found.scale) == ("p[1]", "yes", "score")
    assert found.values.tolist() == pytest.approx([1, -4, 2])
    (found,) = explain(loaded, Asked(output="y"), x=ROW)
    assert (found.output, found.label, found.scale) == ("y = yes", "yes", "output")


def test_columns_of_a_matrix_have_the_names_that_the_model_knows() -> None:
    loaded = model(linear, facts={"feature_names": ["a", "b", "c"]})
    (found,) = explain(loaded, x=ROW)
    assert found.names == ("a", "b", "c")


def test_bad_rows_are_the_model_s_to_refuse() -> None:
    def refusing(x: Tensor) -> Tensor:
        raise RequestError(Fault.WRONG_RANK, name="x", expected=[1], rank=1, got=[2], got_rank=1)

    with pytest.raises(RequestError, match="input 'x': expected shape"):
        explain(model(refusing, trees=trees(matrix=lambda feeds: refusing(feeds["x"]))), x=ROW)


def test_an_answer_has_its_bounds() -> None:
    expected = "expected at most 262144 attributions in an answer, got "
    with pytest.raises(RequestError, match=f"^rows: {expected}100000 rows of 3 features"):
        explain(model(linear), x=np.ones((100_000, 3)))

    def many(x: Tensor) -> Tensor:
        return np.repeat(linear(x)[:, None], 1000, axis=1)

    (one,) = explain(model(many), x=ROW)
    assert one.output == "y[0]"
    for loaded in (model(many), model(many, trees=trees(scores=many, contributions=wide))):
        with pytest.raises(RequestError, match=f"{expected}100000 outputs of 3 features"):
            explain(loaded, Asked(output="all"), x=np.ones((100, 3)))


def test_trees_tell_of_any_number_of_columns() -> None:
    def summed(x: Tensor) -> Tensor:
        return x.sum(axis=1)

    def contributions(rows: Tensor) -> Tensor:
        return np.hstack([rows, np.zeros((len(rows), 1))])[:, :, None]

    known = trees(scores=summed, contributions=contributions)
    (found,) = explain(model(summed, trees=known), x=np.ones((1, 5000)))
    assert (found.method, len(found.values)) == ("tree_shap", 5000)
    (found,) = explain(
        model(summed, trees=known), Asked(method="permutation"), x=np.ones((1, 5000))
    )
    assert found.written()["blocks"]["x"]["grid"] == [64]


def wide(rows: Tensor) -> Tensor:
    return np.zeros((len(rows), 4, 1000))
