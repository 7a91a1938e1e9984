"""Admit, queue or refuse requests within the container concurrency of one replica.

For: keeping the hard limit for callers that reach the replica directly, as Knative's breaker.
Must not know: sockets, models, clocks, or what is in a request.
"""

import enum
from dataclasses import dataclass
from typing import Generic, TypeVar

QUEUE_PER_SLOT = 10  # Knative: queueDepth = 10 * containerConcurrency (pkg/queue/sharedmain)
UNLIMITED_SLOTS = 10_000  # "no limit" still ends somewhere: a request holds its body in memory

Token = TypeVar("Token")


class Admission(enum.Enum):
    """What happens to a request that arrives."""

    ADMITTED = "admitted"
    QUEUED = "queued"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateStatistics:
    """How full the gate is."""

    running: int
    running_max: int
    queued: int
    queued_max: int


class Gate(Generic[Token]):
    """First come, first served; every event costs O(1)."""

    def __init__(self, container_concurrency: int) -> None:
        assert container_concurrency >= 0
        self.running = 0
        self._running_max = container_concurrency or UNLIMITED_SLOTS
        self._queued_max = QUEUE_PER_SLOT * container_concurrency
        self._queue: dict[Token, None] = {}

    def arrived(self, request: Token) -> Admission:
        """Take a slot, or a place in the queue, or nothing."""
        if self.running < self._running_max:
            assert not self._queue, "nobody waits beside a free slot"
            self.running += 1
            return Admission.ADMITTED
        if len(self._queue) < self._queued_max:
            self._queue[request] = None
            return Admission.QUEUED
        return Admission.REFUSED

    def finished(self) -> Token | None:
        """One admitted request is over; the request that gets its slot, if one waits."""
        assert self.running > 0
        if self._queue:
            request = next(iter(self._queue))
            del self._queue[request]
            return request
        self.running -= 1
        return None

    def abandoned(self, request: Token) -> bool:
        """A request no longer wants its place; False when it is not waiting."""
        if request in self._queue:
            del self._queue[request]
            return True
        return False

    def statistics(self) -> GateStatistics:
        """How full the gate is now."""
        return GateStatistics(
            running=self.running,
            running_max=self._running_max,
            queued=len(self._queue),
            queued_max=self._queued_max,
        )
