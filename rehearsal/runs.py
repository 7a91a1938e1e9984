"""What a rehearsal leaves behind: the raw record that scores and charts are made from.

For: one shape for whatever was rehearsed; several Revisions' records as one.
Must not know: policies, percentiles, prices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WARM = 0  # what a request found: a ready replica, with room or without
COLD = 1  # a replica that became ready after it came
RESUMED = 2  # such a one that had been frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One replica from its start to its end; a frozen one's next life is another."""

    born_s: float
    ready_s: float  # when it was, or would have been
    ended_s: float
    busy_s: float  # in which at least one request executed
    last_s: float  # when its last request ended; `ready_s` if it never had one
    is_resumed: bool = False  # it came out of the freezer


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that happened. `waits`, `services` and `found` follow `arrivals`."""

    arrivals: Sequence[float]
    services: Sequence[float]  # seconds at a replica
    waits: Sequence[float]  # seconds from arrival until forwarded
    found: Sequence[int]  # WARM, COLD or RESUMED
    lives: Sequence[Life]
    frozen: Sequence[tuple[float, float]]  # spans in which a replica lay frozen
    cold_starts: int  # how often it left zero
    end_s: float  # until then replicas were counted, from 0 on


def merged(runs: Sequence[Run]) -> Run:
    """Return several Revisions' runs over one span of time as one."""
    if len(runs) == 1:
        return runs[0]
    return Run(
        arrivals=[each for run in runs for each in run.arrivals],
        services=[each for run in runs for each in run.services],
        waits=[each for run in runs for each in run.waits],
        found=[each for run in runs for each in run.found],
        lives=[each for run in runs for each in run.lives],
        frozen=[each for run in runs for each in run.frozen],
        cold_starts=sum(run.cold_starts for run in runs),
        end_s=max((run.end_s for run in runs), default=0.0),
    )
