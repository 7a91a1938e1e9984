"""What the replicas of one Revision last said of their load, and what that comes to.

For: tokens in flight and queue delay, for the autoscaler, from reports that come with answers.
Must not know: headers, clocks, what is decided from it.

A report stands for STALE_S. Where nothing runs, nothing is carried, whatever a replica said with
its last answer. A replica at work without a fresh report counts as the mean of those with one, and
so does a request that is held: it will be somebody's work.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from api.load_reports import LoadReport

STALE_S = 10.0

E = TypeVar("E")  # a replica, hashable


class _Heard(NamedTuple):
    at_s: float
    report: LoadReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the autoscaler is told. None: no replica said."""

    tokens_in_flight: float | None = None
    queue_delay_s: float | None = None


UNTOLD = Told()


class ReplicaLoads(Generic[E]):
    """The latest report of each replica. A report costs O(1), a look O(the replicas at work)."""

    def __init__(self) -> None:
        self._heard: dict[E, _Heard] = {}
        self.unreadable = 0  # reports that were none

    def __len__(self) -> int:
        """How many replicas are remembered."""
        return len(self._heard)

    def record(self, replica: E, report: LoadReport, now_s: float) -> None:
        """A replica said this."""
        self._heard[replica] = _Heard(now_s, report)

    def look(
        self, busy: Collection[E], *, executing: int, queued: int, oldest_s: float, now_s: float
    ) -> Told:
        """What it comes to: something runs on `busy`, and the first in line waits `oldest_s`."""
        self._forget(now_s)
        if not busy and not queued:
            return Told(tokens_in_flight=0.0, queue_delay_s=0.0)
        fresh = [self._heard[each].report for each in busy if each in self._heard]
        tokens = [each.tokens_in_flight for each in fresh if each.tokens_in_flight is not None]
        delays = [each.queue_delay_s for each in fresh if each.queue_delay_s is not None]
        if queued:
            delays.append(oldest_s)
        total: float | None = None
        if tokens:
            running = sum(tokens) * len(busy) / len(tokens)
            total = running * (1 + queued / executing)
        return Told(tokens_in_flight=total, queue_delay_s=max(delays, default=None))

    def _forget(self, now_s: float) -> None:
        stale = [each for each, heard in self._heard.items() if now_s - heard.at_s > STALE_S]
        for each in stale:
            del self._heard[each]
