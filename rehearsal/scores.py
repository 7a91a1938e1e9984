"""One line of a table: what a policy made its requests wait, and what it cost.

For: the definitions of every number that is compared.
Must not know: what was rehearsed, how a number is printed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rehearsal.runs import COLD, RESUMED, Life, Run

WAIT_MIN_S = 0.001  # who waits no longer did not wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The numbers. Replica-seconds: each replica is busy, idle or starting at any moment."""

    requests: int
    wait_mean_s: float
    wait_p50_s: float  # nearest rank, as all percentiles
    wait_p95_s: float
    wait_p99_s: float
    wait_max_s: float
    waits: int  # requests that waited over 1 ms for whatever reason
    cold_waits: int  # requests whose replica became ready only after they came
    resumed_waits: int  # likewise, but the replica was resumed from frozen; not in `cold_waits`
    cold_starts: int  # how often the Revision left zero replicas
    starts: int  # replicas started
    resumes: int  # replicas resumed from frozen; not in `starts`
    busy_s: float  # at least one request executed
    idle_s: float  # ready, and nothing executed
    starting_s: float  # ordered, and not ready yet
    wasted_s: float  # the part of idle after a replica's last request, which served nothing
    frozen_s: float  # counted apart: it holds memory, and no processor
    span_s: float  # from the first arrival until replicas were counted no more

    @property
    def replica_s(self) -> float:
        """Replica-seconds: busy, idle and starting; not frozen."""
        return self.busy_s + self.idle_s + self.starting_s

    def cost(self, price: float, *, frozen_price: float = 0.0) -> float:
        """What it costs at a price for a replica's second, and for a frozen one's."""
        return self.replica_s * price + self.frozen_s * frozen_price


def score(run: Run) -> Score:
    """Return the numbers of a run; O(n log n) in its requests."""
    waits = sorted(run.waits)
    ready_s = sum(max(0.0, life.ended_s - life.ready_s) for life in run.lives)
    busy_s = math.fsum(life.busy_s for life in run.lives)
    resumes = sum(1 for life in run.lives if life.is_resumed)
    return Score(
        requests=len(waits),
        wait_mean_s=math.fsum(waits) / len(waits) if waits else 0.0,
        wait_p50_s=percentile(waits, 0.50),
        wait_p95_s=percentile(waits, 0.95),
        wait_p99_s=percentile(waits, 0.99),
        wait_max_s=waits[-1] if waits else 0.0,
        waits=sum(1 for wait_s in waits if wait_s > WAIT_MIN_S),
        cold_waits=sum(1 for each in run.found if each == COLD),
        resumed_waits=sum(1 for each in run.found if each == RESUMED),
        cold_starts=run.cold_starts,
        starts=len(run.lives) - resumes,
        resumes=resumes,
        busy_s=busy_s,
        idle_s=max(0.0, ready_s - busy_s),
        starting_s=math.fsum(min(each.ready_s, each.ended_s) - each.born_s for each in run.lives),
        wasted_s=math.fsum(_wasted_s(life) for life in run.lives),
        frozen_s=math.fsum(until_s - since_s for since_s, until_s in run.frozen),
        span_s=run.end_s,
    )


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """Return the smallest value that at least that fraction does not exceed; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(fraction * len(ordered) - 1e-9) - 1)]


def _wasted_s(life: Life) -> float:
    return max(0.0, life.ended_s - max(life.last_s, life.ready_s))
