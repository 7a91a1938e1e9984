from typing import Any

from api import kinds
from relight import rendering
from relight.cells import Facts


def row(resource: kinds.Resource, raw: dict[str, Any], **facts: Any) -> dict[str, str]:
    columns = rendering.columns(resource, is_wide=True, has_namespace=True)
    lines = rendering.rows([raw], columns, Facts(now_s=60.0, **facts))
    return dict(zip([column.title for column in columns], lines[0], strict=True))


def pod(name: str, *, is_ready: bool = True, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"serving.knative.dev/service": "iris"},
            **metadata,
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(is_ready)}],
            "containerStatuses": [{"ready": is_ready, "restartCount": 2}],
        },
    }


def test_a_service() -> None:
    service = {
        "metadata": {
            "name": "iris",
            "namespace": "default",
            "creationTimestamp": "1970-01-01T00:00:00Z",
        },
        "spec": {
            "template": {
                "spec": {"containers": [{"image": "relight/predictor", "args": ["--model", "/a"]}]}
            }
        },
        "status": {
            "url": "http://iris.default.localhost",
            "latestCreatedRevisionName": "iris-00002",
            "latestReadyRevisionName": "iris-00001",
            "conditions": [{"type": "Ready", "status": "False", "reason": "RevisionFailed"}],
            "traffic": [
                {"revisionName": "iris-00001", "percent": 80},
                {"revisionName": "iris-00002", "percent": 20},
                {"revisionName": "iris-00002", "percent": 0, "tag": "new"},
            ],
        },
    }
    assert row(kinds.SERVICES, service, replicas={("default", "iris"): (1, 3)}) == {
        "NAMESPACE": "default",
        "NAME": "iris",
        "URL": "http://iris.default.localhost",
        "LATESTCREATED": "iris-00002",
        "LATESTREADY": "iris-00001",
        "READY": "False",
        "REASON": "RevisionFailed",
        "TRAFFIC": "iris-00001=80%,iris-00002=20%",
        "REPLICAS": "1/3",
        "AGE": "60s",
        "SOURCE": "/a",
    }


def test_a_service_nobody_looked_at_yet() -> None:
    service = {"metadata": {"name": "iris", "namespace": "default"}, "spec": {}}
    cells_ = row(kinds.SERVICES, service)
    assert cells_["URL"] == cells_["READY"] == cells_["TRAFFIC"] == "<none>"
    assert cells_["REPLICAS"] == "0"


def test_a_revision() -> None:
    revision = {
        "metadata": {
            "name": "iris-00001",
            "namespace": "default",
            "labels": {
                "serving.knative.dev/configuration": "iris",
                "serving.knative.dev/configurationGeneration": "1",
            },
            "annotations": {"relight.dev/model-digest": "sha256:aa"},
        },
        "spec": {"containers": [{"image": "me/app"}]},
        "status": {"actualReplicas": 0, "desiredReplicas": 2},
    }
    cells_ = row(kinds.REVISIONS, revision)
    assert cells_["CONFIG NAME"] == "iris"
    assert cells_["GENERATION"] == "1"
    assert (cells_["ACTUAL REPLICAS"], cells_["DESIRED REPLICAS"]) == ("0", "2")
    assert (cells_["DIGEST"], cells_["SOURCE"]) == ("sha256:aa", "me/app")


def test_a_pod() -> None:
    cells_ = row(kinds.PODS, pod("iris-1", annotations={"relight.dev/endpoint": "unix:/x"}))
    assert cells_["READY"] == "1/1"
    assert (cells_["STATUS"], cells_["RESTARTS"]) == ("Running", "2")
    assert cells_["ENDPOINT"] == "unix:/x"
