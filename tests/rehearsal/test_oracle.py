"""The limit: against every other way on small cases, and below every policy that never waits."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.oracle import foresee, lives_of, needs, peak
from rehearsal.policies import parse
from rehearsal.running import run_of
from rehearsal.scores import score
from rehearsal.terms import Terms
from rehearsal.traces import Trace

REQUESTS = st.lists(st.tuples(st.integers(0, 14), st.integers(1, 4)), min_size=1, max_size=6)


def seconds(requests: list[tuple[int, int]], concurrency: int, cold_s: float) -> float:
    """What the oracle pays."""
    ordered = sorted(requests)
    terms = Terms(concurrency=concurrency, cold_starts_s=(cold_s,))
    arrivals, services = [float(a) for a, _ in ordered], [float(s) for _, s in ordered]
    return score(foresee(arrivals, services, terms, until_s=0.0)).replica_s


@given(requests=REQUESTS, concurrency=st.integers(0, 3), cold=st.integers(0, 6))
def test_no_sequence_of_numbers_of_replicas_is_cheaper(
    requests: list[tuple[int, int]], concurrency: int, cold: int
) -> None:
    """Every sequence, second by second, that never has fewer ready than are needed."""
    end = max(arrival + service for arrival, service in requests)
    running = [sum(a <= now < a + s for a, s in requests) for now in range(end)]
    need = [-(-n // concurrency) if concurrency else min(n, 1) for n in running]
    least = {0: 0}  # replicas now → the least paid until now
    for needed in need:
        least = {
            ready: min(
                paid + ready + cold * max(0, ready - before) for before, paid in least.items()
            )
            for ready in range(needed, max(need) + 2)
        }
    assert seconds(requests, concurrency, cold) == min(least.values())


def parted(requests: list[tuple[int, int]], room: int) -> Iterator[list[list[tuple[int, int]]]]:
    """Every way to share requests among replicas of which none has more than `room` at once."""
    if not requests:
        yield []
        return
    *others, request = requests
    for parts in parted(others, room):
        for index, part in enumerate(parts):
            if sum(a + s > request[0] for a, s in part) < room:
                yield [*parts[:index], [*part, request], *parts[index + 1 :]]
        yield [*parts, [request]]


def paid_alone(requests: list[tuple[int, int]], cold: int) -> int:
    """What one replica's requests cost, if it may be ended and started again between them."""
    paid, until = cold, requests[0][0]
    for arrival, service in requests:
        paid += min(max(arrival - until, 0), cold)
        paid += max(arrival + service - max(until, arrival), 0)
        until = max(until, arrival + service)
    return paid


@given(requests=REQUESTS.filter(lambda each: len(each) < 6), cold=st.integers(0, 6))
def test_at_concurrency_1_no_way_to_share_the_requests_is_cheaper(
    requests: list[tuple[int, int]], cold: int
) -> None:
    ways = parted(sorted(requests), 1)
    least = min(sum(paid_alone(part, cold) for part in parts) for parts in ways)
    assert seconds(requests, 1, cold) == least


@given(requests=REQUESTS.filter(lambda each: len(each) < 6), cold=st.integers(0, 6))
def test_at_any_concurrency_it_is_a_bound(requests: list[tuple[int, int]], cold: int) -> None:
    ways = parted(sorted(requests), 2)
    least = min(sum(paid_alone(part, cold) for part in parts) for parts in ways)
    assert seconds(requests, 2, cold) <= least


@given(
    requests=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 20)), min_size=1, max_size=30),
    concurrency=st.integers(0, 3),
    cold_s=st.sampled_from([0.0, 0.5, 5.0]),
    policy=st.sampled_from(["always-on", "kpa,min-scale=30", "relight,min-scale=3", "relight"]),
)
def test_no_policy_that_lets_nobody_wait_pays_less(
    requests: list[tuple[int, int]], concurrency: int, cold_s: float, policy: str
) -> None:
    ordered = sorted(requests)
    trace = Trace(
        arrivals=[(arrival - ordered[0][0]) / 10 for arrival, _ in ordered],
        durations=[service / 10 for _, service in ordered],
    )
    terms = Terms(concurrency=concurrency, cold_starts_s=(cold_s,), uses_durations=True, tail_s=0.0)
    other = run_of(trace, parse(policy), terms)
    least = score(run_of(trace, parse("oracle"), terms))
    assert (least.waits, least.cold_waits, least.wasted_s) == (0, 0, 0.0)
    if not any(other.waits):
        assert least.replica_s <= score(other).replica_s + 1e-6


def test_levels_are_needed_by_load() -> None:
    arrivals, services = [0.0, 1.0, 2.0, 10.0], [5.0, 3.0, 1.0, 1.0]
    assert needs(arrivals, services, 1) == [
        [(0.0, 5.0), (10.0, 11.0)],
        [(1.0, 4.0)],
        [(2.0, 3.0)],
    ]
    assert needs(arrivals, services, 2) == [[(0.0, 5.0), (10.0, 11.0)], [(2.0, 3.0)]]
    assert needs(arrivals, services, 0) == [[(0.0, 5.0), (10.0, 11.0)]]
    assert peak(arrivals, services, 1) == 3


def test_one_that_ends_as_another_comes_is_one_need() -> None:
    assert needs([0.0, 1.0], [1.0, 1.0], 1) == [[(0.0, 2.0)]]


def test_a_gap_is_kept_while_that_is_cheaper() -> None:
    spans = [(0.0, 1.0), (3.0, 4.0), (9.0, 10.0)]
    kept = lives_of(spans, 5.0)
    assert [(each.born_s, each.ready_s, each.ended_s, each.busy_s) for each in kept] == [
        (-5.0, 0.0, 10.0, 3.0)
    ]
    dropped = lives_of(spans, 4.0)
    assert [(each.born_s, each.ended_s, each.busy_s) for each in dropped] == [
        (-4.0, 4.0, 2.0),
        (5.0, 10.0, 1.0),
    ]


def test_it_leaves_zero_as_often_as_nothing_was_there() -> None:
    run = foresee([0.0, 0.5, 50.0], [1.0] * 3, Terms(concurrency=1), until_s=60.0)
    assert (run.cold_starts, len(run.lives), run.end_s) == (2, 3, 60.0)


def test_nothing_needs_nothing() -> None:
    run = foresee([], [], Terms(), until_s=5.0)
    assert (run.lives, run.cold_starts, run.end_s) == ([], 0, 5.0)
    assert pytest.approx(0.0) == score(run).replica_s
