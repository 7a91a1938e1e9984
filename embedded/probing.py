"""When to probe a container and what the answers mean: pure.

For: readiness, liveness and startup probes with Kubernetes' thresholds and Knative's hurry.
Must not know: how a probe is carried out, clocks, or what is done about a verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from api.objects import Raw

ProbeKind = Literal["startup", "readiness", "liveness"]
_FIELDS: Mapping[ProbeKind, str] = {
    "startup": "startupProbe",
    "readiness": "readinessProbe",
    "liveness": "livenessProbe",
}
# Knative asks a readiness probe of period 0 every 50 ms until it first succeeds; what asks from
# then on is a kubelet, which does so every 10 s.
_HURRY_S = 0.05
_PERIOD_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe as it was asked for; `action` is the handler and its settings."""

    kind: ProbeKind
    action: Literal["httpGet", "tcpSocket", "exec", "grpc"]
    settings: Mapping[str, Any]
    initial_delay_s: float = 0.0
    period_s: float = _PERIOD_S
    timeout_s: float = 1.0
    successes: int = 1
    failures: int = 3
    is_hurried: bool = False
    grace_s: float | None = None  # instead of the Pod's, where this probe ends the container


def probes_of(container: Raw, *, is_knative: bool) -> list[Probe]:
    """The probes of a container; `is_knative`: a readiness probe of a second is hurried."""
    found = []
    for kind, field in _FIELDS.items():
        raw = container.get(field)
        if not raw:
            continue
        for action in ("httpGet", "tcpSocket", "exec", "grpc"):
            if raw.get(action) is not None:
                found.append(_probe(kind, action, raw, is_knative=is_knative))
                break
    return found


def _probe(kind: ProbeKind, action: Any, raw: Raw, *, is_knative: bool) -> Probe:
    # The controller writes the shortest period that Kubernetes has where the user wrote none.
    hurried = is_knative and kind == "readiness" and (raw.get("periodSeconds") or 0) <= 1
    grace = raw.get("terminationGracePeriodSeconds")
    return Probe(
        kind=kind,
        action=action,
        settings=raw[action] or {},
        initial_delay_s=float(raw.get("initialDelaySeconds") or 0),
        period_s=float(raw.get("periodSeconds") or _PERIOD_S),
        timeout_s=float(raw.get("timeoutSeconds") or 1),
        successes=int(raw.get("successThreshold") or 1),
        failures=int(raw.get("failureThreshold") or 3),
        is_hurried=hurried,
        grace_s=None if grace is None else float(grace),
    )


class Watch:
    """One probe of one run of a container."""

    def __init__(self, probe: Probe, *, started_s: float) -> None:
        self.probe = probe
        self.due_s = started_s + probe.initial_delay_s
        self.verdict: bool | None = None  # None: nothing is known
        self._last: bool | None = None
        self._count = 0

    def observe(self, is_success: bool, *, now_s: float) -> bool:
        """An attempt ended now; whether the verdict changed."""
        self._count = self._count + 1 if is_success is self._last else 1
        self._last = is_success
        needed = self.probe.successes if is_success else self.probe.failures
        is_hurried = self.probe.is_hurried and not is_success and self.verdict is None
        self.due_s = now_s + (_HURRY_S if is_hurried else self.probe.period_s)
        if self._count < needed or is_success is self.verdict:
            return False
        if is_hurried:
            return False  # it has not succeeded yet: there is nothing to lose
        self.verdict = is_success
        return True


class Watches:
    """All probes of one run: nothing else is asked before the startup probe succeeded."""

    def __init__(self, probes: Sequence[Probe], *, now_s: float) -> None:
        self._probes = list(probes)
        startup = [probe for probe in probes if probe.kind == "startup"]
        self._watches = [Watch(probe, started_s=now_s) for probe in startup or probes]
        self._is_starting = bool(startup)
        self._started_s = now_s

    @property
    def is_started(self) -> bool:
        """Whether the startup probe succeeded, or there is none."""
        return not self._is_starting

    @property
    def is_ready(self) -> bool:
        """Whether it takes requests, as far as probes go."""
        if self._is_starting:
            return False
        readiness = [each for each in self._watches if each.probe.kind == "readiness"]
        return all(each.verdict is True for each in readiness)

    def next_due(self) -> Watch | None:
        """The one to carry out next, when it is due; None: nothing is left to ask."""
        return min(self._watches, key=lambda watch: watch.due_s, default=None)

    def observe(self, watch: Watch, is_success: bool, *, now_s: float) -> bool:
        """An attempt ended; whether the container must be ended for it."""
        is_changed = watch.observe(is_success, now_s=now_s)
        if not is_changed:
            return False
        if watch.probe.kind == "startup" and is_success:
            self._is_starting = False
            others = [probe for probe in self._probes if probe.kind != "startup"]
            self._watches = [Watch(probe, started_s=self._started_s) for probe in others]
            for each in self._watches:
                each.due_s = max(each.due_s, now_s)
        return not is_success and watch.probe.kind != "readiness"
