"""How answers of scikit-learn's estimators can be explained, by what they are and can.

For: the numbers behind a label, and whether an estimator's own trees tell where they come from.
Must not know: how estimators are loaded or run, tensors, HTTP.
"""

from typing import Any

_BOOSTED = ("GradientBoosting", "HistGradientBoosting")
_FAMILIES = (*_BOOSTED, "DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees")
_KINDS = ("Classifier", "Regressor")


def scored_by(estimator: Any) -> str:
    """The method whose numbers the estimator's trees add up to; "" where it has no trees."""
    kind = type(estimator)
    if not kind.__module__.startswith("sklearn."):
        return ""
    for family in _FAMILIES:
        if kind.__name__ == f"{family}{_KINDS[1]}":
            return "predict"
        if kind.__name__ == f"{family}{_KINDS[0]}":
            return "decision_function" if family in _BOOSTED else "predict_proba"
    return ""


def scores_of(estimator: Any, method: str) -> str:
    """What tells more than `predict`, where that answers with labels; "" where nothing does."""
    if method != "predict" or not hasattr(estimator, "classes_"):
        return ""
    can = (name for name in ("predict_proba", "decision_function") if _has(estimator, name))
    return next(can, "")


def _has(estimator: Any, name: str) -> bool:
    """Some estimators raise where they are asked for what they can not."""
    try:
        return callable(getattr(estimator, name, None))
    except Exception:  # noqa: BLE001 - anybody's code
        return False
