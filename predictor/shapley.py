"""Shapley values of any game: what each feature adds to a value, on average over all orders.

For: attributions that add up to the difference they explain, of a model that is only asked.
Must not know: models, tensors, what a feature is, or who plays.

A game asks for values and is told them: it yields masks (a row each; True where a feature has the
explained row's own value, False where it has the baseline's) and is sent an array with a row of
values for each. Few features are enumerated: 2^n masks, exact. More are walked through in random
orders and their reverses (antithetic sampling), for which the sum is exact at any length.
"""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

from predictor.model import Tensor

EXACT_FEATURES_MAX = 16
Game = Generator[Tensor, Tensor, "Attributions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributions:
    """What came of a game. T values were explained at once."""

    values: Tensor  # (features, T)
    base: Tensor  # (T,): no feature has its own value
    masks: int  # how many were asked for
    standard_error: float | None = None  # the largest, of sampled values; None: exact ones


def masks_of(features: int, *, is_exact: bool, pairs: int = 1) -> int:
    """How many masks a game asks for."""
    return 2**features if is_exact else 2 + 2 * pairs * max(features - 1, 0)


def pairs_within(features: int, masks: int) -> int:
    """How many pairs of orders a budget of masks is enough for."""
    return max(masks - 2, 0) // (2 * max(features - 1, 1))


def play(game: Game, value: Callable[[Tensor], Tensor]) -> Attributions:
    """Play to the end against a function of masks."""
    try:
        masks = next(game)
        while True:
            masks = game.send(value(masks))
    except StopIteration as over:
        found: Attributions = over.value
        return found


def exact(features: int, *, block: int) -> Game:
    """Every mask, at most `block` at once."""
    count = 2**features
    bits = np.arange(features)
    parts = []
    for start in range(0, count, block):
        codes = np.arange(start, min(start + block, count))
        parts.append((yield (codes[:, None] >> bits & 1).astype(bool)))
    table = np.concatenate(parts)
    sizes = np.bitwise_count(np.arange(count))
    weights = np.array([1 / (features * math.comb(features - 1, k)) for k in range(features)])
    values = np.zeros((features, table.shape[1]))
    for feature in range(features):
        pairs = table.reshape(-1, 2, 2**feature, table.shape[1])  # without it, and with it
        without = sizes.reshape(-1, 2, 2**feature)[:, 0].reshape(-1)
        gains = (pairs[:, 1] - pairs[:, 0]).reshape(len(without), -1)
        values[feature] = weights[without] @ gains
    return Attributions(values=values, base=table[0], masks=count)


def sampled(features: int, *, pairs: int, seed: int, block: int) -> Game:
    """So many orders drawn with a seed, each with its reverse."""
    ends = yield np.repeat([[False], [True]], features, axis=1)
    base, full = ends[0], ends[1]
    orders = np.random.default_rng(seed)
    total = np.zeros((features, len(base)))
    squares = np.zeros_like(total)
    for _ in range(pairs):
        order = orders.permutation(features)
        gains = np.zeros_like(total)
        for walk in (order, order[::-1]):
            steps = yield from _walked(walk, block)
            path = np.concatenate([base[None], *steps, full[None]])
            gains[walk] += np.diff(path, axis=0) / 2
        total += gains
        squares += gains**2
    values = total / pairs
    return Attributions(
        values=values,
        base=base,
        masks=masks_of(features, is_exact=False, pairs=pairs),
        standard_error=_standard_error(values, squares, pairs),
    )


def _walked(order: Tensor, block: int) -> Generator[Tensor, Tensor, list[Tensor]]:
    """The values between the ends, as one feature after another gets its own value."""
    features = len(order)
    place = np.empty(features, np.int64)
    place[order] = np.arange(features)
    found = []
    for start in range(1, features, block):
        sizes = np.arange(start, min(start + block, features))
        found.append((yield place[None, :] < sizes[:, None]))
    return found


def _standard_error(mean: Tensor, squares: Tensor, pairs: int) -> float:
    """The largest over all values; nothing can be said from one pair."""
    if pairs < 2:
        return math.inf
    variance = np.maximum(squares / pairs - mean**2, 0.0) * pairs / (pairs - 1)
    return float(np.sqrt(variance / pairs).max(initial=0.0))
