"""ConfigMaps, Secrets, volume claims, probes and limits of memory reach containers as told."""

import base64
import json
import uuid
from collections.abc import Iterator

import pytest

from tests.k8s import models
from tests.k8s.cluster import Cluster, Raw, condition, isvc, service, wait_until
from tests.k8s.test_serving import celsius

pytestmark = pytest.mark.e2e
PROGRAMS = "examples/programs"


def program(name: str, **container: object) -> Raw:
    return {
        "image": "example/hello:1",
        "command": ["python3", f"{PROGRAMS}/{name}.py"],
        **container,
    }


def test_config_maps_and_secrets_as_variables_and_files(cluster: Cluster, namespace: str) -> None:
    settings: Raw = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"colour": "orange"},
    }
    secret: Raw = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "password"},
        "stringData": {"password": "correct horse"},
    }
    container = program(
        "settings",
        env=[
            {"name": "SETTINGS", "value": "/srv/given"},
            {
                "name": "COLOUR",
                "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}},
            },
            {
                "name": "PASSWORD",
                "valueFrom": {"secretKeyRef": {"name": "password", "key": "password"}},
            },
        ],
        volumeMounts=[
            {"name": "config", "mountPath": "/srv/given/config", "readOnly": True},
            {"name": "secret", "mountPath": "/srv/given/secret", "readOnly": True},
        ],
    )
    volumes = [
        {"name": "config", "configMap": {"name": "settings"}},
        {"name": "secret", "secret": {"secretName": "password"}},
    ]
    made = service("settings", container, volumes=volumes, timeoutSeconds=10)
    cluster.apply(settings, secret, made, namespace=namespace)
    host = cluster.until_service(namespace, "settings")
    told = cluster.ask(host).json()
    assert (told["COLOUR"], told["PASSWORD"]) == ("orange", "correct horse")
    assert told["files"] == {"config/colour": "orange", "secret/password": "correct horse"}


@pytest.fixture
def claim(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A claim with a model on it, written by a Pod: no machine's disk is touched but the node's."""
    name = f"models-{uuid.uuid4().hex[:8]}"
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": name,
            "hostPath": {"path": f"/var/tmp/relight-{name}", "type": "DirectoryOrCreate"},
        },
    }
    made = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "models"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": name,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    text = base64.b64encode(models.FILES["fahrenheit.onnx"].read_bytes()).decode()
    script = f"mkdir -p /m/a && echo {text} | base64 -d >/m/a/model.onnx && chmod -R a+rX /m"
    cluster.apply(volume, made, namespace=namespace)
    _once(cluster, namespace, "writer", script)
    yield "models"
    _once(cluster, namespace, "cleaner", "rm -rf /m/a")
    cluster.kubectl("delete", "persistentvolume", name, "--wait=false")


def _once(cluster: Cluster, namespace: str, name: str, script: str) -> None:
    """Run a script with the claim at /m."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "sh",
                    "image": "relight-test/busybox:1",
                    "command": ["sh", "-c", script],
                    "volumeMounts": [{"name": "m", "mountPath": "/m"}],
                }
            ],
            "volumes": [{"name": "m", "persistentVolumeClaim": {"claimName": "models"}}],
        },
    }
    cluster.apply(pod, namespace=namespace)
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    wait_until(
        lambda: cluster.get(path)["status"].get("phase") == "Succeeded", 60, f"{name} to end"
    )
    cluster.kubectl("delete", "pod", name, "-n", namespace, "--wait=false")


def test_a_model_on_a_volume_claim(cluster: Cluster, namespace: str, claim: str) -> None:
    cluster.apply(isvc("stored", f"pvc://{claim}/a/model.onnx"), namespace=namespace)
    host = cluster.until_isvc(namespace, "stored")
    answer = cluster.ask(host, "/v2/models/stored/infer", celsius())
    assert answer.status == 200, answer.body
    assert answer.json()["outputs"][0]["data"] == [pytest.approx(212)]


def test_a_container_that_is_not_yet_ready_gets_no_request(
    cluster: Cluster, namespace: str
) -> None:
    """It listens at once and is ready 4 s later: the file that its probe asks for is made then."""
    script = (
        "mkdir -p /tmp/w; (sleep 4; echo yes >/tmp/w/ready) & "
        "(sleep 3; echo served >/tmp/w/index.html) & exec httpd -f -p $PORT -h /tmp/w"
    )
    container = {
        "image": "relight-test/busybox:1",
        "command": ["sh", "-c", script],
        "readinessProbe": {"httpGet": {"path": "/ready"}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/"}, "initialDelaySeconds": 20},
    }
    made = service("probed", container, timeoutSeconds=30)
    cluster.apply(made, namespace=namespace)
    host = cluster.until_service(namespace, "probed")
    cluster.until_zero(namespace, "probed")
    answer = cluster.ask(host)
    assert (answer.status, answer.body) == (200, b"served\n"), "404 would be too early"


HUNGRY = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Hungry(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/eat":
            kept = [bytearray(b"x" * 2**20) for _ in range(300)]
        self.send_response(200); self.end_headers(); self.wfile.write(b"fed")
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Hungry).serve_forever()
"""
LIMITS = {"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi"}}


def test_a_container_killed_for_its_memory_comes_back(cluster: Cluster, namespace: str) -> None:
    container = {
        "image": "example/hello:1",
        "command": ["python3", "-c", HUNGRY],
        "resources": LIMITS,
    }
    cluster.apply(service("hungry", container, timeoutSeconds=30), namespace=namespace)
    host = cluster.until_service(namespace, "hungry")
    assert cluster.ask(host).body == b"fed"
    (pod,) = cluster.replicas(namespace, "hungry")
    answer = cluster.ask(host, "/eat")
    assert answer.status == 502, "it ended while it served this request"
    assert answer.json()["reason"] == "ReplicaDied"
    path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}"

    def ended() -> str:
        found = cluster.get(path) or pod
        (status,) = found["status"]["containerStatuses"]
        at = [(status.get(field) or {}).get("terminated") for field in ("lastState", "state")]
        return next((each["reason"] for each in at if each), "")

    assert wait_until(ended, 30, "the Pod to say why its container ended") == "OOMKilled"
    again = cluster.ask(host)
    assert (again.status, again.body) == (200, b"fed")


def test_a_container_that_never_fits_its_memory_says_so(cluster: Cluster, namespace: str) -> None:
    greedy = "x = [bytearray(b'x' * 2**20) for _ in range(300)]"
    container = {
        "image": "example/hello:1",
        "command": ["python3", "-c", greedy],
        "resources": LIMITS,
    }
    made = service("greedy", container, timeoutSeconds=10)
    cluster.apply(made, namespace=namespace)

    def reason() -> str:
        found = condition(cluster.service(namespace, "greedy"))
        return found.get("reason", "") if found["status"] == "False" else ""

    wait_until(reason, 90, "the Service to fail")
    told = condition(cluster.service(namespace, "greedy"))
    assert "OOMKilled" in told["message"], json.dumps(told)
