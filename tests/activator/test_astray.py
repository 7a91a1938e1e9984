"""Asking again, and giving that up."""

import math

from activator.astray import Astray, Patiences
from activator.targets import RevisionKey

KEY = RevisionKey("ns", "rev")
PATIENCES = Patiences(retry_s=1.0, retry_max_s=4.0, alone_s=10.0)


def test_it_is_asked_again_each_time_later_and_at_last_no_more() -> None:
    astray = Astray(PATIENCES)
    asked: list[float] = []
    alone: list[float] = []
    astray.turned_away(KEY, 0.0)
    for tenths in range(300):
        now_s = tenths / 10
        again, given_up = astray.take_due(now_s)
        if again:
            asked.append(now_s)
            astray.turned_away(KEY, now_s)
        alone += [now_s] * len(given_up)
    assert asked == [1.0, 3.0, 7.0]
    assert alone == [11.0]
    assert not astray.keys()


def test_several_requests_of_a_queue_are_one_case() -> None:
    astray = Astray(PATIENCES)
    astray.turned_away(KEY, 0.0)
    astray.turned_away(KEY, 0.5)
    assert astray.due_s() == 1.0
    assert astray.take_due(1.0) == ([KEY], [])
    assert astray.due_s() == math.inf


def test_one_that_was_taken_for_long_and_is_turned_away_begins_anew() -> None:
    astray = Astray(PATIENCES)
    astray.turned_away(KEY, 0.0)
    astray.take_due(1.0)
    astray.turned_away(KEY, 20.0)
    assert astray.take_due(21.0) == ([KEY], [])


def test_one_that_is_served_or_gone_is_forgotten() -> None:
    astray = Astray(PATIENCES)
    astray.turned_away(KEY, 0.0)
    astray.forget(KEY)
    astray.forget(KEY)
    assert astray.due_s() == math.inf
    astray.turned_away(KEY, 0.0)
    astray.clear()
    assert astray.take_due(9.0) == ([], [])
