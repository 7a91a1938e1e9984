"""MLflow folders: our own formats inside, columns by name, and MLflow itself with consent."""

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import yaml

from api.modelfiles import Kind
from predictor import config, mlflow_model
from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from predictor.protocol_v1 import CodecV1
from tests.predictor.onnx_files import build

ROWS = np.array([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0], [6.0, 5.0]])
WORDS = ["low", "low", "high", "high"]
COLUMNS = [{"type": "double", "name": name, "required": True} for name in ("a", "b")]


@pytest.fixture(autouse=True)
def _environment_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "adopt", lambda _: None)  # the environment is pytest's


def load(path: Path, *arguments: str) -> Loaded:
    settings = config.parse(["--model", str(path), *arguments], {})
    return mlflow_model.open_model(path, Kind.MLFLOW, settings)


def failure(path: Path, *arguments: str) -> str:
    with pytest.raises(LoadError) as caught:
        load(path, *arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refusal(loaded: Loaded, feeds: dict[str, Any]) -> str:
    with pytest.raises(RequestError) as caught:
        loaded.run(feeds, None)
    assert caught.value.status == 400
    return str(caught.value)


def describe(path: Path, flavor: str, own: dict[str, Any], inputs: Any = None, **more: Any) -> Path:
    """MLmodel as MLflow writes it."""
    function = {"loader_module": f"mlflow.{flavor}"} | more
    raw: dict[str, Any] = {"flavors": {"python_function": function, flavor: own}}
    if inputs is not None:
        raw["signature"] = {"inputs": json.dumps(inputs), "outputs": None}
    (path / "MLmodel").write_text(yaml.safe_dump(raw))
    return path


def estimator(path: Path, name: str = "model.skops", inputs: Any = COLUMNS, **more: Any) -> Path:
    linear = pytest.importorskip("sklearn.linear_model")
    fitted = linear.LogisticRegression().fit(ROWS, WORDS)
    if name.endswith(".skops"):
        pytest.importorskip("skops.io").dump(fitted, path / name)
    else:
        pytest.importorskip("joblib").dump(fitted, path / name)
    return describe(path, "sklearn", {"pickled_model": name}, inputs, **more)


def test_columns_come_by_name_or_as_one_matrix(tmp_path: Path) -> None:
    loaded = load(estimator(tmp_path))
    assert loaded.platform == "sklearn"
    assert loaded.facts["flavor"] == "mlflow.sklearn"
    assert loaded.is_rowwise
    assert loaded.described is not None
    inputs = [(one.name, one.datatype, one.shape) for one in loaded.described.inputs]
    assert inputs == [("a", "FP64", (-1,)), ("b", "FP64", (-1,))]
    column = np.array([0, 6])
    for feeds in (
        {"b": column, "a": column},
        {"a": column.reshape(-1, 1), "b": column.astype(np.float32)},
        {"input-0": np.array([[0.0, 0.0], [6.0, 6.0]])},
    ):
        assert loaded.run(feeds, None)["output-0"].tolist() == ["low", "high"]
    codec = CodecV1(loaded.signature)
    for body in (b'{"instances":[[0,0],[6,6]]}', b'{"instances":[{"b":0,"a":0},{"a":6,"b":6}]}'):
        request = codec.decode(body)
        encoded = codec.encode(request, loaded.run(request.feeds, None))
        assert orjson.loads(encoded[-1]) == {"predictions": ["low", "high"]}


def test_columns_that_do_not_fit_are_the_callers_fault(tmp_path: Path) -> None:
    loaded = load(estimator(tmp_path))
    one, two = np.ones(1), np.ones(2)
    assert "missing input 'b': the model takes a, b, got a" in refusal(loaded, {"a": one})
    assert "unknown input 'c'" in refusal(loaded, {"a": one, "c": one})
    assert "dimension 0 is 2, but 'rows' is 1" in refusal(loaded, {"a": one, "b": two})
    text = np.array(["x"], object)
    assert "expected datatype FP64, got BYTES" in refusal(loaded, {"a": one, "b": text})
    assert "dimension 1 must be 2" in refusal(loaded, {"x": np.ones((1, 3))})
    assert "(rank 3)" in refusal(loaded, {"x": np.ones((1, 3, 1))})


def test_a_pickle_inside_needs_consent(tmp_path: Path) -> None:
    path = estimator(tmp_path, "model.pkl")
    assert "is a pickle, which can run any code" in failure(path)
    assert load(path, "--trust-pickle").run({"x": ROWS}, None)["output-0"].tolist() == WORDS


def test_the_method_that_was_logged_is_called(tmp_path: Path) -> None:
    loaded = load(estimator(tmp_path, predict_fn="predict_proba"))
    assert loaded.run({"x": ROWS}, None)["output-0"].shape == (4, 2)
    assert "asks for decision_function, which is not served" in failure(
        estimator(tmp_path, predict_fn="decision_function")
    )


def test_one_tensor_of_any_name(tmp_path: Path) -> None:
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}
    loaded = load(estimator(tmp_path, inputs=[tensor]))
    assert loaded.run({"x": ROWS}, None)["output-0"].tolist() == WORDS
    assert "dimension 1 must be 2" in refusal(loaded, {"x": np.ones((1, 3))})
    assert "missing input 'input-0'" in refusal(loaded, {})


