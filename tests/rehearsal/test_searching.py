"""The front among what was rehearsed, and how far a search goes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from api import keys
from rehearsal.policies import Policy, parse
from rehearsal.running import rehearse
from rehearsal.scores import Score
from rehearsal.searching import Found, Measure, Point, search
from rehearsal.terms import Terms
from rehearsal.traces import Trace

NOTHING = rehearse(Trace(arrivals=[]), parse("oracle"), Terms()).score


def scored(cost: float, cold: int, p95_s: float = 0.0) -> Score:
    return replace(NOTHING, idle_s=cost, cold_waits=cold, wait_p95_s=p95_s)


def point(name: str, cost: float, cold: int, p95_s: float = 0.0) -> Point:
    return Point(policy=parse(name), score=scored(cost, cold, p95_s))


def test_a_front_is_what_none_beats_in_both() -> None:
    found = Found(
        points=(
            point("kpa,min-scale=1", 50.0, 0, 0.5),
            point("kpa,window=9s", 10.0, 9, 0.2),
            point("kpa,window=8s", 10.0, 8, 0.9),
            point("kpa,target=2", 20.0, 8, 0.1),  # dearer than the one above, and no better
            point("relight", 30.0, 2, 0.3),
            point("kpa,min-scale=1,window=9s", 50.0, 0, 0.5),  # as good, with more to write
        )
    )
    assert [each.policy.name for each in found.front(Measure.COLD_WAITS)] == [
        "kpa,window=8s",
        "relight",
        "kpa,min-scale=1",
    ]
    assert [each.policy.name for each in found.front(Measure.WAIT_P95)] == [
        "kpa,window=9s",
        "kpa,target=2",
    ]


def test_a_wait_is_measured_in_milliseconds() -> None:
    assert Measure.WAIT_P95.of(scored(0.0, 0, 0.10049)) == 0.1


class Model:
    """A made-up world: every second of window costs, and saves a cold wait up to 150 s."""

    def __init__(self) -> None:
        self.asked: list[Policy] = []
        self.batch_max = 0

    def __call__(self, policies: Sequence[Policy]) -> list[Score]:
        self.asked.extend(policies)
        self.batch_max = max(self.batch_max, len(policies))
        return [self._score(policy) for policy in policies]

    def _score(self, policy: Policy) -> Score:
        window_s = float(policy.annotations.get(keys.STABLE_WINDOW, "60s").removesuffix("s"))
        others = len(policy.annotations) - (keys.STABLE_WINDOW in policy.annotations)
        return scored(window_s + 1000 * others, max(0, 150 - int(window_s)))


def test_a_search_follows_the_front() -> None:
    world = Model()
    found = search(world, concurrency=1, runs_max=200)
    assert [each.policy for each in found.points] == world.asked
    windows = [
        each.policy.annotations.get(keys.STABLE_WINDOW, "60s")
        for each in found.front(Measure.COLD_WAITS)
    ]
    assert windows == [
        *("6s", "8s", "10s", "15s", "20s", "30s", "45s", "60s", "90s", "120s", "300s")
    ]
    assert world.batch_max <= 50


@pytest.mark.parametrize("runs_max", [2, 10, 47, 90])
def test_a_search_keeps_to_its_budget_and_asks_nothing_twice(runs_max: int) -> None:
    world = Model()
    search(world, concurrency=0, runs_max=runs_max)
    names = [policy.name for policy in world.asked]
    assert len(names) == len(set(names)) == runs_max


def test_a_search_ends_when_nothing_is_left_beside_its_fronts() -> None:
    world = Model()
    search(world, concurrency=1, classes=("kpa",), runs_max=100_000)
    assert len(world.asked) < 1000


def test_a_search_over_a_real_rehearsal() -> None:
    trace = Trace(arrivals=[0.0, 0.2, 40.0, 120.0, 120.1, 400.0])
    terms = Terms(service_s=(1.0,), cold_starts_s=(2.0,))
    found = search(
        lambda policies: [rehearse(trace, policy, terms).score for policy in policies],
        concurrency=terms.concurrency,
        runs_max=60,
    )
    front = found.front(Measure.COLD_WAITS)
    assert front[0].score.replica_s < front[-1].score.replica_s
    assert front[0].score.cold_waits > front[-1].score.cold_waits == 0


def test_too_small_a_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="1 rehearsals are too few for 2 classes"):
        search(Model(), concurrency=1, runs_max=1)
