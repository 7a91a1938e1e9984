"""A model as far as explaining it goes, and what is run to find out about it.

For: what explanations by trees and by swapping both need to know.
Must not know: how explanations are found, HTTP, any library.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictor.errors import Fault, RequestError
from predictor.explain_requests import Asked, bad
from predictor.explanation import Explanation
from predictor.loaded import Loaded, Run, Trees
from predictor.model import Signature, Tensor
from predictor.protocol import InferRequest

VALUES_MAX = 262_144  # attributions in one answer, which is written in one go
_CHUNK_ROWS = 256  # of one run: others wait for one at most

Outputs = Mapping[str, Tensor]
Steps = Generator[InferRequest, Outputs, list[Explanation]]


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
    baseline_by: str = ""  # who says so
    rows_max: int = _CHUNK_ROWS


def of_model(loaded: Loaded, *, batch_size_max: int = 0) -> Explained:
    """What there is to know of a model; no run of it gets more than a batch's rows."""
    names = loaded.facts.get("feature_names", ())
    classes = loaded.facts.get("classes") or loaded.facts.get("labels") or ()
    outputs = loaded.described.outputs if loaded.described else ()
    return Explained(
        names=tuple(map(str, names)) if isinstance(names, Sequence) else (),
        classes=classes if isinstance(classes, Sequence) else (),
        signature=loaded.signature,
        scores=loaded.scores,
        trees=loaded.trees,
        output=outputs[0].name if outputs else "output-0",
        baseline=loaded.baseline,
        baseline_by=loaded.baseline_by,
        rows_max=min(_CHUNK_ROWS, batch_size_max or _CHUNK_ROWS),
    )


def scores_of(model: Explained, wanted: tuple[str, ...] | None, asked: Asked) -> Run | None:
    """The run that tells more than labels, unless the labels' output is asked for by its name."""
    is_named = wanted or asked.output == model.output or asked.output.startswith(f"{model.output}[")
    return None if is_named else model.scores


def check_size(features: int, values: int, *, said: str) -> None:
    """RequestError for an answer that would be too large; `said` is what there is too much of."""
    if features * values > VALUES_MAX:
        expected = f"at most {VALUES_MAX} attributions in an answer"
        got = f"{said} of {features} features"
        raise bad("rows", expected, got)


def joined(parts: Sequence[Outputs]) -> Outputs:
    """The outputs of one run after another."""
    if len(parts) == 1:
        return parts[0]
    try:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except (KeyError, ValueError):
        why = "the outputs of some rows have other names or shapes than those of others; send fewer"
        raise RequestError(Fault.NOT_EXPLAINED, why=why) from None
