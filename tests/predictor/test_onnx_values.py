"""BF16 through ONNX Runtime, and text that is none."""

from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

from predictor import onnx_values
from predictor.errors import RequestError
from predictor.model import Signature, TensorSpec
from predictor.onnx_model import OnnxModel
from tests.predictor.onnx_files import Tensors, build

BF16 = np.dtype(ml_dtypes.bfloat16)


def opened(path: Path) -> OnnxModel:
    model = OnnxModel(path)
    model.load()
    return model


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 3)])
@pytest.mark.parametrize("is_copied", [False, True])
def test_every_shape_of_bf16_goes_in_and_out(
    identity_model: Callable[..., Path], shape: tuple[int, ...], is_copied: bool
) -> None:
    model = opened(identity_model("BF16", [None] * len(shape)))
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(BF16)
    if is_copied:
        array = np.frombuffer(array.tobytes(), BF16).reshape(shape)  # read-only, as from a body
    out = model.run({"x": array}, None)["y"]
    assert (out.dtype, out.shape) == (BF16, shape)
    assert out.tobytes() == array.tobytes()


def test_an_array_in_any_order_of_memory(identity_model: Callable[..., Path]) -> None:
    array = np.arange(6).reshape(2, 3).astype(BF16).T
    out = opened(identity_model("BF16", [None, None])).run({"x": array}, None)["y"]
    assert out.astype(int).tolist() == [[0, 3], [1, 4], [2, 5]]


def test_bf16_beside_other_numbers(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BFLOAT16),
        helper.make_node("Cast", ["b"], ["f"], to=TensorProto.FLOAT),
    ]
    inputs: Tensors = {"x": ("FP32", [None]), "b": ("BF16", [None])}
    outputs: Tensors = {"y": ("BF16", [None]), "f": ("FP32", [None])}
    path = tmp_path / "m.onnx"
    path.write_bytes(build(nodes, inputs, outputs))
    model = opened(path)
    assert [spec.datatype for spec in model.signature().outputs] == ["BF16", "FP32"]
    given = {"x": np.array([1.5], np.float32), "b": np.array([2.5], BF16)}
    found = model.run(given, None)
    assert (found["y"].dtype, found["y"].tolist()) == (BF16, [1.5])
    assert (found["f"].dtype, found["f"].tolist()) == (np.float32, [2.5])
    assert list(model.run(given, ("f",))) == ["f"]


def test_bytes_that_are_no_text_are_refused(identity_model: Callable[..., Path]) -> None:
    model = opened(identity_model("BYTES", [None]))
    with pytest.raises(RequestError, match="input 'x': expected text in UTF-8") as caught:
        model.run({"x": np.array([b"\xff"], object)}, None)
    assert caught.value.status == 400
    assert model.run({"x": np.array(["\x00é"], object)}, None)["y"].tolist() == ["\x00é"]


def test_what_a_signature_has() -> None:
    def having(*datatypes: str) -> Signature:
        specs = [TensorSpec(name=one, datatype=one, shape=(-1,)) for one in datatypes]
        return Signature(inputs=specs[:1], outputs=specs[1:])

    assert not onnx_values.has_bf16(having("FP32", "BYTES"))
    assert onnx_values.has_bf16(having("FP32", "BF16"))
    assert not onnx_values.has_both(having("FP32", "BF16"))
    assert onnx_values.has_both(having("BYTES", "BF16"))
