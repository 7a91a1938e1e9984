"""What a rehearsal is in literal times, and what always holds of one."""

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.stats import Stat
from rehearsal import fleet
from rehearsal.deciding import Decider
from rehearsal.engine import Engine
from rehearsal.policies import parse
from rehearsal.running import run_of
from rehearsal.runs import COLD, RESUMED, WARM, Run
from rehearsal.scores import score
from rehearsal.terms import Terms
from rehearsal.traces import Trace
from tests.rehearsal.platforms import played

POLICIES = ("kpa", "relight", "relight/cheap", "keep-alive=20s", "relight,min-scale=1", "always-on")
# Tenths of a second, small, so that things happen at once.
TRACES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 30)), min_size=1, max_size=40)
TERMS = st.builds(
    Terms,
    uses_durations=st.just(True),
    concurrency=st.integers(0, 3),
    cold_starts_s=st.lists(st.sampled_from([0.0, 0.5, 7.0]), min_size=1, max_size=2).map(tuple),
    overhead_s=st.sampled_from([0.0, 0.005]),
    frozen_max=st.integers(0, 2),
    tail_s=st.sampled_from([0.0, 90.0]),
)


def trace_of(drawn: list[tuple[int, int]]) -> Trace:
    drawn = sorted(drawn)
    first = drawn[0][0]
    return Trace(
        arrivals=[(arrival - first) / 10 for arrival, _ in drawn],
        durations=[service / 10 for _, service in drawn],
    )


class Counting(fleet.Fleet):
    """Remembers the most requests that any replica had at once."""

    most = 0

    def take(self, now_s: float) -> fleet.Replica | None:
        replica = super().take(now_s)
        if replica is not None:
            Counting.most = max(Counting.most, replica.used)
        return replica


