"""Our pilot of class kpa and the twin, side by side over one history.

For: test_twin.py. Both see the same reports, pokes, readiness and changes at the same moments;
     `Flight` compares all that each of them says after every look.
Must not know: how either decides.

What differs from Knative on purpose (docs/autoscaling.md) is in what the twin is fed:
* Nobody scrapes replicas here. The zeros Knative would have scraped are written down for the twin
  as ours writes them: on a tick, for the second two seconds ago, if no report was as late as that.
* Silence reads as no data only until the autoscaler has listened for a stable window.
* Another metric or another kind of average starts from no data. (Knative has counted both metrics
  all along, and never changes the kind.)
* A poke is the activator's first report of one request, which comes off its next one.
* A Revision that sleeps is not ticked, and the twin, which is, must not find anything to do. Only
  its excess burst capacity is as it was when it fell asleep.
* A Revision is looked at on ticks, pokes and changes, where Knative queues it for the right moment.
"""

import math
import random
from dataclasses import dataclass, field

from hypothesis import reject

from api import keys
from api.autoscaler_config import parse
from api.autoscaling import PodAutoscaler
from api.objects import ObjectMeta
from api.stats import Stat
from autoscaler.bursting import activators, mode
from autoscaler.config import Settings
from autoscaler.pilot import Outcome, Pilot, Scale, first_life
from autoscaler.spec import Spec, build
from tests.autoscaler.twin import UNKNOWN, Config, Knobs, Twin

LONG_AGO_S = 100_000.0


def settings(config: Config) -> Settings:
    """As the ConfigMaps say it: config-autoscaler is read from its texts."""
    said = {
        "container-concurrency-target-percentage": config.concurrency_target_percentage,
        "container-concurrency-target-default": config.concurrency_target_default,
        "requests-per-second-target-default": config.rps_target_default,
        "target-burst-capacity": config.target_burst_capacity,
        "stable-window": f"{config.stable_window}s",
        "panic-window-percentage": config.panic_window_percentage,
        "panic-threshold-percentage": config.panic_threshold_percentage,
        "max-scale-up-rate": config.max_scale_up_rate,
        "max-scale-down-rate": config.max_scale_down_rate,
        "enable-scale-to-zero": "true" if config.enable_scale_to_zero else "false",
        "scale-to-zero-grace-period": f"{config.grace_period}s",
        "scale-to-zero-pod-retention-period": f"{config.retention_period}s",
        "activator-capacity": config.activator_capacity,
        "initial-scale": config.initial_scale,
        "allow-zero-initial-scale": "true" if config.allow_zero_initial_scale else "false",
        "min-scale": config.min_scale,
        "max-scale": config.max_scale,
        "scale-down-delay": f"{config.scale_down_delay}s",
    }
    defaults = parse({key: str(value) for key, value in said.items()})
    return Settings(defaults=defaults, progress_deadline_s=config.progress_deadline)


def spec(knobs: Knobs) -> Spec:
    named = {
        keys.PROGRESS_DEADLINE
        if name == "progress-deadline"
        else keys.AUTOSCALING_PREFIX + name: text
        for name, text in knobs.annotations.items()
    }
    return build(
        PodAutoscaler(
            metadata=ObjectMeta(
                name="r",
                namespace="default",
                annotations=named | {keys.SCALING_CLASS: keys.CLASS_KPA},
            ),
            scale_target_name="r-deployment",
            container_concurrency=knobs.container_concurrency,
            reachability=knobs.reachability,
        ),
        settings(knobs.config),
    )


def load_of(knobs: Knobs) -> tuple[str, bool]:
    algorithm = knobs.annotations.get("metric-aggregation-algorithm", "linear")
    return knobs.metric, algorithm != "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the Revision's objects say when the autoscaler first sees it."""

    replicas: int = 0
    ready: int = 0
    active: str = "False"
    initialized: bool = True
    wanted: int = UNKNOWN
    listening_s: float = LONG_AGO_S  # for how long reports have been heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """Some ticks of one kind of weather."""

    ticks: int
    loads: tuple[float, ...] = ()  # one a reporter, each second
    rps: float = 1.0  # requests a second of a load of one
    ready: str = "all"  # become ready after a second: all, none, some; lost: all are lost
    is_gappy: bool = False  # every other report or so is missing
    is_poked: bool = False
    knobs: Knobs | None = None  # from here on
    seed: int = 0


