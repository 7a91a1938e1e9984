"""What to say of a Pod whose containers fare so and so: pure.

For: turning what is known of each container into a Pod's whole `status`, in Kubernetes' words.
Must not know: processes, clocks, or how objects are written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from api import quantities
from api.conditions import Condition, merge
from api.objects import Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFate:
    """What is known of one container. Times are RFC 3339."""

    state: Mapping[str, Any]  # {"running": …} | {"waiting": …} | {"terminated": …}
    last_state: Mapping[str, Any] = field(default_factory=dict)
    restarts: int = 0
    is_ready: bool = False
    is_started: bool = True  # its startup probe succeeded, or there is none

    @property
    def is_completed(self) -> bool:
        """Whether it ended well, for good."""
        ended = self.state.get("terminated")
        return ended is not None and ended["exitCode"] == 0


def running(started_at: str) -> dict[str, Any]:
    """The state of a container whose process exists."""
    return {"running": {"startedAt": started_at}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """The state of a container whose process does not exist yet."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def terminated(
    code: int | None, signal: int | None, message: str, at: str, *, started_at: str = ""
) -> dict[str, Any]:
    """The state of a container whose process ended. A signal reads as 128 + its number."""
    exit_code = code if code is not None else 128 + (signal or 0)
    fact: dict[str, Any] = {
        "exitCode": exit_code,
        "reason": "Completed" if exit_code == 0 else "Error",
        "finishedAt": at,
    }
    if started_at:
        fact["startedAt"] = started_at
    if signal:
        fact["signal"] = signal
    if message:
        fact["message"] = message
    return {"terminated": fact}


def pod_status(pod: Raw, fates: Mapping[str, ContainerFate], *, now: str) -> dict[str, Any]:
    """The whole `status` of a Pod; a container that is not in `fates` has not begun."""
    previous = pod.get("status") or {}
    spec = pod["spec"]
    first: Sequence[Raw] = spec.get("initContainers") or ()
    main: Sequence[Raw] = spec.get("containers") or ()
    undone = [c["name"] for c in first if not _fate(fates, c).is_completed]
    unready = [c["name"] for c in main if not _fate(fates, c).is_ready]
    phase = _phase([_fate(fates, c) for c in main], first, fates, undone=undone)
    facts = _conditions(undone, unready, has_succeeded=phase == "Succeeded")
    begin = "PodInitializing" if first else "ContainerCreating"
    status = {
        "phase": phase,
        "startTime": previous.get("startTime") or now,
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "hostIP": "127.0.0.1",
        "qosClass": qos_class(spec),
        "conditions": merge(previous.get("conditions") or (), facts, now=now),
        "containerStatuses": [_status(c, _fate(fates, c, begin)) for c in main],
    }
    if first:
        status["initContainerStatuses"] = [
            _status(c, _fate(fates, c, "PodInitializing"), is_init=True) for c in first
        ]
    return status


def _fate(
    fates: Mapping[str, ContainerFate], container: Raw, reason: str = "PodInitializing"
) -> ContainerFate:
    unknown = ContainerFate(state=waiting(reason), is_started=False)
    return fates.get(container["name"], unknown)


def _status(container: Raw, fate: ContainerFate, *, is_init: bool = False) -> dict[str, Any]:
    is_running = "running" in fate.state
    return {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "ready": fate.is_completed if is_init else fate.is_ready,
        "started": is_running and fate.is_started,
        "restartCount": fate.restarts,
        "state": dict(fate.state),
        "lastState": dict(fate.last_state),
    }


def _phase(
    main: Sequence[ContainerFate],
    first: Sequence[Raw],
    fates: Mapping[str, ContainerFate],
    *,
    undone: Sequence[str],
) -> str:
    if any("terminated" in _fate(fates, c).state for c in first if c["name"] in undone):
        return "Failed"  # it will not be started again
    if undone:
        return "Pending"
    if main and all("terminated" in fate.state for fate in main):
        return "Succeeded" if all(fate.is_completed for fate in main) else "Failed"
    began = ("running" in f.state or "terminated" in f.state or f.restarts for f in main)
    return "Running" if any(began) else "Pending"


def _conditions(
    undone: Sequence[str], unready: Sequence[str], *, has_succeeded: bool
) -> list[Condition]:
    ready = Condition(type="Ready", status="True")
    reason = "PodCompleted" if has_succeeded else "ContainersNotReady"
    if unready:
        message = "" if has_succeeded else f"containers with unready status: {_listed(unready)}"
        ready = Condition(type="Ready", status="False", reason=reason, message=message)
    initialized = Condition(type="Initialized", status="True")
    if undone:
        initialized = Condition(
            type="Initialized",
            status="False",
            reason="ContainersNotInitialized",
            message=f"containers with incomplete status: {_listed(undone)}",
        )
    contained = Condition(
        type="ContainersReady", status=ready.status, reason=ready.reason, message=ready.message
    )
    return [Condition(type="PodScheduled", status="True"), initialized, contained, ready]


def _listed(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"


def qos_class(spec: Raw) -> str:
    """Kubernetes' word for how much of what a Pod may use is set aside for it."""
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    parts = [each.get("resources") or {} for each in containers]
    if not any(_amounts(part, name) for part in parts for name in ("requests", "limits")):
        return "BestEffort"
    for part in parts:
        limits = _amounts(part, "limits")
        requests = {**limits, **_amounts(part, "requests")}
        if set(limits) != {"cpu", "memory"} or requests != limits:
            return "Burstable"
    return "Guaranteed"


def _amounts(resources: Mapping[str, Any], name: str) -> dict[str, Decimal | None]:
    found = resources.get(name) or {}
    return {key: quantities.parse(str(found[key])) for key in ("cpu", "memory") if key in found}


def unschedulable_status(pod: Raw, message: str, *, now: str) -> dict[str, Any]:
    """The status of a Pod for which this machine has no room."""
    previous = (pod.get("status") or {}).get("conditions") or ()
    fact = Condition(type="PodScheduled", status="False", reason="Unschedulable", message=message)
    return {"phase": "Pending", "conditions": merge(previous, (fact,), now=now)}
