"""A warm Pod's processes, for real: claimed once, serving, and gone with their replica."""

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from predictor.pooled import main, packages_of
from tests.predictor.talking import PATIENCE_S, infer_body, wait_until
from tests.predictor.zygotes import ROOT, children_of, is_alive

KEY = "a-key"


class Pod:
    def __init__(self, process: "subprocess.Popen[bytes]", port: int, claim_port: int) -> None:
        self.process = process
        self.port = port
        self.claim_port = claim_port

    def ask(
        self, method: str, path: str, body: Any = None, *, port: int = 0, key: str = KEY
    ) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(
            "127.0.0.1", port or self.claim_port, timeout=PATIENCE_S
        )
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        data = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        return answer.status, orjson.loads(said) if said else {}

    def claim(self, *args: str, identity: str = "c1", **more: Any) -> tuple[int, dict[str, Any]]:
        body = {"id": identity, "revision": "r-1", "args": args, "env": {"K_REVISION": "r-1"}}
        return self.ask("POST", "/claim", {**body, "wait_s": 20, **more})

    def is_ready(self) -> bool:
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False


@contextmanager
def pod(folder: Path) -> Iterator[Pod]:
    log = folder / "pod.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "predictor.pooled", "--host", "127.0.0.1"),
                *("--port", "0", "--claim-port", "0", "--packages", ""),
            ],
            cwd=ROOT,
            env={"RELIGHT_CLAIM_KEY": KEY, "PATH": "/usr/bin:/bin", "HOME": str(folder)},
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: "claims at port" in log.read_text(), "it listens")
        words = log.read_text().replace(",", " ").split()
        ports = [int(word) for word in words if word.isdigit()]
        found = Pod(process, ports[1], ports[0])
        wait_until(found.is_ready, "it is warm")
        descendants = children_of(process.pid)
        yield found
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not any(map(is_alive, descendants)), "its zygote is gone")


def test_it_is_claimed_once_serves_and_drains(
    short_path: Path, identity_model: Callable[..., Path]
) -> None:
    with pod(short_path) as it:
        assert it.ask("POST", "/claim", {}, key="wrong")[0] == 401
        assert it.ask("POST", "/claim", {})[0] == 400
        # What comes before the claim is held by the kernel, and answered.
        early = socket.create_connection(("127.0.0.1", it.port), timeout=PATIENCE_S)
        early.sendall(b"GET /v2/health/ready HTTP/1.1\r\nhost: a\r\n\r\n")
        status, told = it.claim("--model", str(identity_model()), "--model-name", "m")
        assert (status, told["phase"], told["revision"]) == (200, "serving", "r-1")
        assert told["load_ms"] > 0
        assert early.recv(12) == b"HTTP/1.1 200"
        early.close()
        assert it.is_ready()
        assert it.claim("--model", "x")[1]["phase"] == "serving"  # the same claim, heard again
        assert it.claim("--model", "x", identity="c2")[0] == 409
        status, answer = it.ask(
            "POST", "/v2/models/m/infer", infer_body([[1.0, 2.0]]), port=it.port
        )
        assert (status, answer["outputs"][0]["data"]) == (200, [1, 2])
        (zygote,) = children_of(it.process.pid)
        assert "RELIGHT_CLAIM_KEY" not in Path(f"/proc/{zygote}/environ").read_text()
        wait_until(lambda: len(children_of(zygote)) == 1, "nothing waits that nobody will want")
        it.process.send_signal(signal.SIGTERM)
        assert it.process.wait(PATIENCE_S) == 0


def test_a_replica_that_fails_ends_the_pod_with_its_code(short_path: Path) -> None:
    with pod(short_path) as it:
        status, told = it.claim("--model", str(short_path / "none.onnx"))
        assert status == 500
        assert "none.onnx" in told["failed"]
        assert it.process.wait(PATIENCE_S) == 1


def test_a_warm_pod_leaves_at_once(short_path: Path) -> None:
    with pod(short_path) as it:
        it.process.send_signal(signal.SIGTERM)
        assert it.process.wait(PATIENCE_S) == 0


def test_a_replica_that_is_killed_ends_the_pod(
    short_path: Path, identity_model: Callable[..., Path]
) -> None:
    with pod(short_path) as it:
        it.claim("--model", str(identity_model()), "--model-name", "m")
        (zygote,) = children_of(it.process.pid)
        wait_until(lambda: len(children_of(zygote)) == 1, "the spare is gone")
        (replica,) = children_of(zygote)
        subprocess.run(["kill", "-KILL", str(replica)], check=True)
        assert it.process.wait(PATIENCE_S) == 128 + signal.SIGKILL


def test_other_paths_are_not_there(short_path: Path) -> None:
    with pod(short_path) as it:
        assert it.ask("GET", "/claim")[0] == 404
        assert it.ask("GET", "/healthz") == (200, {"phase": "warm"})


def test_without_a_key_it_does_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--host", "127.0.0.1", "--port", "0", "--claim-port", "0"], {}) == 2
    assert "RELIGHT_CLAIM_KEY" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        env = {"RELIGHT_CLAIM_KEY": KEY}
        assert main(["--host", "127.0.0.1", "--port", port, "--claim-port", "0"], env) == 2
        assert "--port" in capsys.readouterr().err
        assert main(["--host", "127.0.0.1", "--port", "0", "--claim-port", port], env) == 2
        assert "--claim-port" in capsys.readouterr().err


def test_packages_are_named_or_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packages_of("") == ()
    assert packages_of("xgboost, lightgbm") == ("xgboost", "lightgbm")
    installed = {"sklearn", "skops", "joblib"}
    monkeypatch.setattr("predictor.pooled._is_installed", installed.__contains__)
    assert packages_of("auto") == ("sklearn", "skops.io", "joblib")
