"""How the predictor's model is: loaded, loading, waiting to be used, or failed and why.

For: `status.modelStatus`, from the predictor's Service, its newest Revision and its Pods.
Must not know: how a model is loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.conditions import FALSE, READY, TRUE, find, is_ready
from api.objects import Raw
from controller.children import is_going
from controller.inference_pods import LOAD_FAILED
from controller.plan import status_of

UP_TO_DATE = "UpToDate"
IN_PROGRESS = "InProgress"
BLOCKED = "BlockedByFailedLoad"
INVALID = "InvalidSpec"
PENDING = "Pending"
STANDBY = "Standby"
LOADING = "Loading"
LOADED = "Loaded"
FAILED = "FailedToLoad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """A Revision and its Pods."""

    revision: Raw | None = None
    pods: Sequence[Raw] = ()

    @property
    def ready(self) -> int:
        """How many Pods serve."""
        return sum(1 for pod in self.pods if is_ready(pod) and not is_going(pod))


def model_status(
    latest: Replicas, active: Replicas, *, is_same: bool, failure: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The whole of it.

    `latest` is of the newest Revision, `active` of the newest that was ready; `failure` is
    what is wrong with the spec, before there is any Revision of it.
    """
    states = {"activeModelState": _active(active)}
    if failure is not None:
        is_load = failure["reason"] == LOAD_FAILED
        transition, target, info = BLOCKED if is_load else INVALID, FAILED, dict(failure)
    else:
        transition, target, info = _target(latest, is_same=is_same)
    result: dict[str, Any] = {
        "transitionStatus": transition,
        "states": {**states, "targetModelState": target},
        "copies": {"failedCopies": _failed(latest), "totalCopies": latest.ready},
    }
    if info:
        result["lastFailureInfo"] = info
    return result


def _active(active: Replicas) -> str:
    if active.revision is None:
        return ""
    return LOADED if active.ready else STANDBY


def _target(latest: Replicas, *, is_same: bool) -> tuple[str, str, dict[str, Any]]:
    if latest.revision is None:
        return IN_PROGRESS, PENDING, {}
    ready = find(latest.revision, READY)
    if ready is not None and ready.status == FALSE:
        return BLOCKED, FAILED, _failure(latest)
    if ready is not None and ready.status == TRUE and is_same:
        return UP_TO_DATE, LOADED if latest.ready else STANDBY, {}
    return IN_PROGRESS, LOADING if latest.pods else PENDING, {}


def _failed(latest: Replicas) -> int:
    return sum(1 for pod in latest.pods if _termination(pod) is not None and not is_ready(pod))


def _termination(pod: Raw) -> Mapping[str, Any] | None:
    for each in status_of(pod).get("containerStatuses") or ():
        for state in ("state", "lastState"):
            ended = (each.get(state) or {}).get("terminated")
            if ended:
                return dict(ended)
    return None


def _failure(latest: Replicas) -> dict[str, Any]:
    assert latest.revision is not None
    ready = find(latest.revision, READY)
    assert ready is not None
    info: dict[str, Any] = {
        "reason": LOAD_FAILED,
        "message": ready.message,
        "modelRevisionName": latest.revision["metadata"]["name"],
        "time": ready.last_transition_time,
    }
    for pod in sorted(latest.pods, key=lambda each: str(each["metadata"]["name"])):
        ended = _termination(pod)
        if ended is not None and not is_ready(pod):
            info["location"] = pod["metadata"]["name"]
            info["message"] = ended.get("message") or info["message"]
            info["exitCode"] = ended.get("exitCode", 0)
            break
    return {name: each for name, each in info.items() if each}
