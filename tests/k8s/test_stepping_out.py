"""Through the address in the cluster: activators step out, and nothing is lost on the way back."""

import socket
from typing import Any

import pytest

from tests.k8s.cluster import READY_S, SYSTEM, Cluster, service, wait_until
from tests.k8s.load import Load

pytestmark = pytest.mark.e2e
PATH = "/v2/models/slow/infer"
BODY = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [1.0]}]}
# As fast as a model of some size; what runs at once is what is counted.
CODE = """
import time
from predictor.model import Model

class Slow(Model):
    def load(self):
        pass

    def predict(self, inputs):
        time.sleep(0.02)
        return {"y": inputs["x"]}
"""


def slow(**annotations: str) -> dict[str, Any]:
    container = {
        "image": "relight/predictor",
        "args": ["--python", "/code/slow.py:Slow"],
        "volumeMounts": [{"name": "code", "mountPath": "/code"}],
    }
    scaling = {"target-burst-capacity": "0", "target": "2", "max-scale": "3", "min-scale": "0"}
    named = {
        f"autoscaling.knative.dev/{name.replace('_', '-')}": text
        for name, text in (scaling | annotations).items()
    }
    volumes = [{"name": "code", "configMap": {"name": "code"}}]
    return service("slow", container, timeoutSeconds=30, volumes=volumes, annotations=named)


def address(cluster: Cluster, namespace: str, name: str = "slow") -> str:
    """The core Service's own; a test that can not reach it is skipped."""
    found = cluster.get(f"/api/v1/namespaces/{namespace}/services/{name}")
    ip = found["spec"]["clusterIP"]
    try:
        socket.create_connection((ip, 80), timeout=5).close()
    except OSError:
        pytest.skip("ClusterIPs are not reached from here")
    return f"{ip}:80"


def led_to(cluster: Cluster, namespace: str) -> set[str]:
    """The namespaces of the Pods behind the Route's Service."""
    version = "v1"
    if cluster.call("GET", "/apis/discovery.k8s.io/v1").status != 200:
        version = "v1beta1"
    found = cluster.items(
        f"/apis/discovery.k8s.io/{version}/namespaces/{namespace}/endpointslices",
        labelSelector="kubernetes.io/service-name=slow",
    )
    endpoints = [one for each in found for one in each.get("endpoints") or ()]
    return {one["targetRef"]["namespace"] for one in endpoints}


def test_three_one_none_three_without_a_failure(cluster: Cluster, namespace: str) -> None:
    code = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "code"},
        "data": {"slow.py": CODE},
    }
    cluster.apply(code, slow(), namespace=namespace)
    cluster.until_service(namespace, "slow")
    entry, host = address(cluster, namespace), f"slow.{namespace}.svc.cluster.local"

    def number(wanted: int) -> None:
        wait_until(
            lambda: len(cluster.replicas(namespace, "slow")) == wanted, READY_S, f"{wanted} Pods"
        )

    def leads_to(there: str) -> None:
        wait_until(lambda: led_to(cluster, namespace) == {there}, READY_S, f"the way to {there}")

    with Load(entry, host, PATH, BODY, workers=8) as many:
        number(3)
        leads_to(namespace)
        many.more(200)
    with Load(entry, host, PATH, BODY, workers=1) as few:
        number(1)
        assert led_to(cluster, namespace) == {namespace}, "one replica is enough to step out"
        few.more()
    leads_to(SYSTEM)
    cluster.until_zero(namespace, "slow")
    with Load(entry, host, PATH, BODY, workers=8) as again:
        number(3)
        leads_to(namespace)
        gone = cluster.replicas(namespace, "slow")[0]["metadata"]["name"]
        cluster.kubectl("delete", "pod", gone, "-n", namespace, "--wait=false")
        again.more(200)
    for load in (many, few, again):
        assert load.failures == []
        assert load.broken == 0, "not even once"
    cluster.tell(f"past the activators, 3 to 1 to 0 to 3: {many.told()}; then {again.told()}")
