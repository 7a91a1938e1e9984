"""`python -m predictor`: one predictor as a process of its own."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import orjson
import pytest
from onnx import helper

from predictor import serving
from tests.predictor.onnx_files import build
from tests.predictor.talking import PATIENCE_S, infer_body

ROOT = Path(__file__).parents[2]


STOPPING = """
import threading, time
from predictor.model import Model

class Mine(Model):
    def predict(self, inputs):
        while threading.current_thread() is threading.main_thread():
            time.sleep(1)
        return {"y": inputs["x"]}
"""


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "predictor", *arguments, "--port", "0"]
    env = {**os.environ, "ORT_DISABLE_TELEMETRY": "1", "K_REVISION": "m-00001"}
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            found = re.search(r"http://[\d.]+:\d+", line)
            assert found, line + process.stderr.read()
            yield process, found[0]
        finally:
            process.kill()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "predictor", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def post(url: str, body: bytes) -> tuple[int, dict[str, object]]:
    ask = urllib.request.Request(url, data=body)
    try:
        with urllib.request.urlopen(ask, timeout=PATIENCE_S) as reply:
            return reply.status, orjson.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, orjson.loads(error.read())


def test_a_folder_as_triton_lays_it_out_is_served_under_its_name(
    identity_model: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "iris-1.5"
    (folder / "1").mkdir(parents=True)
    identity_model().rename(folder / "1/model.onnx")
    (folder / "config.pbtxt").write_text('name: "iris-1.5"')
    with running("--model", str(folder)) as (_, url):
        status, answer = post(f"{url}/v2/models/iris-1.5/infer", infer_body([[1.0, 2.0]]))
        assert (status, answer["model_name"]) == (200, "iris-1.5")
    (folder / "config.pbtxt").write_text('name: "iris"')
    ended = run("--model", str(folder), "--port", "0")
    assert ended.returncode == 1
    assert "names the model 'iris', while its folder is 'iris-1.5'" in ended.stderr


def test_a_quick_model_that_stops_returning_ends_its_replica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(STOPPING)
    monkeypatch.setenv("RELIGHT_TIMEOUT_S", "1")
    with running("--python", f"{tmp_path}/mine.py:Mine", "--model-name", "m") as (process, url):
        path, body = f"{url}/v2/models/m/infer", infer_body([[1.0, 2.0]])
        with contextlib.suppress(http.client.HTTPException, OSError):
            while post(path, body)[0] == 200:  # until it is quick enough for the loop
                pass
        assert process.wait(PATIENCE_S) == serving.EXIT_STUCK


HANGING = """
import sys, threading
from predictor.model import Transformer

class Mine(Transformer):
    def preprocess(self, inputs):
        sys.stderr.write("asked\\n")
        threading.Event().wait()
