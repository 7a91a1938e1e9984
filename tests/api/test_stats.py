import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import stats
from api.stats import MessageError, Stat

amounts = st.floats(0, 1e9) | st.integers(0, 10**9)
reports = st.builds(
    Stat,
    namespace=st.text(min_size=1, max_size=5),
    revision=st.text(min_size=1, max_size=5),
    reporter=st.just("a"),
    time_s=st.just(7.0),
    average_concurrency=amounts,
    requests_per_s=amounts,
    queued=st.integers(0, 10**9),
    queued_bytes=st.integers(0, 10**12),
    is_poke=st.booleans(),
    is_crowd=st.booleans(),
    tokens_in_flight=st.none() | amounts,
    queue_delay_s=st.none() | amounts,
)


@given(st.lists(reports, max_size=5))
def test_what_is_told_is_what_is_read(told: list[Stat]) -> None:
    assert stats.read_stats(stats.message_of(told), reporter="a", time_s=7.0) == told


def test_name_and_time_are_the_receivers() -> None:
    told = Stat(
        namespace="n",
        revision="r",
        reporter="somebody else",
        time_s=-5.0,
        average_concurrency=1.0,
        requests_per_s=0.0,
    )
    (read,) = stats.read_stats(stats.message_of([told]), reporter="a", time_s=7.0)
    assert (read.reporter, read.time_s) == ("a", 7.0)


def test_a_later_version_may_say_more() -> None:
    row = ["n", "r", 1.0, 0.0, 0, 0, 1, None, None, "more"]
    (read,) = stats.read_stats({"stats": [row], "more": 1}, reporter="a", time_s=0.0)
    assert read.is_poke
    assert stats.read_stats({"beat": True}, reporter="a", time_s=0.0) == []


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        {"stats": 1},
        {"stats": [[]]},
        {"stats": [["n", "r", 1.0]]},
        {"stats": [{"n": 1}]},
        {"stats": ["n"]},
        {"stats": [["n", 1, 1.0, 0.0, 0, 0, 1, None, None]]},
        {"stats": [["n", "r", "x", 0.0, 0, 0, 1, None, None]]},
        {"stats": [["n", "r", -1.0, 0.0, 0, 0, 1, None, None]]},
        {"stats": [["n", "r", math.inf, 0.0, 0, 0, 1, None, None]]},
        {"stats": [["n", "r", math.nan, 0.0, 0, 0, 1, None, None]]},
        {"stats": [["n", "r", 1.0, 0.0, 1e300, 0, 1, None, None]]},
        {"stats": [["n", "r", 1.0, 0.0, 0, 0, "x", None, None]]},
        {"stats": [["n", "r", 1.0, 0.0, 0, 0, 1, [], None]]},
        {"stats": [["n", "r", 1.0, 0.0, 0, 0, 1, None, None]] * (stats.ROWS_MAX + 1)},
    ],
)
def test_what_makes_no_sense_is_refused(message: Any) -> None:
    with pytest.raises(MessageError):
        stats.read_stats(message, reporter="a", time_s=0.0)


def test_both_sides_begin_with_their_names() -> None:
    assert stats.read_hello(stats.hello("activator-1")) == "activator-1"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (None, "object"),
        ({}, "name"),
        ({"hello": "", "format": 1}, "name"),
        ({"hello": "x" * 254, "format": 1}, "name"),
        ({"hello": "x"}, "format None is spoken there, 1 here"),
        ({"hello": "x", "format": 2}, "format 2 is spoken there, 1 here"),
        ({"refused": "too many"}, "refused: too many"),
    ],
)
def test_who_does_not_is_told(message: Any, says: str) -> None:
    with pytest.raises(MessageError, match=says):
        stats.read_hello(message)
