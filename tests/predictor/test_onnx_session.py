"""Sessions as they were asked for: on a card, beside one that is lost, and within an arena."""

import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import onnxruntime
import pytest

from predictor import onnx_model, onnx_session, provider_options
from predictor.errors import LoadError
from predictor.onnx_model import OnnxModel
from predictor.onnx_session import Wish
from predictor.providers import CPU, CUDA, TENSORRT
from tests.predictor.fake_ort import FakeOrt

ROOT = Path(__file__).parents[2]
ONES = np.ones((1, 2), np.float32)


def on(ort: FakeOrt, path: Path, *asked: str, is_bound: bool = True, **more: Any) -> OnnxModel:
    wish = Wish(providers=asked, **more)
    model = OnnxModel(path, wish, is_bound=is_bound, ort=cast("ModuleType", ort))
    model.load()
    return model


def options(**by_provider: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    names = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
    return {names[name]: each for name, each in by_provider.items()}


def test_a_gpu_is_used_where_there_is_one(identity_model: Callable[..., Path]) -> None:
    ort = FakeOrt([CUDA, CPU], [CUDA, CPU])
    model = on(ort, identity_model())
    assert ort.asked == [CUDA, CPU]
    assert ort.preloaded == 1
    assert model.provider == CUDA
    assert model.run({"x": ONES}, None)["y"].tolist() == [[1, 1]]


def test_a_gpu_that_does_not_come_up_is_shouted_about(
    identity_model: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    model = on(FakeOrt([CUDA, CPU], [CPU]), identity_model())
    assert model.provider == CPU
    assert f"WARNING: {CUDA} did not start on this machine" in caplog.text


def test_a_gpu_that_fails_leaves_the_cpu_and_is_shouted_about(
    identity_model: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    ort = FakeOrt([CUDA, CPU], [CUDA, CPU], broken=[CUDA])
    model = on(ort, identity_model())
    assert model.provider == CPU
    said = f"WARNING: {CUDA} did not start; running on {CPU}: CUDA failure 100: no device for"
    assert said in caplog.text


def test_an_asked_gpu_that_is_not_there_is_shouted_about(
    identity_model: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    ort = FakeOrt([CPU], [CPU])
    with caplog.at_level(logging.WARNING):
        assert on(ort, identity_model(), CUDA).provider == CPU
    assert f"WARNING: {CUDA} was asked for and is not available here" in caplog.text
    assert ort.asked == [CPU]
    assert ort.preloaded == 0


def test_a_model_that_is_broken_on_both_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("hello\n")
    with pytest.raises(LoadError, match="is not an ONNX file"):
        on(FakeOrt([CUDA, CPU], [CUDA, CPU]), path)


def test_options_go_to_their_provider(
    identity_model: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    ort = FakeOrt([CUDA, CPU], [CUDA, CPU])
    mine = options(cuda={"device_id": "1"}, cpu={"enable_cpu_mem_arena": "0"})
    on(ort, identity_model(), options=mine)
    assert ort.asked == [(CUDA, {"device_id": "1"}), CPU]
    assert ort.options.enable_cpu_mem_arena is False
    assert caplog.text == ""
    on(ort, identity_model(), CPU, options=mine)
    assert ort.asked == [CPU]
    assert f"the options of {CUDA} are not used: it is not a provider here" in caplog.text


def test_inputs_and_outputs_are_bound_where_a_card_is_used(two_model: Path) -> None:
    ort = FakeOrt([CUDA, CPU], [CUDA, CPU])
    model = on(ort, two_model)
    feeds = {"a": ONES, "b": ONES}
    assert model.run(feeds, ("difference",))["difference"].tolist() == [[0, 0]]
    assert model.run(feeds, None).keys() == {"total", "difference"}
    assert ort.session is not None
    one, all_of_them = ort.session.bindings
    assert one.inputs.keys() == {"a", "b"}
    assert one.outputs == {"difference": "cpu"}
    assert all_of_them.outputs == {"total": "cpu", "difference": "cpu"}


@pytest.mark.parametrize(("used", "is_bound"), [([CPU], True), ([CUDA, CPU], False)])
def test_else_nothing_is_bound(two_model: Path, used: list[str], *, is_bound: bool) -> None:
    ort = FakeOrt([CUDA, CPU], used)
    model = on(ort, two_model, is_bound=is_bound)
    assert model.run({"a": ONES, "b": ONES}, None)["total"].tolist() == [[2, 2]]
    assert ort.session is not None
    assert ort.session.bindings == []


def test_texts_are_never_bound(identity_model: Callable[..., Path]) -> None:
    ort = FakeOrt([CUDA, CPU], [CUDA, CPU])
    model = on(ort, identity_model("BYTES"))
    assert model.run({"x": np.array([["a", "b"]], object)}, None)["y"].tolist() == [["a", "b"]]
    assert ort.session is not None
    assert ort.session.bindings == []


def test_tensorrts_engines_are_kept_unless_it_is_said_where(
    identity_model: Callable[..., Path], tmp_path: Path
) -> None:
    ort, engines = FakeOrt([TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU]), tmp_path / "t/sha256-a"
    on(ort, identity_model(), TENSORRT, CUDA, engines=engines)
    here = {"trt_timing_cache_enable": "1", "trt_timing_cache_path": str(engines)}
    ((_, own), *others) = ort.asked
    assert own == here | {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(engines)}
    assert others == [CUDA, CPU]
    assert engines.is_dir()
    mine = options(tensorrt={"trt_engine_cache_path": "/mine", "trt_fp16_enable": "1"})
    on(ort, identity_model(), TENSORRT, engines=engines, options=mine)
    ((_, own), *_) = ort.asked
    assert own == here | {"trt_engine_cache_path": "/mine", "trt_fp16_enable": "1"}


def test_without_a_folder_engines_are_not_kept(
    identity_model: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ort = FakeOrt([TENSORRT, CPU], [TENSORRT, CPU])
    (tmp_path / "file").touch()
    on(ort, identity_model(), TENSORRT, engines=tmp_path / "file/x")
    assert ort.asked == [TENSORRT, CPU]
    assert "TensorRT's engines are not kept in" in caplog.text
    on(ort, identity_model(), TENSORRT)
    assert ort.asked == [TENSORRT, CPU]


ARENA = """
import sys
import numpy as np
from predictor import onnx_session, provider_options
from predictor.onnx_model import runtime
from predictor.onnx_session import Wish
text = '{"CPUExecutionProvider": {"arena_mem_limit": %d}}'
def run(limit):
    wish = Wish(options=provider_options.read(text % limit))
    session = onnx_session.open_session(runtime(), sys.argv[1], wish)
    try:
        session.run(None, {"x": np.ones((500_000, 2), np.float32)})
        print("ran")
    except Exception as error:
        print("smaller than requested" in str(error))
run(1_000_000)
run(1_000_000_000)
run(1_000_000)
"""


def test_an_arena_has_its_limit(identity_model: Callable[..., Path]) -> None:
    command = [sys.executable, "-c", ARENA, str(identity_model())]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["True", "ran", "True"]


def test_the_public_run_does_where_the_private_one_is_gone(two_model: Path) -> None:
    session = onnxruntime.InferenceSession(str(two_model), providers=[CPU])
    public = SimpleNamespace(run=session.run)
    feeds = {"a": ONES, "b": ONES}
    for one in (public, session):
        assert onnx_session._fast_run(one)(("total",), feeds, None)[0].tolist() == [[2, 2]]


def test_each_model_has_a_folder_for_engines_of_its_own() -> None:
    from predictor import config

    arguments = ["--model", "m.onnx", "--cache-dir", "/c", "--threads", "2"]
    wish = onnx_model._wish(config.parse(arguments, {"RELIGHT_MODEL_DIGEST": "sha256:" + "a" * 64}))
    assert wish.engines == Path("/c/tensorrt/sha256-" + "a" * 64)
    assert wish.threads == 2
    assert wish.options is provider_options.NONE
