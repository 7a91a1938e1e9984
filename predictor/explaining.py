"""Explain the rows of a request: what is run for it, one step after another, and what comes of it.

For: one explanation a row, by trees where they are known, else by swapping values.
Must not know: who runs the steps and when, HTTP, any library.

A generator: it yields what is to be run, at most so many rows at once, and is sent the outputs.
So other requests run in between, and whoever drives it can stop it.
"""

from functools import partial
from typing import Any

from predictor import (
    explain_by_swapping,
    explain_by_trees,
    explain_rows,
    explained,
    feature_baselines,
    features,
)
from predictor.errors import RequestError
from predictor.explain_by_swapping import Swapping
from predictor.explain_requests import FEATURES_MAX, Asked, bad
from predictor.explain_rows import Rows
from predictor.explained import Explained, Steps
from predictor.explanation import Explanation
from predictor.features import Features, Feeds
from predictor.protocol import InferRequest

_CHUNK_VALUES = 262_144


def steps(model: Explained, feeds: Feeds, wanted: tuple[str, ...] | None, asked: Asked) -> Steps:
    """All explanations of a request, in the order of its rows; RequestError says why none."""
    rows = explain_rows.of(model.signature, model.rows_max)
    if rows.is_item:
        feeds = {name: array[None] for name, array in feeds.items()}
    return (yield from explain_rows.fitted(_steps(model, feeds, wanted, asked, rows), rows))


def _steps(
    model: Explained, feeds: Feeds, wanted: tuple[str, ...] | None, asked: Asked, rows: Rows
) -> Steps:
    note = ""
    if asked.method != "permutation" and (model.trees is not None or asked.method == "tree_shap"):
        try:
            read = _read(model, feeds, asked, columns_max=explained.VALUES_MAX)
            return (yield from explain_by_trees.steps(model, wanted, asked, *read))
        except RequestError as error:
            if asked.method == "tree_shap":
                raise
            note = f"tree_shap was not possible ({error}): values were swapped instead"
    found, swapped, said = _read(model, feeds, asked)
    scores = explained.scores_of(model, wanted, asked)
    fitting = rows.most if rows.is_exact else min(rows.most, _CHUNK_VALUES // found.size)
    game = Swapping(
        features=found,
        baseline=swapped if swapped is not None else features.zeros(found),
        run=lambda part: InferRequest(None, part, wanted, run=scores),
        rows_max=max(1, fitting),
        samples=asked.samples,
        seed=asked.seed,
    )
    scale = "score" if scores else "output"
    made = partial(Explanation, baseline=said or found.without, scale=scale, note=note)
    return (yield from explain_by_swapping.steps(game, asked.output, model.classes, made))


def _read(
    model: Explained, feeds: Feeds, asked: Asked, *, columns_max: int = FEATURES_MAX
) -> tuple[Features, Feeds | None, str]:
    """The features, the baseline somebody gave, and who."""
    baseline, said = _given(model, asked)
    is_based = baseline is not None
    found = features.of(feeds, model.names, asked, is_based=is_based, columns_max=columns_max)
    explained.check_size(found.count_max(), found.rows, said=f"{found.rows} rows")
    if baseline is None:
        return found, None, said
    is_declared = model.signature is not None
    found, swapped = feature_baselines.read(baseline, found, where=said, is_declared=is_declared)
    count = len(next(iter(swapped.values())))
    return found, swapped, f"{said}, {count} row{'s' if count > 1 else ''}"


def _given(model: Explained, asked: Asked) -> tuple[Any, str]:
    """The baseline somebody gave, and who."""
    if isinstance(asked.baseline, str):
        if asked.baseline != "zeros":
            expected = "a row, a list of rows, or 'zeros'"
            raise bad("parameters.baseline", expected, repr(asked.baseline[:100]))
        return None, ""
    if asked.baseline is not None:
        return asked.baseline, "parameters.baseline"
    return (model.baseline, model.baseline_by) if model.baseline is not None else (None, "")
