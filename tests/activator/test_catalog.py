"""Reading Routes and Revisions."""

from activator import catalog
from activator.targets import Model, Share


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


def test_only_a_lasting_failure_is_one() -> None:
    def failure(**statuses: str) -> str:
        return catalog.read_terms(revision(**conditions(**statuses))).failure

    assert failure(Ready="False", ContainerHealthy="False") == "Why: for this"
    assert failure(Ready="False", ResourcesAvailable="False") == "Why: for this"
    assert failure(Ready="Unknown", ContainerHealthy="Unknown") == ""
    assert failure(Ready="True", Active="False") == ""
    assert failure(Ready="False", Active="False") == ""
