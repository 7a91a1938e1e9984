"""Many stats of one Revision in, one observation of its load out.

For: the two windows of the metric that counts; who reported when; what silence means.
Must not know: replicas wanted, Kubernetes, how a stat travelled, clocks.

Silence. An activator reports a Revision only while it carries requests of it, and every
request passes an activator. So silence means zero, but only to someone who has listened for
a whole stable window; before that it means nothing (None). Whoever carries stats over a
network must restart that wait (`listening_since_s`) when reports may have been lost.

Where callers may reach replicas past the activators (`is_exposed`) silence says nothing: then the
load is known while the replicas are measured, and what they were not asked in time is no zero.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.stats import Stat
from autoscaler.sampling import Measured
from autoscaler.signals import amount, leads
from autoscaler.spec import Spec
from autoscaler.window import AverageWindow

STALE_S = 3.0  # a reporter unheard for longer no longer vouches for its queue
REPORTERS_MAX = 256
_LATE_S = 2.0  # a second's reports are in by then, so it may be filled with zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load of one Revision now. None: not known."""

    stable: float | None
    panic: float | None
    busy: float | None  # over the seconds of the stable window in which there was any
    queued: int
    idle_s: float  # since anything last ran or was held, or since we could have heard of it


@dataclass(slots=True, kw_only=True)
class _Reporter:
    """What one reporter last said. `debt`: told ahead by a poke, to come off its next report."""

    heard_s: float
    time_s: float
    queued: int = 0
    debt: float = 0.0
    second: int | None = None
    value: float = 0.0
    shared: float | None = None  # what it told of replicas, which others may tell of too


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """What replicas told last, and in which second."""

    heard_s: float
    second: int
    value: float


