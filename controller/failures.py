"""What goes wrong with the replicas of a Revision, read from its Deployment and Pods.

For: finding the one sentence that tells a person why nothing serves.
Must not know: what is done about it, or whether the Revision ever worked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.conditions import FALSE, TRUE, Condition, find, is_ready
from api.objects import Raw
from controller.children import is_going
from controller.plan import status_of

# Waiting for these ends only when somebody changes something; the others may pass by themselves
# and count once the progress deadline has passed.
_LASTING = frozenset(
    {"CreateContainerConfigError", "ErrImageNeverPull", "InvalidImageName", "InvalidPod"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A reason in CamelCase and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """What is wrong with the container, and with getting room for it; None: nothing known."""

    container: Fault | None = None
    resources: Fault | None = None


def failures_of(deployment: Raw, pods: Sequence[Raw]) -> Failures:
    """What is wrong, while replicas are wanted and none serves."""
    wanted = int(deployment["spec"].get("replicas", 1))
    if not wanted or status_of(deployment).get("availableReplicas", 0):
        return Failures()
    staying = [pod for pod in pods if not is_going(pod)]
    if any(is_ready(pod) for pod in staying):
        return Failures()
    late = _deployment_fault(deployment)
    container = _first(_exits(staying))
    resources = _first(_unschedulable(staying)) or _first(_waits(staying, is_late=late is not None))
    return Failures(container=container, resources=resources or late)


def is_troubled(pod: Raw) -> bool:
    """Whether anything of the Pod's could be a fault, lasting or not."""
    is_waiting = any(True for _ in _waits([pod], is_late=True))
    has_fault = any(True for _ in _exits([pod])) or any(True for _ in _unschedulable([pod]))
    return is_waiting or has_fault


def _first(faults: Iterator[Fault]) -> Fault | None:
    return next(faults, None)


def _deployment_fault(deployment: Raw) -> Fault | None:
    refused = find(deployment, "ReplicaFailure")
    if refused is not None and refused.status == TRUE:
        return _fault_of(refused)
    progress = find(deployment, "Progressing")
    return _fault_of(progress) if progress is not None and progress.status == FALSE else None


def _fault_of(condition: Condition) -> Fault:
    return Fault(reason=condition.reason, message=condition.message)


def _unschedulable(pods: Sequence[Raw]) -> Iterator[Fault]:
    for pod in pods:
        scheduled = find(pod, "PodScheduled")
        if scheduled is not None and scheduled.status == FALSE:
            yield _fault_of(scheduled)
        elif status_of(pod).get("phase") == "Failed" and status_of(pod).get("reason"):
            yield Fault(
                reason=str(status_of(pod)["reason"]), message=str(status_of(pod).get("message", ""))
            )


def _containers(pods: Sequence[Raw]) -> Iterator[Mapping[str, Any]]:
    for pod in pods:
        yield from status_of(pod).get("containerStatuses") or ()


def _exits(pods: Sequence[Raw]) -> Iterator[Fault]:
    for container in _containers(pods):
        ended = (container.get("state") or {}).get("terminated") or (
            container.get("lastState") or {}
        ).get("terminated")
        if ended is None:
            continue
        code = int(ended.get("exitCode", 0))
        message = str(ended.get("message") or "")
        if not message:
            message = (
                "container exited with no error"
                if code == 0
                else str(ended.get("reason") or "container exited without a message")
            )
        yield Fault(reason=f"ExitCode{code}", message=f"Container failed with: {message}")


def _waits(pods: Sequence[Raw], *, is_late: bool) -> Iterator[Fault]:
    for container in _containers(pods):
        waiting = (container.get("state") or {}).get("waiting")
        if waiting is not None and (is_late or waiting.get("reason") in _LASTING):
            yield Fault(
                reason=str(waiting.get("reason", "")), message=str(waiting.get("message") or "")
            )
