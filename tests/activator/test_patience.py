"""The bounds of one execution."""

from hypothesis import given
from hypothesis import strategies as st

from activator.errors import Fault
from activator.patience import Bounds, Patience


def test_the_start_is_bounded_until_the_first_byte() -> None:
    patience = Patience(Bounds(start_s=3), sent_s=10, ends_s=100)
    assert patience.next_s() == 13
    assert patience.passed(12) is None
    assert patience.passed(13) is Fault.START_TIMEOUT
    patience.started(12)
    assert patience.next_s() == 100
    assert patience.passed(99) is None
    assert patience.passed(100) is Fault.EXECUTION_TIMEOUT


def test_silence_is_bounded_from_the_last_byte_either_way() -> None:
    patience = Patience(Bounds(idle_s=5), sent_s=10, ends_s=100)
    patience.moved(14)
    assert patience.passed(15) is None
    assert patience.next_s() == 19
    patience.started(18)
    patience.moved(20)
    assert patience.passed(24) is None
    assert patience.passed(25) is Fault.IDLE_TIMEOUT


TIMES = st.integers(0, 20)
EVENTS = st.lists(st.tuples(st.sampled_from(["moved", "started", "look"]), st.integers(0, 3)))


@given(TIMES, TIMES, TIMES, EVENTS)
def test_a_look_finds_nothing_before_its_time_and_something_at_it(
    start_s: int, idle_s: int, ends_s: int, events: list
) -> None:
    patience = Patience(Bounds(start_s=start_s, idle_s=idle_s), sent_s=0, ends_s=ends_s)
    now_s, moved_s, is_started = 0, 0, False
    for kind, step_s in events:
        now_s += step_s
        is_late = (
            now_s >= ends_s
            or (bool(start_s) and not is_started and now_s >= start_s)
            or (bool(idle_s) and now_s >= moved_s + idle_s)
        )
        assert (patience.passed(now_s) is not None) == is_late
        assert (patience.next_s() <= now_s) == is_late
        if is_late:
            return
        if kind == "moved":
            patience.moved(now_s)
            moved_s = now_s
        elif kind == "started":
            patience.started(now_s)
            moved_s, is_started = now_s, True
