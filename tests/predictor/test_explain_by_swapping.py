"""Shapley values of models that are only asked."""

from typing import Any

import numpy as np
import pytest

from predictor.errors import Fault, RequestError
from predictor.explain_requests import Asked
from predictor.model import Signature, Tensor, TensorSpec
from tests.predictor.explain_bench import explain, linear, model

WIDE = np.linspace(1, 2, 20)
GENERATOR = np.random.default_rng(0)
WEIGHTS = GENERATOR.normal(size=(20, 20))


def crossed(x: Tensor) -> Tensor:
    """Every feature matters to every other."""
    return np.einsum("ni,ij,nj->n", x, WEIGHTS, x)


def test_linear_models_have_a_closed_form() -> None:
    rows, base = GENERATOR.normal(size=(4, 3)), GENERATOR.normal(size=(5, 3))
    found = explain(model(linear), Asked(baseline=base.tolist()), x=rows)
    for each, row in zip(found, rows, strict=True):
        expected = (row - base.mean(axis=0)) * [1.0, -2.0, 0.5]
        np.testing.assert_allclose(each.values, expected)
        assert (each.method, each.samples, each.seed) == ("exact_shapley", 8 * 5, None)
        assert each.base == pytest.approx(linear(base).mean())
        assert each.is_additive


def test_wide_rows_are_sampled_within_the_budget_and_with_the_seed() -> None:
    asked = Asked(samples=200, seed=7)
    first, again = (explain(model(crossed), asked, x=[WIDE])[0] for _ in range(2))
    assert first.method == "permutation_shapley"
    assert first.samples == 2 + 5 * 2 * 19 <= 200
    assert first.seed == 7
    assert first.written() == again.written()
    assert first.is_additive
    other = explain(model(crossed), Asked(samples=200, seed=8), x=[WIDE])[0]
    assert not np.array_equal(first.values, other.values)
    exact = (WEIGHTS + WEIGHTS.T) @ WIDE * WIDE / 2  # of a quadratic form, from zeros
    np.testing.assert_allclose(first.values, exact, atol=1e-9)  # which antithetic pairs get right


def test_a_row_is_explained_alike_alone_and_among_others() -> None:
    both = explain(model(crossed), x=[WIDE * 2, WIDE])
    (alone,) = explain(model(crossed), x=[WIDE])
    np.testing.assert_allclose(both[1].values, alone.values)
    assert [each.row for each in both] == [0, 1]


def test_features_that_do_not_differ_cost_nothing() -> None:
    row = np.zeros((1, 20))
    row[0, 3] = 1.0
    (found,) = explain(model(crossed), Asked(samples=2), x=row)
    assert (found.method, found.samples) == ("exact_shapley", 2)
    assert np.flatnonzero(found.values).tolist() == [3]
    (same,) = explain(model(crossed), Asked(samples=1), x=np.zeros((1, 20)))
    assert (same.method, same.samples, same.is_additive) == ("exact_shapley", 1, True)


def test_all_outputs_at_once() -> None:
    def scores(x: Tensor) -> Tensor:
        return np.column_stack([linear(x), -linear(x)])

    found = explain(model(scores), Asked(output="all"), x=[[1.0, 2.0, 4.0]])
    assert [each.output for each in found] == ["y[0]", "y[1]"]
    np.testing.assert_allclose(found[0].values, -found[1].values)


def test_text_is_swapped_like_numbers() -> None:
    def price(size: Tensor, town: Tensor) -> Tensor:
        return size * np.where(town == "york", 2.0, 1.0)

    loaded = model(price)
    town = np.array(["york"], object)
    (found,) = explain(loaded, Asked(baseline={"size": 1, "town": "hull"}), size=[3.0], town=town)
    assert found.names == ("size", "town")
    assert found.values.tolist() == [3.0, 2.0]
    with pytest.raises(RequestError, match="'town' is text, for which zero is no baseline"):
        explain(loaded, size=[3.0], town=town)


