"""Average load: literal times, and against a slow twin that looks at every instant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.concurrency import LoadCounter


def test_one_request_for_half_a_second_is_half_a_request() -> None:
    counter = LoadCounter(now_s=10)
    counter.arrived(10)
    counter.finished(10.5)
    load = counter.report(11)
    assert (load.average_concurrency, load.requests_per_s, load.finished_per_s) == (0.5, 1, 1)
    assert not load.is_idle


def test_what_still_runs_counts_in_the_next_period() -> None:
    counter = LoadCounter(now_s=0)
    counter.arrived(0.5)
    assert counter.report(1).average_concurrency == 0.5
    load = counter.report(2)
    assert (load.average_concurrency, load.requests_per_s, load.is_idle) == (1, 0, False)
    counter.finished(2)
    assert counter.report(3).is_idle


def test_an_instant_request_is_no_idleness() -> None:
    counter = LoadCounter(now_s=0)
    counter.arrived(0)
    counter.finished(0)
    assert not counter.report(1).is_idle
    assert counter.report(2).is_idle


def test_a_period_of_no_length_has_the_load_of_the_moment() -> None:
    counter = LoadCounter(now_s=5)
    counter.arrived(5)
    assert counter.report(5).average_concurrency == 1


def test_after_a_quiet_time_a_period_begins_with_its_first_request() -> None:
    counter = LoadCounter(now_s=0)
    counter.restart(100)
    counter.arrived(100)
    counter.finished(101)
    assert counter.report(102).average_concurrency == 0.5


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["arrive", "finish", "report"])), max_size=60
    )
)
def test_it_agrees_with_the_slow_twin(events: list[tuple[int, str]]) -> None:
    counter = LoadCounter(now_s=0)
    now_s, running = 0, 0
    instants: list[int] = []  # the load in each whole second of this period
    arrivals = 0
    for passed_s, event in events:
        now_s += passed_s
        instants += [running] * passed_s
        if event == "arrive":
            counter.arrived(now_s)
            running, arrivals = running + 1, arrivals + 1
        elif event == "finish" and running:
            counter.finished(now_s)
            running -= 1
        elif event == "report":
            load = counter.report(now_s)
            expected = sum(instants) / len(instants) if instants else running
            assert load.average_concurrency == pytest.approx(expected)
            assert load.requests_per_s == pytest.approx(arrivals / len(instants) if instants else 0)
            instants, arrivals = [], 0
        assert counter.in_flight == running
