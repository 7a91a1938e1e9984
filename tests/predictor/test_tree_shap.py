"""Attributions from trees, against Shapley values by enumeration: shap is imported once, here."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.modelfiles import Kind
from predictor import config, lightgbm_model, loader, sklearn_model, tree_shap, xgboost_model
from predictor.errors import RequestError
from predictor.explain_requests import Asked
from predictor.explanation import Explanation
from predictor.loaded import Loaded, Trees
from predictor.model import Tensor
from tests.predictor.explain_bench import explain, linear, model

KSERVE = Path(__file__).parents[3] / "shared" / "data" / "kserve"
ROWS = np.random.default_rng(0).normal(size=(60, 4))
NUMBERS = ROWS[:, 0] * ROWS[:, 1] + np.abs(ROWS[:, 2])
CLASSES = np.digitize(NUMBERS, [0.3, 1.2])
BASELINE = ROWS[:3].tolist()


def settings(**environment: str) -> config.Settings:
    return config.parse(["--model", "m", "--trust-pickle"], environment)


def of_sklearn(folder: Path, name: str, target: Tensor, *, is_probable: bool = True) -> Loaded:
    ensemble = pytest.importorskip("sklearn.ensemble")
    joblib = pytest.importorskip("joblib")
    options = {"max_iter": 5, "min_samples_leaf": 5} if "Hist" in name else {"n_estimators": 5}
    estimator = getattr(ensemble, name)(random_state=0, **options).fit(ROWS, target)
    joblib.dump(estimator, folder / "m.joblib")
    is_probable = is_probable and "Classifier" in name
    given = settings(**({"PREDICT_PROBA": "true"} if is_probable else {}))
    return sklearn_model.open_model(folder / "m.joblib", Kind.PICKLE, given)


def of_xgboost(folder: Path, **parameters: Any) -> Loaded:
    xgboost = pytest.importorskip("xgboost")
    target = CLASSES if "num_class" in parameters else NUMBERS
    target = target > 0.5 if parameters["objective"] == "reg:logistic" else target
    matrix = xgboost.DMatrix(ROWS, target, feature_names=["a", "b", "c", "d"])
    xgboost.train({"max_depth": 3, "nthread": 1, **parameters}, matrix, 5).save_model(
        folder / "m.json"
    )
    return xgboost_model.open_model(folder / "m.json", Kind.XGBOOST, settings())


def of_lightgbm(folder: Path, **parameters: Any) -> Loaded:
    lightgbm = pytest.importorskip("lightgbm")
    target = CLASSES if "num_class" in parameters else NUMBERS
    given = {"num_leaves": 4, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1, **parameters}
    lightgbm.train(given, lightgbm.Dataset(ROWS, target), 5).save_model(folder / "m.txt")
    return lightgbm_model.open_model(folder / "m.txt", Kind.LIGHTGBM, settings())


def by_both(loaded: Loaded, baseline: Any) -> tuple[list[Explanation], list[Explanation]]:
    """By trees, and by enumeration."""
    found = (
        explain(loaded, Asked(method=method, baseline=baseline, output="all"), instances=ROWS[5:9])
        for method in ("tree_shap", "permutation")
    )
    trees, enumerated = found
    return trees, enumerated


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("RandomForestRegressor", NUMBERS),
        ("ExtraTreesClassifier", CLASSES),
        ("GradientBoostingRegressor", NUMBERS),
    ],
)
def test_scikit_learn_s_trees_by_a_baseline_are_what_enumeration_finds(
    tmp_path: Path, name: str, target: Tensor
) -> None:
    trees, enumerated = by_both(of_sklearn(tmp_path, name, target), BASELINE)
    assert len(trees) == len(enumerated) == 4 * (3 if target is CLASSES else 1)
    for one, other in zip(trees, enumerated, strict=True):
        assert (one.method, other.method) == ("tree_shap", "exact_shapley")
        assert (one.output, one.label, one.scale) == (other.output, other.label, "output")
        assert one.baseline == "parameters.baseline, 3 rows"
        np.testing.assert_allclose(one.values, other.values, atol=1e-5)
        assert one.base == pytest.approx(other.base, abs=1e-5)


def test_xgboost_by_a_baseline_is_what_enumeration_finds(tmp_path: Path) -> None:
    trees, enumerated = by_both(of_xgboost(tmp_path, objective="reg:squarederror"), BASELINE)
    for one, other in zip(trees, enumerated, strict=True):
        assert (one.method, one.names) == ("tree_shap", ("a", "b", "c", "d"))
        np.testing.assert_allclose(one.values, other.values, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("RandomForestClassifier", "score"),
        ("GradientBoostingClassifier", "score"),
        ("HistGradientBoostingRegressor", "output"),
    ],
)
def test_without_a_baseline_it_is_the_training_rows(tmp_path: Path, name: str, scale: str) -> None:
    target = NUMBERS if "Regressor" in name else CLASSES > 0
    loaded = of_sklearn(tmp_path, name, target, is_probable=False)
    (found,) = explain(loaded, Asked(method="tree_shap"), instances=ROWS[5:6])
    assert (found.method, found.is_additive, found.scale) == ("tree_shap", True, scale)
    assert found.baseline.startswith("the training rows")
    if name == "RandomForestClassifier":
        assert found.output.startswith("predict_proba[")
        assert found.label in (False, True)


@pytest.mark.parametrize(
    ("parameters", "outputs", "scale"),
    [
        ({"objective": "reg:squarederror"}, {"output-0"}, "output"),
        ({"objective": "reg:logistic", "base_score": 0.5}, {"output-0"}, "score"),
        (
            {"objective": "multi:softprob", "num_class": 3},
            {"output-0[0]", "output-0[1]", "output-0[2]"},
            "score",
        ),
        ({"objective": "multi:softmax", "num_class": 3}, {"margin[0]", "margin[1]"}, "score"),
        ({"objective": "reg:squarederror", "booster": "dart"}, {"output-0"}, "output"),
    ],
)
def test_xgboost_tells_itself(
    tmp_path: Path, parameters: dict[str, Any], outputs: set[str], scale: str
) -> None:
    loaded = of_xgboost(tmp_path, **parameters)
    found = explain(loaded, instances=ROWS)
    assert {each.method for each in found} == {"tree_shap"}
    assert {each.scale for each in found} == {scale}
    assert outputs <= {each.output for each in found}
    assert all(each.is_additive for each in found)
    assert np.abs(found[0].values).sum() > 0


@pytest.mark.parametrize(
    ("parameters", "scale"),
    [
        ({"objective": "regression"}, "output"),
        ({"objective": "multiclass", "num_class": 3}, "score"),
    ],
)
def test_lightgbm_tells_itself(tmp_path: Path, parameters: dict[str, Any], scale: str) -> None:
    found = explain(of_lightgbm(tmp_path, **parameters), Asked(output="all"), instances=ROWS[:3])
    assert {each.method for each in found} == {"tree_shap"}
    assert {each.scale for each in found} == {scale}
    assert len(found) == 3 * parameters.get("num_class", 1)
    assert all(each.is_additive for each in found)


def test_columns_by_name_in_any_order(tmp_path: Path) -> None:
    loaded = of_xgboost(tmp_path, objective="reg:squarederror")
    (whole,) = explain(loaded, instances=ROWS[5:6])
    columns = {name: ROWS[5:6, index] for index, name in enumerate("abcd")}
    (found,) = explain(loaded, **dict(reversed(columns.items())))
    assert found.method == "tree_shap"
    assert found.written()["attributions"] == whole.written()["attributions"]


def test_without_shap_values_are_swapped_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = of_sklearn(tmp_path, "RandomForestRegressor", NUMBERS)
    monkeypatch.setitem(sys.modules, "shap", None)
    (found,) = explain(loaded, instances=ROWS[5:6])
    assert found.method == "exact_shapley"
    assert "pip install 'relight[explain]'" in found.note


def test_trees_that_do_not_add_up_are_not_believed() -> None:
    def contributions(rows: Tensor) -> Tensor:
        return np.ones((len(rows), 4, 1))

    trees = Trees(
        model=None, matrix=lambda feeds: feeds["x"], scores=linear, contributions=contributions
    )
    (found,) = explain(model(linear, trees=trees), x=[[1.0, 2.0, 4.0]])
    assert found.method == "exact_shapley"
    assert "do not add up" in found.note
    odd = Trees(
        model=None,
        matrix=lambda feeds: feeds["x"],
        scores=linear,
        contributions=lambda rows: np.ones((len(rows), 2, 1)),
    )
    with pytest.raises(
        RequestError, match=r"the trees tell of \[2, 1\] values a row, where \[4, 1"
    ):
        tree_shap.run(odd, {"x": np.ones((1, 3))}, None, baseline=None)


IRIS = [
    ("sklearn/model.joblib", "exact_shapley"),
    ("xgboost/model.json", "tree_shap"),
    ("lightgbm/model.bst", "tree_shap"),
    ("onnx/model.onnx", "exact_shapley"),
]


@pytest.mark.skipif(not KSERVE.is_dir(), reason="KServe's models are not on this machine")
@pytest.mark.parametrize(("path", "method"), IRIS)
def test_kserve_s_iris_models(path: str, method: str) -> None:
    rows = json.loads((KSERVE / "requests" / "iris_input.json").read_text())["instances"]
    loaded = loader.load(config.parse(["--model", str(KSERVE / path), "--trust-pickle"], {}))
    name = loaded.signature.inputs[0].name if loaded.signature else "instances"
    feeds = {name: np.array(rows, np.float32 if loaded.signature else np.float64)}
    asked = Asked(baseline=None if method == "tree_shap" else [5.1, 3.5, 1.4, 0.2])
    found = explain(loaded, asked, **feeds)
    assert [each.method for each in found] == [method] * len(rows)
    assert all(each.is_additive for each in found)
    for each in found:  # versicolor, and not setosa: the petals tell
        petals = np.abs(each.values[2:]).sum()
        assert petals > np.abs(each.values[:2]).sum()
        assert "1" in each.output
