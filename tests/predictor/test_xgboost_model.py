"""XGBoost models: KServe's answers, columns by name, and one sentence on what fails."""

import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.modelfiles import Kind
from predictor import config
from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from predictor.model import Tensor
from predictor.xgboost_model import XgboostModel
from tests.predictor.opening import failure, kserve, opened, outputs, predictions, recognised

xgboost = pytest.importorskip("xgboost", reason="pip install 'relight[xgboost]'")
RANDOM = np.random.default_rng(7)
ROWS = RANDOM.random((60, 3)).astype(np.float32)
CLASSES = RANDOM.integers(0, 3, 60)


@pytest.fixture(autouse=True)
def _threads_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "adopt", lambda _: None)  # the environment is pytest's


def trained(path: Path, label: Tensor = CLASSES, data: Any = None, **parameters: Any) -> Any:
    rows = xgboost.DMatrix(ROWS) if data is None else data
    rows.set_label(label)
    if str(parameters.get("objective", "")).startswith("rank"):
        rows.set_group([20, 20, 20])
    shape = {} if parameters.get("booster") == "gblinear" else {"max_depth": 3}
    booster = xgboost.train({"nthread": 1, **shape, **parameters}, rows, 4)
    booster.save_model(path)
    return booster


def load(path: Path, *arguments: str) -> Loaded:
    return opened(path, Kind.XGBOOST, *arguments)


@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
def test_kserves_iris_gives_kserves_golden_answer(name: str) -> None:
    loaded = recognised(kserve(f"xgboost/{name}"))
    assert predictions(loaded, kserve("requests/iris_input.json").read_bytes()) == [1.0, 1.0]
    assert outputs(loaded, kserve("requests/iris_input_v2.json").read_bytes()) == {
        "output-0": {"name": "output-0", "datatype": "FP32", "shape": [2], "data": [1.0, 1.0]}
    }
    assert loaded.facts == {"objective": "multi:softmax", "device": "cpu", "classes": 10}


OBJECTIVES: list[dict[str, Any]] = [
    {"objective": "multi:softmax", "num_class": 3},
    {"objective": "multi:softprob", "num_class": 3},
    {"objective": "binary:logistic", "label": CLASSES % 2},
    {"objective": "binary:hinge", "label": CLASSES % 2},
    {"objective": "reg:squarederror"},
    {"objective": "count:poisson"},
    {"objective": "rank:ndcg"},
    {"objective": "reg:squarederror", "booster": "dart"},
    {"objective": "reg:squarederror", "booster": "gblinear"},
    {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]},
]


@pytest.mark.parametrize("parameters", OBJECTIVES, ids=str)
def test_every_objective_answers_as_a_dmatrix_does(
    tmp_path: Path, parameters: dict[str, Any]
) -> None:
    path = tmp_path / "model.ubj"
    label = parameters.pop("label", CLASSES)
    booster = trained(path, label, **parameters)
    loaded = load(path)
    rows = ROWS.copy()
    rows[0, 1] = np.nan  # missing
    expected = booster.predict(xgboost.DMatrix(rows))
    for given in (rows, rows.astype(np.float64)):
        np.testing.assert_array_equal(loaded.run({"x": given}, None)["output-0"], expected)
    assert loaded.described is not None
    [output] = loaded.described.outputs
    assert (output.datatype, output.shape) == ("FP32", (-1, *expected.shape[1:]))
    assert loaded.run({"x": rows[:0]}, None)["output-0"].shape == (0, *expected.shape[1:])
    assert (loaded.trees is None) == (parameters.get("booster") == "gblinear")
    assert loaded.is_rowwise


def test_columns_come_by_name_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    names = ["a", "b", "c"]
    booster = trained(path, data=xgboost.DMatrix(ROWS, feature_names=names))
    expected = booster.predict(xgboost.DMatrix(ROWS, feature_names=names))
    loaded = load(path)
    assert loaded.facts["feature_names"] == names
    by_name = {name: ROWS[:, "abc".index(name)] for name in "cab"}
    for feeds in (by_name, {"input-0": ROWS}):
        np.testing.assert_array_equal(loaded.run(feeds, ("output-0",))["output-0"], expected)


