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
    replica exists. A crowd asks likewise: requests wait although replicas are ready, many more
    than they can take soon; then `queued` counts those that execute, too. Class kpa has no crowds.

    `tokens_in_flight` and `queue_delay_s` are what the replicas say of themselves, all of them
    together and the worst of them, for Revisions that scale on that; None: not reported. They
    tell of replicas, not of one reporter's requests: of several reporters the largest counts.
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
    is_crowd: bool = False  # a poke of replicas that are ready
    tokens_in_flight: float | None = None
    queue_delay_s: float | None = None
