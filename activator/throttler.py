"""Hold the requests of one Revision until a replica has room for them.

For: deciding which request goes where, in what order, and when to give up on one.
Must not know: sockets, tasks, clocks, Kubernetes, or what is in a request.
"""

import enum
import heapq
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from activator.balancing import Balancer

E = TypeVar("E")  # an endpoint, hashable
R = TypeVar("R")  # a request, hashable

_STALE_MAX = 64  # deadlines of requests that are held no more, before the heap is rebuilt


class Refusal(enum.Enum):
    """Why a request is given up. `errors.py` says what that means in HTTP."""

    QUEUE_FULL = "QueueFull"
    QUEUE_BYTES = "QueueBytes"
    DEADLINE = "DeadlineExceeded"
    REVISION_FAILED = "RevisionFailed"
    REVISION_GONE = "RevisionGone"
    SHUTTING_DOWN = "ShuttingDown"


class Forward(NamedTuple, Generic[R, E]):
    """Send this request to this endpoint; a slot is taken for it."""

    request: R
    endpoint: E


class Refuse(NamedTuple, Generic[R]):
    """Answer this request with a refusal; it is held no more."""

    request: R
    why: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottlerStatistics:
    """What is held and what runs, now."""

    queued: int
    queued_bytes: int
    executing: int
    ready_endpoints: int


class _Held(NamedTuple):
    number: int
    size: int
    deadline_s: float


