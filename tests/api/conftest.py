"""A valid object of each kind, and a way to read why another is refused."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from api.errors import InvalidObjectError

Raw = dict[str, Any]


@pytest.fixture
def refused() -> Callable[..., str]:
    def run(call: Callable[..., object], *args: object, **named: object) -> str:
        with pytest.raises(InvalidObjectError) as caught:
            call(*args, **named)
        return str(caught.value)

    return run


@pytest.fixture
def service() -> Raw:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {"template": {"metadata": {}, "spec": {"containers": [{"image": "a/b"}]}}},
    }


@pytest.fixture
def configuration(service: Raw) -> Raw:
    return {**copy.deepcopy(service), "kind": "Configuration"}


@pytest.fixture
def revision() -> Raw:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {"name": "iris-00001", "namespace": "default"},
        "spec": {"containers": [{"image": "a/b"}]},
    }


@pytest.fixture
def route() -> Raw:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Route",
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {"traffic": [{"configurationName": "iris", "percent": 100}]},
    }


@pytest.fixture
def podautoscaler() -> Raw:
    return {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {"name": "iris-00001", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": "iris-00001-deployment",
            },
            "containerConcurrency": 1,
            "reachability": "Reachable",
            "protocolType": "http1",
        },
    }
