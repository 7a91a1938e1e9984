"""scikit-learn models: safe files, consent, columns, and one sentence on what fails."""

import logging
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from api.modelfiles import Kind
from predictor import config, loader, sklearn_model
from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from predictor.protocol_v1 import CodecV1
from predictor.protocol_v2 import CodecV2

sklearn = pytest.importorskip("sklearn", reason="pip install 'relight[sklearn]'")
joblib = pytest.importorskip("joblib", reason="pip install 'relight[sklearn]'")
sio = pytest.importorskip("skops.io", reason="pip install 'relight[sklearn]'")

DATA = Path(__file__).parents[2].parent / "shared/data/kserve"
Save = Callable[..., Path]


@pytest.fixture(autouse=True)
def _threads_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "adopt", lambda _: None)  # the environment is pytest's


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(estimator: Any, name: str = "model.skops") -> Path:
        path = tmp_path / name
        if path.suffix == ".skops":
            sio.dump(estimator, path)
        else:
            joblib.dump(estimator, path)
        return path

    return write


def load(path: Path, *arguments: str, **environment: str) -> Loaded:
    return loader.load(config.parse(["--model", str(path), *arguments], environment))


def failure(path: Path, *arguments: str, **environment: str) -> str:
    with pytest.raises(LoadError) as caught:
        load(path, *arguments, **environment)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def classifier(**options: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    rows = np.array([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0], [6.0, 5.0]])
    return LogisticRegression(**options).fit(rows, ["low", "low", "high", "high"])


@pytest.mark.parametrize("name", ["model.skops", "model.joblib", "model.pkl", "model"])
def test_every_file_predicts_in_both_protocols(save: Save, name: str) -> None:
    path = save(classifier(), "m.joblib" if name == "model" else name)
    path = path.rename(path.with_name(name))
    arguments = () if name.endswith("skops") else ("--trust-pickle",)
    loaded = load(path, *arguments)
    v1 = CodecV1(loaded.signature)
    request = v1.decode(b'{"instances":[[0.1,0.2],[6,6]]}')
    outputs = loaded.run(request.feeds, request.outputs)
    assert orjson.loads(v1.encode(request, outputs).body) == {"predictions": ["low", "high"]}
    v2 = CodecV2(loaded.signature, name="m", version="")
    tensor = {"name": "input-0", "shape": [2, 2], "datatype": "FP32", "data": [0, 0, 6, 6]}
    request = v2.decode(orjson.dumps({"inputs": [tensor]}))
    answer = orjson.loads(v2.encode(request, loaded.run(request.feeds, request.outputs)).body)
    assert answer["outputs"] == [
        {"name": "output-0", "shape": [2], "datatype": "BYTES", "data": ["low", "high"]}
    ]


def test_metadata_tells_columns_and_classes(save: Save) -> None:
    loaded = load(save(classifier()))
    assert loaded.platform == "sklearn"
    assert loaded.described is not None
    [given], [taken] = loaded.described.inputs, loaded.described.outputs
    assert (given.name, given.datatype, given.shape) == ("input-0", "FP64", (-1, 2))
    assert (taken.name, taken.datatype, taken.shape) == ("output-0", "BYTES", (-1,))
    assert loaded.facts == {"classes": ["high", "low"]}


def test_probabilities_where_the_environment_asks(save: Save) -> None:
    loaded = load(save(classifier()), PREDICT_PROBA="true")
    found = loaded.run({"x": np.zeros((3, 2))}, None)["output-0"]
    assert found.shape == (3, 2)
    assert found.sum(axis=1) == pytest.approx([1.0, 1.0, 1.0])


def test_probabilities_of_a_model_without_are_refused_at_load(save: Save) -> None:
    from sklearn.linear_model import LinearRegression

    path = save(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]))
    assert failure(path, PREDICT_PROBA="true").startswith("PREDICT_PROBA: the LinearRegression in")
    assert "has no predict" in failure(save(sklearn.preprocessing.StandardScaler()))