"""


@pytest.mark.parametrize(("timeout_s", "is_told"), [(1, False), (300, True)])
def test_a_warm_up_that_does_not_end_is_named_or_left(
    tmp_path: Path, timeout_s: int, *, is_told: bool
) -> None:
    (tmp_path / "m").mkdir()
    types: dict[str, tuple[str, list[int | str | None]]] = {"x": ("FP32", ["n"])}
    node = helper.make_node("Identity", ["x"], ["y"])
    (tmp_path / "m" / "m.onnx").write_bytes(build([node], types, {"y": types["x"]}))
    stored = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}
    (tmp_path / "m" / "warmup.json").write_bytes(orjson.dumps(stored))
    (tmp_path / "mine.py").write_text(HANGING)
    around = ["--model", str(tmp_path / "m"), "--transformer", f"{tmp_path}/mine.py:Mine"]
    command = [sys.executable, "-m", "predictor", *around, "--port", "0", "--model-name", "m"]
    env = {**os.environ, "RELIGHT_TIMEOUT_S": str(timeout_s)}
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            assert process.stderr.readline() == "asked\n"
            if is_told:  # a stop is obeyed all the same
                process.send_signal(signal.SIGTERM)
            code = process.wait(PATIENCE_S)
            said = process.stderr.read()
        finally:
            process.kill()
    assert code == (0 if is_told else serving.EXIT_STUCK)
    named = f"{tmp_path}/m/warmup.json: this warm-up request has not been answered for 2 s"
    assert (named in said) is not is_told


def test_a_value_for_all_rows_is_asked_for_in_columns(tmp_path: Path) -> None:
    types: dict[str, tuple[str, list[int | str | None]]] = {
        "x": ("FP32", ["n", 2]),
        "factor": ("FP32", []),
    }
    node = helper.make_node("Mul", ["x", "factor"], ["y"])
    (tmp_path / "m.onnx").write_bytes(build([node], types, {"y": types["x"]}))
    with running("--model", str(tmp_path / "m.onnx")) as (_, url):
        path = f"{url}/v1/models/m:predict"
        columns = b'{"inputs": {"x": [[1, 2], [3, 4]], "factor": 2}}'
        assert post(path, columns) == (200, {"outputs": [[2, 4], [6, 8]]})
        status, answer = post(path, b'{"instances": [{"x": [1, 2], "factor": 2}]}')
        assert status == 400
        assert "instances: input 'factor' is one value" in str(answer["error"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(
    identity_model: Callable[..., Path], number: signal.Signals
) -> None:
    with running("--model", str(identity_model()), "--model-name", "m") as (process, url):
        status, answer = post(f"{url}/v2/models/m/infer", infer_body([[1.0, 2.0]]))
        assert status == 200
        assert answer["model_version"] == "m-00001"
        assert post(f"{url}/v2/models/m/infer", b"no")[0] == 400
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0


def test_kserves_request_gets_kserves_answer(kserve_model: Path) -> None:
    body = (kserve_model.parents[1] / "requests/iris_input.json").read_bytes()
    with running("--model", str(kserve_model), "--model-name", "iris") as (_process, url):
        status, answer = post(f"{url}/v1/models/iris:predict", body)
    assert status == 200
    predictions = answer["predictions"]
    assert isinstance(predictions, list)
    assert [row["label"] for row in predictions] == [1, 1]


def test_errors_are_one_sentence_and_an_exit_code(tmp_path: Path) -> None:
    wrong = run("--model", "x", "--threads", "0")
    assert (wrong.returncode, wrong.stderr) == (2, "--threads: expected 1 to 1024, got 0\n")
    missing = run("--model", str(tmp_path / "no.onnx"), "--port", "0")
    assert missing.returncode == 1
    assert f"there is no model file at {tmp_path / 'no.onnx'}" in missing.stderr
    assert "Traceback" not in missing.stderr
    address = run("--model", "x.onnx", "--host", "203.0.113.1", "--port", "0")
    assert address.returncode == 2
    assert "--host, --port: cannot listen on 203.0.113.1:0" in address.stderr


def test_help() -> None:
    found = run("--help")
    assert found.returncode == 0
    assert "--model URI" in found.stdout


def test_grpc_has_a_port_of_its_own_if_asked(identity_model: Callable[..., Path]) -> None:
    arguments = ("--model", str(identity_model()), "--model-name", "m", "--grpc_port", "0")
    with running(*arguments, "--enable_grpc", "True") as (process, url):
        assert process.stderr is not None
        found = re.search(r"and gRPC at ([\d.]+:\d+)", process.stderr.readline())
        assert found is not None
        for address in (found[1], url.removeprefix("http://")):
            with grpc.insecure_channel(address) as channel:
                call = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
                assert call(b"", timeout=PATIENCE_S) == b"\x08\x01"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def test_grpc_may_be_switched_off(identity_model: Callable[..., Path]) -> None:
    with running("--model", str(identity_model()), "--enable_grpc=false") as (_, url):
        with grpc.insecure_channel(url.removeprefix("http://")) as channel:
            call = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=PATIENCE_S)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


CODE = """
import os, time
from predictor.model import Model

class Hostile(Model):
    def predict(self, inputs):
        what = inputs["instances"][0]
        if what == "block":
            while True:
                time.sleep(60)
        if what == "exit":
            raise SystemExit(3)
        if what == "die":
            os._exit(9)
        if what == "garbage":
            return {"dates": object()}
        return {"y": inputs["instances"]}
"""


def test_a_class_that_exits_or_answers_garbage_fails_alone(tmp_path: Path) -> None:
    path = tmp_path / "hostile.py"
    path.write_text(CODE)
    with running("--python", f"{path}:Hostile", "--model-name", "m") as (process, url):
        ask = f"{url}/v1/models/m:predict"
        for what in ("exit", "garbage"):
            status, answer = post(ask, orjson.dumps({"instances": [what]}))
            assert status == 500
            assert "Traceback" not in str(answer)
        assert post(ask, b'{"instances": ["fine"]}') == (200, {"predictions": ["fine"]})
        with contextlib.suppress(OSError, http.client.HTTPException):
            post(ask, b'{"instances": ["die"]}')
        assert process.wait(PATIENCE_S) == 9


def test_a_class_that_blocks_is_answered_for_and_then_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hostile.py"
    path.write_text(CODE)
    monkeypatch.setenv("RELIGHT_TIMEOUT_S", "1")
    with running("--python", f"{path}:Hostile", "--model-name", "m") as (process, url):
        status, answer = post(f"{url}/v1/models/m:predict", b'{"instances": ["block"]}')
        assert (status, "timeout of 1 s" in str(answer)) == (504, True)
        assert process.wait(PATIENCE_S) == serving.EXIT_STUCK
