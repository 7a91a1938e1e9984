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

CONTAINER_MISSING = "ContainerMissing"
# Waiting for these ends only when somebody changes something; the others may pass by themselves
# and count once the progress deadline has passed.
_UNSTARTABLE = frozenset({"CreateContainerConfigError", "InvalidPod"})
_UNFETCHABLE = frozenset({"ErrImageNeverPull", "InvalidImageName"})
_UNFETCHED = frozenset({"ErrImagePull", "ImagePullBackOff"})
_ON_ITS_WAY = frozenset({"ContainerCreating", "PodInitializing"})  # says nothing of what is wrong
# What is still true when the Pods, and with them the evidence, are gone.
LASTING = frozenset({CONTAINER_MISSING}) | _UNSTARTABLE | _UNFETCHED


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


def failures_of(deployment: Raw, pods: Sequence[Raw], *, is_paused: bool = False) -> Failures:
    """What is wrong, while more replicas are wanted than serve.

    As long as some serve, only that the others did not come in time. `is_paused`: they wait
    through no fault of theirs, so that neither time nor a missing place is one.
    """
    if not int(deployment["spec"].get("replicas", 1)):
        return Failures()
    late = _deployment_fault(deployment, is_paused=is_paused)
    staying = [pod for pod in pods if not is_going(pod)]
    is_serving = any(is_ready(pod) for pod in staying)
    if is_serving or status_of(deployment).get("availableReplicas", 0):
        return Failures(resources=late)
    container = _first(_exits(staying)) or _first(_unfetchable(staying))
    unplaced = None if is_paused else _first(_unschedulable(staying))
    resources = unplaced or _first(_waits(staying, is_late=late is not None))
    return Failures(container=container, resources=resources or late)


def is_troubled(pod: Raw) -> bool:
    """Whether anything of the Pod's could be a fault, lasting or not."""
    if any(reason not in _ON_ITS_WAY for reason, _, _ in _waiting([pod])):
        return True
    return any(True for _ in _exits([pod])) or any(True for _ in _unschedulable([pod]))


def _first(faults: Iterator[Fault]) -> Fault | None:
    return next(faults, None)


def _deployment_fault(deployment: Raw, *, is_paused: bool) -> Fault | None:
    refused = find(deployment, "ReplicaFailure")
    if refused is not None and refused.status == TRUE:
        return _fault_of(refused)
    if is_paused:
        return None
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


def _containers(pods: Sequence[Raw]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """The status of each container, and whether it only prepares for the others."""
    for pod in pods:
        status = status_of(pod)
        for field, is_init in (("initContainerStatuses", True), ("containerStatuses", False)):
            for container in status.get(field) or ():
                yield container, is_init


def _exits(pods: Sequence[Raw]) -> Iterator[Fault]:
    for container, is_init in _containers(pods):
        ended = (container.get("state") or {}).get("terminated") or (
            container.get("lastState") or {}
        ).get("terminated")
        if ended is None:
            continue
        code = int(ended.get("exitCode", 0))
        if is_init and code == 0:
            continue  # it has done its work
        message = str(ended.get("message") or "")
        if not message:
            message = (
                "container exited with no error"
                if code == 0
                else str(ended.get("reason") or "container exited without a message")
            )
        who = f'Init container "{container.get("name", "")}"' if is_init else "Container"
        yield Fault(reason=f"ExitCode{code}", message=f"{who} failed with: {message}")


def _waiting(pods: Sequence[Raw]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Each container that waits: the reason, what is said of it, and its status."""
    for container, _ in _containers(pods):
        waiting = (container.get("state") or {}).get("waiting")
        if waiting is not None:
            yield str(waiting.get("reason", "")), waiting, container


def _unfetchable(pods: Sequence[Raw]) -> Iterator[Fault]:
    """An image that will never come."""
    for reason, waiting, container in _waiting(pods):
        if reason in _UNFETCHABLE:
            message = f'Unable to fetch image "{container.get("image", "")}": '
            yield Fault(
                reason=CONTAINER_MISSING, message=message + str(waiting.get("message") or reason)
            )


def _waits(pods: Sequence[Raw], *, is_late: bool) -> Iterator[Fault]:
    for reason, waiting, _ in _waiting(pods):
        is_told = reason in _UNSTARTABLE or (is_late and reason not in _UNFETCHABLE | _ON_ITS_WAY)
        if is_told:
            yield Fault(reason=reason, message=str(waiting.get("message") or ""))
