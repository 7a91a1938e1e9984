"""When the last replica may go.

For: what becomes of a decision for zero, in both classes (knative/serving,
     pkg/reconciler/autoscaling/kpa/scaler.go).
Must not know: how load is measured, clocks, Kubernetes.

The activator is always in the path here, so what Knative learns by a probe is known.
"""

from dataclasses import dataclass
from enum import Enum

from autoscaler.decider import Reason
from autoscaler.spec import Spec


class Phase(Enum):
    """Where a Revision stands; the value is the status of its Active condition."""

    ACTIVATING = "Unknown"
    ACTIVE = "True"
    INACTIVE = "False"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A Revision's phase and how long it has been in it.

    `proxy_since_s`: since when traffic has to pass the activator; None while a cluster with
    burst capacity to spare could do without.
    """

    phase: Phase
    since_s: float
    is_initialized: bool
    proxy_since_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to make of a decision."""

    want: int | None  # what the Revision is seen to want; None: not known
    replicas: int | None  # what to write to its Deployment; None: leave it alone
    reason: Reason | None = None  # the rule of idling that spoke; None: none had to


def settle(spec: Spec, desired: int | None, life: Life, *, idle_s: float, now_s: float) -> Verdict:
    """Let a decision pass, unless it is for zero and zero is not due yet."""
    if desired != 0:
        return Verdict(want=desired, replicas=desired)
    if not spec.is_zero_allowed:
        return Verdict(want=1, replicas=1, reason=Reason.ZERO_OFF)
    phase_s = now_s - life.since_s
    if life.phase is Phase.ACTIVATING:
        if phase_s > spec.activation_timeout_s:
            return Verdict(want=0, replicas=0, reason=Reason.TIMED_OUT)
        return Verdict(want=None, replicas=None, reason=Reason.ACTIVATING)
    if spec.is_kpa:
        return _settle_kpa(spec, life, phase_s, now_s)
    return _settle_relight(spec, life, min(idle_s, phase_s))


def _settle_relight(spec: Spec, life: Life, quiet_s: float) -> Verdict:
    """One stable window of quiet, then retention, then zero: no grace on top."""
    if life.phase is Phase.ACTIVE:
        if quiet_s < spec.stable_window_s:
            return Verdict(want=1, replicas=1, reason=Reason.ACTIVE_TOO_SHORT)
        if quiet_s < spec.stable_window_s + spec.retention_s:
            return Verdict(want=1, replicas=1, reason=Reason.RETENTION)
    return Verdict(want=0, replicas=0)


def _settle_kpa(spec: Spec, life: Life, phase_s: float, now_s: float) -> Verdict:
    """Mark inactive first; then wait for retention and for the grace period in Proxy mode."""
    if life.phase is Phase.ACTIVE:
        if phase_s < spec.stable_window_s:
            return Verdict(want=1, replicas=1, reason=Reason.ACTIVE_TOO_SHORT)
        return Verdict(want=0, replicas=None, reason=Reason.DEACTIVATING)
    if phase_s >= max(spec.grace_s, spec.retention_s):
        return Verdict(want=0, replicas=0)
    if phase_s < spec.retention_s:
        return Verdict(want=0, replicas=None, reason=Reason.RETENTION)
    if life.proxy_since_s is not None and now_s - life.proxy_since_s >= spec.grace_s:
        return Verdict(want=0, replicas=0)
    return Verdict(want=0, replicas=None, reason=Reason.GRACE)