class Throttler(Generic[R, E]):
    """One FIFO queue, and the slots of the endpoints behind it.

    Every request that `admit` let through or that was told in a Forward occupies a slot until
    `finished`, `abandoned` or `returned`. Cost an event: O(log n) in the queue, O(1) without.
    """

    def __init__(self, *, capacity: int, depth_max: int, bytes_max: int) -> None:
        """`capacity` is container concurrency: slots per endpoint, 0 for no limit."""
        self._balancer: Balancer[E] = Balancer(capacity)
        self._depth_max = depth_max
        self._bytes_max = bytes_max
        self._queue: OrderedDict[R, _Held] = OrderedDict()
        self._queued_bytes = 0
        self._deadlines: list[tuple[float, int, R]] = []
        self._numbers = 0
        self._executing: dict[R, E] = {}

    @property
    def queued(self) -> int:
        """How many requests are held."""
        return len(self._queue)

    @property
    def queued_bytes(self) -> int:
        """The sum of their sizes."""
        return self._queued_bytes

    @property
    def executing(self) -> Collection[R]:
        """The requests that occupy a slot."""
        return self._executing.keys()

    @property
    def running(self) -> int:
        """How many of them there are."""
        return len(self._executing)

    @property
    def held(self) -> Collection[R]:
        """The requests that wait, the longest first."""
        return self._queue.keys()

    @property
    def oldest(self) -> R | None:
        """The request that is held the longest; None when none is."""
        return next(iter(self._queue), None)

    @property
    def busy(self) -> Collection[E]:
        """The endpoints on which something runs. Cost: linear in what runs."""
        return set(self._executing.values())

    @property
    def has_ready_endpoints(self) -> bool:
        """Whether any endpoint may be used, with room or without."""
        return bool(self._balancer.ready)

    def in_use(self, endpoint: E) -> int:
        """How many requests run on an endpoint, ready or not."""
        return self._balancer.in_use(endpoint)

    def statistics(self) -> ThrottlerStatistics:
        """What is held and what runs, now."""
        return ThrottlerStatistics(
            queued=len(self._queue),
            queued_bytes=self._queued_bytes,
            executing=len(self._executing),
            ready_endpoints=len(self._balancer.ready),
        )

    def admit(self, request: R) -> E | None:
        """A new request gets a slot at once, or None: then `hold` it."""
        if self._queue:
            return None
        endpoint = self._balancer.take()
        if endpoint is not None:
            self._executing[request] = endpoint
        return endpoint

    def hold(self, request: R, *, size: int, deadline_s: float) -> Refusal | None:
        """Queue a request that `admit` had no room for; or say why it cannot be held."""
        if len(self._queue) >= self._depth_max:
            return Refusal.QUEUE_FULL
        if self._queued_bytes + size > self._bytes_max:
            return Refusal.QUEUE_BYTES
        self._enqueue(request, size, deadline_s)
        return None

    def finished(self, request: R) -> Sequence[Forward[R, E]]:
        """A request is over: its slot goes to the one that waits longest."""
        self._balancer.free(self._executing.pop(request))
        return self._drain() if self._queue else ()

    def abandoned(self, request: R) -> Sequence[Forward[R, E]]:
        """The client of a request left, held or running."""
        if request in self._executing:
            return self.finished(request)
        self._dequeue(request)
        return ()

    def returned(
        self, request: R, *, size: int, deadline_s: float, is_usable: bool
    ) -> Sequence[Forward[R, E]]:
        """Nothing of this request reached its endpoint: it waits again, before all others.

        Unless `is_usable`, the endpoint is not ready any more. A returned request may
        exceed the queue's limits: it was admitted once.
        """
        endpoint = self._executing.pop(request)
        if not is_usable and endpoint in self._balancer.ready:
            self._balancer.change([each for each in self._balancer.ready if each != endpoint])
        self._balancer.free(endpoint)
        self._enqueue(request, size, deadline_s)
        self._queue.move_to_end(request, last=False)
        return self._drain()

    def endpoints_changed(self, ready: Collection[E]) -> Sequence[Forward[R, E]]:
        """Which endpoints may be used from now on."""
        self._balancer.change(ready)
        return self._drain()

    def expire(self, *, now_s: float) -> list[Refuse[R]]:
        """Give up on held requests whose deadline has come (a deadline at `now_s` has)."""
        refused: list[Refuse[R]] = []
        while self._deadlines and self._deadlines[0][0] <= now_s:
            _, number, request = heapq.heappop(self._deadlines)
            held = self._queue.get(request)
            if held is not None and held.number == number:
                self._dequeue(request)
                refused.append(Refuse(request, Refusal.DEADLINE))
        return refused

    def give_up(self, why: Refusal) -> list[Refuse[R]]:
        """Give up on all held requests."""
        refused = [Refuse(request, why) for request in self._queue]
        self._queue.clear()
        self._deadlines.clear()
        self._queued_bytes = 0
        return refused

    def next_deadline_s(self) -> float | None:
        """When to call `expire` next; None while nothing is held."""
        deadlines = self._deadlines
        while deadlines:
            deadline_s, number, request = deadlines[0]
            held = self._queue.get(request)
            if held is not None and held.number == number:
                return deadline_s
            heapq.heappop(deadlines)
        return None

    def _enqueue(self, request: R, size: int, deadline_s: float) -> None:
        assert request not in self._queue, "held twice"
        self._numbers += 1
        self._queue[request] = _Held(self._numbers, size, deadline_s)
        self._queued_bytes += size
        heapq.heappush(self._deadlines, (deadline_s, self._numbers, request))

    def _dequeue(self, request: R) -> None:
        self._queued_bytes -= self._queue.pop(request).size
        self._forget_stale()

    def _drain(self) -> list[Forward[R, E]]:
        forwards: list[Forward[R, E]] = []
        while self._queue and (endpoint := self._balancer.take()) is not None:
            request, held = self._queue.popitem(last=False)
            self._queued_bytes -= held.size
            self._executing[request] = endpoint
            forwards.append(Forward(request, endpoint))
        self._forget_stale()
        return forwards

    def _forget_stale(self) -> None:
        """Keep the heap in proportion to the queue: amortised O(1)."""
        if len(self._deadlines) > 2 * len(self._queue) + _STALE_MAX:
            self._deadlines = [
                (held.deadline_s, held.number, request) for request, held in self._queue.items()
            ]
            heapq.heapify(self._deadlines)
