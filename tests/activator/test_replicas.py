"""Reading Pods."""

import pytest

from activator.replicas import read_pod
from activator.targets import RevisionKey
from wire.address import Address


def pod(**more: object) -> dict:
    raw: dict = {
        "metadata": {
            "name": "p",
            "namespace": "ns",
            "labels": {"serving.knative.dev/revision": "r-1"},
            "annotations": {"relight.dev/endpoint": "unix:/run/p.sock"},
        },
        "spec": {"containers": [{"image": "relight/predictor:1"}]},
        "status": {"phase": "Running"},
    }
    for path, value in more.items():
        raw[path] = {**raw[path], **value}  # type: ignore[dict-item] # objects
    return raw


def test_a_replica_of_one_machine() -> None:
    facts = read_pod(pod())
    assert facts is not None
    assert facts.pod == ("ns", "p")
    assert facts.revision == RevisionKey("ns", "r-1")
    assert facts.address == Address(path="/run/p.sock")
    assert facts.is_predictor
    assert not facts.is_leaving


def test_a_replica_on_a_cluster() -> None:
    raw = pod(
        metadata={"annotations": None},
        spec={"containers": [{"image": "app:1", "ports": [{"containerPort": 9000}]}]},
        status={"podIP": "10.0.0.7"},
    )
    facts = read_pod(raw)
    assert facts is not None
    assert facts.address == Address(host="10.0.0.7", port=9000)
    assert not facts.is_predictor
    raw["spec"]["containers"][0].pop("ports")
    facts = read_pod(raw)
    assert facts is not None
    assert facts.address == Address(host="10.0.0.7", port=8080)


def test_not_yet_anywhere() -> None:
    facts = read_pod(pod(metadata={"annotations": {}}))
    assert facts is not None
    assert facts.address is None
    facts = read_pod(pod(metadata={"annotations": {"relight.dev/endpoint": "smoke:signal"}}))
    assert facts is not None
    assert facts.address is None


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
        {"status": {"phase": "Failed"}},
        {"status": {"phase": "Succeeded"}},
    ],
)
def test_leaving(change: dict) -> None:
    facts = read_pod(pod(**change))
    assert facts is not None
    assert facts.is_leaving


def test_down() -> None:
    for name, is_down in (("running", False), ("waiting", True), ("terminated", True)):
        facts = read_pod(pod(status={"containerStatuses": [{"state": {name: {}}}]}))
        assert facts is not None
        assert facts.is_down is is_down


def test_a_pod_of_no_revision_is_none_of_ours() -> None:
    assert read_pod(pod(metadata={"labels": None})) is None