def test_a_model_of_single_rows_is_asked_row_by_row() -> None:
    sizes = []

    def single(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return linear(x)

    spec = TensorSpec(name="x", datatype="FP64", shape=(1, 3))
    loaded = model(single, signature=Signature(inputs=[spec], outputs=[]))
    (found,) = explain(loaded, Asked(baseline=[[0, 0, 0], [1, 1, 1]]), x=[[1.0, 2.0, 4.0]])
    assert set(sizes) == {1}
    np.testing.assert_allclose(found.values, [0.5, -3, 1.75])


def test_runs_are_never_longer_than_a_chunk() -> None:
    sizes = []

    def counting(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return linear(x)

    explain(model(counting), Asked(baseline=[[0, 0, 0]] * 100), x=np.ones((300, 3)))
    assert max(sizes) == 256


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            Asked(samples=39),
            r"parameters.samples: expected at least 40, for 20 features and 1 rows",
        ),
        (Asked(samples=79, baseline=[[0] * 20] * 2), "at least 80, for 20 features and 2 rows"),
        (Asked(samples=600_000), "expected rows that need at most 1000000 samples together"),
        (Asked(baseline=[1, 2]), "parameters.baseline: expected a row of 20 values, got 2"),
    ],
)
def test_budgets_and_baselines_that_do_not_fit(asked: Asked, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        explain(model(crossed), asked, x=[WIDE, WIDE])
    assert caught.value.status == 400


def test_a_model_that_can_not_have_the_mixed_rows_is_named() -> None:
    def picky(error: RequestError) -> Any:
        def function(x: Tensor) -> Tensor:
            if (x[:, 0] == 0).any():
                raise error
            return linear(x)

        return model(function)

    row = [[1.0, 2.0, 4.0]]
    refusal = RequestError(Fault.REJECTED, detail="x must be positive")
    with pytest.raises(RequestError, match=r"refuses rows .*another baseline: x must be") as caught:
        explain(picky(refusal), x=row)
    assert caught.value.status == 400
    with pytest.raises(RequestError, match=r"failed on rows in which .*ZeroDivision") as caught:
        explain(picky(RequestError(Fault.MODEL_RAISED, kind="ZeroDivisionError")), x=row)
    assert caught.value.status == 500
    with pytest.raises(RequestError) as caught:
        explain(picky(RequestError(Fault.QUEUE_FULL)), x=row)
    assert caught.value.fault is Fault.QUEUE_FULL
    with pytest.raises(RequestError, match=r"^x must be positive$"):  # of the client's own row
        explain(picky(refusal), x=[[0.0, 2.0, 4.0]])


def test_numbers_that_are_none() -> None:
    with pytest.raises(RequestError, match=r"y is not a finite number .*give another baseline"):
        explain(model(lambda x: np.where(x[:, 0] == 0, np.inf, x[:, 0])), x=[[1.0, 2.0]])
    (found,) = explain(
        model(lambda x: np.nan_to_num(x).sum(axis=1)), x=[[1.0, np.nan]]
    )  # missing values are the model's business
    assert found.values.tolist() == [1.0, 0.0]


def test_an_answer_that_changes_its_form_is_no_number() -> None:
    def shifting(x: Tensor) -> Tensor | dict[str, Tensor]:
        return linear(x) if (x[:, 0] == 1).all() else {"z": linear(x)}

    with pytest.raises(RequestError, match="gives other outputs than for the instance: no y"):
        explain(model(shifting), x=[[1.0, 2.0, 4.0]])
    with pytest.raises(RequestError, match=r"'y' has shape \[1\] for 2 rows"):
        explain(model(lambda x: linear(x)[:1]), x=np.ones((2, 3)))


def test_a_model_that_wavers_is_found_out() -> None:
    calls = iter(range(1000))
    (found,) = explain(model(lambda x: linear(x) + next(calls)), x=[[1.0, 2.0, 4.0]])
    assert not found.is_additive
    assert "do not add up" in found.written()["note"]
