"""A run by time: what a chart of load, replicas and waits is drawn from.

For: averages over equal bins, so that areas under the curves are replica-seconds.
Must not know: how it is drawn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rehearsal.runs import Run
from rehearsal.scores import percentile

Spans = Iterable[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One value a bin in each. Bin i begins at `i * bin_s`; what came before 0 is left out."""

    bin_s: float
    arrivals: tuple[int, ...]  # requests that came
    load: tuple[float, ...]  # requests held or executing, on average
    ready: tuple[float, ...]  # replicas, on average; draining ones among them
    starting: tuple[float, ...]
    frozen: tuple[float, ...]
    wait_p95_s: tuple[float, ...]  # of the requests that came in the bin
    wait_max_s: tuple[float, ...]


def timeline(run: Run, *, bins: int) -> Timeline:
    """Cut a run into so many bins; linear in requests, replicas and bins."""
    assert bins > 0
    bin_s = run.end_s / bins or 1.0
    flights = (
        (arrival_s, arrival_s + wait_s + service_s)
        for arrival_s, wait_s, service_s in zip(run.arrivals, run.waits, run.services, strict=True)
    )
    waits = _waits(run, bins, bin_s)
    return Timeline(
        bin_s=bin_s,
        arrivals=tuple(len(each) for each in waits),
        load=averages(flights, bins, bin_s),
        ready=averages(((each.ready_s, each.ended_s) for each in run.lives), bins, bin_s),
        starting=averages(
            ((each.born_s, min(each.ready_s, each.ended_s)) for each in run.lives), bins, bin_s
        ),
        frozen=averages(run.frozen, bins, bin_s),
        wait_p95_s=tuple(percentile(each, 0.95) for each in waits),
        wait_max_s=tuple(each[-1] if each else 0.0 for each in waits),
    )


def averages(spans: Spans, bins: int, bin_s: float) -> tuple[float, ...]:
    """How many of the spans cover each bin, on average; O(1) a span."""
    whole = [0] * (bins + 1)  # changes of how many cover a bin wholly
    parts = [0.0] * bins
    for since_s, until_s in spans:
        since, until = max(since_s, 0.0) / bin_s, min(until_s / bin_s, float(bins))
        if until <= since:
            continue
        first, last = int(since), int(until)
        if first == last:
            parts[first] += until - since
            continue
        parts[first] += first + 1 - since
        whole[first + 1] += 1
        whole[last] -= 1
        if last < bins:
            parts[last] += until - last
    covering, result = 0, []
    for index in range(bins):
        covering += whole[index]
        result.append(covering + parts[index])
    return tuple(result)


def _waits(run: Run, bins: int, bin_s: float) -> Sequence[list[float]]:
    waits: list[list[float]] = [[] for _ in range(bins)]
    for arrival_s, wait_s in zip(run.arrivals, run.waits, strict=True):
        waits[min(int(arrival_s / bin_s), bins - 1)].append(wait_s)
    for each in waits:
        each.sort()
    return waits
