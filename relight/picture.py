"""What a chart of a rehearsal shows, as numbers: bins, steps, scales.

For: one picture that two renderers draw alike, however long the trace is.
Must not know: SVG, pixels, colours, or how the numbers came about.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import chain

BINS = 360  # columns of a chart: more are not told apart on a screen
_BIN_LENGTHS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_TICK_LENGTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)
_DAY_S = 86_400
WAIT_FLOOR_S = 0.001  # a shorter wait is none

Steps = Sequence[tuple[float, float]]  # from that time on, that number


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one policy did, as the rehearsal tells it."""

    name: str
    ready: Steps
    starting: Steps
    waits: Iterable[tuple[float, float]]  # time of arrival, seconds waited


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One policy in the picture. Numbers are the largest of each bin."""

    name: str
    ready: tuple[float, ...]
    whole: tuple[float, ...]  # ready and starting
    waits: tuple[tuple[float, float], ...]  # middle of a bin, the longest wait begun in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything that is drawn. Bin `i` covers `i * bin_s` to `(i + 1) * bin_s`."""

    title: str
    notes: tuple[str, ...]  # what was assumed
    span_s: float
    bin_s: float
    rates: tuple[float, ...]  # requests a second
    needed: tuple[float, ...]  # requests at once if none ever waited, the most of each bin
    capacity: int  # of one replica; 0: no limit
    lanes: tuple[Lane, ...]

    @property
    def needed_replicas(self) -> tuple[float, ...]:
        """What would have carried the load of each bin without a wait."""
        per_replica = self.capacity or math.inf
        return tuple(math.ceil(n / per_replica) if n else 0 for n in self.needed)

    @property
    def replicas_max(self) -> float:
        """The most that any lane shows."""
        tops = [max(lane.whole, default=0) for lane in self.lanes]
        return max(1, *tops, *self.needed_replicas)

    @property
    def wait_max_s(self) -> float:
        """The longest wait in any lane."""
        return max((wait for lane in self.lanes for _, wait in lane.waits), default=0.0)


def draw(
    *,
    title: str,
    notes: Sequence[str],
    requests: Sequence[tuple[float, float]],
    capacity: int,
    span_s: float,
    runs: Sequence[Run],
) -> Picture:
    """Cut everything into bins. `requests` are (arrival, service time), in order of arrival."""
    bin_s = _at_least(_BIN_LENGTHS_S, span_s / BINS)
    count = max(1, math.ceil(span_s / bin_s))
    rates = [0.0] * count
    for arrival_s, _ in requests:
        rates[min(count - 1, int(arrival_s / bin_s))] += 1 / bin_s
    return Picture(
        title=title,
        notes=tuple(notes),
        span_s=count * bin_s,
        bin_s=bin_s,
        rates=tuple(rates),
        needed=_tops(_in_flight(requests), bin_s, count),
        capacity=capacity,
        lanes=tuple(_lane(run, bin_s, count) for run in runs),
    )


def _lane(run: Run, bin_s: float, count: int) -> Lane:
    worst: dict[int, float] = {}
    for arrival_s, wait_s in run.waits:
        if wait_s > WAIT_FLOOR_S:
            at = min(count - 1, int(arrival_s / bin_s))
            worst[at] = max(worst.get(at, 0.0), wait_s)
    return Lane(
        name=run.name,
        ready=_tops(run.ready, bin_s, count),
        whole=_tops(_sum(run.ready, run.starting), bin_s, count),
        waits=tuple(((at + 0.5) * bin_s, wait) for at, wait in sorted(worst.items())),
    )


def _in_flight(requests: Sequence[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    """The number of requests at once when each runs on arrival."""
    ends: list[float] = []
    for arrival_s, service_s in requests:
        while ends and ends[0] <= arrival_s:
            end_s = heappop(ends)
            yield end_s, len(ends)
        heappush(ends, arrival_s + service_s)
        yield arrival_s, len(ends)
    while ends:
        end_s = heappop(ends)
        yield end_s, len(ends)


def _tops(steps: Iterable[tuple[float, float]], bin_s: float, count: int) -> tuple[float, ...]:
    """The largest number that stood for some time in each bin; before the first step it is 0."""
    tops = [0.0] * count
    began_s, value = 0.0, 0.0
    for at_s, new in chain(steps, ((count * bin_s, 0.0),)):
        if value and at_s > began_s:
            for i in range(int(began_s / bin_s), min(count, math.ceil(at_s / bin_s))):
                tops[i] = max(tops[i], value)
        began_s, value = max(began_s, at_s), new
    return tuple(tops)


def _sum(one: Steps, other: Steps) -> list[tuple[float, float]]:
    """The steps of both numbers together."""
    starts = sorted({at for at, _ in one} | {at for at, _ in other})
    return [(at, _value(one, at) + _value(other, at)) for at in starts]


def _value(steps: Steps, at_s: float) -> float:
    before = bisect_right(steps, at_s, key=lambda step: step[0])
    return steps[before - 1][1] if before else 0.0


def _at_least(lengths: Sequence[float], least: float) -> float:
    """The shortest of the round lengths that is enough; whole days beyond the last."""
    fitting = next((length for length in lengths if length >= least), None)
    return fitting if fitting is not None else math.ceil(least / _DAY_S) * _DAY_S


def time_ticks(span_s: float, *, at_most: int = 9) -> list[tuple[float, str]]:
    """Round times from 0 on, each with its label: in seconds, minutes or hours."""
    step_s = _at_least(_TICK_LENGTHS_S, span_s / at_most)
    unit, name = (1.0, "s") if span_s < 180 else (60.0, "min") if span_s < 10_800 else (3600.0, "h")
    times = [i * step_s for i in range(int(span_s / step_s + 1e-9) + 1)]
    return [(at, "0" if not at else f"{at / unit:g} {name}") for at in times]


def number_ticks(top: float, *, at_most: int = 5) -> list[float]:
    """Round numbers from 0 to the first that is not under `top`."""
    rough = max(top, 1e-9) / max(1, at_most - 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= rough * (1 - 1e-9))
    return [i * step for i in range(math.ceil(top / step - 1e-9) + 1)]


def wait_ticks(top_s: float) -> list[tuple[float, str]]:
    """Powers of ten from 1 ms to the first that is not under `top_s`."""
    found, at = [(1e-3, "1 ms")], -3
    while found[-1][0] < top_s * (1 - 1e-9) or at < 0:
        at += 1
        value = 10.0**at
        found.append((value, f"{value * 1000:g} ms" if at < 0 else f"{value:g} s"))
    return found


def height_of(wait_s: float, *, top_s: float) -> float:
    """Where a wait stands on a logarithmic scale from 1 ms (0) to `top_s` (1)."""
    return max(0.0, math.log10(wait_s / WAIT_FLOOR_S)) / math.log10(top_s / WAIT_FLOOR_S)
