"""What the Events of a Pod that does not start say: a volume is missing, an image on its way.

For: the one sentence that stands in no Pod's status.
Must not know: how Events are asked for, or what is done about it.
"""

import re
from collections.abc import Sequence

from api.conditions import FALSE, find
from api.objects import Raw
from controller.children import is_going
from controller.failures import Fault
from controller.phases import PULLING
from controller.plan import status_of

_TOLD = frozenset(
    {"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox"}
)
_PULLING = "Pulling"
_OVER = frozenset({"Pulled", "Created", "Started"})
_QUIET = frozenset({"ContainerCreating", "PodInitializing"})
_LASTING = re.compile(
    r'(secret|configmap|persistentvolumeclaim) "[^"]+" not found|references non-existent|'
    r"hostPath type check failed",
    re.IGNORECASE,
)
_MESSAGE_MAX = 1000


def is_stuck(pod: Raw) -> bool:
    """Whether a Pod has a node and its status says nothing of why it does not start."""
    scheduled = find(pod, "PodScheduled")
    if is_going(pod) or scheduled is None or scheduled.status == FALSE:
        return False
    status = status_of(pod)
    states = [
        each.get("state") or {}
        for group in ("initContainerStatuses", "containerStatuses")
        for each in status.get(group) or ()
    ]
    waiting = [state["waiting"] for state in states if state.get("waiting")]
    is_running = any("running" in state for state in states)
    is_quiet = all(each.get("reason") in _QUIET for each in waiting)
    return bool(waiting) and is_quiet and not is_running


def is_lasting(mishap: Fault) -> bool:
    """Whether it ends only when somebody changes something."""
    return _LASTING.search(mishap.message) is not None


def told(events: Sequence[Raw]) -> Fault | None:
    """What the latest Events of a Pod say."""
    for event in sorted(events, key=_at, reverse=True):
        reason, message = str(event.get("reason") or ""), str(event.get("message") or "")
        if reason in _OVER:
            return None
        if reason == _PULLING:
            return Fault(reason=PULLING, message=message[:_MESSAGE_MAX])
        if reason in _TOLD:
            return Fault(reason=reason, message=message[:_MESSAGE_MAX])
    return None


def _at(event: Raw) -> str:
    series = event.get("series") or {}
    found = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    )
    return str(next(filter(None, found), ""))
