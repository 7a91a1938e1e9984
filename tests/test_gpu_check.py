"""The check of a card: clear where there is none, and a table where there is one (here: a fake)."""

import sys
from types import ModuleType
from typing import Any, cast

import pytest

from hack import gpu_check
from predictor import onnx_model
from predictor.providers import CPU, CUDA, TENSORRT
from tests.predictor.fake_ort import FakeOrt

SMALL = ["--scale", "0.06"]


def put(monkeypatch: pytest.MonkeyPatch, ort: Any, *, cards: str) -> None:
    for module in (gpu_check, onnx_model):
        monkeypatch.setattr(module, "runtime", lambda: cast("ModuleType", ort))
    monkeypatch.setattr(gpu_check, "driver", lambda: cards)
    monkeypatch.setattr(gpu_check, "RUNS", 1)
    monkeypatch.setattr(gpu_check, "has_tensorrt", lambda: True)


def test_without_a_card_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert gpu_check.driver() == ""
    put(monkeypatch, FakeOrt([CPU], [CPU]), cards="")
    assert gpu_check.main(SMALL) == 1
    said = capsys.readouterr().out
    assert "no GPU: this machine has none, or its driver is not installed" in said
    assert "no GPU provider: pip install '.[gpu]'" in said
    assert said.endswith("gpu_check: NOT well\n")


def test_with_one_everything_is_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(monkeypatch, FakeOrt([CUDA, CPU], [CUDA, CPU]), cards="NVIDIA Fake, 1, 2 MiB")
    assert gpu_check.main(SMALL) == 0
    said = capsys.readouterr().out
    for how in ("CPU", "CUDA, bound", "CUDA, not bound", "CUDA, arena of 2 GiB"):
        assert said.count(f"  {how}  ") == 2
    assert said.endswith("gpu_check: well\n")


def test_tensorrt_is_tried_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gpu_check.has_tensorrt() in (False, True)
    ort = FakeOrt([TENSORRT, CUDA, CPU], [CUDA, CPU])  # as the package of pip says it
    put(monkeypatch, ort, cards="NVIDIA Fake, 1, 2 MiB")
    monkeypatch.setattr(gpu_check, "has_tensorrt", lambda: False)
    assert gpu_check.main(SMALL) == 0
    said = capsys.readouterr().out
    assert "TensorRT:  is not installed, so it is not tried" in said
    assert "TensorRT, engine" not in said


def test_a_package_that_it_needs_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(monkeypatch, FakeOrt([CUDA, CPU], [CUDA, CPU]), cards="NVIDIA Fake, 1, 2 MiB")
    monkeypatch.delitem(sys.modules, "benchmarks.prepared", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert gpu_check.main(SMALL) == 1
    assert "the models are made with onnx: pip install onnx" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ort", "why"),
    [
        (FakeOrt([CUDA, CPU], [CPU]), f"ran on {CPU}"),
        (FakeOrt([CUDA, CPU], [CUDA, CPU], broken=[CUDA]), f"ran on {CPU}"),
        (FakeOrt([TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU]), "no engine was kept in"),
    ],
)
def test_what_does_not_do_well_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ort: FakeOrt, why: str
) -> None:
    put(monkeypatch, ort, cards="NVIDIA Fake, 1, 2 MiB")
    assert gpu_check.main(SMALL) == 1
    assert why in capsys.readouterr().out


def test_another_answer_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ort = FakeOrt([CUDA, CPU], [CUDA, CPU])
    put(monkeypatch, ort, cards="NVIDIA Fake, 1, 2 MiB")
    real = onnx_model.OnnxModel.run

    def run(self: Any, *arguments: Any) -> Any:
        beside = 9e9 * (self.provider == CUDA)
        return {name: array + beside for name, array in real(self, *arguments).items()}

    monkeypatch.setattr(onnx_model.OnnxModel, "run", run)
    assert gpu_check.main(SMALL) == 1
    assert "another answer than the CPU's" in capsys.readouterr().out