def test_categories_come_as_words_or_as_codes(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    words = RANDOM.choice(["oslo", "rome", "x"], 60)
    frame = pandas.DataFrame({"a": ROWS[:, 0], "town": pandas.Categorical(words)})
    path = tmp_path / "model.ubj"
    booster = trained(path, data=xgboost.DMatrix(frame, enable_categorical=True))
    expected = booster.predict(xgboost.DMatrix(frame, enable_categorical=True))
    loaded = load(path)
    codes = frame["town"].cat.codes.to_numpy()
    for towns in (words.astype(object), codes):
        found = loaded.run({"a": ROWS[:, 0], "town": towns}, None)["output-0"]
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(RequestError, match="'bonn' is none of its categories: oslo, rome, x"):
        loaded.run({"a": ROWS[:1, 0], "town": np.array(["bonn"], object)}, None)


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({"x": np.ones((1, 2))}, r"input 'x': expected shape \[-1, 3\], got \[1, 2\]"),
        ({"x": np.array([["1", "2", "3"]], object)}, "input 'column 0': expected numbers"),
        ({}, "missing input 'input-0'"),
    ],
)
def test_bad_input_is_refused_by_name(tmp_path: Path, feeds: dict[str, Tensor], said: str) -> None:
    path = tmp_path / "model.ubj"
    trained(path)
    loaded = load(path)
    with pytest.raises(RequestError, match=said) as caught:
        loaded.run(feeds, None)
    assert caught.value.status == 400
    with pytest.raises(RequestError, match="unknown output 'y': the model gives output-0"):
        loaded.run({"x": ROWS}, ("y",))


@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
def test_files_that_are_cut_or_damaged_are_refused_without_harm(tmp_path: Path, name: str) -> None:
    """In a child, because what slips through ends the process: it is proof that nothing does."""
    path = tmp_path / name
    trained(path)
    data = path.read_bytes()
    for at in range(0, len(data) - 1, len(data) // 25):
        damaged = tmp_path / f"{at}-{name}"
        damaged.write_bytes(data[:at])
        assert "\n" not in failure(damaged, Kind.XGBOOST)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(20)
            for at in range(1, len(data), len(data) // 25):
                flipped = bytearray(data)
                flipped[at] ^= 0x55
                path.write_bytes(flipped)
                with contextlib.suppress(Exception):  # any refusal will do
                    load(path).run({"x": ROWS}, None)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    path = tmp_path / "model.bst"
    path.write_bytes(b"binf\0\0\0\0")
    assert "with xgboost 3.0 or older" in failure(path, Kind.XGBOOST)
    path.write_bytes(b'{"learner": {}}')
    assert "is no XGBoost model" in failure(path, Kind.XGBOOST)
    assert "cannot read" in failure(tmp_path / "nothing.json", Kind.XGBOOST)


def test_a_file_of_a_newer_version_is_told_and_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "model.json"
    trained(path)
    data = path.read_bytes()
    start = data.index(b'"version":[')
    path.write_bytes(data[:start] + b'"version":[99,1,0]}')
    loaded = load(path)
    assert "was written by XGBoost 99.1.0 and is loaded by" in caplog.text
    assert loaded.run({"x": ROWS}, None)["output-0"].shape == (60,)


def test_a_model_that_does_not_fit_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.ubj"
    trained(path)

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(xgboost.Booster, "load_model", fail)
    assert failure(path, Kind.XGBOOST).endswith("needs more memory than there is")


def test_a_gpu_that_is_not_there_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "model.ubj"
    trained(path)
    with caplog.at_level(logging.WARNING):
        loaded = load(path, "--providers", "CUDAExecutionProvider")
    assert "runs on the CPU" in caplog.text
    assert loaded.facts["device"] == "cpu"


def test_a_gpu_that_is_there_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.ubj"
    trained(path)
    asked: list[object] = []
    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": True})
    monkeypatch.setattr(xgboost.Booster, "set_param", lambda _, one: asked.append(one))
    model = XgboostModel(path, threads=1, wants_gpu=True)
    model.load()
    assert asked[-1] == {"device": "cuda"}
    assert model.device == "cuda"


def test_a_missing_library_says_which_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.ubj"
    trained(path)
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(LoadError, match=r"pip install 'relight\[xgboost\]'"):
        load(path)