def test_classes_where_a_classifier_was_logged(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = xgboost.XGBClassifier(n_estimators=3, min_child_weight=0).fit(ROWS, [0, 0, 1, 1])
        made.save_model(tmp_path / "model.ubj")
    own = {"data": "model.ubj", "model_class": "xgboost.sklearn.XGBClassifier"}
    found = load(describe(tmp_path, "xgboost", own)).run({"x": ROWS}, None)["output-0"]
    assert (found.tolist(), found.dtype) == ([0, 0, 1, 1], np.int64)
    own["model_class"] = "xgboost.core.Booster"
    found = load(describe(tmp_path, "xgboost", own)).run({"x": ROWS}, None)["output-0"]
    assert found.dtype == np.float32
    assert found[0] < 0.5 < found[3]


def test_columns_in_front_of_an_onnx_model(tmp_path: Path) -> None:
    helper = pytest.importorskip("onnx").helper
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    of = {"x": ("FP32", ["n", 2])}
    (tmp_path / "model.onnx").write_bytes(build([node], of, {"y": ("FP32", [])}))
    loaded = load(describe(tmp_path, "onnx", {"data": "model.onnx"}, COLUMNS))
    assert loaded.run({"a": np.array([1.0]), "b": np.array([2])}, None)["y"].tolist() == 3.0
    two = [helper.make_node("Add", ["a", "b"], ["y"])]
    both = {"a": ("FP64", ["n", 1]), "b": ("FP64", ["n", 1])}
    (tmp_path / "model.onnx").write_bytes(build(two, both, {"y": ("FP64", ["n", 1])}))
    loaded = load(tmp_path)
    assert loaded.run({"a": np.array([1.0]), "b": np.array([2])}, None)["y"].tolist() == [[3.0]]
    describe(tmp_path, "onnx", {"data": "model.onnx"})
    assert load(tmp_path).signature is not None  # its own


def test_other_versions_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = estimator(tmp_path)
    (path / "requirements.txt").write_text("scikit-learn==0.1\nno-such-package==1\nnumpy\n")
    with caplog.at_level(logging.WARNING):
        load(path)
    [said] = [one.getMessage() for one in caplog.records if "other versions" in one.getMessage()]
    assert "scikit-learn 0.1 (" in said
    assert "no-such-package 1 (not here)" in said


def test_an_mlmodel_of_other_shapes_is_told(tmp_path: Path) -> None:
    path = describe(tmp_path, "sklearn", {"pickled_model": "a\0b"})
    assert "MLmodel is not as MLflow writes it" in failure(path)


def test_other_flavours_need_consent(tmp_path: Path) -> None:
    said = failure(describe(tmp_path, "pyfunc.model", {}))
    assert "is of the flavour mlflow.pyfunc.model, which only MLflow can open" in said
    assert 'relight.dev/trust-pickle: "true"' in said


def test_transformers_with_their_tokenizer_beside(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="make formats")
    from tests.predictor import transformers_made as made

    path = made.bert(tmp_path / "model", "BertForSequenceClassification", num_labels=2)
    (tmp_path / "components").mkdir()
    (tmp_path / "components/tokenizer").mkdir()
    for file in path.glob("tokenizer*"):
        file.rename(tmp_path / "components/tokenizer" / file.name)
    own = {"model_binary": "model", "task": "text-classification"}
    text = [{"type": "string", "name": "text", "required": True}]
    loaded = load(describe(tmp_path, "transformers", own, text))
    assert loaded.run({"text": np.array(["the fox"], object)}, None)["output-0"].shape == (1,)


@pytest.fixture
def mlflow() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pandas", reason="make formats")
        return pytest.importorskip("mlflow.pyfunc", reason="make formats")


@pytest.mark.filterwarnings("ignore")  # of MLflow and what it imports
def test_any_pyfunc_runs_with_consent(tmp_path: Path, mlflow: Any) -> None:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    with warnings.catch_warnings(record=True):  # that it has no type hints

        class Mine(mlflow.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
            def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
                if (model_input["a"] < 0).any():
                    raise ValueError("a is below zero")
                model_input["late"] = model_input["day"].dt.year > 2020
                return model_input.assign(total=model_input["a"] * 2)[["total", "late", "word"]]

    columns = [ColSpec("double", "a"), ColSpec("datetime", "day"), ColSpec("string", "word")]
    path = tmp_path / "model"
    mlflow.save_model(
        str(path),
        python_model=Mine(),
        signature=ModelSignature(inputs=Schema(columns)),
        pip_requirements=["numpy"],
    )
    assert "which only MLflow can open" in failure(path)
    loaded = load(path, "--trust-pickle")
    assert loaded.platform == "mlflow"
    feeds = {
        "a": np.array([1, 2]),
        "day": np.array(["2020-01-01", "2021-06-01T10:00:00"], object),
        "word": np.array(["x", b"y"], object),
    }
    found = loaded.run(feeds, None)
    assert {name: array.tolist() for name, array in found.items()} == {
        "total": [2.0, 4.0],
        "late": [False, True],
        "word": ["x", "y"],
    }
    assert refusal(loaded, feeds | {"a": np.array([-1, 1])}) == "the model: a is below zero"
    bad = feeds | {"day": np.array(["soon", "late"], object)}
    assert "day: expected dates as in ISO 8601" in refusal(loaded, bad)
    bad = feeds | {"word": np.array([b"\xff", "y"], object)}
    assert "input 'word': expected UTF-8" in refusal(loaded, bad)


@pytest.mark.filterwarnings("ignore")
def test_answers_of_a_pyfunc_become_tensors() -> None:
    found = mlflow_model._outputs({"a": ["x", "y"], "b": np.array(["2020"], "M8[Y]")})
    assert {name: array.tolist() for name, array in found.items()} == {
        "a": ["x", "y"],
        "b": ["2020-01-01T00:00:00.000"],
    }
    assert mlflow_model._outputs([1, 2])["output-0"].tolist() == [1, 2]
    for value in ([{"a": 1}], [[1], [1, 2]], object()):
        with pytest.raises(RequestError, match="that is no tensor") as caught:
            mlflow_model._outputs(value)
        assert caught.value.status == 500
