"""Deployments that warm Pods can stand in for, and what belongs to them."""

from typing import Any

from api import keys
from api.kinds import REVISIONS


def deployment(
    name: str, *, replicas: int = 0, image: str = "relight/predictor:1", **pod: Any
) -> dict[str, Any]:
    """Of Revision `name`."""
    labels = {keys.REVISION: name}
    container = {"name": "user-container", "image": image, "args": ["--model", f"http://m/{name}"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-deployment", "namespace": "default", "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], **pod},
            },
        },
    }


def revision(name: str, state: str = "active") -> dict[str, Any]:
    """A Revision that Routes point at, or keep."""
    container = {"name": "user-container", "image": "relight/predictor:1"}
    return {
        "apiVersion": REVISIONS.api_version,
        "kind": "Revision",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {keys.ROUTING_STATE: state},
        },
        "spec": {"containers": [container]},
    }
