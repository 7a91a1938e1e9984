from dataclasses import replace

from api.stats import Stat
from autoscaler.reporters import CARRIED_S, MISSED_S, REPORTERS_MAX, Reporters

STAT = Stat(
    namespace="n",
    revision="r",
    reporter="a",
    time_s=0.0,
    average_concurrency=3.0,
    requests_per_s=1.0,
    queued=7,
    queued_bytes=9,
)


def joined(reporters: Reporters, name: str = "a") -> int:
    connection = reporters.join(name)
    assert connection is not None
    return connection


def test_what_is_heard_is_passed_on() -> None:
    reporters = Reporters()
    one = joined(reporters)
    assert reporters.hear("a", one, [STAT]) == [STAT]
    assert reporters.fill(now_s=100.0) == []
    assert reporters.statistics().reports == 1


def test_nobody_here_means_that_silence_says_nothing() -> None:
    reporters = Reporters()
    assert reporters.is_deaf
    one = joined(reporters)
    assert not reporters.is_deaf
    reporters.leave("a", one, is_farewell=True, now_s=0.0)
    assert reporters.is_deaf


def test_a_lost_reporters_load_goes_on_for_a_while_without_its_queue() -> None:
    reporters = Reporters()
    joined(reporters, "b")
    one = joined(reporters)
    reporters.hear("a", one, [replace(STAT, is_poke=True, is_crowd=True, time_s=9.0)])
    reporters.leave("a", one, is_farewell=False, now_s=10.0)
    assert reporters.is_deaf
    assert reporters.fill(now_s=10.5) == []  # its last report still counts for this second
    carried = [reporters.fill(now_s=10.0 + each) for each in range(1, 8)]
    expected = replace(STAT, queued=0, queued_bytes=0)
    assert carried[:4] == [[replace(expected, time_s=10.0 + each)] for each in range(1, 5)]
    assert carried[4:] == [[], [], []]
    assert CARRIED_S == 5.0
    assert reporters.is_deaf  # it may still be there, cut off
    assert reporters.statistics().missing == 1
    reporters.fill(now_s=10.0 + MISSED_S)
    assert not reporters.is_deaf
    assert reporters.statistics().missing == 0


def test_one_that_comes_back_speaks_for_itself() -> None:
    reporters = Reporters()
    one = joined(reporters)
    reporters.hear("a", one, [STAT])
    reporters.leave("a", one, is_farewell=False, now_s=0.0)
    two = joined(reporters)
    assert not reporters.is_deaf
    assert reporters.fill(now_s=2.0) == []
    assert reporters.hear("a", two, [STAT]) == [STAT]


def test_a_load_that_ended_while_it_was_lost_is_not_carried_when_it_is_lost_again() -> None:
    reporters = Reporters()
    one = joined(reporters)
    reporters.hear("a", one, [STAT])
    reporters.leave("a", one, is_farewell=False, now_s=1.0)
    two = joined(reporters)
    other = replace(STAT, revision="other", time_s=99.0)
    reporters.hear("a", two, [other])
    reporters.leave("a", two, is_farewell=False, now_s=100.0)
    assert [each.revision for each in reporters.fill(now_s=101.0)] == ["other"]


def test_one_that_leaves_in_good_order_carries_nothing() -> None:
    reporters = Reporters()
    joined(reporters, "b")
    one = joined(reporters)
    reporters.hear("a", one, [STAT])
    reporters.leave("a", one, is_farewell=True, now_s=0.0)
    assert reporters.fill(now_s=1.0) == []
    assert not reporters.is_deaf
    assert reporters.statistics().lost == 0


def test_what_was_told_as_idle_is_not_carried() -> None:
    reporters = Reporters()
    one = joined(reporters)
    reporters.hear("a", one, [STAT])
    idle = replace(STAT, average_concurrency=0.0, requests_per_s=0.0, queued=0)
    reporters.hear("a", one, [idle])
    reporters.leave("a", one, is_farewell=False, now_s=0.0)
    assert reporters.fill(now_s=1.0) == []


def test_a_replaced_connection_says_nothing_more_and_its_end_means_nothing() -> None:
    reporters = Reporters()
    one = joined(reporters)
    joined(reporters)
    assert reporters.hear("a", one, [STAT]) == []
    reporters.leave("a", one, is_farewell=False, now_s=0.0)
    assert not reporters.is_deaf


def test_there_is_a_limit() -> None:
    reporters = Reporters()
    for number in range(REPORTERS_MAX):
        joined(reporters, str(number))
    assert reporters.join("one more") is None
    assert reporters.join("7") is not None  # known: it has only lost its connection


def test_one_that_is_lost_again_before_it_said_anything_is_carried_on() -> None:
    reporters = Reporters()
    one = joined(reporters)
    short = replace(STAT, average_concurrency=0.0, queued=0)  # requests that take no time
    reporters.hear("a", one, [short])
    reporters.leave("a", one, is_farewell=False, now_s=0.0)
    two = joined(reporters)
    reporters.leave("a", two, is_farewell=False, now_s=1.0)
    (carried,) = reporters.fill(now_s=2.0)
    assert carried.requests_per_s == 1.0
    assert reporters.fill(now_s=2.5) == []  # once a second, as it would itself
