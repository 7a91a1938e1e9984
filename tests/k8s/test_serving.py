"""From zero and back, canaries, and any container, on real Pods."""

import json
import threading
from collections import Counter
from typing import Any

import pytest

from tests.k8s import models
from tests.k8s.cluster import READY_S, Cluster, condition, isvc, service, wait_until

pytestmark = pytest.mark.e2e
REQUESTS = 400
PREDICTOR = "serving.kserve.io/inferenceservice"


def celsius(value: float = 100.0) -> dict[str, Any]:
    tensor = {"name": "celsius", "shape": [1, 1], "datatype": "FP32", "data": [value]}
    return {"inputs": [tensor]}


def test_iris_from_zero(cluster: Cluster, namespace: str, model_server: str) -> None:
    models.need_iris()
    made = isvc("iris", f"{model_server}/iris.onnx")
    cluster.apply(made, namespace=namespace)
    host = cluster.until_isvc(namespace, "iris")
    cluster.until_zero(namespace, "iris-predictor")
    asked = json.loads((models.IRIS / "requests/iris_input_v2.json").read_text())
    asked["inputs"][0]["name"] = "X"
    answer = cluster.ask(host, "/v2/models/iris/infer", asked)
    assert answer.status == 200, answer.body
    assert answer.json()["outputs"][0]["data"] == [1, 1], "KServe's golden answer"
    assert answer.headers["relight-revision"] == "iris-predictor-00001"
    assert answer.headers["relight-model-digest"].startswith("sha256:")
    cluster.until_zero(namespace, "iris-predictor")
    assert condition(cluster.isvc(namespace, "iris"))["status"] == "True", "ready at zero"
    assert cluster.ask(host, "/v2/models/iris/infer", asked).status == 200


def test_a_canary_is_promoted_and_rolled_back(
    cluster: Cluster, namespace: str, model_server: str
) -> None:
    one, two = "canary-predictor-00001", "canary-predictor-00002"
    path, uri = "/v2/models/canary/infer", f"{model_server}/fahrenheit-rounded.onnx"
    cluster.apply(isvc("canary", f"{model_server}/fahrenheit.onnx"), namespace=namespace)
    host = cluster.until_isvc(namespace, "canary")
    assert set(cluster.shares(host, path, celsius(), 20)) == {one}

    def rolled_out(**predictor: Any) -> dict[str, int]:
        cluster.apply(isvc("canary", uri, **predictor), namespace=namespace)
        cluster.until_isvc(namespace, "canary")
        told = cluster.isvc(namespace, "canary")["status"]["components"]["predictor"]["traffic"]
        return {each["revisionName"]: each["percent"] for each in told}

    assert rolled_out(canaryTrafficPercent=20) == {one: 80, two: 20}
    counts = cluster.shares(host, path, celsius(36.6), REQUESTS)
    deviation = (REQUESTS * 0.2 * 0.8) ** 0.5  # 4.5 of it: once in 100,000 runs
    assert counts[two] == pytest.approx(REQUESTS * 0.2, abs=4.5 * deviation)
    assert counts[one] == REQUESTS - counts[two]
    assert rolled_out().keys() == {two}
    wait_until(
        lambda: set(cluster.shares(host, path, celsius(), 20)) == {two}, 20, "all at the second"
    )
    assert rolled_out(canaryTrafficPercent=0)[one] == 100
    wait_until(
        lambda: set(cluster.shares(host, path, celsius(), 20)) == {one}, 20, "all at the first"
    )


def test_from_zero_to_several_and_back(cluster: Cluster, namespace: str) -> None:
    """Any container: a program that knows nothing of models."""
    container = {"image": "example/hello:1", "command": ["python3", "examples/programs/work.py"]}
    made = service(
        "work",
        container,
        containerConcurrency=1,
        timeoutSeconds=60,
        annotations={"autoscaling.knative.dev/max-scale": "4"},
    )
    cluster.apply(made, namespace=namespace)
    host = cluster.until_service(namespace, "work")
    cluster.until_zero(namespace, "work")
    statuses: Counter[int] = Counter()

    def one() -> None:
        statuses[cluster.ask(host, "/?ms=700").status] += 1

    callers = [threading.Thread(target=one) for _ in range(12)]
    most = 0
    for caller in callers:
        caller.start()
    while any(caller.is_alive() for caller in callers):
        most = max(most, len(cluster.replicas(namespace, "work")))
        callers[0].join(0.2)
        for caller in callers[1:]:
            caller.join(0.05)
    assert statuses == {200: 12}
    assert 2 <= most <= 4
    cluster.until_zero(namespace, "work")
    assert cluster.ask(host, "/?ms=0").status == 200


def test_a_command_with_arguments(cluster: Cluster, namespace: str) -> None:
    """Busybox's httpd: what listens on $PORT is served."""
    script = "mkdir -p /tmp/w; echo $GREETING >/tmp/w/index.html; exec httpd -f -p $PORT -h /tmp/w"
    container = {
        "image": "relight-test/busybox:1",
        "command": ["sh"],
        "args": ["-c", script],
        "env": [{"name": "GREETING", "value": "hello from busybox"}],
        "ports": [{"containerPort": 7070}],
    }
    cluster.apply(service("web", container, timeoutSeconds=20), namespace=namespace)
    host = cluster.until_service(namespace, "web")
    answer = cluster.ask(host)
    assert (answer.status, answer.body) == (200, b"hello from busybox\n")
    assert answer.headers["relight-revision"] == "web-00001"


def test_a_deleted_service_leaves_nothing(cluster: Cluster, namespace: str) -> None:
    container = {"image": "relight-test/busybox:1", "command": ["sh", "-c"]}
    container |= {"args": ["exec httpd -f -p $PORT"]}
    cluster.apply(service("brief", container, timeoutSeconds=5), namespace=namespace)
    cluster.until_service(namespace, "brief")
    cluster.kubectl("delete", "ksvc", "brief", "-n", namespace)
    kinds = "all,ksvc,route,configuration,revision,podautoscaler,endpointslice"

    def left() -> str:
        return cluster.kubectl("get", kinds, "-n", namespace, "-o", "name").stdout

    wait_until(lambda: not left(), READY_S, "everything of it to go")
