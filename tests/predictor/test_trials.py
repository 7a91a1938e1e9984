"""Variants written, compared and measured with real sessions; here instead of in children."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import orjson
import pytest
from onnx import helper

from predictor import apart, trials
from predictor.apart import Answer
from predictor.model_settings import Warmup
from predictor.prepared import GRAPH, WEIGHTS, WRITING, Variant
from predictor.trials import Sizes, UnfitError
from tests.predictor.onnx_files import Tensors, build, layers

SIZES = Sizes(free=16, rows=(1, 3))


@pytest.fixture(autouse=True)
def _no_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(work: Callable[[], Answer], *, timeout_s: float) -> Answer:
        assert timeout_s > 0
        return work()

    monkeypatch.setattr(apart, "run", run)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "layers.onnx"
    path.write_bytes(layers())
    return path


@pytest.fixture
def graphs(tmp_path: Path, plain: Path) -> Path:
    for variant in WRITING:
        (tmp_path / variant.value).mkdir()
        trials.write(plain, tmp_path / variant.value, variant)
    return tmp_path


def model(path: Path, nodes: list[onnx.NodeProto], inputs: Tensors, outputs: Tensors) -> Path:
    path.write_bytes(build(nodes, inputs, outputs))
    return path


def test_sizes_are_those_that_the_model_takes(tmp_path: Path, plain: Path) -> None:
    assert trials.sizes(plain) == SIZES
    pool = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[40])
    image: Tensors = {"x": ("FP32", [1, 1, "w"])}
    path = model(tmp_path / "pool.onnx", [pool], image, {"y": ("FP32", [1, 1, "v"])})
    assert trials.sizes(path) == Sizes(free=64, rows=(1, 3))


def test_a_model_that_answers_at_random_is_unfit(tmp_path: Path) -> None:
    nodes = [helper.make_node("RandomNormalLike", ["x"], ["y"])]
    of: Tensors = {"x": ("FP32", ["n", 2])}
    path = model(tmp_path / "random.onnx", nodes, of, {"y": ("FP32", ["n", 2])})
    with pytest.raises(UnfitError, match="answers the same inputs differently each time"):
        trials.sizes(path)


def test_a_model_that_takes_nothing_made_up_is_unfit(tmp_path: Path) -> None:
    pool = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[4000])
    image: Tensors = {"x": ("FP32", [1, 1, "w"])}
    path = model(tmp_path / "pool.onnx", [pool], image, {"y": ("FP32", [1, 1, "v"])})
    with pytest.raises(UnfitError, match=r"takes none of the inputs that were made up \(.*MaxPool"):
        trials.sizes(path)


def test_a_model_of_texts_is_unfit(identity_model: Callable[..., Path]) -> None:
    with pytest.raises(
        UnfitError, match=r"no values can be made up for input 'x', a tensor\(string\)"
    ):
        trials.sizes(identity_model("BYTES"))


def test_the_weights_are_beside_the_graph(graphs: Path, plain: Path) -> None:
    packed, saved = (graphs / each.value for each in (Variant.PACKED, Variant.SAVED))
    assert (packed / GRAPH).stat().st_size < 4096
    assert plain.stat().st_size * 0.9 < (packed / WEIGHTS).stat().st_size
    assert (packed / WEIGHTS).stat().st_size < (saved / WEIGHTS).stat().st_size


@pytest.mark.parametrize("variant", [each for each in Variant if each is not Variant.PLAIN])
def test_every_variant_answers_alike(graphs: Path, plain: Path, variant: Variant) -> None:
    assert trials.compare(plain, graphs, variant, SIZES) == ""


def test_another_answer_and_another_description_are_seen(graphs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(layers(seed=2))
    assert "output 'y' differs by" in trials.compare(other, graphs, Variant.PACKED, SIZES)
    other.write_bytes(layers(width=256))
    fault = trials.compare(other, graphs, Variant.PACKED, SIZES)
    assert fault == "describes itself otherwise"


def test_costs_are_measured(graphs: Path, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_ROUNDS", 1)
    monkeypatch.setattr(trials, "_RUN_S", 0.0)
    if not trials.can_measure():
        pytest.skip("this system does not tell")
    measured = trials.measure(plain, graphs, list(Variant), SIZES)
    assert set(measured) == set(Variant)
    for each in measured.values():
        assert each.load_ms > 0
        assert each.run_ms > 0
        assert np.isfinite([each.private_mib, each.resident_mib]).all()


def stored(name: str, datatype: str, *values: object) -> Warmup:
    tensor = {"name": "x", "shape": [len(values)], "datatype": datatype, "data": values}
    return Warmup(name=name, body=orjson.dumps({"inputs": [tensor]}))


def bounded(path: Path, most: float) -> Path:
    nodes = [
        helper.make_node("Constant", [], ["most"], value_float=most),
        helper.make_node("Min", ["x", "most"], ["y"]),
    ]
    of: Tensors = {"x": ("FP32", ["n"])}
    return model(path, nodes, of, {"y": ("FP32", ["n"])})


def test_a_difference_that_only_stored_requests_show_is_seen(tmp_path: Path) -> None:
    plain, other = (bounded(tmp_path / f"{most}.onnx", most) for most in (100.0, 50.0))
    (tmp_path / "saved").mkdir()
    trials.write(other, tmp_path / "saved", Variant.SAVED)
    made_up = trials.sizes(plain)
    assert trials.compare(plain, tmp_path, Variant.SAVED, made_up) == ""
    both = trials.sizes(plain, [stored("low", "FP32", 1.0), stored("high", "FP32", 75.0)])
    assert both.rows == made_up.rows
    fault = trials.compare(plain, tmp_path, Variant.SAVED, both)
    assert fault == "high: output 'y' differs by 25"


def test_stored_requests_stand_alone_where_nothing_can_be_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "_ROUNDS", 1)
    monkeypatch.setattr(trials, "_RUN_S", 0.0)
    of: Tensors = {"x": ("BYTES", ["n"])}
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    plain = model(tmp_path / "texts.onnx", nodes, of, {"y": ("BYTES", ["n"])})
    asked = stored("text", "BYTES", "a", "b")
    found = trials.sizes(plain, [stored("number", "FP32", 1.0), asked])
    assert found == Sizes(free=0, rows=(), stored=(asked,))
    (tmp_path / "saved").mkdir()
    trials.write(plain, tmp_path / "saved", Variant.SAVED)
    assert trials.compare(plain, tmp_path, Variant.SAVED, found) == ""
    if trials.can_measure():
        measured = trials.measure(plain, tmp_path, [Variant.PLAIN, Variant.SAVED], found)
        assert measured[Variant.SAVED].run_ms > 0


def test_a_model_that_takes_no_stored_request_is_as_one_without(
    identity_model: Callable[..., Path],
) -> None:
    with pytest.raises(UnfitError, match="no values can be made up for input 'x'"):
        trials.sizes(identity_model("BYTES"), [stored("number", "FP32", 1.0)])


def test_a_model_that_answers_stored_requests_at_random_is_unfit(tmp_path: Path) -> None:
    nodes = [helper.make_node("RandomNormalLike", ["x"], ["y"])]
    of: Tensors = {"x": ("FP32", ["n"])}
    path = model(tmp_path / "random.onnx", nodes, of, {"y": ("FP32", ["n"])})
    with pytest.raises(UnfitError, match="answers the same inputs differently each time"):
        trials.sizes(path, [stored("one", "FP32", 1.0)])
