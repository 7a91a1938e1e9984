"""The whole pilot of class relight in a closed loop, judged from outside while it flies.

For: test_voyages.py. A load, replicas that take their time to start, an activator that reports
     and pokes, restarts and changed annotations; and what must hold whatever happens.
Must not know: how anything is decided. What is judged is computed anew from the load.

What must hold, after every look:
* `need`: slots for what was in flight for two seconds, or held as a poke said, as far as max-scale
  and the rate up allow;
* `bounds`: no more than max-scale, and no more than the rate up allows beyond what there was;
* `promise`: nothing is kept, with nothing needed meanwhile, beyond the time a decision told;
* `unknown`: after a restart nothing goes down before somebody reported;
* `held`: nor does it for a stable window after a restart that left nothing;
* `rise`: replicas are added for a load, ahead of one, or for a bound; never for what was kept;
* `early`: the last one does not go before its retention is over, and the shortest keep-alive;
* `zero`: it does go, when nothing was needed for as long as anything is kept.
"""

import math
import random
from dataclasses import dataclass, field

from api import keys
from api.autoscaler_config import parse
from api.autoscaling import PodAutoscaler
from api.objects import ObjectMeta
from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.decider import Decision
from autoscaler.gaps import KEEP_MIN_S
from autoscaler.levels import Levels
from autoscaler.pilot import Outcome, Pilot, Scale, first_life
from autoscaler.reasons import Reason
from autoscaler.spec import Spec, build

