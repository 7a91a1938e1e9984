"""LightGBM models: KServe's answers, columns by name, and one sentence on what fails."""

import contextlib
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
from tests.predictor.opening import failure, kserve, opened, outputs, predictions, recognised

lightgbm = pytest.importorskip("lightgbm", reason="pip install 'relight[lightgbm]'")
RANDOM = np.random.default_rng(7)
ROWS = RANDOM.random((80, 3))
CLASSES = RANDOM.integers(0, 3, 80)


@pytest.fixture(autouse=True)
def _threads_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "adopt", lambda _: None)  # the environment is pytest's


def trained(path: Path, label: Tensor = CLASSES, data: Any = ROWS, **parameters: Any) -> Any:
    group = [40, 40] if parameters.get("objective") == "lambdarank" else None
    names = parameters.pop("names", "auto")
    rows = lightgbm.Dataset(data, label=label, group=group, feature_name=names)
    quiet = {"verbosity": -1, "min_data_in_leaf": 3, "num_threads": 1, "min_data_per_group": 1}
    booster = lightgbm.train({**quiet, **parameters}, rows, 4)
    booster.save_model(path)
    return booster


def load(path: Path) -> Loaded:
    return opened(path, Kind.LIGHTGBM)


def test_kserves_iris_gives_kserves_golden_answer() -> None:
    loaded = recognised(kserve("lightgbm"))
    body = kserve("requests/iris_input.json").read_bytes()
    rows = predictions(loaded, body)
    assert np.argmax(rows, axis=1).tolist() == [1, 1]
    answer = outputs(loaded, kserve("requests/iris_input_v2.json").read_bytes())["output-0"]
    assert (answer["datatype"], answer["shape"]) == ("FP64", [2, 3])
    names = ["sepal_length_(cm)", "sepal_width_(cm)", "petal_length_(cm)", "petal_width_(cm)"]
    assert loaded.facts == {"objective": "multiclass", "feature_names": names, "classes": 3}


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "multiclass", "num_class": 3},
        {"objective": "binary", "label": CLASSES % 2},
        {"objective": "regression"},
        {"objective": "poisson"},
        {"objective": "lambdarank"},
        {"objective": "regression", "boosting": "dart"},
    ],
    ids=str,
)
def test_every_objective_answers_as_the_booster_does(
    tmp_path: Path, parameters: dict[str, Any]
) -> None:
    path = tmp_path / "model.txt"
    booster = trained(path, parameters.pop("label", CLASSES), **parameters)
    loaded = load(path)
    rows = ROWS.copy()
    rows[0, 1] = np.nan  # missing
    expected = booster.predict(rows)
    np.testing.assert_allclose(loaded.run({"x": rows}, None)["output-0"], expected, rtol=1e-12)
    assert loaded.run({"x": rows[:0]}, None)["output-0"].shape == (0, *expected.shape[1:])
    whole = np.ones((2, 3), np.int64)
    found = loaded.run({"x": whole}, ("output-0",))["output-0"]
    np.testing.assert_allclose(found, booster.predict(whole.astype(float)), rtol=1e-12)
    assert loaded.trees is not None
    assert loaded.is_rowwise
    assert loaded.described is not None
    assert loaded.described.inputs[0].shape == (-1, 3)


@pytest.mark.parametrize("boosting", ["gbdt", "rf"])
def test_what_trees_add_up_to_is_the_answer_of_a_forest_too(tmp_path: Path, boosting: str) -> None:
    bagging = {"bagging_freq": 1, "bagging_fraction": 0.5} if boosting == "rf" else {}
    booster = trained(tmp_path / "model.txt", boosting=boosting, **bagging)
    trees = load(tmp_path / "model.txt").trees
    assert trees is not None
    assert trees.contributions is not None
    expected = booster.predict(ROWS)
    np.testing.assert_allclose(trees.scores(ROWS), expected)
    np.testing.assert_allclose(trees.contributions(ROWS).sum(axis=1)[:, 0], expected)


def test_columns_come_by_name_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    booster = trained(path, names=["a", "b", "c"])
    loaded = load(path)
    feeds = {name: ROWS[:, "abc".index(name)] for name in "cab"}
    found = loaded.run(feeds, None)["output-0"]
    np.testing.assert_allclose(found, booster.predict(ROWS), rtol=1e-12)


def test_categories_come_as_words_or_as_codes(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    words = RANDOM.choice(["oslo", "rome", "x"], 80)
    frame = pandas.DataFrame({"a": ROWS[:, 0], "town": pandas.Categorical(words)})
    path = tmp_path / "model.txt"
    booster = trained(path, data=frame)
    loaded = load(path)
    codes = frame["town"].cat.codes.to_numpy()
    for towns in (words.astype(object), codes):
        found = loaded.run({"a": ROWS[:, 0], "town": towns}, None)["output-0"]
        np.testing.assert_allclose(found, booster.predict(frame), rtol=1e-12)
    unknown = pandas.DataFrame({"a": [0.5], "town": pandas.Categorical(["bonn"])})
    one = loaded.run({"a": np.array([0.5]), "town": np.array(["bonn"], object)}, None)
    np.testing.assert_allclose(one["output-0"], booster.predict(unknown), rtol=1e-12)


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({"x": np.ones((1, 4))}, r"input 'x': expected shape \[-1, 3\], got \[1, 4\]"),
        ({"x": np.array([["1", "2", "3"]], object)}, "input 'Column_0': expected numbers"),
        ({"x": np.ones(3)}, "rank 2"),
    ],
)
def test_bad_input_is_refused_by_name(tmp_path: Path, feeds: dict[str, Tensor], said: str) -> None:
    path = tmp_path / "model.txt"
    trained(path)
    loaded = load(path)
    with pytest.raises(RequestError, match=said) as caught:
        loaded.run(feeds, None)
    assert caught.value.status == 400
    with pytest.raises(RequestError, match="unknown output 'y': the model gives output-0"):
        loaded.run({"x": ROWS}, ("y",))


def test_files_that_are_cut_or_damaged_are_refused_without_harm(tmp_path: Path) -> None:
    """In a child, because what slips through ends the process: it is proof that nothing does."""
    path = tmp_path / "model.txt"
    trained(path, objective="multiclass", num_class=3)
    data = path.read_bytes()
    ends = data.index(b"end of trees")
    for at in range(0, ends, ends // 25):
        path.write_bytes(data[:at])
        failure(path, Kind.LIGHTGBM)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(20)
            for at in range(1, ends, ends // 25):
                flipped = bytearray(data)
                flipped[at] ^= 0x01
                path.write_bytes(flipped)
                with contextlib.suppress(Exception):  # any refusal will do
                    load(path).run({"x": ROWS}, None)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def test_what_can_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot read" in failure(tmp_path / "nothing.txt", Kind.LIGHTGBM)
    path = tmp_path / "model.txt"
    path.write_bytes(b"something else")
    assert "is no LightGBM text model" in failure(path, Kind.LIGHTGBM)
    trained(path)

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as small:
        small.setattr(lightgbm, "Booster", fail)
        assert failure(path, Kind.LIGHTGBM).endswith("needs more memory than there is")
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(LoadError, match=r"pip install 'relight\[lightgbm\]'"):
        load(path)
