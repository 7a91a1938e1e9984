import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.sampling import Counters, Measured, Sampler, sample_size


def raw(**changes: Any) -> dict[str, Any]:
    totals = {
        "time_s": 100.0,
        "requests": 30,
        "proxied_requests": 10,
        "concurrency_seconds": 12.0,
        "proxied_concurrency_seconds": 2.5,
    }
    return totals | changes


def test_what_came_through_an_activator_is_taken_off() -> None:
    counters = Counters.read(raw(in_flight=3))
    assert counters == Counters(time_s=100.0, concurrency_s=9.5, requests=20.0)


@pytest.mark.parametrize(
    "changes", [{"time_s": None}, {"requests": "many"}, {"concurrency_seconds": float("nan")}]
)
def test_counters_that_are_none_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Counters.read(raw(**changes))
    with pytest.raises(KeyError):
        Counters.read({})


@pytest.mark.parametrize(
    ("population", "size"),
    [(0, 0), (1, 1), (3, 3), (4, 4), (5, 4), (10, 7), (100, 14), (1000, 16), (100_000, 16)],
)
def test_the_sample_is_knatives(population: int, size: int) -> None:
    assert sample_size(population) == size


class Fleet:
    """Replicas with steady loads, and a sampler that asks them every second."""

    def __init__(self, loads: dict[str, float], seed: int = 1) -> None:
        self.loads = loads
        self.now_s = 0.0
        self.began = dict.fromkeys(loads, 0.0)
        self.silent: set[str] = set()
        self.sampler = Sampler(random.Random(seed).random)
        self.asked: list[str] = []

    def second(self) -> Measured | None:
        self.now_s += 1.0
        for name in self.loads:
            self.began.setdefault(name, self.now_s)
        self.asked = self.sampler.ask(list(self.loads), window_s=60.0, now_s=self.now_s)
        answers = {name: self.counters(name) for name in self.asked if name not in self.silent}
        return self.sampler.heard(answers)

    def counters(self, name: str) -> Counters:
        ran_s = self.now_s - self.began[name]
        load = self.loads[name]
        return Counters(time_s=ran_s, concurrency_s=load * ran_s, requests=10 * load * ran_s)


def test_a_process_that_was_started_again_begins_anew() -> None:
    sampler = Sampler(random.Random(1).random)
    loads: list[float | None] = []
    for second, requests in ((1.0, 50.0), (2.0, 60.0), (3.0, 4.0), (4.0, 14.0)):
        sampler.ask(["a"], window_s=60.0, now_s=second)
        # Its clock is its machine's, and goes on.
        said = Counters(time_s=second, concurrency_s=requests / 10, requests=requests)
        measured = sampler.heard({"a": said})
        loads.append(None if measured is None else measured.requests_per_s)
    assert loads == [None, 10.0, None, 10.0]


def test_the_first_answer_is_a_beginning_and_the_second_a_load() -> None:
    fleet = Fleet({"a": 2.0, "b": 3.0})
    assert fleet.second() is None
    measured = fleet.second()
    assert measured is not None
    assert measured.concurrency == pytest.approx(5.0)
    assert measured.requests_per_s == pytest.approx(50.0)


def test_a_second_without_an_answer_is_in_the_next_answer() -> None:
    fleet = Fleet({"a": 2.0})
    fleet.second()
    fleet.silent = {"a"}
    assert fleet.second() is None
    assert fleet.second() is None
    fleet.silent = set()
    fleet.loads["a"] = 2.0
    measured = fleet.second()
    assert measured is not None
    assert measured.concurrency == pytest.approx(2.0)


def test_one_of_three_that_does_not_answer_counts_as_the_others_on_average() -> None:
    fleet = Fleet({"a": 1.0, "b": 3.0, "c": 9.0})
    fleet.second()
    fleet.silent = {"c"}
    measured = fleet.second()
    assert measured is not None
    assert measured.concurrency == pytest.approx(6.0)
    fleet.silent = {"b", "c"}
    assert fleet.second() is None, "one of three can not tell"


def test_a_process_that_began_anew_is_no_load_below_zero() -> None:
    fleet = Fleet({"a": 5.0})
    fleet.second()
    fleet.second()
    fleet.began["a"] = fleet.now_s
    assert fleet.second() is None
    fleet.second()
    measured = fleet.second()
    assert measured is not None
    assert measured.concurrency == pytest.approx(5.0)


@given(
    loads=st.lists(st.floats(0, 20), min_size=4, max_size=60),
    seed=st.integers(0, 1000),
    seconds=st.integers(3, 12),
)
def test_of_many_a_bounded_number_is_asked_and_equal_loads_are_read_exactly(
    loads: list[float], seed: int, seconds: int
) -> None:
    equal = Fleet({f"p{n}": 2.0 for n in range(len(loads))}, seed)
    for second in range(seconds):
        measured = equal.second()
        assert len(equal.asked) <= min(len(loads), sample_size(len(loads)) + 1)
        assert len(set(equal.asked)) == len(equal.asked)
        if second:
            assert measured is not None
            assert measured.concurrency == pytest.approx(2.0 * len(loads))


def test_over_time_all_are_asked_and_the_average_is_right() -> None:
    fleet = Fleet({f"p{n}": float(n % 5) for n in range(100)})
    seen: set[str] = set()
    found: list[float] = []
    for _ in range(600):
        measured = fleet.second()
        seen |= set(fleet.asked)
        found += [] if measured is None else [measured.concurrency]
    assert len(seen) == 100
    assert sum(found) / len(found) == pytest.approx(200.0, rel=0.1)


def test_young_ones_are_asked_only_where_there_are_no_others() -> None:
    fleet = Fleet({f"old{n}": 1.0 for n in range(30)})
    for _ in range(70):
        fleet.second()
    fleet.loads |= {f"young{n}": 9.0 for n in range(30)}
    for _ in range(20):
        fleet.second()
        assert not any(name.startswith("young") for name in fleet.asked)


def test_pods_that_went_are_not_asked_and_what_they_said_is_forgotten() -> None:
    fleet = Fleet({f"p{n}": 1.0 for n in range(40)})
    fleet.second()
    fleet.second()
    gone = fleet.asked[0]
    del fleet.loads[gone]
    fleet.second()
    assert gone not in fleet.asked
    fleet.loads = {"p1": 4.0, "p2": 6.0}
    fleet.second()
    fleet.second()
    measured = fleet.second()
    assert measured is not None
    assert measured.concurrency == pytest.approx(10.0)
