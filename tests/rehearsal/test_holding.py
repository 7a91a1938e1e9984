"""The model of the activator against the activator itself, and its rhythm in literal times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.config import Settings
from api.stats import Stat
from rehearsal import holding
from rehearsal.engine import Engine
from rehearsal.holding import Holding
from rehearsal.terms import Terms
from tests.rehearsal.activators import Orders, played

END_S = 30.0


def test_the_rhythm_is_the_activators() -> None:
    settings = Settings()
    assert settings.report_period_s == holding.REPORT_PERIOD_S
    assert settings.gather_s == holding.GATHER_S
    assert settings.gather_max_s == holding.GATHER_MAX_S
    assert settings.upstream_idle_s == holding.UPSTREAM_IDLE_S


class Ordering:
    """Answers reports by their number, and remembers them."""

    first = 0
    wake_s = None

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._wanted = 0
        self.stats: list[Stat] = []

    def receive(self, stat: Stat, *, peak: int, now_s: float) -> bool:
        self._wanted = max(self._wanted, self._orders.at.get(len(self.stats), 0))
        self.stats.append(stat)
        return True

    def turn(self, replicas: int, ready: int, now_s: float) -> int | None:
        return self._wanted

    def look(self, replicas: int, ready: int, now_s: float) -> int | None:
        return None

    def is_asleep(self, replicas: int, ready: int) -> bool:
        return True


# Milliseconds that never meet: arrivals end in 1, services in 3, starts in 7 tenths of one.
ARRIVALS = st.lists(st.integers(0, 9_000), max_size=40).map(sorted)
BURSTS = st.lists(st.integers(0, 12), max_size=40).map(sorted)
ORDERS = st.dictionaries(st.integers(0, 4), st.integers(1, 3), max_size=3)


@given(
    arrivals_ms=st.one_of(ARRIVALS, BURSTS),
    service_ms=st.sampled_from([20, 200, 1_500]),
    orders=ORDERS,
    cold_ms=st.sampled_from([1, 5, 500, 2_500]),
    capacity=st.integers(0, 3),
)
def test_it_holds_forwards_and_reports_as_the_activator_does(
    arrivals_ms: list[int], service_ms: int, orders: dict[int, int], cold_ms: int, capacity: int
) -> None:
    arrivals = [each / 1e3 + 0.000_1 + number * 1e-6 for number, each in enumerate(arrivals_ms)]
    services = [service_ms / 1e3 + 0.000_3] * len(arrivals)
    planned = Orders(at={**orders, 5: 1}, cold_s=cold_ms / 1e3 + 0.000_7)
    forwarded, stats = played(arrivals, services, planned, capacity=capacity, end_s=END_S)
    decider = Ordering(planned)
    terms = Terms(concurrency=capacity, cold_starts_s=(planned.cold_s,), tail_s=0.0)
    run = Engine(arrivals, services, decider, terms, until_s=END_S).run()
    for arrival_s, wait_s, forwarded_s in zip(arrivals, run.waits, forwarded, strict=True):
        if forwarded_s is not None:
            assert arrival_s + wait_s == pytest.approx(forwarded_s, abs=1e-5)
    heard = [stat for stat in decider.stats if stat.time_s <= END_S - 1]
    told = [stat for stat in stats if stat.time_s <= END_S - 1]
    assert [(each.is_poke, each.queued) for each in heard] == [
        (each.is_poke, each.queued) for each in told
    ]
    for one, other in zip(heard, told, strict=True):
        assert one.time_s == pytest.approx(other.time_s, abs=1e-5)
        assert one.average_concurrency == pytest.approx(other.average_concurrency, abs=1e-4)
        assert one.requests_per_s == pytest.approx(other.requests_per_s, abs=1e-4)


def test_a_period_begins_with_the_first_request() -> None:
    it = Holding("r")
    assert it.arrived(0.75)
    assert not it.arrived(1.25)
    it.finished(1.5)
    stat = it.report(1.75, last_s=1.75)
    assert stat is not None
    assert stat.average_concurrency == 0.5 * 1 + 0.25 * 2 + 0.25 * 1
    assert stat.requests_per_s == 2.0
    assert it.peak == 1


def test_a_poke_tells_of_all_that_came_in_a_moment() -> None:
    it = Holding("r")
    it.arrived(0.0)
    assert it.held(0, 0.0, staying=0) == (None, 0.002)
    it.arrived(0.001)
    assert it.held(1, 0.001, staying=0) == (None, None)
    assert it.gathered(0.002, ready=0) == (None, 0.005)
    poke, again_s = it.gathered(0.005, ready=0)
    assert poke is not None
    assert (poke.queued, poke.is_poke, again_s) == (2, True, None)


def test_a_queue_that_doubles_pokes_again() -> None:
    it = Holding("r")
    pokes = []
    for number in range(9):
        it.arrived(0.0)
        poke, _ = it.held(number, 0.0, staying=1)
        pokes.append(poke.queued if poke else 0)
    assert pokes == [0, 2, 0, 4, 0, 0, 0, 8, 0]


def test_idle_is_told_once_and_reports_end_with_the_connections() -> None:
    it = Holding("r")
    it.arrived(0.0)
    it.finished(0.5)
    told = [it.report(float(now), last_s=0.5) for now in range(1, 6)]
    assert [None if each is None else each.average_concurrency for each in told] == [
        0.5,
        0.0,
        None,
        None,
        None,
    ]
    assert not it.is_active
