"""What Pods on their way to ready are waiting for: room, an image, a model.

For: saying it while it lasts, and letting the progress deadline stand still meanwhile.
Must not know: Deployments, conditions, or who asks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.conditions import FALSE, find, is_ready
from api.objects import Raw
from controller.children import is_going
from controller.failures import Fault
from controller.plan import status_of

UNSCHEDULABLE = "Unschedulable"
PULLING = "PullingImage"
FETCHING_MODEL = "FetchingModel"
LOADING_MODEL = "LoadingModel"
_LATE = frozenset({"ErrImagePull", "ImagePullBackOff", "CrashLoopBackOff"})
_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" (not found|is being deleted)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What is waited for: a reason in CamelCase and a sentence."""

    reason: str
    message: str
    pauses: bool  # through no fault of the Pod's: no deadline runs meanwhile


def phase_of(
    pods: Sequence[Raw], mishaps: Mapping[str, Fault], *, step: str, serving: str, model: str
) -> Phase | None:
    """The phase of the Pod that is furthest; None where none is on its way.

    `mishaps` are what Events say of Pods, by uid; `step` is the container that has the model
    ready, `serving` the one that opens it, and `model` what it is called ("" of others).
    """
    names = _Names(step=step, serving=serving, model=model)
    found = [
        (rank, phase)
        for pod in pods
        if not is_going(pod) and not is_ready(pod)
        for rank, phase in [_of(pod, mishaps.get(str(pod["metadata"].get("uid"))), names)]
        if phase is not None
    ]
    return max(found, key=lambda each: each[0])[1] if found else None


def missing_claim(message: str) -> str:
    """The claim that the scheduler says is not there; empty if that is not what it says."""
    found = _CLAIM.search(message)
    return found[1] if found is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    step: str
    serving: str
    model: str


def _of(pod: Raw, mishap: Fault | None, names: _Names) -> tuple[int, Phase | None]:
    status = status_of(pod)
    scheduled = find(pod, "PodScheduled")
    if scheduled is None or status.get("phase") in ("Failed", "Succeeded"):
        return 0, None
    if scheduled.status == FALSE:
        is_paused = not missing_claim(scheduled.message)
        reason = scheduled.reason or UNSCHEDULABLE
        return 1, Phase(reason=reason, message=scheduled.message, pauses=is_paused)
    starting = _states(status, "initContainerStatuses")
    running = _states(status, "containerStatuses")
    for name, state in (*starting.items(), *running.items()):
        waiting = state.get("waiting") or {}
        reason = str(waiting.get("reason") or "")
        if reason in _LATE:
            return 2, Phase(reason=reason, message=str(waiting.get("message") or ""), pauses=False)
        if "running" in state and name == names.step:
            message = f"having {names.model} ready" if names.model else ""
            return 3, Phase(reason=FETCHING_MODEL, message=message, pauses=True)
    if "running" in running.get(names.serving, {}) and names.model:
        return 4, Phase(reason=LOADING_MODEL, message=f"loading {names.model}", pauses=True)
    if mishap is not None:
        is_pull = mishap.reason == PULLING
        return 2, Phase(reason=mishap.reason, message=mishap.message, pauses=is_pull)
    return 0, None


def _states(status: Mapping[str, Any], group: str) -> dict[str, Mapping[str, Any]]:
    return {str(each.get("name")): each.get("state") or {} for each in status.get(group) or ()}
