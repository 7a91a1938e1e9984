"""What tells where scikit-learn's answers come from."""

from typing import Any

import pytest

from predictor import sklearn_explaining


def test_trees_are_known_by_their_names() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    tree = pytest.importorskip("sklearn.tree")
    linear_model = pytest.importorskip("sklearn.linear_model")
    cases: list[tuple[Any, str]] = [
        (tree.DecisionTreeRegressor(), "predict"),
        (tree.DecisionTreeClassifier(), "predict_proba"),
        (ensemble.RandomForestClassifier(), "predict_proba"),
        (ensemble.ExtraTreesRegressor(), "predict"),
        (ensemble.GradientBoostingClassifier(), "decision_function"),
        (ensemble.HistGradientBoostingRegressor(), "predict"),
        (ensemble.IsolationForest(), ""),
        (linear_model.LinearRegression(), ""),
        (type("RandomForestClassifier", (), {})(), ""),
    ]
    for estimator, scored in cases:
        assert sklearn_explaining.scored_by(estimator) == scored, estimator


class Able:
    classes_ = (0, 1)

    def predict_proba(self) -> None: ...

    def decision_function(self) -> None: ...


class Deciding:
    classes_ = (0, 1)

    @property
    def predict_proba(self) -> None:
        raise ValueError("probability=False")

    def decision_function(self) -> None: ...


class Regressing:
    def decision_function(self) -> None: ...


@pytest.mark.parametrize(
    ("estimator", "method", "found"),
    [
        (Able(), "predict", "predict_proba"),
        (Able(), "predict_proba", ""),
        (Deciding(), "predict", "decision_function"),
        (Regressing(), "predict", ""),
    ],
)
def test_probabilities_go_before_decisions(estimator: Any, method: str, found: str) -> None:
    assert sklearn_explaining.scores_of(estimator, method) == found
