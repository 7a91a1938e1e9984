from typing import Any

import pytest

from controller.failures import Failures, Fault, failures_of, is_troubled

LATE = {
    "type": "Progressing",
    "status": "False",
    "reason": "ProgressDeadlineExceeded",
    "message": "timed out",
}
READY = {"type": "Ready", "status": "True"}
NOT_SCHEDULED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "no room",
}


def deployment(*conditions: dict[str, str], replicas: int = 1, available: int = 0) -> Any:
    return {
        "metadata": {},
        "spec": {"replicas": replicas},
        "status": {"availableReplicas": available, "conditions": list(conditions)},
    }


def pod(*conditions: dict[str, str], going: bool = False, **container: Any) -> dict[str, Any]:
    return {
        "metadata": {"deletionTimestamp": "2027"} if going else {},
        "status": {
            "conditions": list(conditions),
            "containerStatuses": [container] if container else [],
        },
    }


def with_init(raw: dict[str, Any], **container: Any) -> dict[str, Any]:
    return {**raw, "status": {**raw["status"], "initContainerStatuses": [container]}}


def both(raw: dict[str, Any], **container: Any) -> dict[str, Any]:
    statuses = [*raw["status"]["containerStatuses"], container]
    return {**raw, "status": {**raw["status"], "containerStatuses": statuses}}


def ended(code: int, **facts: str) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, **facts}}


@pytest.mark.parametrize(
    ("pods", "container", "resources"),
    [
        ([], None, None),
        ([pod(state={"running": {}})], None, None),
        (
            [pod(state=ended(1, message="no such file"))],
            ("ExitCode1", "Container failed with: no such file"),
            None,
        ),
        (
            [
                pod(
                    state={"waiting": {"reason": "CrashLoopBackOff"}},
                    lastState=ended(3, message="x"),
                )
            ],
            ("ExitCode3", "Container failed with: x"),
            None,
        ),
        (
            [pod(state=ended(0))],
            ("ExitCode0", "Container failed with: container exited with no error"),
            None,
        ),
        (
            [pod(state=ended(137, reason="OOMKilled"))],
            ("ExitCode137", "Container failed with: OOMKilled"),
            None,
        ),
        ([pod(NOT_SCHEDULED)], None, ("Unschedulable", "no room")),
        (
            [
                pod(
                    image="a/b",
                    state={"waiting": {"reason": "ErrImageNeverPull", "message": "set command"}},
                )
            ],
            ("ContainerMissing", 'Unable to fetch image "a/b": set command'),
            None,
        ),
        (
            [pod(state={"waiting": {"reason": "InvalidPod", "message": "no"}})],
            None,
            ("InvalidPod", "no"),
        ),
        (
            [with_init(pod(), name="fetch", state=ended(2, message="no route"))],
            ("ExitCode2", 'Init container "fetch" failed with: no route'),
            None,
        ),
        (
            [with_init(pod(state={"running": {}}), name="fetch", state=ended(0))],
            None,
            None,
        ),
        (
            [both(pod(state={"running": {}}), state=ended(5, message="the sidecar"))],
            ("ExitCode5", "Container failed with: the sidecar"),
            None,
        ),
        ([pod(state={"waiting": {"reason": "ContainerCreating"}})], None, None),
        ([pod(going=True, state=ended(1, message="old"))], None, None),
        ([pod(READY), pod(state=ended(1, message="one of two"))], None, None),
    ],
)
def test_what_pods_tell(
    pods: list[Any], container: tuple[str, str] | None, resources: tuple[str, str] | None
) -> None:
    def fault(words: tuple[str, str] | None) -> Fault | None:
        return None if words is None else Fault(reason=words[0], message=words[1])

    expected = Failures(container=fault(container), resources=fault(resources))
    assert failures_of(deployment(), pods) == expected


def test_waiting_counts_once_the_deadline_has_passed() -> None:
    waiting = pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "no registry"}})
    assert failures_of(deployment(), [waiting]) == Failures()
    fault = Fault(reason="ImagePullBackOff", message="no registry")
    assert failures_of(deployment(LATE), [waiting]) == Failures(resources=fault)
    late = Fault(reason="ProgressDeadlineExceeded", message="timed out")
    assert failures_of(deployment(LATE), []) == Failures(resources=late)


def test_a_quota_refuses_the_pods() -> None:
    refused = {**LATE, "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    fault = Fault(reason="FailedCreate", message="timed out")
    assert failures_of(deployment(refused), []) == Failures(resources=fault)


def test_an_evicted_pod() -> None:
    evicted = {
        "metadata": {},
        "status": {"phase": "Failed", "reason": "Evicted", "message": "full"},
    }
    fault = Fault(reason="Evicted", message="full")
    assert failures_of(deployment(), [evicted]) == Failures(resources=fault)


def test_nothing_is_wrong_while_nothing_is_wanted() -> None:
    crash = pod(state=ended(1, message="x"))
    assert failures_of(deployment(LATE, replicas=0), [crash]) == Failures()


def test_while_some_serve_only_the_deadline_counts() -> None:
    crash = pod(state=ended(1, message="x"))
    assert failures_of(deployment(replicas=2, available=1), [crash]) == Failures()
    late = Fault(reason="ProgressDeadlineExceeded", message="timed out")
    seen = deployment(LATE, replicas=2, available=1)
    assert failures_of(seen, [crash]) == Failures(resources=late)


def test_an_init_container_that_waits_is_told_before_those_that_wait_for_it() -> None:
    main = pod(state={"waiting": {"reason": "PodInitializing"}})
    seen = with_init(main, state={"waiting": {"reason": "ImagePullBackOff", "message": "gone"}})
    fault = Fault(reason="ImagePullBackOff", message="gone")
    assert failures_of(deployment(LATE), [seen]) == Failures(resources=fault)
    late = Fault(reason="ProgressDeadlineExceeded", message="timed out")
    assert failures_of(deployment(LATE), [main]) == Failures(resources=late)


def test_troubles_that_only_a_pod_tells_of() -> None:
    assert is_troubled(pod(state=ended(1)))
    assert is_troubled(pod(state={"waiting": {"reason": "ImagePullBackOff"}}))
    assert not is_troubled(pod(state={"waiting": {"reason": "ContainerCreating"}}))
    assert is_troubled(pod(NOT_SCHEDULED))
    assert not is_troubled(pod(READY, state={"running": {}}, lastState={}))