@given(drawn=TRACES, terms=TERMS, policy=st.sampled_from(POLICIES))
def test_every_request_is_forwarded_once_and_in_order_to_a_replica_with_room(
    drawn: list[tuple[int, int]], terms: Terms, policy: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Counting.most = 0
        patch.setattr("rehearsal.engine.Fleet", Counting)
        run = run_of(trace_of(drawn), parse(policy), terms)
    assert len(run.waits) == len(run.found) == len(drawn)
    assert all(0 <= wait_s < math.inf for wait_s in run.waits)
    forwarded = [at_s + wait_s for at_s, wait_s in zip(run.arrivals, run.waits, strict=True)]
    assert all(b >= a - 1e-9 for a, b in pairwise(forwarded))
    if terms.concurrency:
        assert Counting.most <= terms.concurrency


@given(drawn=TRACES, terms=TERMS, policy=st.sampled_from(POLICIES))
def test_seconds_add_up(drawn: list[tuple[int, int]], terms: Terms, policy: str) -> None:
    run = run_of(trace_of(drawn), parse(policy), terms)
    told = score(run)
    lived_s = sum(life.ended_s - life.born_s for life in run.lives)
    assert told.replica_s == pytest.approx(lived_s)
    assert min(told.busy_s, told.idle_s, told.starting_s, told.wasted_s, told.frozen_s) >= 0
    assert told.wasted_s <= told.idle_s + 1e-6
    assert told.starts + told.resumes == len(run.lives)
    served_s = sum(run.services)
    assert told.busy_s <= served_s + 1e-6
    if terms.concurrency:
        assert told.busy_s * terms.concurrency >= served_s - 1e-6
    assert told.cold_waits + told.resumed_waits <= told.requests
    assert terms.frozen_max or not (told.frozen_s or told.resumes or told.resumed_waits)
    assert all(until_s >= since_s for since_s, until_s in run.frozen)


@given(drawn=TRACES, terms=TERMS, policy=st.sampled_from(POLICIES))
def test_it_is_the_same_each_time(drawn: list[tuple[int, int]], terms: Terms, policy: str) -> None:
    trace = trace_of(drawn)
    assert run_of(trace, parse(policy), terms) == run_of(trace, parse(policy), terms)


@given(drawn=TRACES, terms=TERMS)
def test_always_on_never_lets_a_request_wait(drawn: list[tuple[int, int]], terms: Terms) -> None:
    run = run_of(trace_of(drawn), parse("always-on"), terms)
    assert not any(run.waits)
    assert not any(run.found)
    assert len({life.ended_s for life in run.lives}) == 1


class Script:
    """Orders numbers in the first turn from given times on, and remembers what it was asked."""

    wake_s: float | None = None

    def __init__(self, *orders: tuple[float, int], first: int = 0) -> None:
        self.first = first
        self._orders = list(orders)
        self.calls: list[tuple[str, float, int, int]] = []

    def receive(self, stat: Stat, *, peak: int, now_s: float) -> bool:
        return True

    def turn(self, replicas: int, ready: int, now_s: float) -> int | None:
        self.calls.append(("turn", now_s, replicas, ready))
        is_due = bool(self._orders) and now_s >= self._orders[0][0]
        return self._orders.pop(0)[1] if is_due else None

    def look(self, replicas: int, ready: int, now_s: float) -> int | None:
        self.calls.append(("look", now_s, replicas, ready))
        return None

    def is_asleep(self, replicas: int, ready: int) -> bool:
        return False


def play(arrivals: Sequence[float], decider: Decider, terms: Terms, service_s: float = 1.0) -> Run:
    services = [service_s] * len(arrivals)
    return Engine(arrivals, services, decider, terms, until_s=20.0).run()


def test_a_cold_start_from_its_first_request_on() -> None:
    script = Script((0.5, 2), (1.5, 1))  # at the poke, and at the first report
    terms = Terms(cold_starts_s=(5.0,), overhead_s=0.25, concurrency=1)
    run = play([0.5, 0.501, 3.0], script, terms)
    ready_s = 0.505 + 0.25 + 5.0  # a burst's poke is gathered for 4 ms after its last request
    assert run.waits == [ready_s - 0.5, ready_s + 1.0 - 0.501, ready_s + 2.0 - 3.0]
    assert list(run.found) == [COLD, COLD, COLD]
    assert script.calls[:6] == [
        ("turn", 0.0, 0, 0),
        ("turn", 0.505, 0, 0),
        ("look", 0.505, 2, 0),
        ("turn", 1.5, 2, 0),
        ("look", 1.5, 1, 0),
        ("turn", 2.0, 1, 0),
    ]
    assert ("look", ready_s, 1, 1) in script.calls
    assert run.cold_starts == 1
    assert sorted(life.ended_s for life in run.lives) == [1.5, 20.0]


def test_who_finds_a_busy_replica_waits_warm() -> None:
    run = play([1.0, 1.5], Script(first=1), Terms(concurrency=1))
    assert run.waits == [0.0, 0.5]
    assert list(run.found) == [WARM, WARM]


def test_who_waits_for_a_frozen_one_is_counted_apart() -> None:
    script = Script((1.0, 0), (10.001, 1), first=1)
    terms = Terms(concurrency=1, frozen_max=1, resume_s=0.125)
    run = play([0.0, 10.0], script, terms, service_s=0.25)
    assert list(run.found) == [WARM, RESUMED]
    assert run.waits[1] == pytest.approx(0.002 + 0.125)
    assert run.frozen == [(1.0, 10.002)]


def test_it_goes_on_until_the_last_request_is_over() -> None:
    run = play([0.0], Script(first=1), Terms(concurrency=1), service_s=100.0)
    assert run.end_s == 100.0
    assert run.lives[0].busy_s == 100.0


@pytest.mark.parametrize("orders", [(), ((10.0, 0),)], ids=["staying", "leaving"])
def test_a_request_may_take_days(orders: tuple[tuple[float, int], ...]) -> None:
    run = play([0.0], Script(*orders, first=1), Terms(concurrency=1), service_s=200_000.0)
    assert run.lives[0].busy_s == run.end_s == 200_000.0


def test_who_would_wait_for_ever_is_told_of() -> None:
    says = (
        "revision: 1 days after the last request came 2 still wait and 0 execute, with 0 replicas"
    )
    with pytest.raises(ValueError, match=says):
        play([0.0, 1.0], Script(), Terms())


def test_a_start_may_take_days() -> None:
    run = play([0.0], Script((0.0, 1)), Terms(cold_starts_s=(200_000.0,)))
    assert run.waits[0] == pytest.approx(200_000.0, abs=1.0)


def test_a_decider_that_is_asleep_is_woken_when_it_said() -> None:
    class Sleeper(Script):
        wake_s = 7.5

        def is_asleep(self, replicas: int, ready: int) -> bool:
            return True

    sleeper = Sleeper((8.0, 1))
    run = play([], sleeper, Terms(cold_starts_s=(1.0,)))
    assert [at_s for call, at_s, _, _ in sleeper.calls if call == "turn"] == [0.0, 8.0, 10.0]
    assert [(life.born_s, life.ready_s) for life in run.lives] == [(8.0, 9.0)]


def test_a_decider_that_contradicts_itself_is_found_out() -> None:
    class Torn(Script):
        def look(self, replicas: int, ready: int, now_s: float) -> int | None:
            return 1 if replicas == 2 else 2

    with pytest.raises(AssertionError, match="one number after another"):
        play([0.0], Torn((0.0, 1)), Terms())


# Milliseconds that never meet: see test_holding.
APART = st.lists(st.integers(0, 9_000), min_size=1, max_size=30).map(sorted)
BURSTS = st.lists(st.integers(0, 12), min_size=1, max_size=30).map(sorted)
SPREAD = st.lists(st.integers(0, 300_000), min_size=1, max_size=20).map(sorted)


CLASSES = ["kpa", "kpa,window=6s", "relight", "relight/cheap", "relight,min-scale=1"]
PLAYS = st.tuples(
    st.one_of(APART, BURSTS, SPREAD, st.builds(lambda a, b: sorted([*a, *b]), SPREAD, APART)),
    st.sampled_from(CLASSES),
)


@settings(max_examples=40)
@given(
    play=PLAYS,
    service_ms=st.sampled_from([20, 200, 1_500]),
    cold_ms=st.sampled_from([1, 500, 2_500]),
    capacity=st.integers(0, 3),
)
def test_it_is_what_the_platform_itself_does(
    play: tuple[list[int], str], service_ms: int, cold_ms: int, capacity: int
) -> None:
    """The production activator and the production autoscaler order and forward the same."""
    arrivals_ms, policy = play
    first_ms = arrivals_ms[0]
    arrivals = [
        (each - first_ms) / 1e3 + 0.000_1 + number * 1e-6 for number, each in enumerate(arrivals_ms)
    ]
    service_s, cold_s = service_ms / 1e3 + 0.000_3, cold_ms / 1e3 + 0.000_7
    end_s = arrivals[-1] + 150.0
    parsed = parse(policy)
    forwarded, orders = played(
        arrivals, service_s, parsed.annotations, capacity=capacity, cold_s=cold_s, end_s=end_s
    )
    terms = Terms(
        service_s=(service_s,), cold_starts_s=(cold_s,), concurrency=capacity, tail_s=150.0
    )
    run = run_of(Trace(arrivals=arrivals), parsed, terms)
    assert None not in forwarded
    waits = [at_s - arrival_s for at_s, arrival_s in zip(forwarded, arrivals, strict=True) if at_s]
    assert list(run.waits) == pytest.approx(waits, abs=1e-5)
    lives = sorted((life.born_s, life.ended_s) for life in run.lives)
    started = sum(life.born_s > 0 for life in run.lives)
    replicas = 1 if "min-scale" in policy else 0
    ordered = 0
    for _, number in orders:
        ordered += max(0, number - replicas)
        replicas = number
    assert (ordered, len(lives)) == (started, len(run.lives))
