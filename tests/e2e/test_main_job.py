"""A model from zero, under load, rolled out as a canary, with real processes and sockets."""

import threading
from collections import Counter
from pathlib import Path

import pytest

from examples.running import Platform, send, wait_until
from tests.e2e.conftest import FAHRENHEIT, SERVICES, at_zero, create, infer_body, service

pytestmark = pytest.mark.e2e


def test_v1_and_v2_answer_and_name_their_revision(platform: Platform) -> None:
    host = create(platform, service("protocols"))
    v2 = platform.request(host, "/v2/models/protocols/infer", infer_body(100))
    assert v2.status == 200, v2.body
    assert v2.json()["outputs"][0]["data"] == [pytest.approx(212)]
    v1 = platform.request(host, "/v1/models/protocols:predict", {"instances": [[0.0], [100.0]]})
    assert v1.json()["predictions"] == [[32.0], [pytest.approx(212)]]
    for answer in (v1, v2):
        assert answer.headers["relight-revision"] == "protocols-00001"
        assert answer.headers["relight-model-digest"].startswith("sha256:")
        assert answer.headers["x-request-id"]
    metadata = platform.request(host, "/v2/models/protocols").json()
    assert metadata["inputs"] == [{"name": "celsius", "datatype": "FP32", "shape": [-1, 1]}]
    assert platform.request(host, "/v2/health/ready").status == 200
    by_path = platform.request("localhost", "/v2/models/protocols/infer", infer_body(0))
    assert by_path.json()["outputs"][0]["data"] == [32.0]
    version = "/v2/models/protocols/versions/protocols-00001/infer"
    assert platform.request("localhost", version, infer_body()).status == 200


def test_the_digest_is_pinned_on_the_revision(platform: Platform) -> None:
    host = create(platform, service("pinned"))
    revision = platform.get(
        "/apis/serving.knative.dev/v1/namespaces/default/revisions/pinned-00001"
    )
    digest = revision["metadata"]["annotations"]["relight.dev/model-digest"]
    answer = platform.request(host, "/v2/models/pinned/infer", infer_body())
    assert answer.headers["relight-model-digest"] == digest


def test_to_zero_and_back(platform: Platform) -> None:
    host = create(platform, service("sleeper"))
    assert platform.request(host, "/v2/models/sleeper/infer", infer_body()).status == 200
    at_zero(platform, "sleeper")
    woken = platform.request(host, "/v2/models/sleeper/infer", infer_body())
    assert woken.status == 200
    assert {"queue", "resume", "run"} <= woken.timing().keys(), "test_frozen.py has the others"
    ready = [c for c in platform.service("sleeper")["status"]["conditions"] if c["type"] == "Ready"]
    assert ready[0]["status"] == "True", "a service at zero is ready"


def test_a_burst_from_zero_loses_nothing(platform: Platform) -> None:
    host = create(platform, service("burst", containerConcurrency=1))
    at_zero(platform, "burst")
    statuses: list[int] = []

    def one() -> None:
        answer = platform.request(host, "/v2/models/burst/infer", infer_body())
        statuses.append(answer.status)

    threads = [threading.Thread(target=one) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Counter(statuses) == {200: 30}


def test_a_canary_is_promoted_and_rolled_back(platform: Platform, folder: Path) -> None:
    name = "canary"
    platform.relight("deploy", name, "--model", str(FAHRENHEIT), "--window", "6s")
    platform.relight(
        *("deploy", name, "--model", str(FAHRENHEIT), "--concurrency", "4"),
        *("--canary", "20", "--tag", "next"),
    )
    host = f"{name}.default.localhost"

    def revision(host: str) -> str:
        answer = platform.request(host, f"/v2/models/{name}/infer", infer_body())
        assert answer.status == 200, answer.body
        return answer.headers["relight-revision"]

    counts = Counter(revision(host) for _ in range(200))
    assert 20 <= counts[f"{name}-00002"] <= 60, counts
    assert counts[f"{name}-00001"] + counts[f"{name}-00002"] == 200
    assert revision(f"next-{host}") == f"{name}-00002"
    assert revision(f"{name}-00001.default.localhost") == f"{name}-00001"
    platform.relight("traffic", name, "--promote")
    assert {revision(host) for _ in range(20)} == {f"{name}-00002"}
    platform.relight("traffic", name, "--rollback")
    assert {revision(host) for _ in range(20)} == {f"{name}-00001"}


def test_no_request_fails_while_revisions_change_and_replicas_go(platform: Platform) -> None:
    name = "rolling"
    host = create(platform, service(name, annotations={"autoscaling.knative.dev/min-scale": "2"}))
    failures: list[str] = []
    done = threading.Event()
    seen: Counter[str] = Counter()

    def load() -> None:
        while not done.is_set():
            answer = platform.request(host, f"/v2/models/{name}/infer", infer_body())
            if answer.status != 200:
                failures.append(f"{answer.status} {answer.body!r}")
            seen[answer.headers.get("relight-revision", "")] += 1

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for generation in (2, 3):
            changed = service(name, container={"env": [{"name": "N", "value": str(generation)}]})
            update(platform, changed)
            revision = f"{name}-{generation:05d}"
            wait_until(lambda r=revision: seen[r] > 20, 60, f"{revision} to answer")
        wait_until(
            lambda: (
                not [p for p in platform.pods(name) if f"{name}-00001-" in p["metadata"]["name"]]
            ),
            60,
            "the first revision's replicas to go",
        )
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    assert failures == []


def update(platform: Platform, made: dict[str, object]) -> None:
    current = platform.service(made["metadata"]["name"])  # type: ignore[index] # a Service
    current["spec"] = made["spec"]
    path = f"{SERVICES}/{current['metadata']['name']}"
    answer = put(platform, path, current)
    assert answer == 200


def put(platform: Platform, path: str, body: object) -> int:
    import http.client
    import json
    from urllib.parse import urlsplit

    connection = http.client.HTTPConnection(urlsplit(platform.api).netloc, timeout=30)
    try:
        connection.request("PUT", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def test_a_changed_file_does_not_change_a_revision(platform: Platform, folder: Path) -> None:
    model = folder / "m.onnx"
    model.write_bytes(FAHRENHEIT.read_bytes())
    host = create(platform, service("stable", "--model", str(model)))
    at_zero(platform, "stable")
    model.write_text("overwritten in place")
    answer = platform.request(host, "/v2/models/stable/infer", infer_body())
    assert answer.status == 200, answer.body


def test_python_models_and_commands_are_served(platform: Platform) -> None:
    host = create(platform, service("words", "--python", "examples/wordcount.py:WordCount"))
    answer = platform.request(host, "/v1/models/words:predict", {"instances": ["to be or not"]})
    assert answer.json() == {"predictions": [4]}
    container = {
        "image": "x/echo",
        "command": ["python3", "examples/echo.py"],
        "args": [],
        "env": [{"name": "GREETING", "value": "hi"}],
    }
    host = create(platform, service("echoes", container=container))
    assert platform.request(host, "/a").headers["relight-revision"] == "echoes-00001"
    assert platform.request(host, "/a?b=c").json() == {
        "greeting": "hi",
        "path": "/a?b=c",
        "body": "",
    }
    at_zero(platform, "echoes")
    assert platform.request(host, "/x", b"y" * 100_000).json()["body"] == "y" * 100_000


def test_an_unknown_host_is_told_which_exist(platform: Platform) -> None:
    answer = send(platform.activator, "nobody.default.localhost", "/")
    assert answer.status == 404
    assert {"error", "reason", "requestId"} <= answer.json().keys()
