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


@pytest.mark.parametrize(
    "said", ["nowhere", f"tcp:{'x' * 64}:80", "tcp:a..b:80", "tcp:10.0.0.9:80", "tcp:localhost:80"]
)
def test_one_that_says_of_itself_what_is_no_address_of_this_machine_is_not_used(said: str) -> None:
    facts = read_pod(pod(metadata={"annotations": {"relight.dev/endpoint": said}}))
    assert facts is not None
    assert facts.address is None


def test_a_replica_of_one_machine_may_have_a_port() -> None:
    said = {"annotations": {"relight.dev/endpoint": "tcp:127.0.0.1:9000"}}
    for status in ({}, {"podIP": "127.0.0.1"}):
        facts = read_pod(pod(metadata=said, status=status))
        assert facts is not None
        assert facts.address == Address(host="127.0.0.1", port=9000)


@pytest.mark.parametrize("said", ["unix:/run/p.sock", "tcp:127.0.0.1:8081", "tcp:10.0.0.9:80"])
def test_on_a_cluster_an_annotation_leads_nowhere_else(said: str) -> None:
    raw = pod(
        metadata={"annotations": {"relight.dev/endpoint": said}}, status={"podIP": "10.0.0.7"}
    )
    facts = read_pod(raw)
    assert facts is not None
    assert facts.address == Address(host="10.0.0.7", port=8080)


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


SOCKET = {"tcpSocket": {"port": 9000}}
HEALTH = {"httpGet": {"path": "/healthz", "port": 9000}}


@pytest.mark.parametrize(
    ("probes", "is_waited_for"),
    [
        ({}, False),
        ({"readinessProbe": {**SOCKET, "periodSeconds": 1}}, False),
        ({"readinessProbe": {**SOCKET, "initialDelaySeconds": 3}}, True),
        ({"readinessProbe": {"tcpSocket": {"port": 9001}}}, True),
        ({"readinessProbe": HEALTH}, True),
        ({"readinessProbe": {"exec": {"command": ["true"]}}}, True),
        ({"startupProbe": HEALTH}, True),
    ],
)
def test_what_only_a_kubelet_can_tell_is_waited_for(
    probes: dict[str, object], is_waited_for: bool
) -> None:
    container = {"image": "app:1", "ports": [{"containerPort": 9000}], **probes}
    raw = pod(
        metadata={"annotations": None},
        spec={"containers": [container, {"image": "other:1"}]},
        status={"podIP": "10.0.0.7"},
    )
    facts = read_pod(raw)
    assert facts is not None
    assert (facts.address is None) is is_waited_for
    raw["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    facts = read_pod(raw)
    assert facts is not None
    assert facts.address == Address(host="10.0.0.7", port=9000)
    raw["spec"]["containers"][0]["image"] = "relight/predictor:1"
    raw["status"].pop("conditions")
    facts = read_pod(raw)
    assert facts is not None
    assert facts.address is not None, "it is asked whether it is ready"


def test_a_sidecar_that_is_not_ready_is_waited_for() -> None:
    sidecar = {"image": "other:1", "readinessProbe": HEALTH}
    raw = pod(
        metadata={"annotations": None},
        spec={"containers": [{"image": "relight/predictor:1", "ports": [{}]}, sidecar]},
        status={"podIP": "10.0.0.7"},
    )
    facts = read_pod(raw)
    assert facts is not None
    assert facts.address is None


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
