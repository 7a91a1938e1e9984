"""The platform as a process: two of them, killed, stopped, started again."""

import contextlib
import signal
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from examples.running import Platform, children_of, is_alive, send, wait_until
from tests.e2e.conftest import ROOT, condition, create, infer_body, service
from tests.e2e.test_main_job import update

pytestmark = pytest.mark.e2e

AUTOSCALERS = "/apis/autoscaling.internal.knative.dev/v1alpha1/namespaces/default/podautoscalers"
GROUP = "/apis/serving.knative.dev/v1/namespaces/default"


def objects(platform: Platform) -> dict[str, Any]:
    """Names and specs of everything users see."""
    found = {}
    for kind in ("services", "configurations", "routes", "revisions"):
        for item in platform.get(f"{GROUP}/{kind}")["items"]:
            found[f"{kind}/{item['metadata']['name']}"] = (item["metadata"]["uid"], item["spec"])
    return found


def processes(platform: Platform) -> list[int]:
    assert platform.process is not None
    return [platform.process.pid, *children_of(platform.process.pid)]


def test_killed_during_a_rollout_it_comes_back_as_acknowledged(folder: Path) -> None:
    platform = Platform(folder / "d", cwd=ROOT)
    with platform:
        host = create(platform, service("kept"))
        update(platform, service("kept", container={"env": [{"name": "N", "value": "2"}]}))
        acknowledged = objects(platform)
        left = processes(platform)
        platform.kill()
        wait_until(lambda: not any(map(is_alive, left)), 60, "every process to end with it")
        platform.start()
        after = objects(platform)
        assert {k: after[k] for k in acknowledged} == acknowledged
        wait_until(
            lambda: platform.service("kept")["status"]["latestReadyRevisionName"] == "kept-00002",
            60,
            "the rollout to go on",
        )
        wait_until(lambda: condition(platform, "kept")["status"] == "True", 60, "ready")
        answer = platform.request(host, "/v2/models/kept/infer", infer_body())
        assert answer.headers["relight-revision"] == "kept-00002"
        assert sorted(k for k in objects(platform) if k.startswith("revisions/")) == [
            "revisions/kept-00001",
            "revisions/kept-00002",
        ]


def test_killed_under_load_its_autoscaler_goes_on_with_its_windows(folder: Path) -> None:
    platform = Platform(folder / "d", cwd=ROOT)
    with platform:
        host = create(
            platform, service("warm", annotations={"autoscaling.knative.dev/window": "60s"})
        )

        def is_kept() -> bool:
            platform.request(host, "/v2/models/warm/infer", infer_body())
            database = sqlite3.connect(f"file:{folder}/d/windows.db?mode=ro", uri=True)
            with contextlib.closing(database):
                rows = database.execute("SELECT blob FROM windows WHERE name = 'warm-00001'")
                return any(b'"stable"' in blob for (blob,) in rows)

        wait_until(is_kept, 60, "the windows to be kept")
        left = processes(platform)
        platform.kill()
        wait_until(lambda: not any(map(is_alive, left)), 60, "every process to end with it")
        platform.start()
        log = folder / "d/up.log"
        wait_until(
            lambda: "what was kept of 1 Revisions, of 1" in log.read_text(), 60, "them to be read"
        )
        scaler = f"{AUTOSCALERS}/warm-00001"
        assert platform.get(scaler)["status"]["desiredScale"] == 1
        answer = platform.request(host, "/v2/models/warm/infer", infer_body())
        assert answer.status == 200


def test_two_run_side_by_side_and_leave_nothing(folder: Path) -> None:
    with Platform(folder / "a", cwd=ROOT) as one, Platform(folder / "b", cwd=ROOT) as two:
        create(one, service("mine"))
        assert not two.get(f"{GROUP}/services")["items"]
        left = processes(one) + processes(two)
        again = one.relight("up", "--port", "0", "--api-port", "0", check=False)
        assert again.returncode == 1
        assert "held by another platform" in again.stderr
    assert one.process is not None
    assert two.process is not None
    assert (one.process.returncode, two.process.returncode) == (0, 0)
    assert not [pid for pid in left if is_alive(pid)]
    assert not list((folder / "a/run").iterdir()), "a socket was left"


def test_a_stop_answers_what_runs(folder: Path) -> None:
    (folder / "slow.py").write_text(
        "import pathlib, time\nimport numpy as np\nfrom predictor.model import Model\n"
        "class Slow(Model):\n"
        "    def predict(self, inputs):\n"
        f"        while not pathlib.Path('{folder}/go').exists():\n"
        "            time.sleep(0.01)\n"
        "        return {'done': np.array([1])}\n"
    )
    statuses: list[int] = []
    with Platform(folder / "d", cwd=ROOT) as platform:
        host = create(platform, service("slow", "--python", f"{folder}/slow.py:Slow"))
        tensor = {"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}

        def ask() -> None:
            answer = platform.request(host, "/v2/models/slow/infer", {"inputs": [tensor]})
            statuses.append(answer.status)

        thread = threading.Thread(target=ask)
        thread.start()
        wait_until(lambda: running(platform) == 1, 60, "the request to run")
        assert platform.process is not None
        platform.process.send_signal(signal.SIGTERM)
        log = folder / "d/up.log"
        wait_until(lambda: "msg=stopping" in log.read_text(), 60, "it to stop")
        assert statuses == []
        (folder / "go").touch()
    thread.join(60)
    assert statuses == [200]


def running(platform: Platform) -> int:
    debug = platform.request("localhost", "/relight/debug").json()
    return sum(int(revision["executing"]) for revision in debug["revisions"].values())


def test_a_taken_port_is_named(folder: Path) -> None:
    with Platform(folder / "a", cwd=ROOT) as one:
        port = one.activator.rpartition(":")[2]
        other = Platform(folder / "b", cwd=ROOT)
        done = other.relight("up", "--port", port, "--api-port", "0", check=False)
        assert done.returncode == 1
        assert "in use" in done.stderr
        assert send(one.activator, "localhost", "/relight/healthz").status == 200
