"""What bad input gets: a clear answer, and nothing else is lost."""

import json
import os
import signal
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from examples.running import Platform, children_of, wait_until
from tests.e2e.conftest import (
    ALWAYS,
    FAHRENHEIT,
    at_zero,
    condition,
    create,
    infer_body,
    service,
)
from tests.e2e.test_main_job import update

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def host(platform: Platform) -> str:
    return create(platform, service("strict", annotations=ALWAYS))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "gone.onnx"),
        ("text", "not an ONNX"),
        ("directory", "directory"),
        ("half", "model.onnx"),
    ],
)
def test_a_model_that_does_not_load_leaves_traffic_where_it_was(
    platform: Platform, folder: Path, kind: str, words: str
) -> None:
    name = f"bad-{kind}"
    host = create(platform, service(name, annotations=ALWAYS))
    model = folder / "model.onnx"
    match kind:
        case "missing":
            model = folder / "gone.onnx"
        case "text":
            model.write_text("this is no model")
        case "directory":
            model.mkdir()
        case "half":
            content = FAHRENHEIT.read_bytes()
            model.write_bytes(content[: len(content) // 2])
    update(platform, service(name, "--model", str(model), annotations=ALWAYS))
    wait_until(lambda: condition(platform, name)["status"] == "False", 60, "Ready to be False")
    found = condition(platform, name)
    assert found["reason"] == "RevisionFailed"
    assert f'Revision "{name}-00002" failed with message' in found["message"]
    assert words in found["message"]
    assert "Traceback" not in found["message"]
    answer = platform.request(host, f"/v2/models/{name}/infer", infer_body())
    assert answer.headers["relight-revision"] == f"{name}-00001"
    told = platform.relight("deploy", name, "--model", str(model), "--no-check", check=False)
    assert told.returncode == 1
    assert words in told.stderr


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v2/models/strict/infer", b"{not json", 400, "JSON"),
        ("/v2/models/strict/infer", {"inputs": []}, 400, "celsius"),
        (
            "/v2/models/strict/infer",
            {"inputs": [{"name": "kelvin", "shape": [1, 1], "datatype": "FP32", "data": [1]}]},
            400,
            "kelvin",
        ),
        (
            "/v2/models/strict/infer",
            {"inputs": [{"name": "celsius", "shape": [1, 1], "datatype": "INT64", "data": [1]}]},
            400,
            "FP32",
        ),
        (
            "/v2/models/strict/infer",
            {"inputs": [{"name": "celsius", "shape": [1], "datatype": "FP32", "data": [1]}]},
            400,
            "celsius",
        ),
        (
            "/v2/models/strict/infer",
            {"inputs": [{"name": "celsius", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]},
            400,
            "celsius",
        ),
        (
            "/v2/models/strict/infer",
            {"inputs": [{"name": "celsius", "shape": [2, 1], "datatype": "FP32", "data": [1]}]},
            400,
            "celsius",
        ),
        ("/v1/models/strict:predict", {"instances": "x"}, 400, "instances"),
        ("/v1/models/nobody:predict", {"instances": [[1]]}, 404, "nobody"),
        ("/v2/models/strict/versions/strict-00009/infer", infer_body(), 404, "strict-00009"),
    ],
)
def test_a_malformed_request_is_told_what_is_wrong(
    platform: Platform, host: str, path: str, body: object, status: int, words: str
) -> None:
    answer = platform.request(host, path, body)
    assert answer.status == status, answer.body
    assert words in answer.json()["error"]
    assert "Traceback" not in answer.body.decode()


def test_a_body_over_the_limit_is_413(platform: Platform) -> None:
    small = service("small", "--model", str(FAHRENHEIT), "--max-body-bytes", "1000")
    host = create(platform, small)
    answer = platform.request(host, "/v2/models/small/infer", b"x" * 1001)
    assert answer.status == 413, answer.body


def connect(platform: Platform) -> socket.socket:
    address = urlsplit(platform.activator)
    connection = socket.create_connection((address.hostname, address.port), timeout=30)
    connection.settimeout(30)
    return connection


def test_a_header_bomb_is_431(platform: Platform, host: str) -> None:
    with connect(platform) as connection:
        head = f"GET / HTTP/1.1\r\nhost: {host}\r\n".encode()
        connection.sendall(head + b"".join(b"x-%d: y\r\n" % n for n in range(5000)))
        assert connection.recv(1000).startswith(b"HTTP/1.1 431")


def test_a_client_that_stops_reading_holds_up_nobody(platform: Platform) -> None:
    container = {"image": "x/echo", "command": ["python3", "examples/echo.py"], "args": []}
    host = create(platform, service("wide", container=container, annotations=ALWAYS))
    body = b"z" * (16 << 20)
    with connect(platform) as lazy:
        head = f"POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n\r\n"
        lazy.sendall(head.encode() + body)
        lazy.recv(1000)  # the answer has begun; the rest is never read
        for _ in range(3):
            assert platform.request(host, "/other").status == 200


def test_a_client_that_leaves_while_held_frees_its_place(platform: Platform) -> None:
    host = create(platform, service("leaver", containerConcurrency=1))
    at_zero(platform, "leaver")
    body = json.dumps(infer_body()).encode()
    head = f"POST /v2/models/leaver/infer HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}"
    for _ in range(5):
        with connect(platform) as connection:
            connection.sendall(f"{head}\r\n\r\n".encode() + body)
    assert platform.request(host, "/v2/models/leaver/infer", infer_body()).status == 200


SLOW = """
import time
import numpy as np
from predictor.model import Model

class Slow(Model):
    def predict(self, inputs):
        time.sleep(float(np.ravel(inputs["s"])[0]))
        return {"done": np.array([1])}
"""


def test_a_replica_that_dies_costs_only_the_request_it_ran(
    platform: Platform, folder: Path
) -> None:
    (folder / "slow.py").write_text(SLOW)
    arguments = ("--python", f"{folder}/slow.py:Slow")
    host = create(platform, service("mortal", *arguments, containerConcurrency=1, annotations=ONE))
    statuses: dict[str, int] = {}

    def ask(key: str, seconds: float) -> None:
        tensor = {"name": "s", "shape": [1], "datatype": "FP64", "data": [seconds]}
        answer = platform.request(host, "/v2/models/mortal/infer", {"inputs": [tensor]})
        statuses[key] = answer.status

    running = threading.Thread(target=ask, args=("running", 50.0))
    running.start()
    wait_until(lambda: concurrency(platform, "mortal") == 1, 60, "the request to run")
    held = [threading.Thread(target=ask, args=(f"held-{n}", 0.0)) for n in range(5)]
    for thread in held:
        thread.start()
    wait_until(lambda: concurrency(platform, "mortal") == 6, 60, "the others to be held")
    os.kill(replica_of(platform, "mortal"), signal.SIGKILL)
    for thread in (running, *held):
        thread.join(60)
    assert statuses.pop("running") == 502
    assert set(statuses.values()) == {200}, statuses


ONE = {**ALWAYS, "autoscaling.knative.dev/max-scale": "1"}


def concurrency(platform: Platform, name: str) -> int:
    """Requests held or running for the first Revision of a Service."""
    debug = platform.request("localhost", "/relight/debug").json()
    revision = debug["revisions"].get(f"default/{name}-00001", {"queued": 0, "executing": 0})
    return int(revision["queued"] + revision["executing"])


def replica_of(platform: Platform, name: str) -> int:
    """The process of the only replica of a Service, by the socket it listens on."""
    assert platform.process is not None
    (pod,) = platform.pods(name)
    address = pod["metadata"]["annotations"]["relight.dev/endpoint"].removeprefix("unix:")
    for line in Path("/proc/net/unix").read_text().splitlines():
        if line.endswith(address):
            inode = line.split()[6]
            break
    for pid in children_of(platform.process.pid):
        names = (str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir())
        if f"socket:[{inode}]" in names:
            return pid
    raise AssertionError(f"nobody listens on {address}")


NEVER = """
import time
from predictor.model import Model

class Never(Model):
    def load(self):
        time.sleep(600)
"""


def test_a_replica_that_never_becomes_ready_is_told(platform: Platform, folder: Path) -> None:
    (folder / "never.py").write_text(NEVER)
    made = service(
        "never",
        *("--python", f"{folder}/never.py:Never"),
        annotations={"serving.knative.dev/progress-deadline": "3s"},
        timeoutSeconds=2,
    )
    platform_create(platform, made)
    wait_until(lambda: condition(platform, "never")["status"] == "False", 60, "Ready to be False")
    found = condition(platform, "never")
    assert found["reason"] == "RevisionFailed"
    answer = platform.request("never-00001.default.localhost", "/v2/health/ready")
    assert answer.status in (503, 504), answer.body
    assert answer.json()["revision"] == "never-00001"


def platform_create(platform: Platform, made: dict[str, object]) -> None:
    from examples.running import send
    from tests.e2e.conftest import SERVICES

    assert send(platform.api, "localhost", SERVICES, made).status == 201
