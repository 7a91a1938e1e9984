"""A transformer around a model: what clients send, what the model gets, what does not fit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor import batches, config, loader, transforming
from predictor.errors import LoadError, RequestError
from predictor.explain_requests import Asked
from predictor.loaded import Loaded
from predictor.model import Signature, TensorSpec
from tests.predictor import explain_bench
from tests.predictor.explain_bench import MATRIX, explain, linear, model

File = Callable[[str], Path]
IMPORT = "from predictor.model import Transformer, InvalidInputError\n"
TOWNS = (
    IMPORT
    + """
class Towns(Transformer):
    is_rowwise = True
    def load(self):
        self.codes = {"york": 1.0, "hull": 2.0}
    def signature(self):
        town = TensorSpec(name="town", datatype="BYTES", shape=(-1,))
        price = TensorSpec(name="price", datatype="FP64", shape=(-1,))
        return Signature(inputs=[town], outputs=[price])
    def preprocess(self, inputs):
        try:
            codes = [self.codes[each] for each in inputs["town"]]
        except KeyError as error:
            raise InvalidInputError(f"no town {error}") from None
        return {"x": np.array([[code, 0.0, 0.0] for code in codes])}
    def postprocess(self, outputs):
        return {"price": outputs["y"] * 10}
"""
)
INNER = model(linear, signature=MATRIX, described=MATRIX)


def town(*names: str) -> dict[str, Any]:
    return {"town": np.array(names, object)}


def of(path: Path, name: str = "Mine", loaded: Loaded = INNER) -> Loaded:
    return transforming.around(loaded, path, name)


def mine(body: str) -> str:
    return f"{IMPORT}class Mine(Transformer):\n  def preprocess(self, inputs):\n    {body}\n"


def test_both_run_as_one(python_file: File) -> None:
    pair = of(python_file(TOWNS), "Towns")
    assert pair.run(town("york", "hull"), None)["price"].tolist() == [40, 50]
    assert pair.signature is pair.described
    assert pair.signature is not None
    assert [spec.name for spec in pair.signature.inputs] == ["town"]
    assert batches.refusal(pair) == ""
    with pytest.raises(RequestError, match="no town 'leeds'") as caught:
        pair.run(town("leeds"), None)
    assert caught.value.status == 400
    with pytest.raises(RequestError, match="unknown output 'y': the model gives price"):
        pair.run(town("york"), ("y",))


async def test_served_like_any_model(python_file: File, short_path: Path) -> None:
    pair = of(python_file(TOWNS), "Towns")
    async with explain_bench.start(short_path, pair, batch_size_max=8) as bench:
        status, body = await bench.post("/v1/models/m:predict", {"instances": ["york", "hull"]})
        assert (status, body) == (200, {"predictions": [40, 50]})
        status, body = await bench.post("/v1/models/m:predict", {"instances": ["leeds"]})
        assert (status, body) == (400, {"error": "no town 'leeds'"})


def test_what_it_takes_and_gives_by_default_is_the_model_s(python_file: File) -> None:
    pair = of(python_file(f"{IMPORT}class Mine(Transformer): ...\n"))
    assert pair.run({"x": np.ones((1, 3))}, ("y",))["y"].tolist() == [2.5]
    assert pair.signature is None
    assert "is_rowwise = True" in batches.refusal(pair)


def test_joining_needs_both(python_file: File) -> None:
    spec = TensorSpec(name="x", datatype="FP64", shape=(1, 3))
    single = replace(INNER, signature=Signature(inputs=[spec], outputs=[]), is_rowwise=False)
    pair = of(python_file(TOWNS), "Towns", single)
    assert "input 'x' has shape [1, 3]: its axis 0 is not a batch" in batches.refusal(pair)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1", "Mine.preprocess gave int, not a dict of arrays"),
        ("return {}", "Mine.preprocess gave an empty dict"),
        ("return {'z': 1}", "Mine.preprocess gave inputs z, while the model takes x"),
        ("return {'x': [['a', 'b', 'c']]}", "'x' as .*, while the model takes FP64"),
        ("return {'x': [[1j, 0, 0]]}", "'x' as complex128, while the model takes FP64"),
        ("return {'x': [[1.0]]}", r"what the model does not take: input 'x': expected shape"),
        ("return {'x': [[1], [1, 2]]}", "output 'x' is ragged"),
        ("raise ValueError('mine')", r"the model failed on this request \(ValueError\)"),
        ("raise SystemExit(3)", r"the model failed on this request \(SystemExit\)"),
    ],
)
def test_what_the_model_can_not_take_is_the_transformer_s_fault(
    python_file: File, body: str, said: str
) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        of(python_file(mine(body))).run({"x": np.ones((1, 3))}, None)
    assert caught.value.status == 500


def test_numbers_are_made_the_model_s(python_file: File) -> None:
    for body in ("return {'x': [[1, 2, 4]]}", "return {'x': np.array([[1, 2, 4]], np.float32)}"):
        assert of(python_file(mine(body))).run({}, None)["y"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "has no class Mine; it has no Transformer at all"),
        ("class Mine: ...", "Mine in .* is not a predictor.model.Transformer"),
        (IMPORT + "class Other(Transformer): ...", "has no class Mine; it has Other"),
        (IMPORT + "class Mine(Transformer):\n  def load(self): 1 / 0", "raised ZeroDivisionError"),
    ],
)
def test_a_file_without_one(python_file: File, code: str, said: str) -> None:
    path = python_file(code)
    with pytest.raises(LoadError, match=said):
        of(path)


def test_text_is_not_transformed(python_file: File) -> None:
    writer = replace(INNER, generate=lambda prompt, how: iter(()))
    path = python_file(TOWNS)
    with pytest.raises(LoadError, match="a transformer is not asked for text"):
        of(path, "Towns", writer)


def test_explanations_are_of_what_clients_send(python_file: File) -> None:
    described = replace(INNER, facts={"feature_names": ["a", "b", "c"], "device": "cpu"})
    pair = of(python_file(TOWNS), "Towns", described)
    assert pair.facts == {"device": "cpu"}
    columns = replace(pair, signature=None)
    (found,) = explain(columns, Asked(baseline=["hull"]), **town("york"))
    assert found.names == ("town",)
    with pytest.raises(RequestError, match="refuses rows in which"):
        explain(columns, Asked(), **town("york"))  # of which no word can be left out
    scored = replace(INNER, scores=lambda feeds, wanted: {"p": feeds["x"]}, explain=dict)
    pair = of(python_file(TOWNS), "Towns", scored)
    assert pair.scores is not None
    assert pair.scores(town("hull"), None)["p"].tolist() == [[2, 0, 0]]
    assert pair.explain is not None
    assert list(pair.explain(town("hull"))) == ["x"]


def test_the_digest_is_of_both(python_file: File, tmp_path: Path) -> None:
    path = python_file(TOWNS)
    (tmp_path / "inner.py").write_text(
        "from predictor.model import Model\n"
        "class Inner(Model):\n  def predict(self, inputs): return {'y': inputs['x'].sum(axis=1)}\n"
    )
    inner = f"{tmp_path}/inner.py:Inner"

    def digest() -> str:
        arguments = ["--python", inner, "--transformer", f"{path}:Towns", "--model-name", "m"]
        return loader.load(config.parse(arguments, {})).digest

    first = digest()
    path.write_text(path.read_text() + "\n# changed\n")
    second = digest()
    (tmp_path / "inner.py").write_text((tmp_path / "inner.py").read_text() + "# changed\n")
    assert len({first, second, digest()}) == 3
    given = config.parse(["--python", inner, "--transformer", f"{path}:Towns"], {})
    pinned = replace(given, model_digest="sha256:" + "0" * 64)
    assert loader.load(pinned).digest == pinned.model_digest