@dataclass(slots=True)
class Flight:
    knobs: Knobs
    start: Start = Start()
    now: float = 1000.25
    replicas: int = 0
    ready: int = 0
    debts: set[str] = field(default_factory=set)
    is_told: bool = False  # by anybody
    is_awake: bool = True
    reported: float = -math.inf  # second of the last report or zero written down
    told: list[tuple[float, int, str]] = field(default_factory=list)  # what was written, when
    pilot: Pilot = field(init=False)
    twin: Twin = field(init=False)

    def __post_init__(self) -> None:
        start = self.start
        self.replicas, self.ready = start.replicas, start.ready
        self.heard_since = self.now - start.listening_s
        self.pilot = Pilot(
            spec(self.knobs),
            first_life(active=start.active, is_initialized=start.initialized, now_s=self.now),
            scale=self.scale,
            wanted=None if start.wanted == UNKNOWN else start.wanted,
            now_s=self.now,
        )
        self.twin = Twin(
            knobs=self.knobs,
            active=start.active,
            active_reason={"False": "NoTraffic", "Unknown": "Queued"}.get(start.active, ""),
            active_since=self.now,
            initialized=start.initialized,
            proxy_since=self.now,
            status_scale=start.wanted,
        )
        self.twin.start(ready=self.ready, now=self.now)
        self.turn()

    heard_since: float = field(init=False)

    @property
    def scale(self) -> Scale:
        return Scale(replicas=self.replicas, ready=self.ready)

    def fly(self, leg: Leg) -> None:
        rng = random.Random(leg.seed)
        begin = self.now
        if leg.knobs is not None and leg.knobs != self.knobs:
            self.change(leg.knobs)
        for second in range(leg.ticks * 2):
            self.now = max(self.now, begin + second)
            self.set_ready(leg, rng)
            if leg.is_poked and second == 0:
                self.poke("a0")
            self.report_all(leg, rng, begin + second)
            if second % 2 == 1:
                self.now = max(self.now, begin + second + 0.8 + rng.uniform(0, 0.15))
                self.tick()
        self.now = begin + 2 * leg.ticks

    def report_all(self, leg: Leg, rng: random.Random, begin: float) -> None:
        offsets = sorted(rng.uniform(0.05, 0.75) for _ in leg.loads)
        for name, (offset, load) in enumerate(zip(offsets, leg.loads, strict=True)):
            reporter = f"a{name}"
            if leg.is_gappy and rng.random() < 0.5 and reporter not in self.debts:
                continue
            self.now = max(self.now, begin + offset)
            self.report(reporter, load, load * leg.rps)
        if "a0" in self.debts:
            self.now = max(self.now, begin + 0.78)
            self.report("a0", 1.0, 1.0)

    def set_ready(self, leg: Leg, rng: random.Random) -> None:
        most = self.replicas
        wanted = {"all": most, "none": min(self.ready, most), "lost": 0}.get(leg.ready)
        ready = rng.randint(0, most) if wanted is None else wanted
        if ready != self.ready:
            self.ready = ready
            self.look()

    def change(self, knobs: Knobs) -> None:
        self.pilot.respec(spec(knobs), now_s=self.now)
        self.twin.change(knobs, now=self.now)
        if load_of(knobs) != load_of(self.knobs):
            self.twin.make_rings()
            self.heard_since, self.is_told, self.reported = self.now, False, -math.inf
        self.knobs = knobs
        self.look()

    def poke(self, reporter: str) -> None:
        if reporter not in self.debts:
            self.debts.add(reporter)
            self._tell(reporter, 1.0, 1.0, is_poke=True)

    def report(self, reporter: str, concurrency: float, rps: float) -> None:
        self._tell(reporter, concurrency, rps, is_poke=False)

    def _tell(self, reporter: str, concurrency: float, rps: float, *, is_poke: bool) -> None:
        stat = Stat(
            namespace="default",
            revision="r",
            reporter=reporter,
            time_s=self.now,
            average_concurrency=0.0 if is_poke else concurrency,
            requests_per_s=0.0 if is_poke else rps,
            queued=3 if is_poke else 0,
            is_poke=is_poke,
        )
        is_pressing = self.pilot.receive(stat, now_s=self.now)
        self.is_awake = True
        if not is_poke and reporter in self.debts:
            self.debts.discard(reporter)
            concurrency, rps = max(concurrency - 1, 0.0), rps - 1
        expected = self.twin.record(now=self.now, concurrency=concurrency, rps=rps)
        self.is_told = True
        self.reported = max(self.reported, math.floor(self.now))
        assert is_pressing == expected, (self.now, is_pressing, expected)
        if is_pressing:
            self.turn()

    def _scrape(self) -> None:
        """What nobody reported was nothing, as a scraper would have said."""
        second = math.floor(self.now - 2)
        if self.ready > 0 and self.knobs.burst_capacity != -1 and second > self.reported:
            self.twin.record(now=second, concurrency=0.0, rps=0.0)
            self.reported = second

    def _has_listened(self) -> bool:
        return self.now - self.heard_since >= self.knobs.window

    def tick(self) -> None:
        if self.is_awake:
            self.turn()
            return
        self.is_told &= self.now - self.reported <= self.knobs.window
        if self.twin.desired == UNKNOWN:
            return  # there was no data before it slept, and there is none now
        room = self.twin.burst
        self._tick_twin()
        self.twin.burst = room
        before = self.twin.status_scale
        written = self.twin.reconcile(replicas=self.replicas, ready=self.ready, now=self.now)
        assert (written, self.twin.status_scale) == (None, before), f"slept at {self.now}"

    def turn(self) -> None:
        self._tick_twin()
        outcome = self.pilot.turn(self.scale, now_s=self.now, listening_since_s=self.heard_since)
        self._compare(outcome)

    def _tick_twin(self) -> None:
        listened = self._has_listened()
        if listened or self.is_told:
            self._scrape()
            self.twin.tick(ready=self.ready, now=self.now, scraped=not listened)

    def look(self) -> None:
        outcome = self.pilot.look(self.scale, now_s=self.now, listening_since_s=self.heard_since)
        self._compare(outcome)

    def _compare(self, outcome: Outcome) -> None:
        if self.twin.near:
            reject()  # an average on a threshold: rounding decides, and may do so either way
        twin, decision = self.twin, outcome.decision
        written = twin.reconcile(replicas=self.replicas, ready=self.ready, now=self.now)
        ours = {
            "desired": UNKNOWN if decision.recommended is None else decision.recommended,
            "excess burst capacity": decision.excess_burst_capacity,
            "panic": decision.is_panicking,
            "written": outcome.replicas,
            "status.desiredScale": UNKNOWN if outcome.want is None else outcome.want,
            "mode": mode(decision.desired, decision.excess_burst_capacity, ready=self.ready),
            "activators": activators(
                ready=self.ready,
                total=decision.spec.total,
                target_burst_capacity=decision.spec.target_burst_capacity,
                capacity=self.knobs.config.activator_capacity,
            ),
            "conditions": {
                each.type: (each.status, each.reason)
                for each in outcome.conditions
                if each.type != "Ready"
            },
        }
        theirs = {
            "desired": twin.desired,
            "excess burst capacity": twin.burst,
            "panic": twin.panic_since is not None,
            "written": written,
            "status.desiredScale": twin.status_scale,
            "mode": twin.mode,
            "activators": twin.activators(self.ready),
            "conditions": twin.conditions,
        }
        differ = [
            f"{name}: {ours[name]}, not {theirs[name]}"
            for name in ours
            if ours[name] != theirs[name]
        ]
        assert not differ, f"at {self.now}: {'; '.join(differ)}"
        if written is not None:
            self.told.append((self.now, written, twin.active))
            self.replicas = written
            self.ready = min(self.ready, written)
        self.is_awake = not self.pilot.is_asleep(self.scale)
        if not self.is_awake:
            self.pilot.fall_asleep()
