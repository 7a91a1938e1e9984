"""PMML models: KServe's answer, one answer with Java and without, and what is refused."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from api.modelfiles import Kind
from predictor import config, pmml_java, pmml_model
from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from tests.predictor.opening import failure, kserve, opened, outputs, predictions
from tests.predictor.pmml_documents import (
    CLUSTERS,
    LAUGHS,
    LINEAR,
    LOGISTIC,
    OUTSIDE,
    TREE,
    TREE_REGRESSION,
    forest,
)

pytest.importorskip("pypmml", reason="pip install 'relight[pmml]'")
pytest.importorskip("sklearn_pmml_model", reason="pip install 'relight[pmml]'")
needs_java = pytest.mark.skipif(not shutil.which("java"), reason="Java is not here")
ROWS = np.array([[0.1, 1.0], [0.3, 0.0], [0.6, 2.0], [0.9, -3.0]])
Load = Callable[..., Loaded]


@pytest.fixture(autouse=True)
def _threads_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "adopt", lambda _: None)  # the environment is pytest's


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Opens a document, with Java unless told; every Java ends with the test."""
    engines: list[pmml_java.JavaEngine] = []
    start = pmml_java.JavaEngine.start

    def started(engine: pmml_java.JavaEngine) -> None:
        engines.append(engine)
        start(engine)

    monkeypatch.setattr(pmml_java.JavaEngine, "start", started)
    find = pmml_model.find_java

    def opens(text: str, *, java: bool = True) -> Loaded:
        path = tmp_path / "model.pmml"
        path.write_text(text)
        monkeypatch.setattr(pmml_model, "find_java", find if java else lambda _: "")
        return opened(path, Kind.PMML)

    yield opens
    for engine in engines:
        engine.stop()


def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pmml_model, "find_java", lambda _: "")


@needs_java
def test_kserves_iris_gives_kserves_golden_answer(load: Load) -> None:
    loaded = load(kserve("pmml/model.pmml").read_text())
    assert predictions(loaded, kserve("requests/pmml_input.json").read_bytes()) == [
        {
            "Species": "setosa",
            "Probability_setosa": 1.0,
            "Probability_versicolor": 0.0,
            "Probability_virginica": 0.0,
            "Node_Id": "2",
        }
    ]
    found = outputs(loaded, kserve("requests/pmml-input-v2.json").read_bytes())
    assert {name: one["data"] for name, one in found.items()} == {
        "Species": ["setosa"],
        "Probability_setosa": [1.0],
        "Probability_versicolor": [0.0],
        "Probability_virginica": [0.0],
        "Node_Id": ["2"],
    }
    assert loaded.described is not None
    assert [one.name for one in loaded.described.inputs][:2] == ["Sepal_Length", "Sepal_Width"]
    assert loaded.facts["engine"] == "pmml4s"
    by_name = b'{"instances": [{"Petal_Width": 0.2, "Petal_Length": 1.4, '
    by_name += b'"Sepal_Width": 3.5, "Sepal_Length": 5.1}]}'
    assert predictions(loaded, by_name)[0]["Node_Id"] == "2"
    missing = loaded.run({"x": np.array([[6, 3, np.nan, np.nan]])}, ("Species",))
    assert missing["Species"].tolist() == ["virginica"]  # the default child of a missing value


def test_kserves_iris_without_java_says_what_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    without_java(monkeypatch)
    said = failure(kserve("pmml/model.pmml"), Kind.PMML)
    assert "declares the output 'Node_Id' (entityId), which is evaluated in Java only" in said


@needs_java
@pytest.mark.parametrize(
    "text",
    [TREE, TREE_REGRESSION, LINEAR, LOGISTIC, forest("average", "regression")],
    ids=["tree", "tree regression", "linear", "logistic", "forest"],
)
def test_the_answer_is_the_same_with_java_and_without(load: Load, text: str) -> None:
    with_java = load(text).run({"x": ROWS}, None)
    loaded = load(text, java=False)
    found = loaded.run({"x": ROWS}, None)
    assert loaded.facts["engine"] == "sklearn-pmml-model"
    assert found.keys() == with_java.keys()
    for name, array in with_java.items():
        if array.dtype.kind == "O":
            assert found[name].tolist() == array.tolist()
        else:
            np.testing.assert_allclose(found[name], array, rtol=1e-12)


def test_known_answers_without_java(load: Load) -> None:
    found = load(LINEAR, java=False).run({"b": np.array([2.0]), "a": np.array([1.0])}, None)
    assert found["y"].tolist() == [2.5]
    found = load(TREE, java=False).run({"x": ROWS}, None)
    assert found["y"].tolist() == ["no", "no", "yes", "yes"]
    assert found["probability(yes)"].tolist() == [0.25, 0.25, 0.75, 0.75]
    assert load(TREE, java=False).run({"x": ROWS[:0]}, None)["y"].shape == (0,)


@needs_java
def test_clusters_are_evaluated_in_java(load: Load) -> None:
    found = load(CLUSTERS).run({"a": np.array([1.0, 9.0])}, None)
    assert any(array.tolist() in (["low", "high"], ["1", "2"]) for array in found.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "declares a document type"),
        (OUTSIDE, "declares a document type"),
        (TREE[:400], "is not well-formed XML"),
        (
            TREE.replace('<MiningField name="b"/>', '<MiningField name="c"/>'),
            "its dictionary lacks",
        ),
        (CLUSTERS, "is a ClusteringModel for clustering, which is evaluated in Java only"),
        (LINEAR.replace('coefficient="2"', ""), "cannot be loaded with sklearn-pmml-model"),
    ],
)
def test_what_can_not_be_served_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    without_java(monkeypatch)
    path = tmp_path / "m.pmml"
    path.write_text(text)
    assert said in failure(path, Kind.PMML)


@needs_java
def test_what_java_can_not_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "m.pmml"
    path.write_text(TREE.replace("lessOrEqual", "nonsense"))
    assert "cannot be loaded with PMML4S" in failure(path, Kind.PMML)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot read" in failure(tmp_path / "nothing.pmml", Kind.PMML)


def test_bad_input_is_refused_by_name(load: Load) -> None:
    loaded = load(LINEAR, java=False)
    for feeds, said in (
        ({"x": np.ones((1, 3))}, r"input 'x': expected shape \[-1, 2\]"),
        ({"a": np.ones(1)}, "missing input 'b': the model takes a, b, got a"),
        ({"a": np.ones(1), "b": np.array(["x"], object)}, "input 'b': expected numbers"),
        ({"x": np.array([[np.nan, 1.0]])}, "a value is missing"),
    ):
        with pytest.raises(RequestError, match=said) as caught:
            loaded.run(feeds, None)
        assert caught.value.status == 400
    with pytest.raises(RequestError, match="unknown output 'z': the model gives y"):
        loaded.run({"x": ROWS}, ("z",))


def test_java_is_found_at_java_home_then_on_the_path(tmp_path: Path) -> None:
    java = tmp_path / "bin/java"
    java.parent.mkdir()
    java.touch(mode=0o755)
    assert pmml_model.find_java({"JAVA_HOME": str(tmp_path), "PATH": ""}) == str(java)
    assert pmml_model.find_java({"JAVA_HOME": "/nowhere", "PATH": str(java.parent)}) == str(java)
    assert pmml_model.find_java({"PATH": str(tmp_path)}) == ""


def test_a_missing_library_says_which_extra(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn_pmml_model.tree", None)
    with pytest.raises(LoadError, match=r"pip install 'relight\[pmml\]'"):
        load(TREE, java=False)
