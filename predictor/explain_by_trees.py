"""Explain rows by the trees that the model is made of.

For: exact attributions in the time of a few predictions, one explanation a row.
Must not know: how trees are read, who runs the steps, HTTP.
"""

from functools import partial

import numpy as np

from predictor import explain_targets, explained, features, tree_shap
from predictor.errors import Fault, RequestError
from predictor.explain_requests import Asked
from predictor.explained import Explained, Outputs, Steps
from predictor.explanation import Explanation, Form
from predictor.features import Features, Feeds
from predictor.loaded import Trees
from predictor.model import Tensor
from predictor.protocol import InferRequest


def steps(
    model: Explained,
    wanted: tuple[str, ...] | None,
    asked: Asked,
    rows: Features,
    baseline: Feeds | None,
    said: str,
) -> Steps:
    """RequestError says why the trees do not tell."""
    trees = _trees(model, asked)
    if asked.baseline == "zeros":
        baseline, said = features.zeros(rows), "zeros"
    names = _matrix_names(model, rows)
    run = partial(tree_shap.run, trees, baseline=baseline)
    known = explained.scores_of(model, wanted, asked)
    parts: list[Outputs] = []
    served: list[Outputs] = []
    for start in range(0, rows.rows, model.rows_max):
        feeds = rows.take(start, start + model.rows_max)
        parts.append((yield InferRequest(None, feeds, None, run=run)))
        served.append((yield InferRequest(None, feeds, wanted, run=known)))
    table = explained.joined(parts)
    values, scores = table[tree_shap.VALUES], table[tree_shap.SCORES]
    output, is_output = model.output, False
    for name, array in explained.joined(served).items():
        if _is_equal(array, scores):
            output, is_output = name, known is None
            break
    targets = explain_targets.of_rows({output: scores}, rows.rows, asked.output, model.classes)
    values_count = sum(len(target.names) for target in targets)
    explained.check_size(len(names), values_count, said=f"{values_count} outputs")
    made = partial(
        Explanation,
        method="tree_shap",
        forms=(Form(input=output, names=names),),
        baseline=said or "the training rows, as the trees counted them",
        scale="output" if is_output else "score",
    )
    found = []
    for row, target in enumerate(targets):
        for at, name in enumerate(target.names):
            column = _column(name, output)
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


def _trees(model: Explained, asked: Asked) -> Trees:
    if model.trees is None:
        why = "tree_shap is for models of trees that are known as such, and this is none"
        raise RequestError(Fault.NOT_EXPLAINED, why=why)
    if model.scores is not None and asked.output == model.output:
        why = f"output '{model.output}' is a label, and the trees tell of scores"
        raise RequestError(Fault.NOT_EXPLAINED, why=why)
    return model.trees


def _matrix_names(model: Explained, rows: Features) -> tuple[str, ...]:
    """What the columns of the trees' matrix are called: in its order, not the request's."""
    if not rows.is_tabular:
        why = "tree_shap is for columns, none of them kept, and not for blocks and words"
        raise RequestError(Fault.NOT_EXPLAINED, why=why)
    if len(rows.feeds) == 1:
        return rows.names
    if set(model.names) != set(rows.names) or len(model.names) != len(rows.names):
        why = "the inputs are not the columns that the trees name"
        raise RequestError(Fault.NOT_EXPLAINED, why=why)
    return tuple(model.names)


def _column(name: str, output: str) -> int:
    return 0 if name == output else int(name.removeprefix(f"{output}[").removesuffix("]"))


def _is_equal(served: Tensor, scores: Tensor) -> bool:
    """Whether what the trees add up to is what the model answers, not what it is made of."""
    if served.dtype.kind not in "fiu" or served.size != scores.size:
        return False
    return np.allclose(served.reshape(scores.shape), scores, rtol=1e-4, atol=1e-5, equal_nan=True)
