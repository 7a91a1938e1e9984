"""Attributions of trees, from the trees themselves.

For: models whose trees are known: exact, in the time of a few predictions.
Must not know: HTTP, which model it is, what is done where this is not possible.

XGBoost and LightGBM do it themselves for the rows they were trained on; for a baseline, and for
scikit-learn's trees, the package shap does, which is imported when it is first needed: it brings
numba and takes seconds.
"""

import importlib
import logging
import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from predictor import formats
from predictor.errors import Fault, RequestError
from predictor.loaded import Trees
from predictor.model import Tensor
from predictor.refusals import first_line

_LOG = logging.getLogger(__name__)
VALUES, SCORES = "values", "scores"


def run(
    trees: Trees,
    feeds: dict[str, Tensor],
    wanted: tuple[str, ...] | None,
    *,
    baseline: Mapping[str, Tensor] | None,
) -> dict[str, Tensor]:
    """`values` (rows, features + 1, K), the base last; `scores` (rows, K): what they add up to."""
    del wanted
    rows = trees.matrix(feeds)
    background = None if baseline is None else trees.matrix(dict(baseline))
    try:
        scores = np.asarray(trees.scores(rows), np.float64).reshape(len(rows), -1)
        if background is None and trees.contributions is not None:
            values = np.asarray(trees.contributions(rows), np.float64)
        else:
            values = _by_shap(trees.model, rows, background)
    except RequestError:
        raise
    except Exception as error:  # noqa: BLE001 - a library's; there is another way
        _LOG.info("no attributions from the trees", exc_info=True)
        raise _refused(first_line(error)) from None
    if values.shape != (len(rows), rows.shape[1] + 1, scores.shape[1]):
        told, needed = list(values.shape[1:]), [rows.shape[1] + 1, scores.shape[1]]
        raise _refused(f"the trees tell of {told} values a row, where {needed} are needed")
    return {VALUES: values, SCORES: scores}


def _by_shap(model: Any, rows: Tensor, background: Tensor | None) -> Tensor:
    shap = _shap()
    kind = "tree_path_dependent" if background is None else "interventional"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.TreeExplainer(model, data=background, feature_perturbation=kind)
        found = np.asarray(explainer.shap_values(rows, check_additivity=False), np.float64)
    if found.ndim == 2:
        found = found[:, :, None]
    base = np.broadcast_to(
        np.asarray(explainer.expected_value, np.float64).reshape(-1), (len(rows), found.shape[2])
    )
    return np.concatenate([found, base[:, None, :]], axis=1)


def _shap() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("shap")
    except ModuleNotFoundError as error:
        raise _refused(formats.missing(str(error.name), "explain")) from None


def _refused(why: str) -> RequestError:
    return RequestError(Fault.NOT_EXPLAINED, why=why)
