"""Explain the rows of a request: what is run for it, one step after another, and what comes of it.

For: one explanation a row, by trees where they are known, else by swapping values.
Must not know: who runs the steps and when, HTTP, any library.

A generator: it yields what is to be run, at most so many rows at once, and is sent the outputs.
So other requests run in between, and whoever drives it can stop it.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from predictor import explain_targets, features, shapley, tree_shap
from predictor.errors import Fault, RequestError
from predictor.explain_requests import SAMPLES_DEFAULT, SAMPLES_MAX, Asked
from predictor.explain_targets import Target
from predictor.explanation import Explanation
from predictor.features import Features, Feeds
from predictor.loaded import Loaded, Run, Trees
from predictor.model import Signature, Tensor
from predictor.protocol import InferRequest
from predictor.shapley import Attributions, Game

_CHUNK_ROWS = 256  # of one run: others wait for one at most
_CHUNK_VALUES = 262_144

Outputs = Mapping[str, Tensor]
Steps = Generator[InferRequest, Outputs, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A model, as far as explaining it goes."""

    names: Sequence[str] = ()  # of a matrix's columns
    classes: Sequence[Any] = ()
    signature: Signature | None = None
    scores: Run | None = None  # in place of the model's own run, which gives labels only
    trees: Trees | None = None
    output: str = "output-0"  # what the trees add up to
    baseline: Any = None  # stored with the model
    rows_max: int = _CHUNK_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Game:
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


def of_model(loaded: Loaded, *, batch_size_max: int = 0) -> Explained:
    """What there is to know of a model; no run of it gets more than a batch's rows."""
    names, classes = (loaded.facts.get(name, ()) for name in ("feature_names", "classes"))
    outputs = loaded.described.outputs if loaded.described else ()
    return Explained(
        names=tuple(map(str, names)) if isinstance(names, Sequence) else (),
        classes=classes if isinstance(classes, Sequence) else (),
        signature=loaded.signature,
        scores=loaded.scores,
        trees=loaded.trees,
        output=outputs[0].name if outputs else "output-0",
        baseline=loaded.baseline,
        rows_max=min(_CHUNK_ROWS, batch_size_max or _CHUNK_ROWS),
    )


