"""The load report that activators send to the autoscaler.

For: the one shape in which load is told.
Must not know: who sends it, how, or what is decided from it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """The load of one Revision, seen by one reporter over one period.

    `average_concurrency` is time-weighted: the integral of requests held or executing,
    divided by the period (Knative's RequestStats). `queued` and `queued_bytes` are the
    length of the queue now. `is_poke` asks for a decision at once: requests wait and no
    replica exists.
    """

    namespace: str
    revision: str
    reporter: str
    time_s: float  # the reporter's monotonic clock when the period ended
    average_concurrency: float
    requests_per_s: float
    queued: int = 0
    queued_bytes: int = 0
    is_poke: bool = False
