"""Knative's KPA for one Revision once more: slow, naive, written from its description alone.

For: disagreeing with `autoscaler/` when one of the two is wrong (test_twin.py).
Must not know: anything of ours; `knative.md 1.x` is the section of the reference it is from, and
     `[go]` marks what that page leaves open and knative/serving at 98e5ef90aa settles.

Everything is recomputed from lists of what happened. Durations are seconds, as annotations: "30s".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

UNKNOWN = -1  # a scale nobody knows (scaleUnknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """config-autoscaler, and the progress deadline of config-deployment (1.11, 1.12)."""

    concurrency_target_percentage: float = 70.0
    concurrency_target_default: float = 100.0
    rps_target_default: float = 200.0
    target_burst_capacity: float = 211.0
    stable_window: float = 60.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    enable_scale_to_zero: bool = True
    grace_period: float = 30.0
    retention_period: float = 0.0
    activator_capacity: float = 100.0
    initial_scale: int = 1
    allow_zero_initial_scale: bool = False
    min_scale: int = 0
    max_scale: int = 0
    scale_down_delay: float = 0.0
    progress_deadline: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """A PodAutoscaler: annotations by their name behind the slash, and what else it says."""

    annotations: Mapping[str, str] = field(default_factory=dict)
    container_concurrency: int = 0
    reachability: str = "Reachable"
    config: Config = Config()

    def number(self, name: str, default: float) -> float:
        text = self.annotations.get(name)
        return default if text is None else float(text)

    def count(self, name: str, default: int) -> int:
        text = self.annotations.get(name)
        return default if text is None else int(text)

    def seconds(self, name: str, default: float) -> float:
        text = self.annotations.get(name)
        return default if text is None else float(text.removesuffix("s"))

    @property
    def reachable(self) -> bool:  # 1.8; "" is not yet known, and not unreachable
        return self.reachability != "Unreachable"

    @property
    def metric(self) -> str:
        return self.annotations.get("metric", "concurrency")

    @property
    def window(self) -> int:
        return int(self.seconds("window", self.config.stable_window))

    @property
    def panic_window(self) -> int:  # 1.6, last line; Go rounds halves away from zero
        share = self.number("panic-window-percentage", self.config.panic_window_percentage)
        return max(1, math.floor(self.window * share / 100.0 + 0.5))

    @property
    def burst_capacity(self) -> float:
        return self.number("target-burst-capacity", self.config.target_burst_capacity)

    @property
    def delay(self) -> float:
        return self.seconds("scale-down-delay", self.config.scale_down_delay)

    @property
    def initial_scale(self) -> int:  # [go] GetInitialScale: a 0 that is not allowed is not there
        number = self.count("initial-scale", self.config.initial_scale)
        if number == 0 and not self.config.allow_zero_initial_scale:
            return self.config.initial_scale
        return number

    @property
    def bounds(self) -> tuple[int, int]:  # 1.8 ScaleBounds
        low = self.count("min-scale", self.config.min_scale) if self.reachable else 0
        return low, self.count("max-scale", self.config.max_scale)

    @property
    def target_and_total(self) -> tuple[float, float]:  # 1.5
        if self.metric == "rps":
            total, share = self.config.rps_target_default, 0.7
        else:
            total = float(self.container_concurrency or self.config.concurrency_target_default)
            share = self.config.concurrency_target_percentage
            share = share / 100.0 if share > 1 else share
        if "target" in self.annotations:
            total = float(self.annotations["target"])
            if self.metric == "concurrency" and self.container_concurrency != 0:
                total = min(total, float(self.container_concurrency))
        if "target-utilization-percentage" in self.annotations:
            share = float(self.annotations["target-utilization-percentage"]) / 100.0
        return max(0.01, total * share), total


class Ring:
    """What was written when, and the average of a window of it (1.4)."""

    def __init__(self, size: int, *, weighted: bool) -> None:
        self.size = size
        self.weighted = weighted
        self.writes: list[tuple[int, float]] = []
        self.first: int | None = None  # second of the first write since a window of silence
        self.last: int | None = None

    def record(self, now: float, value: float) -> None:
        second = math.floor(now)
        if self.last is None or second - self.last >= self.size:
            self.writes, self.first, self.last = [], second, second
        if second <= self.last - self.size:
            return  # a window too late
        self.first = second if self.first is None else min(self.first, second)
        self.last = max(self.last, second)
        self.writes.append((second, value))

    def is_empty(self, now: float) -> bool:
        return self.last is None or math.floor(now) - self.last > self.size

    def bucket(self, second: int) -> float:
        return sum((value for at, value in self.writes if at == second), 0.0)

    def average(self, now: float) -> float:
        if self.last is None:
            return 0.0
        silent = max(0, math.floor(now) - self.last)
        if silent >= self.size:
            return 0.0
        seconds = range(self.last, self.last - (self.size - silent), -1)  # newest first
        values = [self.bucket(second) for second in seconds]
        if self.weighted:
            return self._weighted(values, silent)
        written = math.inf if self.first is None else self.last - self.first + 1
        return _six_digits(sum(reversed(values)) / min(written, self.size - silent))

    def _weighted(self, values: list[float], silent: int) -> float:
        share = max(1 - (1 - 0.9999) ** (1 / self.size), 0.2)
        weight = share * (1 - share) ** silent
        total = 0.0
        for value in values:
            total += value * weight
            weight *= 1 - share
        return total

    def resize(self, now: float, size: int) -> None:
        """[go] ResizeWindow: the old ring counts as full, as if it had been written all along."""
        if size == self.size:
            return
        if self.last is None or math.floor(now) - self.last > self.size:
            self.writes, self.first = [], None
        else:
            kept = range(self.last - min(size, self.size) + 1, self.last + 1)
            self.writes = [(at, value) for at, value in self.writes if at in kept]
            self.first = self.last - (self.size - 1)
        self.size = size


def _six_digits(number: float) -> float:
    """Go's math.Round goes away from zero on halves, Python's round to even."""
    return math.copysign(math.floor(abs(number) * 1e6 + 0.5) / 1e6, number)


@dataclass(slots=True, kw_only=True)
class Twin:
    """The decider, the PodAutoscaler's status and the SKS of one Revision."""

    knobs: Knobs
    active: str = "Unknown"  # the condition: True, False, Unknown
    active_reason: str = ""
    active_since: float = 0.0
    initialized: bool = False
    proxy_since: float | None = None  # None: clients reach the replicas themselves
    mode: str = "Proxy"
    status_scale: int = UNKNOWN  # status.desiredScale
    desired: int = UNKNOWN
    burst: int = 0  # excess burst capacity
    panic_since: float | None = None
    panic_most: int = 0
    recommended: list[tuple[int, int]] = field(default_factory=list)  # for scale-down-delay
    rings: dict[str, Ring] = field(default_factory=dict)
    near: bool = False  # an average was so close to a threshold that rounding decides
    averages: tuple[float, float] = (0.0, 0.0)

    def start(self, *, ready: int, now: float) -> None:
        """A decider is made: at creation, and when the autoscaler was restarted (1.6, notes)."""
        self.make_rings()
        self.panic_since = now if ready > 1 else None
        self.panic_most = ready
        capacity = self.knobs.burst_capacity
        total = self.knobs.target_and_total[1]
        self.burst = int(capacity)
        if capacity not in (-1, 0):
            self.burst = int(self.knobs.initial_scale * total - capacity)

    def make_rings(self) -> None:
        """1.2, last line but one: four of them, with nothing in them."""
        weighted = self.knobs.annotations.get("metric-aggregation-algorithm", "linear") != "linear"
        for metric in ("concurrency", "rps"):
            self.rings[metric] = Ring(self.knobs.window, weighted=weighted)
            self.rings[metric + "/panic"] = Ring(self.knobs.panic_window, weighted=weighted)

    def change(self, knobs: Knobs, *, now: float) -> None:
        """The PodAutoscaler or the ConfigMap says something else from now on."""
        self.knobs = knobs
        for name, ring in self.rings.items():
            ring.resize(now, knobs.panic_window if name.endswith("/panic") else knobs.window)

    def record(self, *, now: float, concurrency: float, rps: float) -> bool:
        """1.2, and 1.7: True asks for a tick out of turn."""
        for name, ring in self.rings.items():
            ring.record(now, rps if name.startswith("rps") else concurrency)
        return self.desired == 0 and concurrency != 0

    def tick(self, *, ready: int, now: float, scraped: bool) -> None:
        """1.6 Scale. `scraped`: somebody would have said so if there were load (1.4)."""
        stable_ring = self.rings[self.knobs.metric]
        if stable_ring.is_empty(now) and scraped:
            return  # ErrNoData
        panic_ring = self.rings[self.knobs.metric + "/panic"]
        self.averages = stable_ring.average(now), panic_ring.average(now)
        stable_average, panic_average = self.averages
        target, total = self.knobs.target_and_total
        stable_need = self._ceil(stable_average / target)
        panic_need = self._ceil(panic_average / target)

        pods = max(1, ready)
        stable, panic = self._clamped(stable_need, pods), self._clamped(panic_need, pods)
        self._panic(panic_need / pods, now)
        desired = stable
        if self.panic_since is not None:
            desired = self.panic_most = max(stable, panic, self.panic_most)
        self.desired = self._delayed(desired, now)

        self.burst = -1
        if self.knobs.burst_capacity == 0:
            self.burst = 0
        elif self.knobs.burst_capacity > 0:
            self.burst = self._floor(ready * total - self.knobs.burst_capacity - panic_average)

    def _clamped(self, need: int, pods: int) -> int:
        config = self.knobs.config
        most = math.ceil(config.max_scale_up_rate * pods)
        least = math.floor(pods / config.max_scale_down_rate) if self.knobs.reachable else 0
        number = min(max(need, least), most)
        activation = self.knobs.count("activation-scale", 0)
        return max(number, activation) if activation > 1 and need > 0 else number

    def _panic(self, over: float, now: float) -> None:
        default = self.knobs.config.panic_threshold_percentage
        threshold = self.knobs.number("panic-threshold-percentage", default)
        if over >= threshold / 100.0:
            self.panic_since = now
        elif self.panic_since is not None and self.panic_since + self.knobs.window < now:
            self.panic_since, self.panic_most = None, 0

    def _delayed(self, desired: int, now: float) -> int:
        if not self.knobs.reachable or self.knobs.delay <= 0:
            return desired
        slot = math.floor(now) // 2
        slots = math.ceil(self.knobs.delay / 2)
        self.recommended = [each for each in self.recommended if each[0] > slot - slots]
        self.recommended.append((slot, desired))
        return max(number for _, number in self.recommended)

    def _ceil(self, number: float) -> int:
        self._see(number)
        return math.ceil(number)

    def _floor(self, number: float) -> int:
        self._see(number)
        return math.floor(number)

    def _see(self, number: float) -> None:
        """A weighted average may differ in its last bits; a linear one has six digits."""
        is_exact = not self.rings[self.knobs.metric].weighted or self.averages == (0.0, 0.0)
        self.near |= not is_exact and round(number) != 0 and abs(number - round(number)) < 1e-9

    def reconcile(self, *, replicas: int, ready: int, now: float) -> int | None:
        """1.8 to 1.10, one pass; what is written to the Deployment, None for nothing."""
        want, write = self._scale(now)
        serves = want > 0 and self.burst >= 0
        self.mode = "Serve" if serves and ready > 0 else "Proxy"  # what the SKS makes of it
        self._set_proxy(now)
        if want != UNKNOWN or self.status_scale < 0:
            self.status_scale = want
        self._set_active(want, ready, now)
        return want if write and want != replicas else None

    def _scale(self, now: float) -> tuple[int, bool]:  # 1.8 scale()
        desired = self.desired
        if desired < 0 and self.active != "Unknown":
            return desired, False
        low, high = self.knobs.bounds
        initial = self.knobs.initial_scale
        if initial > 1 and not self.initialized and self.knobs.reachable:
            low = max(low, initial)
        if desired < low:
            desired = low
        elif high != 0 and desired > high:
            desired = high
        return (desired, True) if desired != 0 else self._scale_to_zero(now)

    def _scale_to_zero(self, now: float) -> tuple[int, bool]:  # 1.8 handleScaleToZero
        config = self.knobs.config
        if not config.enable_scale_to_zero:
            return 1, True
        lasted = now - self.active_since
        if self.active == "Unknown":
            deadline = self.knobs.seconds("progress-deadline", config.progress_deadline)
            return (0, True) if lasted > deadline + 30 else (UNKNOWN, False)  # [go] not >=
        if self.active == "True":
            return (0, False) if lasted >= self.knobs.window else (1, True)
        retention = 0.0
        if self.knobs.reachable:
            retention = self.knobs.seconds(
                "scale-to-zero-pod-retention-period", config.retention_period
            )
        # The activator always answers the probe: it is what the autoscaler is told by.
        if lasted >= max(config.grace_period, retention):
            return 0, True
        if lasted < retention:
            return 0, False
        proxied = 0.0 if self.proxy_since is None else now - self.proxy_since
        return 0, proxied >= config.grace_period

    def _set_proxy(self, now: float) -> None:  # 1.9
        if self.mode == "Serve":
            self.proxy_since = None
        elif self.proxy_since is None:
            self.proxy_since = now

    def activators(self, ready: int) -> int:  # 1.9
        capacity = self.knobs.burst_capacity
        if capacity == 0:
            return 2
        covered = ready * self.knobs.target_and_total[1] + max(capacity, 0.0)
        return max(2, math.ceil(covered / self.knobs.config.activator_capacity))

    @property
    def min_ready(self) -> int:  # 1.10
        low, _ = self.knobs.bounds
        return max(low, 1 if self.initialized else self.knobs.initial_scale)

    def _set_active(self, want: int, ready: int, now: float) -> None:  # 1.10
        least = self.min_ready
        self.initialized |= ready >= least
        before = self.active
        if want == 0 or least == 0:
            timed_out = before == "Unknown" and least > 0
            self.active, self.active_reason = "False", "TimedOut" if timed_out else "NoTraffic"
        elif before == "False" and want == UNKNOWN:
            self.active_reason = "NoTraffic" if ready < least else self.active_reason
        elif ready < least:
            self.active, self.active_reason = "Unknown", "Queued"
        else:
            self.active, self.active_reason = "True", ""
        if self.active != before:
            self.active_since = now

    @property
    def conditions(self) -> dict[str, tuple[str, str]]:
        """Type to status and reason; Ready without SKSReady, which we do not have."""
        return {
            "Active": (self.active, self.active_reason),
            "ScaleTargetInitialized": ("True" if self.initialized else "Unknown", ""),
        }
