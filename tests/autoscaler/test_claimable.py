from dataclasses import replace

import orjson
import pytest

from api import keys, pool
from autoscaler.claimable import Claimables, adopting, claiming, trimmed_pod, trimmed_set
from tests.autoscaler.claims import DEPLOYMENT, SPEC, replica_set, warm_pod

CLASS = pool.class_of(SPEC)


def found(*pods: str) -> Claimables:
    made = Claimables()
    made.set_changed(None, trimmed_set(replica_set()))
    for name in pods:
        made.pod_changed(None, trimmed_pod(warm_pod(name)))
    return made


def test_a_replica_set_is_what_its_pods_would_be() -> None:
    target = found().target(("default", DEPLOYMENT))
    assert target is not None
    assert (target.pool, target.replicas, target.is_observed) == (CLASS, 0, True)
    assert target.labels["pod-template-hash"] == "h1"
    assert target.assignment.args == ("--model", "http://m/m.onnx")


def test_the_newest_replica_set_of_a_deployment_counts() -> None:
    made = found()
    made.set_changed(None, trimmed_set(replica_set(3, age=2)))
    target = made.target(("default", DEPLOYMENT))
    assert target is not None
    assert target.uid == "rs-2"
    made.set_changed(trimmed_set(replica_set(3, age=2)), None)
    assert made.by_uid("default", "rs-2") is None
    again = made.target(("default", DEPLOYMENT))
    assert again is not None
    assert again.uid == "rs-1"


@pytest.mark.parametrize("said", ["x", "-1", "9" * 5000, ""])
def test_a_set_whose_user_wrote_nonsense_is_the_oldest(said: str) -> None:
    odd = replica_set(age=7)
    odd["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": said}
    made = found()
    made.set_changed(None, trimmed_set(odd))
    target = made.target(("default", DEPLOYMENT))
    assert target is not None
    assert target.uid == "rs-1"


def test_one_that_is_not_poolable_or_nobodys_is_no_target() -> None:
    other = replica_set()
    other["spec"]["template"]["spec"] = {"containers": [{"image": "example.com/other"}]}
    orphan = replica_set()
    orphan["metadata"]["ownerReferences"] = []
    for raw in (other, orphan):
        made = Claimables()
        made.set_changed(None, trimmed_set(raw))
        assert made.target(("default", DEPLOYMENT)) is None


def test_a_set_that_its_controller_has_not_seen_is_not_observed() -> None:
    made = Claimables()
    made.set_changed(None, trimmed_set(replica_set(1, version=2, observed=1)))
    target = made.target(("default", DEPLOYMENT))
    assert target is not None
    assert not target.is_observed


def test_a_pod_is_taken_once_and_the_oldest_first() -> None:
    made = found("a", "b")
    assert made.count("default", CLASS) == 2
    taken = [made.take("default", CLASS) for _ in range(3)]
    assert [pod and pod.name for pod in taken] == ["a", "b", None]
    pod = taken[0]
    assert pod is not None
    assert (pod.address, pod.key, pod.version) == ("10.0.0.1:8081", "key-a", "7")


def test_a_pod_that_changed_can_be_taken_again() -> None:
    made = found("a")
    made.take("default", CLASS)
    before = trimmed_pod(warm_pod("a"))
    made.pod_changed(before, trimmed_pod(warm_pod("a", version="8")))
    pod = made.take("default", CLASS)
    assert pod is not None
    assert pod.version == "8"


def test_a_pod_that_was_taken_in_vain_can_be_given_back() -> None:
    made = found("a")
    pod = made.take("default", CLASS)
    assert pod is not None
    made.give_back("default", CLASS, pod)
    assert made.take("default", CLASS) == pod
    before = trimmed_pod(warm_pod("a"))
    made.pod_changed(before, trimmed_pod(warm_pod("a", version="8")))
    made.give_back("default", CLASS, pod)  # what was heard of it since counts
    again = made.take("default", CLASS)
    assert again is not None
    assert again.version == "8"


@pytest.mark.parametrize("reason", ["cold", "going", "keyless", "claimed"])
def test_what_is_not_warm_is_not_taken(reason: str) -> None:
    raw = warm_pod("a", is_ready=reason != "cold")
    if reason == "going":
        raw["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    if reason == "keyless":
        raw["spec"]["containers"][0]["env"] = []
    if reason == "claimed":
        raw["metadata"]["labels"] = {}
    made = Claimables()
    made.pod_changed(None, trimmed_pod(raw))
    assert made.take("default", CLASS) is None


def test_an_address_of_ipv6_is_in_brackets() -> None:
    raw = warm_pod("a")
    raw["status"]["podIP"] = "fd00::1"
    assert trimmed_pod(raw)["warm"].address == "[fd00::1]:8081"


def test_what_is_said_of_a_warm_pod_alone_is_not_said_of_a_replica() -> None:
    raw = warm_pod("a")
    raw["metadata"]["annotations"] = {**pool.WHILE_WARM, "mesh": "in"}
    pod, target = trimmed_pod(raw)["warm"], found().target(("default", DEPLOYMENT))
    assert target is not None
    patch = claiming(pod, target, now="then")
    assert patch[-1]["value"] == {"mesh": "in", "a": "b", keys.CLAIMED: "then"}
    own = dict(pool.WHILE_WARM)
    patch = claiming(pod, replace(target, annotations=own), now="then")
    assert patch[-1]["value"] == {"mesh": "in", **own, keys.CLAIMED: "then"}


def test_a_claim_gives_all_labels_but_the_one_that_is_adopted_by() -> None:
    made = found("a")
    pod, target = made.take("default", CLASS), made.target(("default", DEPLOYMENT))
    assert pod is not None
    assert target is not None
    test, labels, annotations = claiming(pod, target, now="then")
    assert test == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert labels["value"] == {"serving.knative.dev/revision": "r", "app": "r"}
    assert annotations["value"] == {"a": "b", "relight.dev/claimed": "then"}
    patch = adopting(target, {"claim_ms": 1.5})
    assert patch["metadata"]["labels"] == {"pod-template-hash": "h1"}
    timing = patch["metadata"]["annotations"]["relight.dev/start-timing"]
    assert orjson.loads(timing) == {"claim_ms": 1.5}
