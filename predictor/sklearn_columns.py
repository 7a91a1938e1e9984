"""What a fitted scikit-learn estimator says of its columns: a frame or plain rows, text or numbers.

For: giving an estimator rows of the kind it was fitted on, and naming the column that is wrong.
Must not know: how estimators are loaded or run, tensors, HTTP.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

# Libraries whose estimators take plain rows as well as frames, whichever they were fitted on.
_PLAIN = frozenset({"sklearn", "xgboost", "lightgbm", "catboost", "numpy"})
_VECTORIZERS = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
_IMPUTERS = ("SimpleImputer", "MissingIndicator")


def parts(estimator: Any) -> Iterator[Any]:
    """The estimator and those it is made of, fitted or not."""
    yield estimator
    deep = getattr(estimator, "get_params", None)
    if callable(deep):
        for value in deep(deep=True).values():
            if hasattr(value, "get_params"):
                yield value


def needs_frame(estimator: Any) -> bool:
    """Whether something in it finds columns by name or kind, which only data frames have.

    An estimator or a function of the author's own, where it was fitted on a frame, may.
    """
    is_of_frame = getattr(estimator, "feature_names_in_", None) is not None
    for part in parts(estimator):
        name = type(part).__name__
        if name == "ColumnTransformer":
            if any(_is_by_name(selected) for _, _, selected in part.transformers):
                return True
        elif is_of_frame:
            code = part.func if name == "FunctionTransformer" else type(part)
            if _is_own(code):
                return True
    return False


def takes_texts(estimator: Any) -> bool:
    """Whether a row is one text, as vectorizers take it."""
    return type(_first(estimator)).__name__ in _VECTORIZERS


def text_columns(estimator: Any, features: Sequence[str]) -> dict[str, str]:
    """Those that are known to hold text, with a word that their encoders learned from each."""
    found: dict[str, str] = {}
    first = _first(estimator)
    if type(first).__name__ == "ColumnTransformer":
        for _, fitted, selected in getattr(first, "transformers_", ()):
            found.update(_texts(fitted, _names(selected, features)))
    else:
        found.update(_texts(first, features))
    return {name: found[name] for name in features if name in found}


def _is_by_name(selected: Any) -> bool:
    if isinstance(selected, slice):
        return any(isinstance(end, str) for end in (selected.start, selected.stop))
    some = selected if isinstance(selected, list | tuple | np.ndarray) else [selected]
    return callable(selected) or any(isinstance(one, str) for one in some)


def _is_own(code: Any) -> bool:
    """Whether a class or a function is none of the libraries'."""
    if code is None or isinstance(code, np.ufunc):
        return False
    return str(getattr(code, "__module__", "")).partition(".")[0] not in _PLAIN


def _first(estimator: Any) -> Any:
    """The step that gets the rows as they come: of pipelines, and of a search its best."""
    while True:
        inner = getattr(estimator, "best_estimator_", None)
        if inner is None:  # of a HistGradientBoosting with categories
            inner = getattr(estimator, "_preprocessor", None)
        steps = getattr(estimator, "steps", None)
        if inner is not None:
            estimator = inner
        elif isinstance(steps, list) and steps:
            estimator = next((step for _, step in steps if not _is_nothing(step)), None)
        else:
            return estimator


def _is_nothing(step: Any) -> bool:
    return step is None or step == "passthrough" or type(step).__name__ in _IMPUTERS


def _names(selected: Any, features: Sequence[str]) -> list[str]:
    """The columns that a fitted ColumnTransformer gives to one of its parts."""
    if isinstance(selected, slice):
        start, stop = selected.start, selected.stop
        start = features.index(start) if isinstance(start, str) else start
        stop = features.index(stop) + 1 if isinstance(stop, str) else stop  # as pandas reads it
        return list(features[start:stop])
    listed = np.atleast_1d(np.asarray(selected, object)).tolist()
    if listed and all(isinstance(one, bool) for one in listed):
        return [name for name, is_in in zip(features, listed, strict=False) if is_in]
    return [features[one] if isinstance(one, int) else str(one) for one in listed]


def _texts(fitted: Any, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    step = _first(fitted)
    if type(step).__name__ in _VECTORIZERS:
        yield from ((name, "") for name in names)
    learned = getattr(step, "categories_", None)
    if isinstance(learned, list) and len(learned) == len(names):
        for name, values in zip(names, learned, strict=True):
            known = [value for value in np.asarray(values, object).tolist() if value is not None]
            words = [value for value in known if value == value]  # not NaN
            if words and all(isinstance(word, str) for word in words):
                yield name, words[0]
