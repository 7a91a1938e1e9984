"""One Revision's way from stats to a number: observe, decide, settle, tell.

For: keeping together what belongs to one Revision, so that a script can drive all of it.
Must not know: other Revisions, Kubernetes objects, clocks, how anything is written.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from api.conditions import Condition
from api.stats import Stat
from autoscaler import bursting, dumping
from autoscaler.collector import Collector
from autoscaler.decider import (
    Decision,
    Observation,
    bounded,
    decide,
    initial_state,
)
from autoscaler.exposure import Exposure
from autoscaler.idling import Life, Phase, settle, while_exposed
from autoscaler.journal import Entry, Journal
from autoscaler.levels import Levels
from autoscaler.reasons import Reason
from autoscaler.sampling import Measured
from autoscaler.spec import Spec
from autoscaler.status import advance, conditions, ready_min
from autoscaler.weighing import Weigher


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What the Deployment says. `replicas` None: there is no Deployment yet."""

    replicas: int | None
    ready: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What follows from a look at a Revision."""

    replicas: int | None  # to write to the Deployment; None: nothing
    want: int | None  # status.desiredScale: what is wanted, or was last; None: never known
    conditions: tuple[Condition, ...]
    decision: Decision
    mode: bursting.Mode
    begun: Entry | None  # of the journal, when this decision is not one more of the same


class Pilot:
    """Flies one Revision. Not told the time twice: every call gets `now_s`, never falling."""

    __slots__ = (
        "_collector",
        "_decision",
        "_is_poked",
        "_journal",
        "_life",
        "_said",
        "_spec",
        "_state",
        "_wanted",
        "_weigher",
        "exposure",
    )

    def __init__(
        self,
        spec: Spec,
        life: Life,
        *,
        scale: Scale,
        wanted: int | None,
        now_s: float,
        exposure: Exposure | None = None,
    ) -> None:
        """`exposure`: of callers that others lead past the activators; else as its Spec says."""
        self._spec = spec
        self._life = life
        self._collector = Collector(spec, now_s=now_s)
        self._state = initial_state(ready=scale.ready, now_s=now_s)
        self._decision: Decision | None = None
        self._is_poked = False  # since the last turn
        self._weigher = Weigher(ready=scale.ready, now_s=now_s)
        self._said: tuple[tuple[Phase, bool, str], tuple[Condition, ...]] | None = None
        self._journal = Journal(length_max=spec.journal_length_max, wanted=wanted)
        self._wanted = wanted  # what was wanted last, before a restart too
        self.exposure = exposure or Exposure(
            is_direct=spec.is_direct, ready=scale.ready, now_s=now_s
        )

    @property
    def phase(self) -> Phase:
        """Activating, active or inactive."""
        return self._life.phase

    @property
    def life(self) -> Life:
        """Its phase, and since when."""
        return self._life

    @property
    def spec(self) -> Spec:
        """What it was asked for."""
        return self._spec

    @property
    def wanted(self) -> int | None:
        """The number that is wanted, or was last; None: never known."""
        return self._wanted

    @property
    def newest(self) -> Decision | None:
        """The last decision, as the journal has it."""
        return self._journal.newest

    @property
    def rejected(self) -> int:
        """Stats that came out of order and were dropped."""
        return self._collector.rejected

    def journal(self) -> tuple[Entry, ...]:
        """What was decided, oldest first."""
        return self._journal.entries()

    def respec(self, spec: Spec, *, now_s: float) -> None:
        """Follow a change of the PodAutoscaler."""
        if spec != self._spec:
            if spec.share != self._spec.share:
                self._weigher.levels.forget_further()
            self._spec = spec
            self._collector.respec(spec, now_s=now_s)

    def receive(self, stat: Stat, *, now_s: float) -> bool:
        """Take in a report; True asks for a `turn` at once.

        Class kpa: only load at zero. Ours: every poke too, and a queue at zero is a poke.
        """
        if stat.is_crowd and self._spec.is_kpa:
            return False  # Knative's activator tells of none
        self._collector.record(stat, now_s=now_s)
        known = self._state.recommended
        is_zero = known == 0
        is_down = is_zero or (known is None and self._life.phase is Phase.INACTIVE)
        if not self._spec.is_kpa and (stat.is_poke or (is_down and stat.queued > 0)):
            self._is_poked = True
            return True
        if self._spec.is_kpa:
            return is_zero and (stat.is_poke or stat.average_concurrency > 0)
        return self._is_pressing(now_s)

    def measured(self, load: Measured, *, now_s: float) -> bool:
        """Take in what replicas counted past the activators; True asks for a `turn` at once."""
        self.exposure.measured(load.concurrency + load.requests_per_s, now_s=now_s)
        self._collector.measured(load, now_s=now_s)
        return not self._spec.is_kpa and self._is_pressing(now_s)

    def _is_pressing(self, now_s: float) -> bool:
        known = self._state.recommended
        return known is not None and self._weigher.is_pressing(
            self._spec, self._collector, known, now_s=now_s
        )

    @property
    def wake_s(self) -> float | None:
        """When a Revision that is asleep wants a turn, to be ready ahead of a use."""
        kept = None if self._decision is None else self._decision.seen.kept
        return None if kept is None else kept.ahead_s

    def turn(self, scale: Scale, *, now_s: float, listening_since_s: float) -> Outcome:
        """Observe and decide: on every tick, and at once when `receive` asked for it."""
        load = self._collector.observe(
            now_s=now_s,
            ready=scale.ready,
            listening_since_s=listening_since_s,
            is_exposed=self.exposure.is_measured,
        )
        seen = Observation(
            stable=load.stable,
            panic=load.panic,
            ready=scale.ready,
            queued=load.queued,
            is_poke=self._is_poked,
            idle_s=load.idle_s,
            is_initialized=self._life.is_initialized,
            is_activating=self._life.phase is Phase.ACTIVATING,
        )
        self._is_poked = False
        if not self._spec.is_kpa:
            self._weigher.is_ready(scale.ready, now_s=now_s)
            seen = self._weigher.weighed(
                self._spec, seen, self._collector, busy=load.busy, now_s=now_s
            )
        self._decision, self._state = decide(self._spec, seen, self._state, now_s=now_s)
        self._weigher.decided(self._decision, now_s=now_s)
        return self._conclude(self._decision, scale, idle_s=load.idle_s, now_s=now_s)

    def look(self, scale: Scale, *, now_s: float, listening_since_s: float) -> Outcome:
        """Apply the last decision to a changed world; a new one is for `turn` alone.

        Deciding on every change of readiness would apply max-scale-down-rate too often.
        """
        if self._decision is None:
            return self.turn(scale, now_s=now_s, listening_since_s=listening_since_s)
        self._weigher.is_ready(scale.ready, now_s=now_s)
        last = self._decision
        desired, bound = bounded(
            self._spec,
            last.recommended,
            is_initialized=self._life.is_initialized,
            is_activating=self._life.phase is Phase.ACTIVATING,
        )
        decision = replace(
            last, desired=desired, reason=bound or last.recommended_by, spec=self._spec, at_s=now_s
        )
        idle_s = last.seen.idle_s + now_s - last.at_s
        return self._conclude(decision, scale, idle_s=idle_s, now_s=now_s)

    def _conclude(
        self, decision: Decision, scale: Scale, *, idle_s: float, now_s: float
    ) -> Outcome:
        if decision.recommended is None and not self._spec.is_kpa:
            decision = _unknown(self._spec, decision, scale)
        elif decision.desired == 0 and self._is_silence_unknown(decision) and scale.replicas:
            # Zero was decided before a restart; nobody has been heard for long enough since.
            held = min(scale.replicas, self._spec.max_scale or scale.replicas)
            decision = replace(decision, desired=held, reason=Reason.NO_DATA)
        kept = decision.seen.kept
        verdict = settle(
            self._spec,
            decision.desired,
            self._life,
            idle_s=idle_s,
            now_s=now_s,
            keep_s=None if kept is None else kept.plan.keep_s,
        )
        if self.exposure.is_open and scale.ready:
            verdict = while_exposed(verdict)
        if verdict.reason is not None:
            decision = replace(
                decision, desired=verdict.want, reason=verdict.reason, next_s=verdict.next_s
            )
        want = verdict.want
        if scale.ready == scale.replicas:
            self._weigher.ordered(verdict.replicas, ready=scale.ready, now_s=now_s)
        wish = bursting.mode(want, decision.excess_burst_capacity, ready=scale.ready)
        mode = self.exposure.follow(
            wish, is_direct=self._spec.is_direct, ready=scale.ready, now_s=now_s
        )
        self._life, reason = advance(
            self._spec,
            self._life,
            want=want,
            ready=scale.ready,
            is_proxied=mode == bursting.PROXY,
            now_s=now_s,
        )
        begun = self._journal.add(decision)
        self._wanted = self._wanted if want is None else want
        return Outcome(
            replicas=self._to_write(verdict.replicas, scale),
            want=self._wanted,  # again each time: the status that said it may have been lost
            conditions=self._say(reason),
            decision=decision,
            mode=mode,
            begun=begun,
        )

    def _is_silence_unknown(self, decision: Decision) -> bool:
        is_active = self._life.phase is Phase.ACTIVE
        return decision.seen.stable is None and is_active and not self._spec.is_kpa

    def _say(self, reason: str) -> tuple[Condition, ...]:
        """The conditions: the same object while they are the same, so comparing is free."""
        said = (self._life.phase, self._life.is_initialized, reason)
        if self._said is None or self._said[0] != said:
            self._said = said, conditions(self._life, reason)
        return self._said[1]

    def _to_write(self, replicas: int | None, scale: Scale) -> int | None:
        if scale.replicas is None or replicas == scale.replicas:
            return None
        if replicas is None and scale.replicas == 0 and self._life.phase is Phase.ACTIVATING:
            # Nothing is decided yet, but nobody becomes ready of no replicas.
            return max(1, ready_min(self._spec, self._life))
        return replicas

    def is_asleep(self, scale: Scale) -> bool:
        """Say whether nothing can happen before a stat or a change: then a tick is a waste."""
        return (
            self._life.phase is Phase.INACTIVE
            and not scale.replicas
            and not scale.ready
            and not self._state.recommended
            and not self._spec.floor  # after a restart only a tick finds that replicas are due
        )

    def fall_asleep(self) -> Journal:
        """Give back the memory that only matters while awake; the journal, to be bounded."""
        if self._decision is not None:
            self._collector.rest(now_s=self._decision.at_s)
        return self._journal

    def dump(self, *, shift_s: float, now_s: float) -> dumping.Sections:
        """What another pilot needs to go on from here; nothing when there is nothing to know.

        `shift_s` is what this clock lacks to epoch seconds. Journal and reporters are left out.
        """
        sections: dumping.Sections = {}
        windows = self._collector.dump(shift=math.floor(shift_s), now_s=now_s)
        if windows is not None:
            sections["windows"] = windows
        if windows is not None or self._state.recommended:
            sections["state"] = dumping.dump_state(self._state, shift_s=shift_s)
            sections["life"] = dumping.dump_life(self._life, shift_s=shift_s)
            sections["wanted"] = self._wanted
        if self._state.delay.entries and self._spec.scale_down_delay_s > 0:
            sections["delay"] = dumping.dump_delay(self._state.delay, shift_s=shift_s)
        if self._weigher.levels.is_learned:
            sections["levels"] = self._weigher.levels.dump(shift_s=shift_s)
        return sections

    def restore(
        self,
        sections: Mapping[str, Any],
        scale: Scale,
        *,
        saved_s: float,
        shift_s: float,
        now_s: float,
    ) -> bool:
        """Go on from what was dumped at `saved_s`; False when that was too long ago.

        A pilot that has been told of load knows better, and windows of more than a stable window
        ago are worthless; what was learned of rests never is. One of dumping.FAULTS when
        `sections` are none.
        """
        levels = None
        if "levels" in sections:
            levels = Levels.restored(sections["levels"], shift_s=shift_s, now_s=now_s)
        if self._state.recommended is not None or not self._collector.is_untold:
            if levels is not None:
                self._weigher.levels.adopt(levels)
            return False
        self._weigher.levels = levels or self._weigher.levels
        delay = dumping.restore_delay(
            sections.get("delay", ()),
            delay_s=self._spec.scale_down_delay_s,
            shift_s=shift_s,
            now_s=now_s,
        )
        is_fresh = abs(now_s - saved_s) < self._spec.stable_window_s
        if not is_fresh or "state" not in sections:
            self._state = replace(self._state, delay=delay)
            return False
        state = dumping.restore_state(sections["state"], shift_s=shift_s)
        life = dumping.restore_life(sections["life"], self._life, shift_s=shift_s)
        wanted = dumping.count(sections["wanted"])
        if "windows" in sections:
            shift = math.ceil(shift_s)  # no second may lie ahead of those that are to come
            self._collector.restore(sections["windows"], shift=shift, now_s=now_s)
        self._life = life
        self._state = dumping.caught_up(
            self._spec,
            replace(state, delay=delay),
            life,
            replicas=scale.replicas,
            ready=scale.ready,
            now_s=now_s,
        )
        # A number that was decided after the dump is of needs that nobody here has seen.
        is_newer = self._state.recommended != state.recommended
        self._weigher.hold((self._state.recommended or 0) if is_newer else 0, now_s=now_s)
        self._wanted = wanted if self._wanted is None else self._wanted
        return True


def _unknown(spec: Spec, decision: Decision, scale: Scale) -> Decision:
    """Class relight: not to know the load is no reason to take replicas, or to exceed a bound."""
    replicas = scale.replicas or 0
    held = min(replicas, spec.max_scale or replicas)
    if not decision.desired and held < replicas:
        return replace(decision, desired=held, reason=Reason.MAX_SCALE)
    if decision.desired and decision.desired < held:
        return replace(decision, desired=held, reason=Reason.NO_DATA)
    return decision


def first_life(*, active: str, is_initialized: bool, now_s: float) -> Life:
    """The life of a Revision first seen, from what its status said ("" for nothing)."""
    try:
        phase = Phase(active)
    except ValueError:
        phase = Phase.ACTIVATING
    return Life(phase=phase, since_s=now_s, is_initialized=is_initialized, proxy_since_s=now_s)
