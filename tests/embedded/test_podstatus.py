from typing import Any

import pytest

from api.conditions import find
from embedded.podstatus import (
    ContainerFate,
    pod_status,
    qos_class,
    running,
    terminated,
    unschedulable_status,
    waiting,
)

NOW = "2026-11-22T00:00:00Z"
READY = ContainerFate(state=running(NOW), is_ready=True)
DONE = ContainerFate(state=terminated(0, None, "", NOW))
FAILED = ContainerFate(state=terminated(3, None, "no", NOW))


def pod(*names: str, first: tuple[str, ...] = ()) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": name, "image": "x"} for name in names]}
    if first:
        spec["initContainers"] = [{"name": name, "image": "x"} for name in first]
    return {"metadata": {"name": "p"}, "spec": spec}


def test_a_ready_container_makes_a_ready_pod() -> None:
    status = pod_status(pod("a"), {"a": READY}, now=NOW)
    assert status["phase"] == "Running"
    assert status["containerStatuses"][0]["ready"] is True
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"
    assert "initContainerStatuses" not in status


def test_a_container_that_ended_is_told_with_its_message() -> None:
    last = terminated(None, 9, "killed", NOW)
    assert last["terminated"]["exitCode"] == 137
    assert DONE.state["terminated"]["reason"] == "Completed"
    fate = ContainerFate(state=waiting("CrashLoopBackOff", "soon"), last_state=last, restarts=2)
    told = pod_status(pod("a"), {"a": fate}, now=NOW)["containerStatuses"][0]
    assert told["restartCount"] == 2
    assert told["lastState"]["terminated"]["message"] == "killed"
    assert told["state"]["waiting"]["reason"] == "CrashLoopBackOff"


def test_all_containers_must_be_ready() -> None:
    status = pod_status(pod("a", "b"), {"a": READY}, now=NOW)
    fact = find({"status": status}, "Ready")
    assert fact is not None
    assert (fact.status, fact.reason) == ("False", "ContainersNotReady")
    assert fact.message == "containers with unready status: [b]"


def test_what_runs_first_is_told_until_it_is_done() -> None:
    made = pod("a", first=("i", "j"))
    status = pod_status(made, {"i": DONE}, now=NOW)
    fact = find({"status": status}, "Initialized")
    assert fact is not None
    assert fact.message == "containers with incomplete status: [j]"
    assert status["phase"] == "Pending"
    assert [each["ready"] for each in status["initContainerStatuses"]] == [True, False]
    reasons = [each["state"] for each in status["containerStatuses"]]
    assert reasons == [{"waiting": {"reason": "PodInitializing"}}]
    status = pod_status(made, {"i": DONE, "j": DONE, "a": READY}, now=NOW)
    assert status["phase"] == "Running"


@pytest.mark.parametrize(
    ("fates", "phase"),
    [
        ({}, "Pending"),
        ({"a": READY}, "Running"),
        ({"a": DONE}, "Running"),
        ({"a": DONE, "b": DONE}, "Succeeded"),
        ({"a": DONE, "b": FAILED}, "Failed"),
        ({"a": ContainerFate(state=waiting("CrashLoopBackOff"), restarts=1)}, "Running"),
    ],
)
def test_the_phase_is_kubernetes(fates: dict[str, ContainerFate], phase: str) -> None:
    assert pod_status(pod("a", "b"), fates, now=NOW)["phase"] == phase


def test_a_first_container_that_is_not_started_again_fails_the_pod() -> None:
    assert pod_status(pod("a", first=("i",)), {"i": FAILED}, now=NOW)["phase"] == "Failed"


@pytest.mark.parametrize(
    ("resources", "word"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        (
            {
                "limits": {"cpu": "1", "memory": "1Gi"},
                "requests": {"cpu": "1000m", "memory": "1Gi"},
            },
            "Guaranteed",
        ),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
    ],
)
def test_the_class_of_a_pod_is_kubernetes(resources: dict[str, Any], word: str) -> None:
    assert qos_class({"containers": [{"name": "a", "resources": resources}]}) == word


def test_no_room_is_told_as_kubernetes_does() -> None:
    status = unschedulable_status(pod("a"), "Too many pods", now=NOW)
    fact = status["conditions"][0]
    assert (fact["type"], fact["reason"]) == ("PodScheduled", "Unschedulable")
    assert status["phase"] == "Pending"
