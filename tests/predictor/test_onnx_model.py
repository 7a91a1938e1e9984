"""ONNX files: sessions, signatures, and one sentence for each way to fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from predictor import artifacts, onnx_model
from predictor.errors import LoadError, RequestError
from predictor.model import TensorSpec
from predictor.onnx_model import OnnxModel
from tests.predictor.onnx_files import ONNX_TYPES, Tensors, build

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def opened(path: Path) -> OnnxModel:
    model = OnnxModel(path)
    model.load()
    return model


@pytest.mark.parametrize("datatype", ONNX_TYPES)
def test_every_datatype_runs(identity_model: Callable[..., Path], datatype: str) -> None:
    model = opened(identity_model(datatype, [None, "b", 1]))
    spec = TensorSpec(name="x", datatype=datatype, shape=(-1, -1, 1))
    assert model.signature().inputs == [spec]
    text = datatype == "BYTES"
    array = np.array([[["é"]]], object) if text else np.ones((1, 1, 1), _dtype(datatype))
    out = model.run({"x": array}, None)["y"]
    assert out.tolist() == array.tolist()
    assert model.provider == CPU


def _dtype(datatype: str) -> Any:
    return helper.tensor_dtype_to_np_dtype(ONNX_TYPES[datatype])


def test_only_the_wanted_outputs_are_computed(two_model: Path) -> None:
    feeds = {"a": np.ones((1, 2), np.float32), "b": np.ones((1, 2), np.float32)}
    assert list(opened(two_model).run(feeds, None)) == ["total", "difference"]
    assert list(opened(two_model).run(feeds, ("difference",))) == ["difference"]


def test_inputs_that_disagree_on_a_named_dimension_are_the_callers_fault(two_model: Path) -> None:
    feeds = {"a": np.ones((2, 2), np.float32), "b": np.ones((3, 2), np.float32)}
    with pytest.raises(RequestError, match="'b': dimension 0 is 3, but 'n' is 2 in 'a'") as caught:
        opened(two_model).run(feeds, None)
    assert caught.value.status == 400


def test_any_other_failure_is_told_without_its_details(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = [helper.make_node("Reshape", ["x", "s"], ["y"])]
    tensors: Any = {"x": ("FP32", ["n"]), "s": ("INT64", [1])}
    path = tmp_path / "reshape.onnx"
    path.write_bytes(build(nodes, tensors, {"y": ("FP32", ["m"])}))
    feeds = {"x": np.ones(3, np.float32), "s": np.array([7], np.int64)}
    with pytest.raises(RequestError, match="the log of the replica says why") as caught:
        opened(path).run(feeds, None)
    assert caught.value.status == 500
    assert "onnxruntime_src" not in str(caught.value)
    assert "Reshape" in caplog.text


def failure(path: Path) -> str:
    def load() -> None:
        artifacts.find(path)
        opened(path).signature()

    with pytest.raises(LoadError) as caught:
        load()
    said = str(caught.value)
    assert "\n" not in said
    assert str(path) in said
    assert "onnxruntime_src" not in said
    return said


def test_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("hello, I am a model\n")
    assert "is not an ONNX file: it starts with b'hello, I am" in failure(path)


def test_a_file_cut_in_half(identity_model: Callable[..., Path]) -> None:
    path = identity_model()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert f"is cut short or damaged: its {len(data) // 2} bytes" in failure(path)


def test_an_opset_from_the_future(identity_model: Callable[..., Path]) -> None:
    path = identity_model()
    model = onnx.load_model(path)
    model.opset_import[0].version = 99
    path.write_bytes(model.SerializeToString())
    version = onnxruntime.__version__
    assert f"needs opset 99 of ai.onnx; ONNX Runtime {version} goes up to" in failure(path)


def test_an_operator_that_does_not_exist(identity_model: Callable[..., Path]) -> None:
    path = identity_model()
    model = onnx.load_model(path)
    model.graph.node[0].op_type = "Nonsense"
    path.write_bytes(model.SerializeToString())
    assert "No Op registered for Nonsense" in failure(path)


def test_an_ir_version_from_the_future(identity_model: Callable[..., Path]) -> None:
    path = identity_model()
    model = onnx.load_model(path)
    model.ir_version = 31
    path.write_bytes(model.SerializeToString())
    assert "Unsupported model IR version: 31" in failure(path)


def test_a_datatype_without_a_kernel(tmp_path: Path) -> None:
    path = tmp_path / "kernel.onnx"
    node = helper.make_node("Sin", ["x"], ["y"])
    of: Any = {"x": ("FP16", [1])}
    path.write_bytes(build([node], of, {"y": ("FP16", [1])}))
    message = (
        "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for "
        "Sin(7) node with name ''"
    )
    said = onnx_model.explain(path, message, "1.2")
    assert said == f"{path} needs Sin(7), for which ONNX Runtime 1.2 has no kernel"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "Fatal error: ai.onnx.preview.training:Gradient(-1) is not a registered function/op",
            "m.onnx needs ai.onnx.preview.training:Gradient, which ONNX Runtime 1.2 does not know",
        ),
        (
            "Exception during initialization: Failed to construct locale with "
            "name:en_US.UTF-8:locale::facet::_S_create_c_locale name not valid",
            "m.onnx needs the locale en_US.UTF-8, which this machine does not have",
        ),
        ("std::bad_alloc", "m.onnx needs more memory than there is"),
        (
            "Exception during initialization: bfc_arena.cc:376 Failed to allocate memory for "
            "requested buffer of size 4096",
            "m.onnx needs more memory than there is",
        ),
    ],
)
def test_what_is_missing_is_named(message: str, said: str) -> None:
    assert onnx_model.explain(Path("m.onnx"), message, "1.2") == said


def test_where_onnx_runtime_threw_is_not_told() -> None:
    message = (
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Exception during initialization: "
        "/onnxruntime_src/onnxruntime/core/text/string_normalizer.cc:235 onnxruntime::Locale::"
        "Locale(const std::string&)::<lambda()> Failed to construct locale (en_US)"
    )
    assert onnx_model.explain(Path("m.onnx"), message, "1.2") == (
        "ONNX Runtime 1.2 cannot load m.onnx: "
        "Exception during initialization: Failed to construct locale (en_US)"
    )


def test_an_output_that_v2_cannot_express() -> None:
    path = Path(onnxruntime.__file__).parent / "datasets/logreg_iris.onnx"
    said = failure(path)
    assert "output 'probabilities' is seq(map(int64,tensor(float)))" in said
    assert "zipmap=False" in said


def test_bfloat16_and_text_in_one_model_are_refused_at_load(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", [one], [f"{one}_out"]) for one in "xt"]
    inputs: Tensors = {"x": ("BF16", [1]), "t": ("BYTES", [1])}
    outputs = {f"{name}_out": each for name, each in inputs.items()}
    path = tmp_path / "both.onnx"
    path.write_bytes(build(nodes, inputs, outputs))
    assert "tensors of BF16 and of text" in failure(path)


def test_without_onnxruntime_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnx_model, "_installed", None)
    with pytest.raises(LoadError, match=r"pip install '\.\[cpu\]' or pip install '\.\[gpu\]'"):
        OnnxModel(Path("x.onnx"))


def test_kserves_iris_model_gives_kserves_answer(kserve_model: Path) -> None:
    rows = np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]], np.float32)
    outputs = opened(kserve_model).run({"X": rows}, None)
    assert outputs["label"].tolist() == [1, 1]
    assert np.allclose(outputs["probabilities"].sum(axis=1), 1)


def test_scalars_are_rank_zero(tmp_path: Path) -> None:
    path = tmp_path / "scalar.onnx"
    node = helper.make_node("Identity", ["x"], ["y"])
    path.write_bytes(build([node], {"x": ("INT64", [])}, {"y": ("INT64", [])}))
    model = opened(path)
    assert model.signature().inputs[0].shape == ()
    assert model.run({"x": np.array(5, np.int64)}, None)["y"].tolist() == 5
