"""Warm Pods on a real cluster: claimed by one, adopted, ended; never two, never back."""

import threading
from typing import Any

import pytest

from api import keys
from tests.k8s.cluster import Cluster, Raw, condition, service, wait_until

pytestmark = pytest.mark.e2e
CLAIM_S = 30.0


def celsius() -> Raw:
    tensor = {"name": "celsius", "shape": [1, 1], "datatype": "FP32", "data": [100.0]}
    return {"inputs": [tensor]}


def warm(cluster: Cluster, namespace: str) -> list[Raw]:
    """The Pods that can be claimed."""
    found = cluster.pods(namespace, keys.POOL)
    return [each for each in found if condition(each)["status"] == "True"]


def until_warm(cluster: Cluster, namespace: str, count: int) -> set[str]:
    found = wait_until(
        lambda: (now := warm(cluster, namespace)) and len(now) == count and now,
        120,
        f"{count} warm Pods",
    )
    return {each["metadata"]["name"] for each in found}


def pooled(cluster: Cluster, namespace: str, size: str) -> None:
    cluster.kubectl("annotate", "namespace", namespace, f"{keys.WARM_POOL}={size}", "--overwrite")


def made(cluster: Cluster, namespace: str, name: str, uri: str, **more: Any) -> str:
    container = {
        "image": keys.PREDICTOR_IMAGE,
        "args": ["--model", uri, "--model-name", "m"],
        "resources": {"requests": {"cpu": "50m", "memory": "100Mi"}},
    }
    annotations = {keys.KEEP_ALIVE: "cheap"}
    cluster.apply(service(name, container, annotations=annotations, **more), namespace=namespace)
    return cluster.until_service(namespace, name)


def until_adopted(cluster: Cluster, namespace: str) -> list[Raw]:
    """The claimed Pods: one answers at once, a ReplicaSet makes it its own in a moment."""

    def adopted() -> list[Raw]:
        return [
            each
            for each in cluster.replicas(namespace, "w")
            if keys.START_TIMING in each["metadata"].get("annotations", {})
            and each["metadata"].get("ownerReferences")
        ]

    return list(wait_until(adopted, CLAIM_S, "a claimed Pod to be adopted"))


def names(pods: list[Raw]) -> set[str]:
    return {each["metadata"]["name"] for each in pods}


def test_a_burst_from_zero_is_served_by_claimed_pods(
    cluster: Cluster, namespace: str, model_server: str
) -> None:
    pooled(cluster, namespace, "2")
    uri = f"{model_server}/fahrenheit.onnx"
    host = made(cluster, namespace, "w", uri, containerConcurrency=1)
    cluster.until_zero(namespace, "w")
    before = until_warm(cluster, namespace, 2)
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(cluster.ask(host, "/v2/models/m/infer", celsius()).status)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    claimed = until_adopted(cluster, namespace)
    for thread in threads:
        thread.join()
    assert statuses == [200] * 4
    assert names(claimed) <= before, "a replica that says it was claimed was warm"
    for pod in claimed:
        (owner,) = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["controller"]) == ("ReplicaSet", True)
        assert keys.POOL not in pod["metadata"]["labels"]
    after = until_warm(cluster, namespace, 2)
    assert not after & names(claimed), "a claimed Pod never goes back"
    cluster.until_zero(namespace, "w")
    assert until_warm(cluster, namespace, 2) == after, "what is warm stays when replicas go"


def test_a_claimed_pod_that_is_deleted_under_load_is_replaced(
    cluster: Cluster, namespace: str, model_server: str
) -> None:
    pooled(cluster, namespace, "1")
    host = made(cluster, namespace, "w", f"{model_server}/fahrenheit.onnx")
    cluster.until_zero(namespace, "w")
    until_warm(cluster, namespace, 1)
    assert cluster.ask(host, "/v2/models/m/infer", celsius()).status == 200
    (pod,) = until_adopted(cluster, namespace)
    name = pod["metadata"]["name"]
    cluster.kubectl("delete", "pod", "-n", namespace, name, "--wait=false")
    for _ in range(40):
        assert cluster.ask(host, "/v2/models/m/infer", celsius()).status == 200
    wait_until(lambda: name not in names(cluster.pods(namespace)), 60, "the deleted Pod to be gone")


def test_without_a_pool_it_is_the_plain_way_and_pools_go_when_nobody_needs_them(
    cluster: Cluster, namespace: str, model_server: str
) -> None:
    pooled(cluster, namespace, "1")
    host = made(cluster, namespace, "w", f"{model_server}/fahrenheit.onnx")
    until_warm(cluster, namespace, 1)
    pooled(cluster, namespace, "0")
    wait_until(lambda: not cluster.pods(namespace, keys.POOL), 60, "the pool to be gone")
    cluster.until_zero(namespace, "w")
    assert cluster.ask(host, "/v2/models/m/infer", celsius()).status == 200
    pooled(cluster, namespace, "1")
    until_warm(cluster, namespace, 1)
    cluster.kubectl("delete", "ksvc", "-n", namespace, "w")
    wait_until(lambda: not cluster.pods(namespace, keys.POOL), 60, "the pool to be gone")
