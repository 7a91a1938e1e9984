"""Which waiting requests run together, and how long one waits for others.

For: one run of many rows where a model gains by it, without delaying those who come alone.
Must not know: clocks, models, tensors, or what a request is: it has a token, a key and rows.

Requests of one key can be joined; those of other keys wait for their turn. The oldest request
decides whose turn it is, and takes those of its key along in the order they came, while the
rows fit. One that is larger than a batch runs alone; so does one without a key. One batch runs
at a time: what comes meanwhile gathers without waiting for anything else.

While nothing runs, a request waits only as long as another is likely. `gap` is how far apart
arrivals lately were that overlapped, that is, came while another was in hand. A batch closes
when it is full, when its oldest member has waited `delay_s` (or half the time it has left), or
when PATIENCE gaps passed without an arrival; and at once where the next arrival is expected
after that end. Nor does anyone wait longer than a run takes lately, for joining saves no more:
a model of microseconds gains nothing by a wait of milliseconds. Nor less than WAIT_MIN_S, which
timers would turn into a millisecond.

Nothing overlapped yet: the gap is infinite and nobody waits. Each stay that ended without
company doubles it, so a client that is alone again waits in vain a few times at most (less than
six delays in all) and then not at all.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

PATIENCE = 4.0  # gaps; of arrivals at random, 2 of 100 come later
WAIT_MIN_S = 0.0005
_WEIGHT = 0.2  # of the newest gap
_GAP_MIN_S = 1e-6  # what came in one tick came at one time; doubling must leave zero

Token = TypeVar("Token", bound=Hashable)
Key = Hashable


class Member(NamedTuple, Generic[Token]):
    """One request in a batch. A tuple, because one is made for every request."""

    token: Token
    rows: int
    key: Key | None
    arrived_s: float
    close_s: float  # it starts by then


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatistics:
    """What waits, and what ran so far."""

    queued: int
    running: int
    batches: int
    requests: int
    retried: int


class Batcher(Generic[Token]):
    """First come, first served within a key; an event costs O(1), a batch O(its members)."""

    def __init__(self, *, rows_max: int, delay_s: float) -> None:
        assert rows_max > 0
        assert delay_s >= 0
        self._rows_max = rows_max
        self._delay_s = delay_s
        self._queue: dict[Token, Member[Token]] = {}
        self._lanes: dict[Key, dict[Token, Member[Token]]] = {}
        self._lane_rows: dict[Key, int] = {}
        self._again: deque[Member[Token]] = deque()  # of a batch that failed, to run alone
        self._running: tuple[Member[Token], ...] = ()
        self._gap_s = float("inf")
        self._run_s = float("inf")  # what a run takes lately
        self._last_s = 0.0
        self._has_company = False  # since the oldest in hand came
        self._batches = self._requests = self._retried = 0

    def arrived(
        self, token: Token, *, key: Key | None, rows: int, deadline_s: float, now_s: float
    ) -> None:
        """A request is here; it must be answered by `deadline_s`."""
        if self._queue or self._running:
            gap_s = max(_GAP_MIN_S, now_s - self._last_s)
            if self._gap_s > self._delay_s:
                self._gap_s = gap_s  # what was known is of another time
            else:
                self._gap_s += _WEIGHT * (gap_s - self._gap_s)
            self._has_company = True
        else:
            self._has_company = False
        self._last_s = now_s
        wait_s = max(0.0, min(self._delay_s, (deadline_s - now_s) / 2))
        self._queue[token] = member = Member(token, rows, key, now_s, now_s + wait_s)
        if key is None:
            return
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = {}
            self._lane_rows[key] = 0
        lane[token] = member
        self._lane_rows[key] += rows

    def abandoned(self, token: Token) -> bool:
        """A request no longer wants an answer; False where it does not wait: it runs, or ran."""
        member = self._queue.get(token)
        if member is None:
            return False
        self._remove(member)
        return True

    def take(self, *, now_s: float) -> tuple[Member[Token], ...]:
        """The batch to run now; () while one runs, nothing waits, or waiting is better."""
        if self._running:
            return ()
        if self._again:
            self._running = (self._again.popleft(),)
        elif self._queue and self._close_s(now_s) <= now_s:
            self._running = self._fill(next(iter(self._queue.values())))
        if self._running:
            self._batches += 1
            self._requests += len(self._running)
        return self._running

    def next_deadline_s(self, *, now_s: float) -> float | None:
        """When to take next though nothing happens; None: nothing waits for time to pass."""
        if self._running or not (self._queue or self._again):
            return None
        return now_s if self._again else self._close_s(now_s)

    def finished(self, *, is_good: bool = True, run_s: float = float("inf")) -> None:
        """The batch that was taken has run. Where several failed, each runs again alone."""
        assert self._running
        # Unknown until something ran; then the mean of the latest.
        is_known = self._run_s != float("inf")
        self._run_s = self._run_s + _WEIGHT * (run_s - self._run_s) if is_known else run_s
        members, self._running = self._running, ()
        if not is_good and len(members) > 1:
            self._again.extend(members)
            self._retried += len(members)
        elif len(members) == 1 and not self._has_company and self._gap_s <= self._delay_s:
            self._gap_s *= 2

    def statistics(self) -> BatchStatistics:
        """What waits, and what ran so far."""
        return BatchStatistics(
            queued=len(self._queue) + len(self._again),
            running=len(self._running),
            batches=self._batches,
            requests=self._requests,
            retried=self._retried,
        )

    def _close_s(self, now_s: float) -> float:
        """When the oldest request starts if nobody else comes."""
        oldest = next(iter(self._queue.values()))
        if oldest.key is None or self._lane_rows[oldest.key] >= self._rows_max:
            return now_s
        close_s = min(oldest.close_s, oldest.arrived_s + self._run_s)
        if self._last_s + self._gap_s > close_s:
            return now_s
        due_s = min(close_s, self._last_s + PATIENCE * self._gap_s)
        return due_s if due_s - self._last_s >= WAIT_MIN_S else now_s

    def _fill(self, oldest: Member[Token]) -> tuple[Member[Token], ...]:
        if oldest.key is None:
            self._remove(oldest)
            return (oldest,)
        lane = self._lanes[oldest.key]
        if len(lane) == len(self._queue) and self._lane_rows[oldest.key] <= self._rows_max:
            return self._empty(oldest.key)
        chosen, rows = [oldest], oldest.rows
        for member in lane.values():
            if member is oldest:
                continue
            rows += member.rows
            if rows > self._rows_max:
                break
            chosen.append(member)
        for member in chosen:
            self._remove(member)
        return tuple(chosen)

    def _empty(self, key: Key) -> tuple[Member[Token], ...]:
        """All that waits, being of one key and few enough: the common case."""
        self._queue.clear()
        del self._lane_rows[key]
        return tuple(self._lanes.pop(key).values())

    def _remove(self, member: Member[Token]) -> None:
        del self._queue[member.token]
        if member.key is None:
            return
        lane = self._lanes[member.key]
        del lane[member.token]
        self._lane_rows[member.key] -= member.rows
        if not lane:
            del self._lanes[member.key], self._lane_rows[member.key]
