"""The limit: the least replica-seconds for no waiting at all, with the future known.

For: what every policy is measured against.
Must not know: how any policy decides.

What it assumes. A start takes `cold_start_s` (the mean, if it varies), which is paid for like
any other second, and may begin before the trace does. Replicas are started so early that they
are ready on the dot, and taken away the moment that pays. Requests are packed perfectly: at any
moment n requests need n / concurrency replicas, rounded up.

Why it is the least. Call the k-th replica needed while more requests run than k - 1 replicas
have slots for. Between two needs of the k-th a policy that lets nobody wait either keeps some
replica through the gap, for the gap's seconds, or has one started in it, for `cold_start_s`:
the cheaper of the two is the least it can pay. Levels do not compete: a level's gap lies in
the gap of every level above it, so what is kept for the lower ones is never needed by the higher.

At concurrency 1, and without a limit, it can be reached. In between it is a bound that may be
out of reach, for running requests can not be moved together: packing them best is NP-hard.
Where replicas are frozen, a policy may pay less, for frozen seconds are counted apart.
"""

import heapq
from collections.abc import Sequence

from rehearsal.runs import WARM, Life, Run
from rehearsal.terms import Terms

Need = list[tuple[float, float]]  # spans of time, one after another


def foresee(
    arrivals: Sequence[float], services: Sequence[float], terms: Terms, *, until_s: float
) -> Run:
    """Return what a policy that knows the future would have done."""
    cold_s = terms.cold_start_mean_s
    lives = [
        life
        for spans in needs(arrivals, services, terms.concurrency)
        for life in lives_of(spans, cold_s)
    ]
    return Run(
        arrivals=arrivals,
        services=services,
        waits=[0.0] * len(arrivals),
        found=bytearray([WARM]) * len(arrivals),
        lives=lives,
        frozen=[],
        cold_starts=_leavings(lives),
        end_s=max(until_s, max((life.ended_s for life in lives), default=0.0)),
    )


def needs(arrivals: Sequence[float], services: Sequence[float], concurrency: int) -> list[Need]:
    """When the first replica is needed, when the second, and so on. O(n log n)."""
    levels: list[Need] = []
    since_s: list[float] = []  # of the levels that are needed now
    ends: list[float] = []  # of what runs, a heap

    def end_next() -> None:
        end_s = heapq.heappop(ends)
        _shrink(levels, since_s, _level(len(ends), concurrency), end_s)

    for start_s, service_s in zip(arrivals, services, strict=True):
        while ends and ends[0] <= start_s:
            end_next()
        heapq.heappush(ends, start_s + service_s)
        if _level(len(ends), concurrency) > len(since_s):
            since_s.append(start_s)
    while ends:
        end_next()
    return levels


def peak(arrivals: Sequence[float], services: Sequence[float], concurrency: int) -> int:
    """The most replicas ever needed at once."""
    return len(needs(arrivals, services, concurrency))


def lives_of(spans: Need, cold_s: float) -> list[Life]:
    """The lives of one level's replica: kept through a gap that costs less than a start."""
    lives: list[Life] = []
    first_s, last_s = spans[0]
    busy_s = last_s - first_s
    for start_s, end_s in spans[1:]:
        if start_s - last_s > cold_s:
            lives.append(_life(first_s, last_s, busy_s, cold_s))
            first_s, busy_s = start_s, 0.0
        busy_s += end_s - start_s
        last_s = end_s
    lives.append(_life(first_s, last_s, busy_s, cold_s))
    return lives


def _life(ready_s: float, ended_s: float, busy_s: float, cold_s: float) -> Life:
    return Life(
        born_s=ready_s - cold_s,
        ready_s=ready_s,
        ended_s=ended_s,
        busy_s=busy_s,
        last_s=ended_s,
    )


def _level(running: int, concurrency: int) -> int:
    return -(-running // concurrency) if concurrency else min(running, 1)


def _shrink(levels: list[Need], since_s: list[float], need: int, now_s: float) -> None:
    while len(since_s) > need:
        start_s = since_s.pop()
        level = len(since_s)
        while len(levels) <= level:
            levels.append([])
        spans = levels[level]
        if spans and spans[-1][1] == start_s:
            spans[-1] = (spans[-1][0], now_s)  # one ended as another came
        else:
            spans.append((start_s, now_s))


def _leavings(lives: Sequence[Life]) -> int:
    """How often there was a replica after there was none."""
    count, covered_s = 0, float("-inf")
    for life in sorted(lives, key=lambda each: each.born_s):
        count += life.born_s > covered_s
        covered_s = max(covered_s, life.ended_s)
    return count