TICK_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """What users ask for. `annotations` by their short names."""

    annotations: dict[str, str]
    concurrency: int
    up_rate: float = 1000.0
    down_rate: float = 2.0

    def spec(self) -> Spec:
        named = {
            (keys.KEEP_ALIVE if name == "keep-alive" else keys.AUTOSCALING_PREFIX + name): text
            for name, text in self.annotations.items()
        }
        rates = {
            "max-scale-up-rate": str(self.up_rate),
            "max-scale-down-rate": str(self.down_rate),
        }
        autoscaler = PodAutoscaler(
            metadata=ObjectMeta(
                name="r",
                namespace="default",
                annotations=named | {keys.SCALING_CLASS: keys.CLASS_RELIGHT},
            ),
            scale_target_name="r-deployment",
            container_concurrency=self.concurrency,
            reachability="Reachable",
        )
        return build(autoscaler, Settings(defaults=parse(rates)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """Some seconds of one kind of weather."""

    seconds: int
    loads: tuple[float, ...] = (0.0,)  # in flight, by turns, each for a second
    rest: int = 0  # seconds of nothing after each turn
    restart: str = ""  # at its beginning: kept, lost
    knobs: Knobs | None = None  # from its beginning on
    looks: int = 0  # that nobody had to take, each second
    seed: int = 0


@dataclass(slots=True)
class Voyage:
    """One Revision from zero on; `fly` its legs, then `land`."""

    knobs: Knobs
    start_s: int = 1  # of a replica
    now: float = 1000.0
    replicas: int = 0
    asked: list[int] = field(default_factory=list)  # replicas after each second of a start
    loads: list[float] = field(default_factory=list)  # of all seconds so far
    told: list[tuple[float, int]] = field(default_factory=list)  # what was decided on ticks
    busy_s: float = -math.inf  # anything was in flight
    known_s: float = -math.inf  # since when what a replica is for and how it starts is the same
    promise: tuple[int, float] | None = None  # kept until, though nothing is needed
    held: tuple[int, float] = (0, -math.inf)  # and until
    pilot: Pilot = field(init=False)
    spec: Spec = field(init=False)
    listening_s: float = -math.inf
    is_told: bool = True  # since then, by anybody

    def __post_init__(self) -> None:
        self.spec = self.knobs.spec()
        self.asked = [0] * max(1, self.start_s)
        self.pilot = self._pilot("False")
        self.turn()

    @property
    def ready(self) -> int:
        return min(self.replicas, *self.asked)

    @property
    def scale(self) -> Scale:
        return Scale(replicas=self.replicas, ready=self.ready)

    @property
    def levels(self) -> Levels:
        return self.pilot._weigher.levels

    def _pilot(self, active: str) -> Pilot:
        life = first_life(active=active, is_initialized=active != "Unknown", now_s=self.now)
        return Pilot(self.spec, life, scale=self.scale, wanted=None, now_s=self.now)

    def fly(self, leg: Leg) -> None:
        rng = random.Random(leg.seed)
        if leg.knobs is not None:
            self.knobs, self.spec = leg.knobs, leg.knobs.spec()
            self.pilot.respec(self.spec, now_s=self.now)
            self.promise, self.known_s, self.held = None, self.now, (0, -math.inf)
            self.look()
        if leg.restart:
            self.restart(is_kept=leg.restart == "kept")
        turn = (*leg.loads, *[0.0] * leg.rest)
        for second in range(leg.seconds):
            self.second(turn[second % len(turn)], leg.looks, rng)

    def restart(self, *, is_kept: bool) -> None:
        sections = self.pilot.dump(shift_s=0.0, now_s=self.now)
        self.pilot = self._pilot(self.pilot.phase.value)
        self.listening_s, self.promise, self.is_told = self.now, None, False
        self.held = 0, -math.inf
        if is_kept:
            self.pilot.restore(sections, self.scale, saved_s=self.now, shift_s=0.0, now_s=self.now)
        else:
            self.held = self.ready, self.now + self.spec.stable_window_s

    def second(self, load: float, looks: int, rng: random.Random) -> None:
        begin = self.now
        before = self.ready
        self.asked = [*self.asked[1:], self.replicas]
        if self.ready != before:
            self.look()
        if load:
            self.busy_s, self.promise = begin + 1, None
            if not self.ready:
                self.now = begin + 0.1
                self.receive(_stat(self.now, 0.0, queued=math.ceil(load), is_poke=True))
            self.now = begin + 0.5 + 0.2 * rng.random()
        self.loads.append(load)
        if load:
            self.receive(_stat(self.now, load))
        for _ in range(looks):
            self.look()
        if int(begin) % 2:
            self.now = begin + 0.9
            self.turn()
            self.told.append((self.now, self.pilot._state.recommended or 0))
        self.now = begin + 1

    def receive(self, stat: Stat) -> None:
        self.is_told = True
        if self.pilot.receive(stat, now_s=self.now):
            self.turn()

    def turn(self) -> None:
        start_s = self.levels.start_s
        outcome = self.pilot.turn(self.scale, now_s=self.now, listening_since_s=self.listening_s)
        if self.levels.start_s != start_s:
            self.promise = None
        self.judge(outcome, is_new=True)

    def look(self) -> None:
        self.promise = None if self.ready != self.pilot._collector.ready else self.promise
        outcome = self.pilot.look(self.scale, now_s=self.now, listening_since_s=self.listening_s)
        self.judge(outcome, is_new=False)

    def judge(self, outcome: Outcome, *, is_new: bool) -> None:
        decision, wanted = outcome.decision, outcome.replicas
        number = self.replicas if wanted is None else wanted
        most, spec = self.spec.max_scale or math.inf, self.spec
        rate = max(math.ceil(spec.max_up_rate * max(1, self.ready)), spec.activation_scale)
        assert number <= max(most, spec.min_scale), f"bounds: {number} at {self.now}"
        if number > self.replicas:
            assert number <= max(rate, spec.min_scale, self._before), f"bounds: {number} by rate"
            assert self._has_cause(decision.reason), f"rise: {decision.why}"
        if is_new:
            seen = decision.seen
            span = int(spec.panic_window_s)
            if seen.panic is not None:
                slots = math.ceil(min(self.loads[-span:], default=0.0) / spec.total)
                if seen.is_poke:  # of the second that has just begun nothing else is known
                    slots = math.ceil(seen.queued / spec.total)
                least = min(slots, rate, most)
                assert number >= least, f"need: {number}, not {least} at {self.now}"
            if not self.is_told and self.now < self.listening_s + spec.stable_window_s:
                assert number >= min(self.replicas, most), f"unknown: {number} at {self.now}"
            self._keep_promises(decision)
            self._before = max(decision.recommended or 0, spec.min_scale)
        if self.now < self.held[1]:
            assert number >= min(self.held[0], most), f"held: {number} at {self.now}"
        if number == 0 < self.replicas:
            quiet_s = self.now - self.busy_s
            shortest_s = min(KEEP_MIN_S, spec.keep_factor * (spec.stable_window_s + 2 * TICK_S))
            is_ahead = self.busy_s + TICK_S < self._ahead_s
            least_s = shortest_s + (0 if is_ahead else spec.retention_s) - 1.0
            assert quiet_s >= least_s, f"early: at zero after {quiet_s} s"
        if decision.reason is Reason.AHEAD:
            self._ahead_s = self.now
        self.replicas = number

    _before: int = 0
    _ahead_s: float = -math.inf

    def _has_cause(self, reason: Reason) -> bool:
        is_loaded = self.now - self.busy_s <= self.spec.panic_window_s + 2 * TICK_S
        bounds = (Reason.MIN_SCALE, Reason.AHEAD, Reason.INITIAL_SCALE, Reason.ZERO_OFF)
        return is_loaded or reason in bounds or self.known_s > self.now - 2 * TICK_S

    def _keep_promises(self, decision: Decision) -> None:
        number, kept = decision.recommended, decision.seen.kept
        is_kept = decision.recommended_by in (Reason.KEEP_ALIVE, Reason.AHEAD)
        if not is_kept or number is None or kept is None or kept.until_s is None:
            self.promise = None
            return
        if self.promise is not None and number < self.promise[0]:
            self.promise = None
        if self.promise is not None:
            assert self.now < self.promise[1], f"promise: {self.promise} at {self.now}"
        elif number == kept.number and self.now > self.busy_s + self.spec.panic_window_s:
            self.promise = number, kept.until_s

    def land(self) -> None:
        """Silence, until nothing is left for which anything could be kept."""
        spec = self.spec
        terms = {"window_s": spec.stable_window_s, "factor": spec.keep_factor}
        self.levels.kept(**terms, now_s=self.now)
        plans = [plan for _, _, plan in self.levels._plans.values()]
        usual_s = spec.keep_factor * (spec.stable_window_s + 2 * TICK_S)
        longest_s = max([usual_s, spec.stable_window_s, *(plan.keep_s for plan in plans)])
        halvings_s = TICK_S * (2 + math.log(max(2, self.replicas), spec.max_down_rate))
        longest_s += spec.retention_s + spec.scale_down_delay_s + halvings_s + self.start_s
        longest_s += spec.panic_window_s + 2 * TICK_S
        heard_s = max(self.now, self.busy_s)
        while self.now < heard_s + longest_s:
            self.second(0.0, 0, random.Random(0))
        ahead = self.pilot._decision.seen.kept if self.pilot._decision else None
        is_ahead = ahead is not None and (ahead.is_ahead or self.now - self._ahead_s < longest_s)
        least = max(spec.min_scale, 0)
        assert is_ahead or self.replicas == least, f"zero: {self.replicas} at {self.now}"


def _stat(now: float, load: float, *, queued: int = 0, is_poke: bool = False) -> Stat:
    return Stat(
        namespace="default",
        revision="r",
        reporter="a",
        time_s=now,
        average_concurrency=load,
        requests_per_s=load,
        queued=queued,
        is_poke=is_poke,
    )
