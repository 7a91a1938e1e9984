"""The CPU or the GPU: as asked for, as there is, and said aloud where they differ."""

import pytest

from predictor.devices import choose
from predictor.providers import CPU, CUDA


@pytest.mark.parametrize(
    ("asked", "has_gpu", "visible", "is_gpu", "told"),
    [
        ((), False, "", False, ""),
        ((), True, "", True, ""),
        ((), False, "0", False, "CUDA_VISIBLE_DEVICES=0 and torch sees no GPU"),
        ((), False, "-1", False, ""),
        ((CPU,), True, "0", False, ""),
        ((CUDA,), True, "0", True, ""),
        ((CUDA,), False, "0", False, "was asked for and torch sees no GPU; running on the CPU"),
        ((CUDA, CPU), True, "", True, ""),
        (("TensorrtExecutionProvider", CUDA), True, "", True, "is ONNX Runtime's; torch has only"),
        (("TensorrtExecutionProvider",), True, "", False, "is ONNX Runtime's; torch has only"),
    ],
)
def test_where_a_model_runs(
    asked: tuple[str, ...], has_gpu: bool, visible: str, is_gpu: bool, told: str
) -> None:
    device = choose(asked, has_gpu=has_gpu, visible=visible, library="torch")
    assert device.is_gpu is is_gpu
    assert len(device.warnings) == (1 if told else 0)
    assert told in " ".join(device.warnings)
