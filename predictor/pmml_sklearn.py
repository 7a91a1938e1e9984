"""PMML evaluated without Java, by sklearn-pmml-model: the models that it evaluates faithfully.

For: trees, forests and regressions over numbers, where no Java is found.
Must not know: tensors, HTTP, Java.

The library passes over what it does not know, and then answers something else than the document
says. So what it may see is listed here, and anything else is refused by name.
"""

import importlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from predictor import formats, library_threads
from predictor.errors import LoadError
from predictor.pmml_files import Document
from predictor.refusals import NAMES_MAX, rejected, words

_LOG = logging.getLogger(__name__)
NAME = "sklearn-pmml-model"
_CLASSES = {  # by element and function
    ("TreeModel", "classification"): ("tree", "PMMLTreeClassifier"),
    ("TreeModel", "regression"): ("tree", "PMMLTreeRegressor"),
    ("RegressionModel", "classification"): ("linear_model", "PMMLLogisticRegression"),
    ("RegressionModel", "regression"): ("linear_model", "PMMLLinearRegression"),
    ("MiningModel", "regression"): ("ensemble", "PMMLForestRegressor"),
}
_METHODS = {"average"}
_ELEMENTS = frozenset(
    (
        *("PMML", "Header", "Application", "Timestamp", "Annotation", "Extension"),
        *("DataDictionary", "DataField", "Value", "Interval", "MiningSchema", "MiningField"),
        *("Output", "OutputField", "TreeModel", "Node", "True", "False", "SimplePredicate"),
        *("ScoreDistribution", "RegressionModel", "RegressionTable", "NumericPredictor"),
        *("MiningModel", "Segmentation", "Segment"),
    )
)
_ALTERING = ("missingValueReplacement", "outliers", "probability", "exponent", "weight")
_NUMERIC = ("double", "float", "integer")
_FEATURES = ("predictedValue", "probability")


def import_estimators() -> None:
    """Import whatever any document may need."""
    modules = dict.fromkeys(module for module, _ in _CLASSES.values())
    formats.imported([f"sklearn_pmml_model.{module}" for module in modules], extra="pmml")


class SklearnEngine:
    """One model as a scikit-learn estimator."""

    def __init__(self, path: Path, document: Document, *, threads: int) -> None:
        self.path = path
        self._document = document
        self._threads = threads
        self._estimator: Any = None

    def start(self) -> None:
        """Make the estimator; LoadError says what of the document needs Java."""
        document = self._document
        if problem := unknown(document):
            raise LoadError(
                f"{self.path} {problem}, which is evaluated in Java only: "
                "install a Java runtime (java on the path, or JAVA_HOME)"
            )
        library_threads.before_import(self._threads)
        module, name = _CLASSES[document.model, document.function]
        formats.imported([f"sklearn_pmml_model.{module}"], extra="pmml")
        library_threads.after_import(self._threads)
        made = getattr(importlib.import_module(f"sklearn_pmml_model.{module}"), name)
        try:
            self._estimator = made(str(self.path))
        except Exception as error:  # noqa: BLE001 - whatever a file makes it raise
            _LOG.debug("loading %s failed", self.path, exc_info=True)
            said = f"{NAME}: {type(error).__name__}: {words(error)}"
            raise LoadError(f"{self.path} cannot be loaded with {said}") from None

    def evaluate(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The target of each row, and the probability of each class."""
        document = self._document
        order = [name for name in document.fields if name != document.target]
        matrix = np.array([[row[name] for name in order] for row in rows], np.float64)
        if np.isnan(matrix).any():
            raise rejected("the model: a value is missing (NaN), which is handled in Java only")
        if document.function == "regression":
            values = np.asarray(self._estimator.predict(matrix)).ravel().tolist()
            return [self._answer(value, {}) for value in values]
        classes = [str(one) for one in self._estimator.classes_]
        shares = np.asarray(self._estimator.predict_proba(matrix))
        return [
            self._answer(
                classes[int(np.argmax(one))], dict(zip(classes, one.tolist(), strict=True))
            )
            for one in shares
        ]

    def _answer(self, value: Any, shares: Mapping[str, float]) -> dict[str, Any]:
        found = {self._document.target: value}
        found |= {f"probability({name})": share for name, share in shares.items()}
        for output in self._document.outputs:
            is_share = output.feature == "probability"
            share = shares.get(output.value, shares.get(str(value)))
            found[output.name] = share if is_share else value
        return found


def unknown(document: Document) -> str:
    """What of a document only Java evaluates, as a clause; "" where nothing is."""
    if (document.model, document.function) not in _CLASSES:
        return f"is a {document.model} for {document.function or 'no known purpose'}"
    if extra := document.elements - _ELEMENTS:
        return f"uses {', '.join(sorted(extra)[:NAMES_MAX])}"
    if document.model == "MiningModel" and document.methods != _METHODS:
        return f"joins its segments by {', '.join(sorted(document.methods))}"
    if document.trees_problem:
        return document.trees_problem
    if altering := [name for name in _ALTERING if name in document.attributes]:
        return f"says {altering[0]}"
    return _unknown_fields(document)


def _unknown_fields(document: Document) -> str:
    for output in document.outputs:
        if output.feature not in _FEATURES:
            return f"declares the output '{output.name}' ({output.feature})"
    for name in document.inputs:
        one = document.fields.get(name)
        if one is None or one.optype != "continuous" or one.datatype not in _NUMERIC:
            return f"takes '{name}', which is no number"
    if not document.target or {*document.inputs, document.target} != set(document.fields):
        return "lists fields that its model does not take"
    return ""