class Collector:
    """The load of one Revision. Owned by one `Pilot`; every call is O(1) amortised."""

    __slots__ = (
        "_born_s",
        "_counting_since_s",
        "_has_gap",
        "_heard_s",
        "_is_blind",
        "_measured",
        "_panic",
        "_ready",
        "_reporters",
        "_spec",
        "_stable",
        "rejected",
    )

    def __init__(self, spec: Spec, *, now_s: float) -> None:
        self._spec = spec
        self._born_s = now_s
        self._heard_s: float | None = None  # when load was last above zero
        self._reporters: dict[str, _Reporter] = {}
        self._counting_since_s = -math.inf  # this load and not another
        self._ready = 0  # as last observed
        self._measured: _Measure | None = None  # of requests that passed no activator
        self._is_blind = False  # exposed, and not measured in time
        self._has_gap = False  # from windows that were restored to the next report
        self.rejected = 0  # stats out of order
        self._stable, self._panic = _windows(spec)

    def respec(self, spec: Spec, *, now_s: float) -> None:
        """Follow a change of annotations; another metric or average starts from nothing.

        Of nothing known, that is: not of zero, which would scale down.
        """
        old, self._spec = self._spec, spec
        if (_unit(spec), spec.is_weighted) != (_unit(old), old.is_weighted):
            self._stable, self._panic = _windows(spec)
            self._counting_since_s = now_s
            return
        self._stable.resize(spec.stable_window_s, now_s=now_s)
        self._panic.resize(spec.panic_window_s, now_s=now_s)

    def measured(self, load: Measured, *, now_s: float) -> None:
        """Take in what replicas counted since they were measured last, in each second since."""
        self._close_gap(now_s)
        value = load.requests_per_s if self._spec.is_rps else load.concurrency
        before, second = self._measured, int(now_s // 1)
        self._measured = _Measure(heard_s=now_s, second=second, value=value)
        if value > 0:
            self._heard_s = now_s
        if before is not None and before.second == second:
            self._write(now_s, value - before.value)
            return
        since = second - 1 if before is None else before.second
        for each in range(max(since, second - math.ceil(self._spec.stable_window_s)), second):
            self._write(each + 1.0, value)

    def _close_gap(self, now_s: float) -> None:
        if self._has_gap:
            self._stable.skip(now_s)
            self._panic.skip(now_s)
            self._has_gap = False

    def record(self, stat: Stat, *, now_s: float) -> None:
        """Take in one report, received at `now_s`; one older than its predecessor is dropped."""
        self._close_gap(now_s)
        reporter = self._reporter(stat, now_s)
        if stat.time_s < reporter.time_s:
            self.rejected += 1
            return
        reporter.heard_s, reporter.time_s, reporter.queued = now_s, stat.time_s, stat.queued
        value = self._load(reporter, stat, now_s)
        if value > 0 or stat.queued > 0 or stat.average_concurrency > 0 or stat.is_poke:
            self._heard_s = now_s
        if self._spec.is_kpa:
            self._count_kpa(reporter, stat, value, now_s)
        elif not stat.is_poke:  # a queue is a level, not an average: it is in no window
            self._count_once(reporter, value, now_s)

    def _load(self, reporter: _Reporter, stat: Stat, now_s: float) -> float:
        signal = self._spec.signal
        if signal is None:
            return stat.requests_per_s if self._spec.is_rps else stat.average_concurrency
        value, is_shared = amount(signal, stat, ready=self._ready)
        reporter.shared = value if is_shared else None
        others = (
            (name, each.shared)
            for name, each in self._reporters.items()
            if each is not reporter and each.shared is not None and now_s - each.heard_s <= STALE_S
        )
        return value if not is_shared or leads(stat.reporter, value, others) else 0.0

    def _reporter(self, stat: Stat, now_s: float) -> _Reporter:
        known = self._reporters.get(stat.reporter)
        if known is not None and now_s - known.heard_s <= self._spec.stable_window_s:
            return known
        if len(self._reporters) >= REPORTERS_MAX:
            stalest = min(self._reporters, key=lambda name: self._reporters[name].heard_s)
            del self._reporters[stalest]
        # Unknown, or silent for so long that its clock may be another one.
        fresh = _Reporter(heard_s=now_s, time_s=stat.time_s)
        self._reporters[stat.reporter] = fresh
        return fresh

    def _count_kpa(self, reporter: _Reporter, stat: Stat, value: float, now_s: float) -> None:
        """As Knative: a poke counts as one request, which comes off the next report."""
        if stat.is_poke:
            if reporter.debt:
                return
            reporter.debt = 1.0
            self._write(now_s, 1.0)
            return
        value -= reporter.debt
        reporter.debt = 0.0
        self._write(now_s, value if self._spec.is_rps else max(value, 0.0))

    def _count_once(self, reporter: _Reporter, value: float, now_s: float) -> None:
        """Count a reporter once in each second, although its timer jitters.

        Reports at 0.999, 2.001 and 2.999 s would be 1, 0 and 2 of them in three seconds, and
        a steady load of one request would read as two now and then: a second replica.
        """
        second = int(now_s // 1)
        if reporter.second == second:
            self._write(now_s, value - reporter.value)
        else:
            if reporter.second == second - 2:  # a beat was missed: it was at least the smaller
                self._write(now_s - 1.0, min(value, reporter.value))
            self._write(now_s, value)
        reporter.second, reporter.value = second, value

    def _write(self, now_s: float, value: float) -> None:
        self._stable.record(now_s, value)
        self._panic.record(now_s, value)

    def observe(
        self, *, now_s: float, ready: int, listening_since_s: float, is_exposed: bool = False
    ) -> Load:
        """Return the load at `now_s` of a Revision with that many ready replicas."""
        spec = self._spec
        self._ready = ready
        silent_since_s = max(listening_since_s, self._born_s, self._heard_s or listening_since_s)
        queued = sum(
            each.queued for each in self._reporters.values() if now_s - each.heard_s <= STALE_S
        )
        idle_s = now_s - silent_since_s
        begun_s = self._counting_since_s if self._stable.last_s is None else -math.inf
        is_told = any(
            each.heard_s >= listening_since_s and each.heard_s > begun_s
            for each in self._reporters.values()
        )
        is_known = is_told or now_s - max(listening_since_s, begun_s) >= spec.stable_window_s
        if is_exposed:
            is_known = self._measured is not None and now_s - self._measured.heard_s <= STALE_S
            self._is_blind = not is_known
        elif self._is_blind:
            self._see_again(now_s)
        elif self._measured is not None and now_s - self._measured.heard_s > STALE_S:
            self._measured = None  # since then activators counted all: the next begins anew
        if not is_known:
            return Load(stable=None, panic=None, busy=None, queued=queued, idle_s=idle_s)
        if ready > 0 and not is_exposed:
            self._fill(now_s)
        return Load(
            stable=self._stable.average(now_s),
            panic=self._panic.average(now_s),
            busy=None if spec.is_kpa else self._stable.busy_average(now_s),
            queued=queued,
            idle_s=idle_s,
        )

    def _see_again(self, now_s: float) -> None:
        """Everything passes an activator again: what was not measured is unknown, and not zero."""
        self._is_blind = False
        self._measured = None
        self._stable.skip(now_s)
        self._panic.skip(now_s)

    def averages(self, *, now_s: float) -> tuple[float, float]:
        """The busy and the panic average as they stand, whatever silence means."""
        return self._stable.busy_average(now_s), self._panic.average(now_s)

    def recent(self, *, now_s: float, seconds: int) -> list[float]:
        """The loads of the last seconds that are over, oldest first; fewer if fewer are known.

        Before the first record of a window was silence, and that is zero to who was there.
        """
        known = self._stable.recent(now_s, seconds)
        if known and now_s - self._born_s >= seconds:
            return [0.0] * (seconds - len(known)) + known
        return known

    def _fill(self, now_s: float) -> None:
        """Write down as zeros the seconds in which nobody spoke of a running Revision.

        In Knative the replicas' own reports are these zeros, unless target-burst-capacity is
        -1: then nobody asks them, and an average stands still until the window is over. Ours
        always decays, but a window begins with its first data, not with the silence before.
        """
        spec, until_s, last_s = self._spec, now_s - _LATE_S, self._stable.last_s
        if last_s is not None and until_s < last_s + 1:
            return
        if spec.target_burst_capacity != -1 if spec.is_kpa else not self._stable.is_empty(now_s):
            self._write(until_s, 0.0)

    def rest(self, *, now_s: float) -> None:
        """Give back what says nothing any more; no later observation changes by it."""
        self._stable.rest()
        self._panic.rest()
        for name, reporter in list(self._reporters.items()):
            if now_s - reporter.heard_s > self._spec.stable_window_s:
                del self._reporters[name]

    @property
    def ready(self) -> int:
        """Replicas that were ready when the load was last observed."""
        return self._ready

    @property
    def is_untold(self) -> bool:
        """Say whether nobody has reported yet."""
        return not self._reporters

    def dump(self, *, shift: int, now_s: float) -> dict[str, Any] | None:
        """The windows, for `restore`; None when they are empty. Reporters introduce themselves."""
        stable = self._stable.dump(shift=shift, now_s=now_s)
        panic = self._panic.dump(shift=shift, now_s=now_s)
        if stable is None:
            return None
        return {"unit": _unit(self._spec), "stable": stable, "panic": panic}

    def restore(self, raw: Mapping[str, Any], *, shift: int, now_s: float) -> None:
        """Go on with windows that somebody else filled and dumped.

        From their last second to the next report nobody counted: those seconds are unknown,
        and not zero. ValueError, KeyError or TypeError when `raw` is none; nothing changed then.
        """
        windows = [
            None if raw[name] is None else AverageWindow.restored(raw[name], shift=shift)
            for name in ("stable", "panic")
        ]
        if raw["unit"] != _unit(self._spec):
            return  # another load than the one that counts now
        stable, panic = windows
        if stable is not None and stable.is_weighted is self._spec.is_weighted:
            stable.resize(self._spec.stable_window_s, now_s=now_s)
            self._stable = stable
            if panic is not None and panic.is_weighted is self._spec.is_weighted:
                panic.resize(self._spec.panic_window_s, now_s=now_s)
                self._panic = panic
            self._has_gap = True


def _unit(spec: Spec) -> str:
    return spec.metric if spec.signal is None else spec.signal.unit


def _windows(spec: Spec) -> tuple[AverageWindow, AverageWindow]:
    return (
        AverageWindow(window_s=spec.stable_window_s, is_weighted=spec.is_weighted),
        AverageWindow(window_s=spec.panic_window_s, is_weighted=spec.is_weighted),
    )
