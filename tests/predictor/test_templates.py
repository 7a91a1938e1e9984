"""Replicas forked from a zygote with their model open; and models that none can keep open."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from predictor import config, forking, templates
from predictor.errors import LoadError
from predictor.onnx_model import OnnxModel
from predictor.providers import CPU, CUDA
from tests.predictor.fake_ort import FakeOrt
from tests.predictor.onnx_files import layers
from tests.predictor.talking import Client, infer_body, request
from tests.predictor.zygotes import ROOT, Platform, platform

INFER = request("POST", "/v2/models/m/infer", infer_body([[1.0, 2.0]]))
METADATA = request("GET", "/v2/models/m")


@pytest.fixture(autouse=True)
def _nothing_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "check_safe", lambda: None)
    monkeypatch.setattr(templates, "_INHERITED", templates._Inherited())


def arguments(model: Path, *more: str) -> list[str]:
    return ["--model", str(model), "--model-name", "m", *more]


def test_what_is_open_is_found_with_the_same_settings_only(
    identity_model: Callable[..., Path],
) -> None:
    mine, environment = arguments(identity_model()), {"K_REVISION": "m-1"}
    assert templates.inherited(config.parse(mine, environment)) is None
    templates.open_model(mine, environment)
    loaded = templates.inherited(config.parse(mine, environment))
    assert loaded is not None
    assert loaded.facts["template"] is True
    assert templates.inherited(config.parse(mine, {"K_REVISION": "m-2"})) is None
    assert templates.inherited(config.parse([*mine, "--threads", "2"], environment)) is None


@pytest.mark.parametrize(
    ("datatype", "shape", "runs"),
    [("FP32", ["n", 2], 1), ("INT64", [], 1), ("FP32", ["n", "m"], 0), ("BYTES", ["n", 2], 0)],
)
def test_it_runs_once_where_inputs_can_be_made_up(
    identity_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    datatype: str,
    shape: list[Any],
    runs: int,
) -> None:
    found: list[Any] = []
    run = OnnxModel.run

    def counted(self: OnnxModel, inputs: Any, wanted: Any) -> Any:
        found.append(inputs)
        return run(self, inputs, wanted)

    monkeypatch.setattr(OnnxModel, "run", counted)
    templates.open_model(arguments(identity_model(datatype, shape)), {})
    assert len(found) == runs


def test_threads_are_refused(identity_model: Callable[..., Path]) -> None:
    with pytest.raises(LoadError, match=r"its session would have 2 threads \(--threads\)"):
        templates.open_model(arguments(identity_model(), "--threads", "2"), {})


def test_a_model_in_python_is_refused() -> None:
    with pytest.raises(LoadError, match=r"a model in Python may hold what a fork breaks"):
        templates.open_model(["--python", "m.py:M"], {})


def test_a_card_is_refused_before_it_is_touched(
    identity_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ort = FakeOrt([CUDA, CPU], [CUDA, CPU])
    monkeypatch.setattr(templates, "runtime", lambda: cast("ModuleType", ort))
    with pytest.raises(LoadError, match=f"{CUDA} does not survive a fork; ask for --providers"):
        templates.open_model(arguments(identity_model()), {})
    assert ort.asked == []
    assert ort.preloaded == 0
    assert templates.refusal(config.parse(["--model", "m.onnx", "--providers", CPU], {})) == ""


def test_a_library_that_leaves_threads_is_refused(
    identity_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsafe() -> None:
        raise forking.UnsafeForkError("3 threads")

    monkeypatch.setattr(forking, "check_safe", unsafe)
    with pytest.raises(LoadError, match="the model's library leaves threads running"):
        templates.open_model(arguments(identity_model()), {})


class Template(Platform):
    """The control socket of a template, which the zygote `it` forked."""

    def __init__(self, it: Platform, *args: str, **env: str) -> None:
        self.folder, self.process, self.replicas = it.folder, it.process, it.replicas
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(20)
        self.env = env
        self.args = args
        message = {"kind": "template", "args": list(args), "spares": 1}
        with theirs:
            self.own = it._start("t", it.folder / "t", [theirs.fileno()], env, message)
        it.started(self.own)

    def replica(self, **env: str) -> Any:
        return self.start(*self.args, **{**self.env, **env})


def test_replicas_of_a_template_skip_the_load(
    short_path: Path, identity_model: Callable[..., Path]
) -> None:
    with platform(short_path, spares=0) as it:
        template = Template(it, *arguments(identity_model()), K_REVISION="m-1")
        assert template.event()["event"] == "zygote-ready"
        for revision, is_shared in (("m-1", True), ("m-1", True), ("m-2", False)):
            replica = template.replica(K_REVISION=revision)
            client = Client(replica.path)
            assert client.ask(INFER).json["outputs"][0]["data"] == [1, 2]
            facts = client.ask(METADATA).json["parameters"]
            assert facts.get("template", False) is is_shared
            client.close()
            pid = template.started(replica)
            assert Path(f"/proc/{pid}/stat").read_text().split()[3] == str(template.own.pid)
            template.say(op="signal", id=replica.id, signal=signal.SIGTERM)
            assert template.event()["code"] == 0
        it.say(op="signal", id="t", signal=signal.SIGTERM)
        assert it.event() == {"event": "exited", "id": "t", "code": 0, "signal": None}
        template.control.close()


def test_a_template_that_can_not_be_kept_says_why(
    short_path: Path, identity_model: Callable[..., Path]
) -> None:
    with platform(short_path, spares=0) as it:
        template = Template(it, *arguments(identity_model(), "--threads", "2"))
        said = template.own.fact()
        assert said["failed"] == (
            "no template can be kept open: its session would have 2 threads (--threads)"
        )
        assert it.event()["code"] == 1
        assert template.control.recv(10) == b""
        template.control.close()


FORKS = """
import os, sys, threading
import numpy as np
from predictor import config, loader
from predictor.onnx_model import OnnxModel
from predictor.onnx_session import Wish
from pathlib import Path
loaded = loader.load(config.parse(["--model", sys.argv[1]], {}))
feeds = {"x": np.ones((3, 512), np.float32)}
wanted = loaded.run(feeds, None)["y"]
assert len(os.listdir("/proc/self/task")) == 1
def work():
    assert np.array_equal(loaded.run(feeds, None)["y"], wanted)
for _ in range(30):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            work()
            other = OnnxModel(Path(sys.argv[1]), Wish(threads=2))
            other.load()
            assert np.allclose(other.run(feeds, None)["y"], wanted, rtol=1e-3, atol=1e-4)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
print("well")
"""


def test_a_session_of_one_thread_survives_forks_with_this_onnxruntime(tmp_path: Path) -> None:
    path = tmp_path / "layers.onnx"
    path.write_bytes(layers())
    alone = dict.fromkeys(config.ZYGOTE_ONLY, "1")
    found = subprocess.run(
        [sys.executable, "-c", FORKS, str(path)],
        cwd=ROOT,
        env={**os.environ, **alone},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.stdout == "well\n", found.stderr
