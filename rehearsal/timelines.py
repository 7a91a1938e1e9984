"""A run by time: what a chart of load, replicas and waits is drawn from.

For: numbers of replicas as steps, and every request with what it waited.
Must not know: how wide a chart is, how it is drawn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from rehearsal.runs import Run

Steps = Sequence[tuple[float, float]]  # from that time on, that number


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What happened from 0 to `span_s`. Steps begin with 0 s; requests are by arrival."""

    span_s: float
    requests: Sequence[tuple[float, float]]  # arrival, service time
    waits: Sequence[tuple[float, float]]  # arrival, seconds until forwarded
    ready: Steps  # replicas; those that drain are among them
    starting: Steps
    frozen: Steps


def timeline(run: Run) -> Timeline:
    """Order a run by time; O(n log n) in requests and replicas."""
    lives = run.lives
    by_arrival = sorted(range(len(run.arrivals)), key=run.arrivals.__getitem__)
    return Timeline(
        span_s=run.end_s,
        requests=[(run.arrivals[each], run.services[each]) for each in by_arrival],
        waits=[(run.arrivals[each], run.waits[each]) for each in by_arrival],
        ready=steps((each.ready_s, each.ended_s) for each in lives),
        starting=steps((each.born_s, min(each.ready_s, each.ended_s)) for each in lives),
        frozen=steps(run.frozen),
    )


def steps(spans: Iterable[tuple[float, float]]) -> Steps:
    """How many of the spans cover each moment from 0 on."""
    kept = [(max(since_s, 0.0), until_s) for since_s, until_s in spans]
    kept = [(since_s, until_s) for since_s, until_s in kept if until_s > since_s]
    changes = sorted(
        chain(
            ((since_s, 1) for since_s, _ in kept),
            ((until_s, -1) for _, until_s in kept),
        )
    )
    result: list[tuple[float, float]] = [(0.0, 0.0)]
    number = 0
    for at_s, change in changes:
        number += change
        if result[-1][0] == at_s:
            result[-1] = at_s, float(number)
        else:
            result.append((at_s, float(number)))
    return result
