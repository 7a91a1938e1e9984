"""What the scripts share.

They run in an environment that has the clients and nothing of ours, so nothing of ours is
imported: `python SCRIPT KUBECONFIG SETTINGS`. What a script saw goes to its last line as JSON;
the tests judge it.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

DEADLINE_S = 60.0

KUBECONFIG = sys.argv[1]
SETTINGS: dict[str, Any] = json.loads(sys.argv[2])
NAMESPACE: str = SETTINGS["namespace"]

SERVING = ("serving.knative.dev", "v1", "services")
KSERVE = ("serving.kserve.io", "v1beta1", "inferenceservices")


def tell(**facts: Any) -> None:
    """Print what was seen, and nothing after it."""
    sys.stdout.write("\n" + json.dumps(facts, default=str) + "\n")
    sys.stdout.flush()


def until(look: Callable[[], T], what: str) -> T:
    """Look every 50 ms until there is something; TimeoutError names what was awaited."""
    ends = time.monotonic() + DEADLINE_S
    while not (found := look()):
        if time.monotonic() > ends:
            raise TimeoutError(f"waited {DEADLINE_S:.0f} s for {what}")
        time.sleep(0.05)
    return found


def is_ready(resource: Any) -> bool:
    """Whether its condition Ready is True for the generation it has."""
    status = resource.get("status") or {}
    if status.get("observedGeneration") != resource["metadata"]["generation"]:
        return False
    found = {c["type"]: c["status"] for c in status.get("conditions", [])}
    return found.get("Ready") == "True"


def ksvc(name: str, **labels: str) -> dict[str, Any]:
    """A Knative Service of the tiny ONNX model."""
    args = ["--model", SETTINGS["fahrenheit"]]
    container = {"image": "relight/predictor", "args": args}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def serve_python(name: str, program: str) -> str:
    """Make a Service of a model in Python, FILE.py:CLASS; its host, once it is ready."""
    from kubernetes import client, config

    config.load_kube_config(KUBECONFIG)
    api = client.CustomObjectsApi()
    group = ("serving.knative.dev", "v1", NAMESPACE, "services")
    body = ksvc(name)
    (container,) = body["spec"]["template"]["spec"]["containers"]
    container["args"] = ["--python", program]
    api.create_namespaced_custom_object(*group, body)

    def ready() -> Any:
        found = api.get_namespaced_custom_object(*group, name)
        return found if is_ready(found) else None

    return str(until(ready, f"{name} to be ready")["status"]["url"]).partition("//")[2]


def isvc(name: str, **labels: str) -> dict[str, Any]:
    """An InferenceService of the same model."""
    uri = f"file://{Path(SETTINGS['fahrenheit'])}"
    model = {"modelFormat": {"name": "onnx"}, "protocolVersion": "v2", "storageUri": uri}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"predictor": {"minReplicas": 0, "model": model}},
    }


def pod(name: str) -> dict[str, Any]:
    """A Pod of two lines of log that stays."""
    command = ["sh", "-c", "echo hello; echo world; exec sleep 600"]
    container = {"name": "main", "image": "any", "command": command}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


def deployment(name: str) -> dict[str, Any]:
    """A Deployment of one such process."""
    labels = {"app": name}
    container = {"name": "main", "image": "any", "command": ["sleep", "600"]}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def definition(plural: str, kind: str) -> dict[str, Any]:
    """A CustomResourceDefinition with a status subresource and one defaulted field."""
    size = {"type": "integer", "default": 3, "minimum": 0}
    spec = {"type": "object", "properties": {"size": size, "word": {"type": "string"}}}
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.clients.example.com"},
        "spec": {
            "group": "clients.example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [version],
        },
    }


def review(verb: str, group: str, resource: str) -> dict[str, Any]:
    """A question whether one may."""
    asked = {"namespace": NAMESPACE, "verb": verb, "group": group, "resource": resource}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