class Payload:
    """What an attacker would send."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model", "model.pickle"])
def test_a_pickle_is_not_opened_without_consent(tmp_path: Path, name: str) -> None:
    proof = tmp_path / "proof"
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Payload(proof)))
    said = failure(path)
    assert "say so with --trust-pickle" in said
    assert 'relight.dev/trust-pickle: "true"' in said
    assert not proof.exists()
    failure(path, "--trust-pickle")
    assert proof.exists()  # the payload works: the test can fail


def test_types_that_skops_does_not_know_are_named(save: Save) -> None:
    from sklearn.preprocessing import FunctionTransformer

    pipeline = sklearn.pipeline.make_pipeline(FunctionTransformer(orjson.loads), classifier())
    path = save(pipeline)
    said = failure(path)
    assert "holds types that are not known to be safe to load: orjson" in said
    assert "say so with --trust-pickle" in said
    assert 'relight.dev/trust-pickle: "true"' in said
    assert load(path, "--trust-pickle").platform == "sklearn"


def test_a_forest_in_a_skops_file_is_served_with_consent(save: Save) -> None:
    from sklearn.ensemble import RandomForestClassifier

    path = save(RandomForestClassifier(n_estimators=3, random_state=0).fit([[0.0], [1.0]], [0, 1]))
    assert "known to be safe to load: sklearn.tree._tree.Tree; if you trust" in failure(path)
    loaded = load(path, "--trust-pickle")
    assert loaded.run({"x": np.array([[1.0]])}, None)["output-0"].tolist() == [1]


def test_an_imputer_in_a_skops_file_needs_no_consent(save: Save) -> None:
    from sklearn.impute import SimpleImputer

    rows = np.array([[0.0], [np.nan], [5.0], [6.0]])
    path = save(
        sklearn.pipeline.make_pipeline(SimpleImputer(), classifier()).fit(rows, [0, 0, 1, 1])
    )
    assert sio.get_untrusted_types(file=path) == ["numpy.dtype"]  # else nothing is proved here
    assert load(path).run({"x": np.array([[6.0]])}, None)["output-0"].tolist() == [1]


def test_a_payload_in_a_skops_file_does_not_run(save: Save, tmp_path: Path) -> None:
    from sklearn.preprocessing import FunctionTransformer

    proof = tmp_path / "proof"
    payload = FunctionTransformer(os.mkdir, kw_args={"mode": 0o777})
    payload.extra = Payload(proof)
    said = failure(save(sklearn.pipeline.make_pipeline(payload, classifier())))
    assert "holds types that are not known to be safe to load" in said
    assert not proof.exists()


def test_what_can_not_be_read_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "m.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", "x")
    assert "not one that skops wrote" in failure(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", '{"__module__": "sklearn"}')
    path.write_bytes(path.read_bytes().replace(b'"sklearn"', b'"skl+arn"'))
    assert "Bad CRC-32 for file 'schema.json'" in failure(path)
    path = tmp_path / "m.pkl"
    path.write_bytes(b"\x80\x04\x95")
    assert f"cannot be loaded with scikit-learn {sklearn.__version__}" in failure(
        path, "--trust-pickle"
    )
    path.write_bytes(b"cno_such_package\nThing\n.")
    assert "needs the package no_such_package" in failure(path, "--trust-pickle")
    path.write_bytes(b"csklearn.svm\nNoSuchThing\n.")
    assert "needs sklearn.svm.NoSuchThing, which is not here" in failure(path, "--trust-pickle")
    path.write_bytes(pickle.dumps({"not": "a model"}))
    assert "holds a dict, which has no predict" in failure(path, "--trust-pickle")


def test_another_version_is_told_and_served(
    save: Save, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as past:
        past.setattr("sklearn.base.__version__", "1.0.0")
        path = save(classifier(), "model.joblib")
    with caplog.at_level(logging.WARNING):
        loaded = load(path, "--trust-pickle")
    expected = (
        f"LogisticRegression written by scikit-learn 1.0.0 and loaded by {sklearn.__version__}"
    )
    assert expected in caplog.text
    assert loaded.run({"x": np.zeros((1, 2))}, None)["output-0"].tolist() == ["low"]


def test_a_missing_library_says_which_extra(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(classifier())
    for name in ("skops.io", "sklearn"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, name, None)
            said = failure(path)
        assert said.endswith("is not installed; pip install 'relight[sklearn]'")
    assert sklearn_model.libraries(Kind.PICKLE)[1] is joblib


def test_input_the_model_refuses_is_the_callers_fault(save: Save) -> None:
    loaded = load(save(classifier()))
    for feeds, words in (
        ({"x": np.array([["a", "b"]], object)}, "the model: could not convert string to float"),
        ({"x": np.array([[np.nan, 1.0]])}, "the model: Input X contains NaN"),
        ({"x": np.ones((1, 3))}, "dimension 1 must be 2"),
    ):
        with pytest.raises(RequestError, match=words) as caught:
            loaded.run(feeds, None)
        assert caught.value.status == 400
    with pytest.raises(RequestError, match="unknown output 'y': the model gives output-0"):
        loaded.run({"x": np.zeros((1, 2))}, ("y",))


def test_a_failure_of_the_model_is_answered_500(
    save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(save(classifier()))

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sklearn.linear_model.LogisticRegression.predict", fail)
    with pytest.raises(RequestError, match="ZeroDivisionError") as caught:
        loaded.run({"x": np.zeros((1, 2))}, None)
    assert caught.value.status == 500


def test_named_columns_and_several_outputs(save: Save, tmp_path: Path) -> None:
    from sklearn.multioutput import MultiOutputClassifier

    rows = np.array([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0], [6.0, 5.0]])
    model = MultiOutputClassifier(sklearn.linear_model.LogisticRegression())
    model.fit(rows, [[0, 0], [0, 0], [1, 1], [1, 1]])
    model.feature_names_in_ = np.array(["a", "b"], object)
    loaded = load(save(model), PREDICT_PROBA="true")
    assert loaded.facts["feature_names"] == ["a", "b"]
    found = loaded.run({"b": np.zeros(1), "a": np.zeros(1)}, None)
    assert {name: array.shape for name, array in found.items()} == {
        "output-0": (1, 2),
        "output-1": (1, 2),
    }
    with pytest.raises(RequestError, match="unknown input 'c': the model takes a, b"):
        loaded.run({"b": np.zeros(1), "c": np.zeros(1)}, None)


def by_name() -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import StandardScaler

    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [0.0, 1.0, 5.0, 6.0], "b": [0.0, 0.0, 9.0, 9.0]})
    scaled = ColumnTransformer([("one", StandardScaler(), ["b"])], remainder="drop")
    pipeline = sklearn.pipeline.make_pipeline(scaled, sklearn.linear_model.LogisticRegression())
    return pipeline.fit(frame, [0, 0, 1, 1])


def test_columns_selected_by_name_get_a_data_frame(
    save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(by_name())
    loaded = load(path)
    found = loaded.run({"b": np.array([9.0, 0.0]), "a": np.zeros(2)}, None)
    assert found["output-0"].tolist() == [1, 0]
    assert loaded.run({"x": np.array([[0.0, 9.0]])}, None)["output-0"].tolist() == [1]
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert failure(path).endswith("needs the package pandas: pip install pandas")


def mixed() -> Any:
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"age": [20.0, 30.0, 60.0, 70.0], "town": ["oslo", "oslo", "rome", "rome"]}
    )
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), make_column_selector(dtype_include=np.number)),
            ("words", OneHotEncoder(), make_column_selector(dtype_exclude=np.number)),
        ]
    )
    pipeline = sklearn.pipeline.make_pipeline(columns, sklearn.linear_model.LogisticRegression())
    return pipeline.fit(frame, [0, 0, 1, 1])


def test_columns_selected_by_kind_get_a_data_frame(save: Save) -> None:
    loaded = load(save(mixed(), "model.joblib"), "--trust-pickle")
    feeds = {"town": np.array(["rome", "oslo"], object), "age": np.array([65.0, 25.0])}
    assert loaded.run(feeds, None)["output-0"].tolist() == [1, 0]


def test_the_metadata_of_columns_with_text_is_column_by_column(save: Save) -> None:
    loaded = load(save(mixed(), "model.joblib"), "--trust-pickle")
    assert loaded.described is not None
    given = [(one.name, one.datatype, one.shape) for one in loaded.described.inputs]
    assert given == [("age", "FP64", (-1,)), ("town", "BYTES", (-1,))]
    taken = [(one.name, one.datatype, one.shape) for one in loaded.described.outputs]
    assert taken == [("output-0", "INT64", (-1,))]


def test_numbers_in_a_column_of_words_and_the_reverse_name_it(save: Save) -> None:
    loaded = load(save(mixed(), "model.joblib"), "--trust-pickle")
    age, town = np.array([65.0]), np.array(["rome"], object)
    for feeds, said in (
        ({"age": age, "town": age}, "input 'town': expected text for BYTES, got numbers"),
        ({"age": town, "town": town}, "with text in 'age': the model: "),
    ):
        with pytest.raises(RequestError, match=said) as caught:
            loaded.run(feeds, None)
        assert caught.value.status == 400


def test_a_model_of_texts_says_so(save: Save) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    pipeline = sklearn.pipeline.make_pipeline(
        TfidfVectorizer(), sklearn.linear_model.LogisticRegression()
    )
    loaded = load(save(pipeline.fit(["good film", "bad film"], [1, 0])))
    assert loaded.described is not None
    [given], [taken] = loaded.described.inputs, loaded.described.outputs
    assert (given.name, given.datatype, given.shape) == ("input-0", "BYTES", (-1,))
    assert (taken.name, taken.datatype, taken.shape) == ("output-0", "INT64", (-1,))
    with pytest.raises(RequestError, match="'x': expected text for BYTES, got numbers") as caught:
        loaded.run({"x": np.zeros(1)}, None)
    assert caught.value.status == 400


def test_a_model_that_would_take_every_processor_is_limited(save: Save) -> None:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(n_estimators=3, n_jobs=-1, random_state=0)
    forest.fit([[0.0], [1.0]], [0, 1])
    path = save(forest, "model.joblib")
    model = sklearn_model.SklearnModel(
        path, Kind.PICKLE, trust_pickle=True, threads=1, probabilities=False
    )
    model.load()
    assert model.run({"x": np.array([[1.0]])}, None)["output-0"].tolist() == [1]
    assert model._estimator.n_jobs == 1


def test_kserves_iris_gives_kserves_golden_answer(caplog: pytest.LogCaptureFixture) -> None:
    path = DATA / "sklearn"
    if not path.is_dir():
        pytest.skip(f"{path} is not here")
    loaded = load(path, "--trust-pickle")
    assert "SVC written by scikit-learn 1.3.2" in caplog.text
    body = (DATA / "requests/iris_input.json").read_bytes()
    v1 = CodecV1(loaded.signature)
    request = v1.decode(body)
    answer = orjson.loads(v1.encode(request, loaded.run(request.feeds, None)).body)
    assert answer == {"predictions": [1, 1]}
    v2 = CodecV2(loaded.signature, name="iris", version="")
    request = v2.decode((DATA / "requests/iris_input_v2.json").read_bytes())
    answer = orjson.loads(v2.encode(request, loaded.run(request.feeds, None)).body)
    assert [output["data"] for output in answer["outputs"]] == [[1, 1]]
