"""How loaded replicas are that requests reach past the activators: some are asked for all.

For: which Pods to ask this second, and one load from what they count (knative/serving,
     pkg/autoscaler/metrics: sample_size.go, stats_scraper.go).
Must not know: sockets, clocks, dice, what is decided from it.

Replicas count for ever (predictor/stats.py), so any number may ask, and a second in which one did
not answer is in its next answer. What came through an activator was counted there and is taken
off. A Pod that does not answer counts as those that do, on average; if fewer than half do, nothing
is known. Of many Pods a sample is asked; every second its eldest member goes, and another that was
asked for its counters once before takes its place.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

_ALL_UP_TO = 3  # so few Pods are asked all
# Cochran's formula at 95 % confidence, a standard deviation of 100 and a margin of 5.
_SPREAD: Final = 1.96**2 * 100 / 5**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What one replica has counted, of requests that passed no activator."""

    time_s: float  # its own clock
    concurrency_s: float  # the integral of requests that were there
    requests: float

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "Counters":
        """From the answer at /relight/stats; KeyError, TypeError or ValueError if it is none."""
        numbers = [
            float(raw["time_s"]),
            float(raw["concurrency_seconds"]) - float(raw["proxied_concurrency_seconds"]),
            float(raw["requests"]) - float(raw["proxied_requests"]),
        ]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"counters that are no numbers: {numbers}")
        return cls(time_s=numbers[0], concurrency_s=numbers[1], requests=numbers[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The load of all replicas since they were measured last, but for what activators saw."""

    concurrency: float
    requests_per_s: float


def sample_size(population: int) -> int:
    """So many Pods speak for all; it grows to 16."""
    if population <= _ALL_UP_TO:
        return population
    return math.ceil(population * _SPREAD / (population + _SPREAD - 1))


class Sampler:
    """The replicas of one Revision. `draw` gives a number in [0, 1)."""

    __slots__ = ("_counters", "_draw", "_sample", "_seen_s")

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._sample: list[str] = []  # the eldest first
        self._seen_s: dict[str, float] = {}
        self._counters: dict[str, Counters] = {}

    def ask(self, pods: Collection[str], *, window_s: float, now_s: float) -> list[str]:
        """Whom to ask. Pods seen for less than `window_s` are asked where there are no others."""
        self._seen_s = {name: self._seen_s.get(name, now_s) for name in pods}
        size = sample_size(len(self._seen_s))
        if size == len(self._seen_s):
            self._sample = list(self._seen_s)
        else:
            kept = [name for name in self._sample if name in self._seen_s]
            kept = kept[max(0, len(kept) - size) :]  # one beside them was asked for the first time
            others = [name for name in self._seen_s if name not in set(kept)]
            drawn = {name: self._draw() for name in others}
            others.sort(key=lambda name: (now_s - self._seen_s[name] < window_s, drawn[name]))
            self._sample = kept + others[: size + 1 - len(kept)]
        asked = set(self._sample)
        self._counters = {name: each for name, each in self._counters.items() if name in asked}
        return list(self._sample)

    def heard(self, answers: Mapping[str, Counters]) -> Measured | None:
        """The load of all, by the answers of those asked; None: too few can tell."""
        count = len(self._seen_s)
        concurrency, requests_per_s, tellers = 0.0, 0.0, 0
        for name, after in answers.items():
            before, self._counters[name] = self._counters.get(name), after
            is_another = before is not None and (
                after.time_s <= before.time_s or after.requests < before.requests
            )
            if before is None or is_another:
                continue  # asked for the first time, or another process by now
            elapsed_s = after.time_s - before.time_s
            concurrency += max(0.0, after.concurrency_s - before.concurrency_s) / elapsed_s
            requests_per_s += max(0.0, after.requests - before.requests) / elapsed_s
            tellers += 1
        if not tellers or 2 * tellers < sample_size(count):
            return None
        share = count / tellers
        return Measured(concurrency=concurrency * share, requests_per_s=requests_per_s * share)
