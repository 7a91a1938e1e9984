"""Shapley values against the sum over all orders, and against what defines them."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor import shapley
from predictor.model import Tensor

games = st.integers(0, 5).flatmap(
    lambda n: st.lists(
        st.tuples(st.floats(-100, 100), st.floats(-1, 1)), min_size=2**n, max_size=2**n
    ).map(lambda rows: np.array(rows))
)


def features_of(table: Tensor) -> int:
    return len(table).bit_length() - 1


def look_up(table: Tensor) -> Callable[[Tensor], Tensor]:
    codes = 1 << np.arange(features_of(table))
    return lambda masks: table[(masks * codes).sum(axis=1).astype(int)]


def enumerated(table: Tensor, block: int = 7) -> shapley.Attributions:
    return shapley.play(shapley.exact(features_of(table), block=block), look_up(table))


def brute(table: Tensor) -> Tensor:
    """The average gain over all orders, by the definition."""
    features = features_of(table)
    gains = np.zeros((features, table.shape[1]))
    for order in itertools.permutations(range(features)):
        code = 0
        for feature in order:
            gains[feature] += table[code | 1 << feature] - table[code]
            code |= 1 << feature
    return gains / math.factorial(features)


@settings(deadline=None)
@given(games)
def test_exact_values_are_the_average_over_all_orders_and_add_up(table: Tensor) -> None:
    found = enumerated(table)
    assert found.masks == len(table)
    np.testing.assert_allclose(found.values, brute(table), atol=1e-9)
    np.testing.assert_allclose(found.values.sum(axis=0) + found.base, table[-1], atol=1e-9)


@settings(deadline=None)
@given(games, st.integers(0, 2**63 - 1), st.integers(1, 3))
def test_sampled_values_add_up_however_few_they_are(table: Tensor, seed: int, pairs: int) -> None:
    features = features_of(table)
    asked = []

    def value(masks: Tensor) -> Tensor:
        asked.append(len(masks))
        return look_up(table)(masks)

    def once() -> shapley.Attributions:
        return shapley.play(shapley.sampled(features, pairs=pairs, seed=seed, block=3), value)

    found = once()
    np.testing.assert_allclose(found.values.sum(axis=0) + found.base, table[-1], atol=1e-9)
    assert sum(asked) == found.masks == shapley.masks_of(features, is_exact=False, pairs=pairs)
    assert max(asked) <= 3
    np.testing.assert_array_equal(once().values, found.values)


@settings(deadline=None)
@given(games, st.floats(-3, 3))
def test_symmetry_dummies_and_linearity(table: Tensor, factor: float) -> None:
    features = features_of(table)
    codes = np.arange(len(table))
    if features >= 2:
        swapped = codes & ~3 | (codes & 1) << 1 | (codes & 2) >> 1
        alike = enumerated(table + table[swapped]).values
        np.testing.assert_allclose(alike[0], alike[1], atol=1e-9)
    if features:
        ignored = enumerated(table[codes & ~1]).values
        np.testing.assert_allclose(ignored[0], 0, atol=1e-12)
    other = np.cos(table)
    both = enumerated(table + factor * other).values
    apart = enumerated(table).values + factor * enumerated(other).values
    np.testing.assert_allclose(both, apart, atol=1e-9)


def test_sampling_comes_near_and_says_how_near() -> None:
    table = np.random.default_rng(1).normal(size=(2**6, 1))
    exact = enumerated(table).values
    few, many = (
        shapley.play(shapley.sampled(6, pairs=pairs, seed=0, block=64), look_up(table))
        for pairs in (10, 2000)
    )
    error = np.abs(many.values - exact).max()
    assert many.standard_error is not None
    assert few.standard_error is not None
    assert error < 5 * many.standard_error < 0.2
    assert few.standard_error > many.standard_error
    one = shapley.play(shapley.sampled(6, pairs=1, seed=0, block=64), look_up(table))
    assert one.standard_error == math.inf


def test_another_seed_is_another_sample() -> None:
    table = np.random.default_rng(1).normal(size=(2**6, 1))
    first, second = (
        shapley.play(shapley.sampled(6, pairs=3, seed=seed, block=64), look_up(table)).values
        for seed in (0, 1)
    )
    assert not np.array_equal(first, second)


def test_additive_games_are_exact_from_one_pair() -> None:
    weights = np.arange(1.0, 9.0)
    found = shapley.play(
        shapley.sampled(8, pairs=1, seed=5, block=100), lambda masks: (masks @ weights)[:, None]
    )
    np.testing.assert_allclose(found.values[:, 0], weights)


@pytest.mark.parametrize(
    ("features", "masks", "pairs"), [(3, 100, 24), (3, 6, 1), (3, 5, 0), (1, 4, 1), (4096, 0, 0)]
)
def test_a_budget_in_pairs(features: int, masks: int, pairs: int) -> None:
    assert shapley.pairs_within(features, masks) == pairs
    assert shapley.masks_of(features, is_exact=False, pairs=pairs) <= max(masks, 2)
