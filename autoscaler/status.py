"""What a PodAutoscaler's status says.

For: phase and conditions from the wanted and the ready number, by Knative's table
     (pkg/reconciler/autoscaling/kpa/kpa.go, computeActiveCondition).
Must not know: why a number is wanted, or how a status is written.

Knative's SKSReady is left out: there is no ServerlessService here, so Ready is Active and
ScaleTargetInitialized.
"""

from functools import cache
from typing import Any

from api.conditions import Condition, ready
from autoscaler import bursting
from autoscaler.idling import Life, Phase
from autoscaler.spec import Spec

ACTIVE = "Active"
INITIALIZED = "ScaleTargetInitialized"
_SAYS = {
    "NoTraffic": "The target is not receiving traffic.",
    "TimedOut": "The target could not be activated.",
    "Queued": "Requests to the target are being buffered as resources are provisioned.",
}


def ready_min(spec: Spec, life: Life) -> int:
    """Replicas that must be ready before a Revision counts as active."""
    return max(spec.floor, 1 if life.is_initialized else spec.initial_scale)


def advance(
    spec: Spec, life: Life, *, want: int | None, ready: int, is_proxied: bool, now_s: float
) -> tuple[Life, str]:
    """Return the life after this look at it, and the reason of its phase ("" when active)."""
    least = ready_min(spec, life)
    phase, reason = _phase(life.phase, want, ready, least)
    proxy_since_s = life.proxy_since_s if is_proxied else None
    if is_proxied and proxy_since_s is None:
        proxy_since_s = now_s
    after = Life(
        phase=phase,
        since_s=life.since_s if phase is life.phase else now_s,
        is_initialized=life.is_initialized or ready >= least,
        proxy_since_s=proxy_since_s,
    )
    return after, reason


def _phase(phase: Phase, want: int | None, ready: int, least: int) -> tuple[Phase, str]:
    if want == 0 or least == 0:
        if phase is Phase.ACTIVATING and least > 0:
            return Phase.INACTIVE, "TimedOut"
        return Phase.INACTIVE, "NoTraffic"
    if phase is Phase.INACTIVE and not want:
        return Phase.INACTIVE, "NoTraffic"
    if ready < least:
        return Phase.ACTIVATING, "Queued"
    return Phase.ACTIVE, ""


def spelled(
    spec: Spec, *, ready: int, mode: bursting.Mode, activator_capacity: float
) -> dict[str, Any]:
    """The fields that say how many replicas serve, and who else is in the path of requests."""
    activators = bursting.activators(
        ready=ready,
        total=spec.total,
        target_burst_capacity=spec.target_burst_capacity,
        capacity=activator_capacity,
    )
    return {"actualScale": ready, "mode": mode, "activators": activators}


def conditions(life: Life, reason: str) -> tuple[Condition, ...]:
    """Active, ScaleTargetInitialized and Ready: one object for all Revisions that say the same."""
    return _conditions(life.phase, life.is_initialized, reason)


@cache
def _conditions(phase: Phase, is_initialized: bool, reason: str) -> tuple[Condition, ...]:
    says = _SAYS.get(reason, "")
    parts = (
        Condition(type=ACTIVE, status=phase.value, reason=reason, message=says),
        Condition(type=INITIALIZED, status="True" if is_initialized else "Unknown"),
    )
    return (*parts, ready(parts))