def steps(
    model: Explained, feeds: Feeds, wanted: tuple[str, ...] | None, asked: Asked
) -> Generator[InferRequest, Outputs, list[Explanation]]:
    """All explanations of a request, in the order of its rows; RequestError says why none."""
    rows_max = _rows_max(model)
    found = features.of(feeds, model.names)
    baseline, said = _given(model, asked)
    swapped: Feeds | None = None
    if baseline is not None:
        is_declared = model.signature is not None
        found, swapped = features.baseline(baseline, found, where=said, is_declared=is_declared)
        count = len(next(iter(swapped.values())))
        said = f"{said}, {count} row{'s' if count > 1 else ''}"
    note = ""
    if asked.method != "permutation" and (model.trees is not None or asked.method == "tree_shap"):
        try:
            return (yield from _by_trees(model, found, swapped, asked, said))
        except RequestError as error:
            if asked.method == "tree_shap":
                raise
            note = f"tree_shap was not possible ({error}): values were swapped instead"
    game = _Game(
        features=found,
        baseline=swapped if swapped is not None else features.zeros(found),
        run=lambda part: InferRequest(None, part, wanted, run=model.scores),
        rows_max=max(1, min(rows_max, _CHUNK_VALUES // len(found.names))),
        samples=asked.samples,
        seed=asked.seed,
    )
    return (yield from _by_swapping(game, asked.output, model.classes, said or "zeros", note))


def _given(model: Explained, asked: Asked) -> tuple[Any, str]:
    """The baseline somebody gave, and who."""
    if isinstance(asked.baseline, str):
        if asked.baseline != "zeros":
            expected = "a row, a list of rows, or 'zeros'"
            raise RequestError(
                Fault.BAD_FIELD,
                field="parameters.baseline",
                expected=expected,
                got=repr(asked.baseline[:100]),
            )
        return None, ""
    if asked.baseline is not None:
        return asked.baseline, "parameters.baseline"
    return (model.baseline, "baseline.json") if model.baseline is not None else (None, "")


def _rows_max(model: Explained) -> int:
    """How many rows a run may have."""
    for spec in model.signature.inputs if model.signature else ():
        first = spec.shape[0] if spec.shape else 0
        if first == 1:
            return 1
        if first != -1:
            why = f"input '{spec.name}' has shape {list(spec.shape)}: it does not take single rows"
            raise RequestError(Fault.NOT_EXPLAINED, why=why)
    return model.rows_max


# -- by trees --------------------------------------------------------------------------------


def _by_trees(
    model: Explained, rows: Features, baseline: Feeds | None, asked: Asked, said: str
) -> Generator[InferRequest, Outputs, list[Explanation]]:
    if model.trees is None:
        why = "tree_shap is for models of trees that are known as such, and this is none"
        raise RequestError(Fault.NOT_EXPLAINED, why=why)
    if asked.baseline == "zeros":
        baseline, said = features.zeros(rows), "zeros"
    names = _matrix_names(model, rows)
    run = partial(tree_shap.run, model.trees, baseline=baseline)
    parts: list[Outputs] = []
    served: list[Outputs] = []
    for start in range(0, rows.rows, model.rows_max):
        feeds = rows.take(start, start + model.rows_max)
        parts.append((yield InferRequest(None, feeds, None, run=run)))
        served.append((yield InferRequest(None, feeds, None, run=model.scores)))
    table = _joined(parts)
    values, scores = table[tree_shap.VALUES], table[tree_shap.SCORES]
    targets = explain_targets.of_scores(scores, asked.output, model.output, model.classes)
    is_output = _is_served(scores, _joined(served), model)
    made = partial(
        Explanation,
        method="tree_shap",
        names=names,
        baseline=said or "the training rows, as the trees counted them",
        scale="output" if is_output else "raw",
    )
    found = []
    for row, target in enumerate(targets):
        for at, name in enumerate(target.names):
            column = _column(name, model.output)
            found.append(
                made(
                    row=row,
                    output=name,
                    label=target.labels[at],
                    prediction=float(scores[row, column]),
                    base=float(values[row, -1, column]),
                    values=values[row, :-1, column],
                )
            )
    if any(not each.is_additive for each in found):
        why = "the contributions of the trees do not add up to what the model gives"
        raise RequestError(Fault.NOT_EXPLAINED, why=why)
    return found


def _matrix_names(model: Explained, rows: Features) -> tuple[str, ...]:
    """What the columns of the trees' matrix are called: in its order, not the request's."""
    if len(rows.feeds) == 1:
        return rows.names
    if set(model.names) != set(rows.names) or len(model.names) != len(rows.names):
        why = "the inputs are not the columns that the trees name"
        raise RequestError(Fault.NOT_EXPLAINED, why=why)
    return tuple(model.names)


def _column(name: str, output: str) -> int:
    return 0 if name == output else int(name.removeprefix(f"{output}[").removesuffix("]"))


def _is_served(scores: Tensor, outputs: Outputs, model: Explained) -> bool:
    """Whether what the trees add up to is what the model answers, not what it is made of."""
    served = next(iter(outputs.values())) if model.scores else outputs.get(model.output)
    if served is None or served.dtype.kind not in "fiu" or served.size != scores.size:
        return False
    return np.allclose(served.reshape(scores.shape), scores, rtol=1e-4, atol=1e-5, equal_nan=True)


# -- by swapping -----------------------------------------------------------------------------


def _by_swapping(
    game: _Game, output: str, classes: Sequence[Any], said: str, note: str
) -> Generator[InferRequest, Outputs, list[Explanation]]:
    rows = game.features
    active = [rows.differing(row, game.baseline) for row in range(rows.rows)]
    plans = [_planned(game, len(each)) for each in active]
    total = sum(cost for _, cost in plans)
    if total > SAMPLES_MAX:
        got = f"{rows.rows} rows that need {total}"
        expected = f"rows that need at most {SAMPLES_MAX} samples together"
        raise RequestError(Fault.BAD_FIELD, field="instances", expected=expected, got=got)
    parts: list[Outputs] = []
    for start in range(0, rows.rows, game.rows_max):
        end = min(start + game.rows_max, rows.rows)
        part = yield game.run(rows.take(start, end))
        explain_targets.of_rows(part, end - start, output, classes)  # says what is wrong with it
        parts.append(part)
    outputs = _joined(parts)
    targets = explain_targets.of_rows(outputs, rows.rows, output, classes)
    found: list[Explanation] = []
    for row, target in enumerate(targets):
        make, cost = plans[row]
        values = yield from _played(game, make(), row, active[row], target)
        predicted = target.read(outputs)[row]
        is_exact = values.standard_error == 0.0 and 2 ** len(active[row]) == values.masks
        for at, name in enumerate(target.names):
            whole = np.zeros(len(rows.names))
            whole[active[row]] = values.values[:, at]
            found.append(
                Explanation(
                    row=row,
                    method="exact_shapley" if is_exact else "permutation_shapley",
                    names=rows.names,
                    output=name,
                    label=target.labels[at],
                    prediction=float(predicted[at]),
                    base=float(values.base[at]),
                    values=whole,
                    baseline=said,
                    samples=cost,
                    seed=None if is_exact else game.seed,
                    standard_error=None if is_exact else values.standard_error,
                    note=note,
                )
            )
    return found


def _planned(game: _Game, active: int) -> tuple[Callable[[], Game], int]:
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
        raise RequestError(
            Fault.BAD_FIELD, field="parameters.samples", expected=expected, got=str(game.samples)
        )
    pairs = shapley.pairs_within(active, budget)
    masks = shapley.masks_of(active, is_exact=False, pairs=pairs)
    play = partial(shapley.sampled, active, pairs=pairs, seed=game.seed, block=block)
    return play, masks * each


def _played(
    game: _Game, play: Game, row: int, active: Tensor, target: Target
) -> Generator[InferRequest, Outputs, Attributions]:
    try:
        masks = next(play)
        while True:
            masks = play.send((yield from _valued(game, row, active, target, masks)))
    except StopIteration as over:
        found: Attributions = over.value
        return found


def _valued(
    game: _Game, row: int, active: Tensor, target: Target, masks: Tensor
) -> Generator[InferRequest, Outputs, Tensor]:
    """What the model makes of each mask, on average over the baseline."""
    each = game.baseline_rows
    parts = []
    for start in range(0, len(masks) * each, game.rows_max):
        places = np.arange(start, min(start + game.rows_max, len(masks) * each))
        own = np.ones((len(places), len(game.features.names)), bool)
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
        why = f"{target.names[0]} is not a finite number for the instance, or for it mixed with "
        raise RequestError(Fault.NOT_EXPLAINED, why=f"{why}the baseline")
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


def _joined(parts: Sequence[Outputs]) -> Outputs:
    """The outputs of one run after another."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
