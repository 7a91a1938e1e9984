"""When the last replica may go.

For: what becomes of a decision for zero, in both classes (knative/serving,
     pkg/reconciler/autoscaling/kpa/scaler.go).
Must not know: how load is measured, clocks, Kubernetes.

What Knative learns by a probe, that activators are in the path, is known here where they always
are; elsewhere exposure.py says when it is not, and then nothing goes to zero (`while_exposed`).
"""

from dataclasses import dataclass, replace
from enum import Enum

from autoscaler.reasons import Reason
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
    next_s: float | None = None  # when time alone may change what that rule says


def settle(
    spec: Spec,
    desired: int | None,
    life: Life,
    *,
    idle_s: float,
    now_s: float,
    keep_s: float | None = None,
) -> Verdict:
    """Let a decision pass, unless it is for zero and zero is not due yet.

    `keep_s` is how long class relight keeps the last replica; None: a stable window.
    """
    if desired != 0:
        return Verdict(want=desired, replicas=desired)
    if not spec.is_zero_allowed:
        return Verdict(want=1, replicas=1, reason=Reason.ZERO_OFF)
    phase_s = now_s - life.since_s
    if life.phase is Phase.ACTIVATING:
        if phase_s > spec.activation_timeout_s:
            return Verdict(want=0, replicas=0, reason=Reason.TIMED_OUT)
        until_s = life.since_s + spec.activation_timeout_s
        return Verdict(want=None, replicas=None, reason=Reason.ACTIVATING, next_s=until_s)
    if spec.is_kpa:
        return _settle_kpa(spec, life, phase_s, now_s)
    keep_s = spec.stable_window_s if keep_s is None else keep_s
    return _settle_relight(spec, life, min(idle_s, phase_s), keep_s, now_s)


def while_exposed(verdict: Verdict) -> Verdict:
    """The same where callers may reach replicas past the activators: the last ones stay so long."""
    if verdict.replicas != 0:
        return verdict
    return replace(verdict, replicas=None, reason=Reason.STEPPING_IN, next_s=None)


def _settle_relight(spec: Spec, life: Life, quiet_s: float, keep_s: float, now_s: float) -> Verdict:
    """What is worth keeping is kept after it became ready, too; then retention: no grace on top."""
    if life.phase is Phase.ACTIVE:
        left_s = keep_s - quiet_s
        if left_s > 0:
            reason, until_s = Reason.ACTIVE_TOO_SHORT, now_s + left_s
            return Verdict(want=1, replicas=1, reason=reason, next_s=until_s)
        left_s += spec.retention_s
        if left_s > 0:
            return Verdict(want=1, replicas=1, reason=Reason.RETENTION, next_s=now_s + left_s)
    return Verdict(want=0, replicas=0)


def _settle_kpa(spec: Spec, life: Life, phase_s: float, now_s: float) -> Verdict:
    """Mark inactive first; then wait for retention and for the grace period in Proxy mode."""
    if life.phase is Phase.ACTIVE:
        if phase_s < spec.stable_window_s:
            until_s = life.since_s + spec.stable_window_s
            return Verdict(want=1, replicas=1, reason=Reason.ACTIVE_TOO_SHORT, next_s=until_s)
        return Verdict(want=0, replicas=None, reason=Reason.DEACTIVATING)
    if phase_s >= max(spec.grace_s, spec.retention_s):
        return Verdict(want=0, replicas=0)
    if phase_s < spec.retention_s:
        until_s = life.since_s + max(spec.retention_s, spec.grace_s)
        return Verdict(want=0, replicas=None, reason=Reason.RETENTION, next_s=until_s)
    if life.proxy_since_s is not None and now_s - life.proxy_since_s >= spec.grace_s:
        return Verdict(want=0, replicas=0)
    settled_s = (now_s if life.proxy_since_s is None else life.proxy_since_s) + spec.grace_s
    until_s = min(settled_s, life.since_s + max(spec.grace_s, spec.retention_s))
    return Verdict(want=0, replicas=None, reason=Reason.GRACE, next_s=until_s)
