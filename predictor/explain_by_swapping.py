"""Explain rows by swapping their values with a baseline's, and asking the model.

For: Shapley values of any model that takes rows: exact where features are few.
Must not know: who runs the steps, HTTP, any library.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from predictor import explain_targets, explained, shapley
from predictor.errors import Fault, RequestError
from predictor.explain_requests import SAMPLES_DEFAULT, SAMPLES_MAX, bad
from predictor.explain_targets import Target
from predictor.explained import Outputs, Steps
from predictor.explanation import Explanation
from predictor.features import Features, Feeds
from predictor.model import Tensor
from predictor.protocol import InferRequest
from predictor.shapley import Attributions, Game


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapping:
    """What is fixed for all rows of a request."""

    features: Features
    baseline: Feeds
    run: Callable[[dict[str, Tensor]], InferRequest]
    rows_max: int
    samples: int | None
    seed: int

    @property
    def baseline_rows(self) -> int:
        return len(next(iter(self.baseline.values())))


def steps(
    game: Swapping, output: str, classes: Sequence[Any], made: Callable[..., Explanation]
) -> Steps:
    """RequestError says why the model can not be asked. `made` has what all have in common."""
    rows = game.features
    active = [rows.differing(row, game.baseline) for row in range(rows.rows)]
    plans = [_planned(game, len(each)) for each in active]
    total = sum(cost for _, cost in plans)
    if total > SAMPLES_MAX:
        got = f"{rows.rows} rows that need {total}"
        expected = f"rows that need at most {SAMPLES_MAX} samples together"
        raise bad("rows", expected, got)
    parts: list[Outputs] = []
    for start in range(0, rows.rows, game.rows_max):
        end = min(start + game.rows_max, rows.rows)
        part = yield game.run(rows.take(start, end))
        explain_targets.of_rows(part, end - start, output, classes)  # says what is wrong with it
        parts.append(part)
    outputs = explained.joined(parts)
    targets = explain_targets.of_rows(outputs, rows.rows, output, classes)
    values_count = sum(len(target.names) for target in targets)
    explained.check_size(rows.count_max(), values_count, said=f"{values_count} outputs")
    found: list[Explanation] = []
    for row, target in enumerate(targets):
        make, cost = plans[row]
        values = yield from _played(game, make(), row, active[row], target)
        predicted = target.read(outputs)[row]
        forms = rows.forms(row)
        is_exact = values.standard_error is None
        for at, name in enumerate(target.names):
            whole = np.zeros(rows.count(row))
            whole[active[row]] = values.values[:, at]
            found.append(
                made(
                    row=row,
                    method="exact_shapley" if is_exact else "permutation_shapley",
                    forms=forms,
                    output=name,
                    label=target.labels[at],
                    prediction=float(predicted[at]),
                    base=float(values.base[at]),
                    values=whole,
                    samples=cost,
                    seed=None if is_exact else game.seed,
                    standard_error=values.standard_error,
                )
            )
    return found


def _planned(game: Swapping, active: int) -> tuple[Callable[[], Game], int]:
    """How a row with so many features that differ is explained, and the rows it takes."""
    each = game.baseline_rows
    least = each * shapley.masks_of(active, is_exact=False)
    budget = (game.samples or max(SAMPLES_DEFAULT, least)) // each
    block = max(1, game.rows_max // each)
    masks = shapley.masks_of(active, is_exact=True) if active <= shapley.EXACT_FEATURES_MAX else 0
    if masks and (masks <= budget or active <= 1):
        return partial(shapley.exact, active, block=block), masks * each
    if game.samples and game.samples < least:
        expected = f"at least {least}, for {active} features and {each} rows of baseline"
        raise bad("parameters.samples", expected, str(game.samples))
    pairs = shapley.pairs_within(active, budget)
    masks = shapley.masks_of(active, is_exact=False, pairs=pairs)
    play = partial(shapley.sampled, active, pairs=pairs, seed=game.seed, block=block)
    return play, masks * each


def _played(
    game: Swapping, play: Game, row: int, active: Tensor, target: Target
) -> Generator[InferRequest, Outputs, Attributions]:
    try:
        masks = next(play)
        while True:
            masks = play.send((yield from _valued(game, row, active, target, masks)))
    except StopIteration as over:
        found: Attributions = over.value
        return found


def _valued(
    game: Swapping, row: int, active: Tensor, target: Target, masks: Tensor
) -> Generator[InferRequest, Outputs, Tensor]:
    """What the model makes of each mask, on average over the baseline."""
    each = game.baseline_rows
    parts = []
    for start in range(0, len(masks) * each, game.rows_max):
        places = np.arange(start, min(start + game.rows_max, len(masks) * each))
        own = np.ones((len(places), game.features.count(row)), bool)
        own[:, active] = masks[places // each]
        feeds = game.features.swapped(row, game.baseline, own, places % each)
        try:
            outputs = yield game.run(feeds)
        except RequestError as error:
            raise _of_mixture(error) from None
        parts.append(_numbers(target, outputs, len(places)))
    values: Tensor = np.concatenate(parts).reshape(len(masks), each, -1)
    found: Tensor = values.mean(axis=1)
    return found


def _numbers(target: Target, outputs: Outputs, rows: int) -> Tensor:
    try:
        values = target.read(outputs)
    except (KeyError, IndexError, ValueError):
        values = np.empty((0,))
    if values.shape != (rows, len(target.names)):
        why = f"the model gives other outputs than for the instance: no {target.names[0]}"
        raise RequestError(Fault.NOT_EXPLAINED, why=why)
    if not np.isfinite(values).all():
        why = (
            f"{target.names[0]} is not a finite number for the instance, or for it mixed with the "
            "baseline; give another baseline"
        )
        raise RequestError(Fault.NOT_EXPLAINED, why=why)
    return values


def _of_mixture(error: RequestError) -> RequestError:
    """A fault of the model's on rows that no client sent."""
    if error.status >= 500 and error.fault not in (Fault.MODEL_RAISED, Fault.BAD_OUTPUT):
        return error
    if error.status >= 500:
        return RequestError(Fault.MIXTURE_FAILED, detail=str(error))
    why = (
        "the model refuses rows in which the instance's values and the baseline's are mixed; "
        f"give another baseline: {error}"
    )
    return RequestError(Fault.NOT_EXPLAINED, why=why)
