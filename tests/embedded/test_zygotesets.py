"""When a set of libraries has a zygote: asked for, needed, unneeded, dead, one too many."""

import math

from hypothesis import given
from hypothesis import strategies as st

from embedded.zygotesets import (
    AGAIN_FIRST_S,
    AGAIN_MAX_S,
    AHEAD,
    LINGER_S,
    START_AFTER_S,
    Due,
    ZygoteSets,
)

NOTHING = Due()


def sets(sets_max: int = 2) -> ZygoteSets:
    return ZygoteSets(sets_max=sets_max)


def test_one_is_started_once_a_little_after_it_was_asked_for() -> None:
    it = sets()
    assert it.next_s() is None
    it.asked("sklearn", "a", 10.0)
    assert it.next_s() == 10.0 + START_AFTER_S
    assert it.due(10.0, busy=()) == NOTHING
    it.asked("sklearn", "b", 11.0)
    assert it.due(10.0 + START_AFTER_S, busy=()) == Due(start=("sklearn",))
    assert it.next_s() is None
    assert it.due(99.0, busy=()) == NOTHING


def test_ahead_is_at_once_and_stays() -> None:
    it = sets()
    it.asked("sklearn", AHEAD, 0.0)
    assert it.due(0.0, busy=()) == Due(start=("sklearn",))
    it.keep((), 1.0)
    assert it.next_s() is None
    assert it.due(1e9, busy=()) == NOTHING


def test_it_stays_while_a_revision_needs_it_and_lingers_then() -> None:
    it = sets()
    it.asked("sklearn", "a", 0.0)
    it.asked("sklearn", "b", 0.0)
    it.due(START_AFTER_S, busy=())
    it.keep(("b", "c"), 10.0)
    assert it.next_s() is None
    it.keep(("c",), 20.0)
    it.keep(("c",), 30.0)
    assert it.next_s() == 20.0 + LINGER_S
    assert it.due(19.0 + LINGER_S, busy=()) == NOTHING
    assert it.due(20.0 + LINGER_S, busy={"sklearn"}) == NOTHING, "something runs of it"
    assert it.next_s() == 20.0 + 2 * LINGER_S
    assert it.due(20.0 + 2 * LINGER_S, busy=()) == Due(end=("sklearn",))
    assert it.next_s() is None


def test_who_asks_again_in_time_keeps_it() -> None:
    it = sets()
    it.asked("sklearn", "a", 0.0)
    it.due(START_AFTER_S, busy=())
    it.keep((), 10.0)
    it.asked("sklearn", "b", 20.0)
    assert it.next_s() is None


def test_one_that_ends_is_started_again_later_and_later() -> None:
    it = sets()
    it.asked("sklearn", "a", 0.0)
    now_s, waits = START_AFTER_S, []
    for _ in range(20):
        assert it.due(now_s, busy=()) == Due(start=("sklearn",))
        it.ended("sklearn", now_s)
        it.asked("sklearn", "a", now_s)
        following_s = it.next_s()
        assert following_s is not None
        waits.append(following_s - now_s)
        now_s = following_s
    assert waits[:3] == [AGAIN_FIRST_S, 2 * AGAIN_FIRST_S, 4 * AGAIN_FIRST_S]
    assert math.isclose(waits[-1], AGAIN_MAX_S)
    it.ended("another", now_s)


def test_the_least_lately_used_makes_room() -> None:
    it = sets()
    for at, name in enumerate(("xgboost", "sklearn", "torch")):
        it.asked(name, name, float(at))
    assert it.due(2.0 + START_AFTER_S, busy=()) == Due(start=("torch", "sklearn"))
    it.asked("xgboost", "xgboost", 100.0)
    assert it.due(100.0 + START_AFTER_S, busy={"sklearn"}) == Due(
        start=("xgboost",), end=("torch",)
    )
    it.asked("torch", "torch", 200.0)
    assert it.due(200.0 + START_AFTER_S, busy={"sklearn", "xgboost"}) == NOTHING
    assert it.next_s() is None, "it is forgotten until it is asked for"


def test_what_was_asked_for_ahead_makes_no_room() -> None:
    it = sets(1)
    it.asked("torch", AHEAD, 0.0)
    it.due(0.0, busy=())
    it.asked("sklearn", "a", 1.0)
    assert it.due(9.0, busy=()) == NOTHING


def test_none_are_kept_where_none_may_be() -> None:
    it = sets(0)
    it.asked("sklearn", "a", 0.0)
    assert it.next_s() is None
    assert it.due(9.0, busy=()) == NOTHING


NAMES = st.sampled_from("abcde")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("asked"), NAMES),
        st.tuples(st.just("ended"), NAMES),
        st.tuples(st.just("keep"), st.frozensets(NAMES)),
        st.tuples(st.just("due"), st.frozensets(NAMES)),
    ),
    max_size=60,
)


@given(steps=STEPS, sets_max=st.integers(0, 3))
def test_there_are_never_too_many_and_none_with_replicas_ends(steps: object, sets_max: int) -> None:
    it, running = sets(sets_max), set()
    for at, (what, argument) in enumerate(steps):  # type: ignore[var-annotated, arg-type]
        now_s = at * 50.0
        if what == "asked":
            it.asked(argument, argument, now_s)
        elif what == "ended" and argument in running:
            running.discard(argument)
            it.ended(argument, now_s)
        elif what == "keep":
            it.keep(argument, now_s)
        elif what == "due":
            busy = argument & running
            found = it.due(now_s, busy=busy)
            assert not busy & set(found.end)
            running -= set(found.end)
            assert not running & set(found.start)
            running |= set(found.start)
            following_s = it.next_s()
            assert following_s is None or following_s > now_s, "it would be asked without an end"
        assert len(running) <= sets_max
