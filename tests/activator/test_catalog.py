"""Reading Routes and Revisions."""

import pytest

from activator import catalog
from activator.patience import Bounds
from activator.targets import Model, Share
from api import keys


def test_shares_are_the_resolved_traffic() -> None:
    traffic = [
        {"revisionName": "r-1", "percent": 80, "latestRevision": False},
        {"revisionName": "r-2", "percent": 20, "tag": "canary"},
        {"revisionName": "r-3", "tag": "old"},
        {"configurationName": "r", "percent": 0},
    ]
    assert catalog.read_shares({"status": {"traffic": traffic}}) == [
        Share(revision="r-1", percent=80),
        Share(revision="r-2", percent=20, tag="canary"),
        Share(revision="r-3", percent=0, tag="old"),
    ]
    assert catalog.read_shares({}) == []


def revision(**more: object) -> dict:
    return {"metadata": {"name": "r-1", "labels": {"serving.knative.dev/service": "r"}}, **more}


def test_the_model_is_named_by_annotation_else_service_else_revision() -> None:
    assert catalog.read_model(revision()) == Model(service="r", name="r")
    named = revision()
    named["metadata"]["annotations"] = {"relight.dev/model-name": "net"}
    assert catalog.read_model(named) == Model(service="r", name="net")
    assert catalog.read_model({"metadata": {"name": "x"}}) == Model(service="", name="x")


def conditions(**statuses: str) -> dict:
    found = [
        {"type": kind, "status": status, "reason": "Why", "message": "for this"}
        for kind, status in statuses.items()
    ]
    return {"status": {"conditions": found}}


def test_terms() -> None:
    terms = catalog.read_terms(revision(spec={"containerConcurrency": 3, "timeoutSeconds": 7}))
    assert (terms.container_concurrency, terms.timeout_s, terms.failure) == (3, 7.0, "")
    terms = catalog.read_terms(revision())
    assert (terms.container_concurrency, terms.timeout_s) == (0, 300.0)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, False),
        ({keys.SCALING_METRIC: "rps"}, False),
        ({keys.SCALING_METRIC: "tokens-in-flight"}, True),
        ({keys.SCALING_METRIC: "queue-delay", keys.SCALING_CLASS: keys.CLASS_RELIGHT}, True),
        ({keys.SCALING_METRIC: "queue-delay", keys.SCALING_CLASS: "mine.example.com"}, False),
    ],
)
def test_who_is_asked_for_the_load_of_its_replicas(
    annotations: dict[str, str], expected: bool
) -> None:
    found = revision()
    found["metadata"]["annotations"] = annotations
    assert catalog.read_terms(found).is_measured is expected


def test_only_a_lasting_failure_is_one() -> None:
    def failure(**statuses: str) -> str:
        return catalog.read_terms(revision(**conditions(**statuses))).failure

    assert failure(Ready="False", ContainerHealthy="False") == "Why: for this"
    assert failure(Ready="False", ResourcesAvailable="False") == "Why: for this"
    assert failure(Ready="Unknown", ContainerHealthy="Unknown") == ""
    assert failure(Ready="True", Active="False") == ""
    assert failure(Ready="False", Active="False") == ""


def test_what_keeps_replicas_is_told_where_it_is_known() -> None:
    def waits(**active: str) -> str:
        found = {"status": {"conditions": [{"type": "Active", **active}]}}
        return catalog.read_terms(revision(**found)).waits

    assert waits(status="Unknown", reason="Unschedulable", message="no node") == (
        "Unschedulable: no node"
    )
    assert waits(status="False", reason="ExitCode1") == "ExitCode1"
    assert waits(status="True") == ""
    assert waits(status="False", reason="NoTraffic", message="none") == ""
    assert catalog.read_terms(revision()).waits == ""


def test_bounds_that_the_timeout_does_not_cover_anyway() -> None:
    def bounds(**spec: int) -> Bounds | None:
        return catalog.read_terms(revision(spec=spec)).bounds

    assert bounds() is None
    assert bounds(responseStartTimeoutSeconds=300, idleTimeoutSeconds=300) is None
    assert bounds(timeoutSeconds=9, responseStartTimeoutSeconds=9, idleTimeoutSeconds=0) is None
    assert bounds(responseStartTimeoutSeconds=2) == Bounds(start_s=2.0)
    assert bounds(timeoutSeconds=9, idleTimeoutSeconds=3) == Bounds(idle_s=3.0)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, False),
        ({"networking.knative.dev/visibility": "cluster-local"}, True),
        ({"networking.kserve.io/visibility": "cluster-local"}, True),
        ({"networking.knative.dev/visibility": "else"}, False),
    ],
)
def test_visibility(labels: dict[str, str], expected: bool) -> None:
    assert catalog.read_is_inside_only({"metadata": {"labels": labels}}) is expected


def mapping(ready: str | None = "True", **ref: object) -> dict:
    found = [{"type": "Ready", "status": ready}] if ready else []
    whole = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "app", **ref}
    return {
        "metadata": {"name": "a.org", "namespace": "ns", "creationTimestamp": "2026"},
        "spec": {"ref": whole},
        "status": {"conditions": found},
    }


def test_a_mapping_leads_to_a_route_of_its_namespace_once_it_is_ready() -> None:
    assert catalog.read_mapped_route(mapping()) == "app"
    assert catalog.read_mapped_route(mapping(kind="Route", namespace="ns")) == "app"
    for away in (
        mapping("False"),
        mapping(None),
        mapping(namespace="other"),
        mapping(kind="Channel"),
        mapping(apiVersion="v1"),
        {"metadata": {"name": "a.org"}},
    ):
        assert catalog.read_mapped_route(away) == ""
    assert catalog.read_owner(mapping()) == ("2026", "ns", "a.org")


def test_an_inference_service_is_read_from_its_spec() -> None:
    raw = {
        "metadata": {"name": "iris", "namespace": "ns", "creationTimestamp": "2026"},
        "spec": {"predictor": {}, "transformer": {}, "explainer": None},
    }
    found = catalog.read_inference(raw)
    assert found.owner == ("2026", "ns", "iris")
    assert (found.has_transformer, found.has_explainer) == (True, False)
    assert not found.is_inside_only


def test_whose_requests_they_are() -> None:
    def identity(**labels: str) -> tuple[str, str]:
        raw = {"metadata": {"name": "r-1", "namespace": "ns", "labels": labels}}
        found = catalog.read_identity(raw)
        assert (found.namespace, found.revision) == ("ns", "r-1")
        return found.inference_service, found.component

    service = keys.SERVICE
    assert identity() == ("r-1", "predictor")
    assert identity(**{service: "app"}) == ("app", "predictor")
    assert identity(**{service: "iris-transformer"}) == ("iris", "transformer")
    labels = {service: "x", keys.INFERENCE_SERVICE: "iris", "component": "explainer"}
    assert identity(**labels) == ("iris", "explainer")


def test_an_annotation_that_can_not_be_read_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    raw = revision()
    assert catalog.read_logging(raw) is None
    raw["metadata"]["annotations"] = {keys.LOGGER: "{}"}
    assert catalog.read_logging(raw) is None
    assert "revision r-1: relight.dev/logger: url: " in caplog.text
    raw["metadata"]["annotations"] = {keys.LOGGER: '{"url": "http://s"}'}
    assert catalog.read_logging(raw) is not None
