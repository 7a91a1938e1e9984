"""What one Revision of class relight needs now, and what is worth keeping beside it.

For: joining the looks at its load with what was learned of its rests and of its starts.
Must not know: bounds and rates, phases, who reports, clocks.
"""

from dataclasses import replace

from autoscaler.collector import Collector
from autoscaler.decider import Decision, Observation
from autoscaler.foresight import SECONDS, expected
from autoscaler.levels import Levels
from autoscaler.needs import need
from autoscaler.reasons import Reason
from autoscaler.spec import Spec

_FORESIGHT_MIN_S = 1.0  # a start within a report or two needs no foresight


class Weigher:
    """Owned by one `Pilot`. `now_s` never falls."""

    __slots__ = ("_held", "_ordered", "levels")

    def __init__(self, *, ready: int, now_s: float) -> None:
        """What ran before anything was known is held until a stable window is known."""
        self.levels = Levels()
        self._held = ready, now_s
        self._ordered: tuple[float, int] | None = None  # when, and how many were ready then

    def hold(self, number: int, *, now_s: float) -> None:
        """Hold this number for a stable window from now, as nobody here has seen why it is."""
        self._held = number, now_s

    def is_pressing(self, spec: Spec, collector: Collector, known: int, *, now_s: float) -> bool:
        """A report came: does it need more than the number that was decided?"""
        busy, fast = collector.averages(now_s=now_s)
        found = need(spec, busy=busy, fast=fast, expected=None, queued=None, ready=collector.ready)
        if found is None:
            return False
        self.levels.need(found.number, now_s=now_s)  # ticks see every second report only
        return found.number > known

    def weighed(
        self,
        spec: Spec,
        seen: Observation,
        collector: Collector,
        *,
        busy: float | None,
        now_s: float,
    ) -> Observation:
        """The observation with the need and what is kept; the need is remembered."""
        found = need(
            spec,
            busy=busy,
            fast=seen.panic,
            expected=self._expected(collector, seen.queued, now_s),
            queued=seen.queued if seen.is_poke else None,
            ready=seen.ready,
        )
        if found is not None:
            self.levels.need(found.number, now_s=now_s)
        kept = self.levels.kept(window_s=spec.stable_window_s, factor=spec.keep_factor, now_s=now_s)
        count, since_s = self._held
        until_s = since_s + spec.stable_window_s
        if 0 < kept.number == count:
            until_s = max(until_s, kept.until_s or until_s)
        if kept.number <= count and count and now_s < until_s:
            kept = replace(kept, number=count, until_s=until_s, is_ahead=False)
        return replace(seen, need=found, kept=kept)

    def _expected(self, collector: Collector, queued: int, now_s: float) -> float | None:
        """Where a steady rise leads until a replica is ready; not worth asking if that is soon."""
        start_s = self.levels.start_s
        if start_s is None or start_s < _FORESIGHT_MIN_S or queued:
            return None  # a queue that grows is no load that does
        return expected(collector.recent(now_s=now_s, seconds=SECONDS), ahead_s=start_s)

    def decided(self, decision: Decision, *, now_s: float) -> None:
        """An activation scale is a need of its own: it lasts as long as one."""
        if decision.recommended_by is Reason.ACTIVATION_SCALE:
            self.levels.need(decision.recommended or 0, now_s=now_s)

    def ordered(self, replicas: int | None, *, ready: int, now_s: float) -> None:
        """So many replicas are asked for while all that were asked for before are ready."""
        if self._ordered is not None and replicas is not None and replicas <= self._ordered[1]:
            self._ordered = None  # taken back: nothing started
        if self._ordered is None and (replicas or 0) > ready:
            self._ordered = now_s, ready

    def is_ready(self, count: int, *, now_s: float) -> None:
        """So many replicas are ready: how long the first of those ordered took is learned."""
        if self._ordered is not None and count > self._ordered[1]:
            self.levels.started(now_s - self._ordered[0])
            self._ordered = None
