import random

import pytest
import yaml

from api import keys
from rehearsal import policies
from rehearsal.searching import Found, Measure, Point
from rehearsal.terms import Terms
from rehearsal.traces import Trace
from relight import fronts
from relight.errors import UsageError
from tests.relight.test_scoreboard import line


def point(name: str, replica_s: float, cold_waits: int, p95_s: float) -> Point:
    made = line(
        name, busy_s=0.0, starting_s=0.0, idle_s=replica_s, cold_waits=cold_waits, wait_p95_s=p95_s
    )
    return Point(policy=made.policy, score=made.score)


DEFAULT = point("relight", 100.0, 10, 0.5)
CHEAP = point("relight,window=6s", 50.0, 40, 0.9)
QUICK = point("relight,min-scale=2", 300.0, 0, 0.1)
WORSE = point("relight,window=600s", 400.0, 20, 0.6)
SMOOTH = point("relight,target=1", 200.0, 11, 0.2)  # better by p95 alone


def test_the_front_is_what_is_best_by_either_measure() -> None:
    found = Found(points=(DEFAULT, WORSE, QUICK, CHEAP, SMOOTH))
    assert fronts.front(found) == (CHEAP, DEFAULT, SMOOTH, QUICK)
    assert SMOOTH not in found.front(Measure.COLD_WAITS)


def test_the_default_comes_first_to_compare_with() -> None:
    found = Found(points=(DEFAULT, WORSE, CHEAP))
    assert [line.policy.name for line in fronts.lines(found)] == ["relight", "relight,window=6s"]
    assert "beaten" not in fronts.table(found, price=None)


def test_what_is_printed_can_be_pasted() -> None:
    text = fronts.table(Found(points=(DEFAULT, CHEAP, QUICK)), price=None)
    pasted = text.partition("# relight,min-scale=2\n")[2]
    assert yaml.safe_load(pasted) == {
        "annotations": {
            keys.SCALING_CLASS: keys.CLASS_RELIGHT,
            keys.MIN_SCALE: "2",
        }
    }


def test_a_default_that_is_beaten_or_best_is_said_so() -> None:
    better = point("relight,window=10s", 90.0, 5, 0.3)
    assert "is beaten by another" in fronts.table(Found(points=(DEFAULT, better)), price=None)
    assert "Nothing beats relight as it is" in fronts.table(
        Found(points=(DEFAULT, WORSE)), price=None
    )


async def test_a_search_in_other_processes(capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(3)
    trace = Trace(arrivals=sorted([0.0] + [rng.uniform(0, 60) for _ in range(60)]))
    found = await fronts.search(trace, Terms(concurrency=2), "kpa")
    assert found.points[0].policy.name == "kpa"
    assert len(fronts.front(found)) >= 2
    assert all(policies.parse(each.policy.name) for each in found.points)
    assert capsys.readouterr().err == ""  # progress is for terminals


async def test_what_cannot_be_searched_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_named: object) -> Found:
        raise ValueError("no knob goes with that")

    monkeypatch.setattr(fronts.searching, "search", refuse)
    with pytest.raises(UsageError, match=r"^--search: no knob goes with that"):
        await fronts.search(Trace(arrivals=[0.0]), Terms(), "kpa")
