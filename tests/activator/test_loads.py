"""What replicas report, put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.loads import STALE_S, ReplicaLoads, Told
from api.load_reports import LoadReport


def loads(**reports: LoadReport) -> ReplicaLoads[str]:
    found: ReplicaLoads[str] = ReplicaLoads()
    for replica, report in reports.items():
        found.record(replica, report, 0.0)
    return found


def look(
    it: ReplicaLoads[str], *busy: str, queued: int = 0, oldest_s: float = 0.0, now_s: float = 1.0
) -> Told:
    executing = len(busy)
    return it.look(busy, executing=executing, queued=queued, oldest_s=oldest_s, now_s=now_s)


def tokens(number: float) -> LoadReport:
    return LoadReport(tokens_in_flight=number)


def delay(seconds: float) -> LoadReport:
    return LoadReport(queue_delay_s=seconds)


def test_tokens_add_up_and_the_longest_delay_counts() -> None:
    it = loads(
        a=LoadReport(tokens_in_flight=100, queue_delay_s=0.5),
        b=LoadReport(tokens_in_flight=50, queue_delay_s=0.2),
    )
    assert look(it, "a", "b") == Told(tokens_in_flight=150, queue_delay_s=0.5)


def test_only_the_latest_report_counts() -> None:
    it = loads(a=tokens(100))
    it.record("a", tokens(30), 0.5)
    assert look(it, "a").tokens_in_flight == 30


def test_where_nothing_runs_nothing_is_carried() -> None:
    it = loads(a=LoadReport(tokens_in_flight=100, queue_delay_s=9), b=tokens(50))
    assert look(it, "b") == Told(tokens_in_flight=50)
    assert look(it) == Told(tokens_in_flight=0, queue_delay_s=0)


def test_a_report_that_is_too_old_says_nothing() -> None:
    it = loads(a=LoadReport(tokens_in_flight=100, queue_delay_s=1))
    assert look(it, "a", now_s=STALE_S).tokens_in_flight == 100
    assert look(it, "a", now_s=STALE_S + 0.1) == Told()
    assert len(it) == 0


def test_replicas_that_said_nothing_carry_as_much_as_the_others() -> None:
    it = loads(a=tokens(100), b=tokens(50))
    assert look(it, "a", "b", "c", "d").tokens_in_flight == 300


def test_what_is_held_will_be_work() -> None:
    told = look(loads(a=tokens(100), b=tokens(100)), "a", "b", queued=3, oldest_s=0.25)
    assert told == Told(tokens_in_flight=500, queue_delay_s=0.25)


@pytest.mark.parametrize(("reported_s", "oldest_s"), [(0.5, 0.1), (0.1, 0.5)])
def test_the_activators_own_queue_is_queue_too(reported_s: float, oldest_s: float) -> None:
    told = look(loads(a=delay(reported_s)), "a", queued=1, oldest_s=oldest_s)
    assert told.queue_delay_s == 0.5


def test_nobody_knows_what_nobody_said() -> None:
    it = loads()
    assert look(it, "a") == Told()
    assert look(it, queued=2, oldest_s=3.0) == Told(queue_delay_s=3.0)
    it.record("a", LoadReport(), 1.0)
    assert look(it, "a") == Told()


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1e6), min_size=1),
    st.sets(st.sampled_from("abcdef"), min_size=1),
    st.integers(0, 50),
)
def test_tokens_are_never_fewer_than_were_said(
    said: dict[str, float], busy: set[str], queued: int
) -> None:
    it = loads(**{name: tokens(number) for name, number in said.items()})
    told = look(it, *busy, queued=queued, oldest_s=1).tokens_in_flight
    of_busy = [number for name, number in said.items() if name in busy]
    if not of_busy:
        assert told is None
    else:
        assert told is not None
        assert told >= sum(of_busy) * (1 - 1e-9)
        assert told <= max(of_busy) * (len(busy) + queued) * (1 + 1e-9)
