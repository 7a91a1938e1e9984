import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.window import AverageWindow, MaxWindow


class SlowAverage:
    """The obvious twin: every record kept, every average computed from the definition."""

    def __init__(self, window_s: int) -> None:
        self.window_s = window_s
        self.kept: dict[int, float] = {}
        self.first: int | None = None
        self.last: int | None = None

    def record(self, now_s: float, value: float) -> None:
        second = math.floor(now_s)
        if self.last is not None and second <= self.last - self.window_s:
            return
        if self.last is None or second - self.last >= self.window_s:
            self.kept, self.first = {}, second
        self.first = second if self.first is None else min(self.first, second)
        self.last = second if self.last is None else max(self.last, second)
        self.kept[second] = self.kept.get(second, 0.0) + value

    def linear(self, now_s: float) -> float:
        """Sum of the known seconds over how many they are."""
        second = math.floor(now_s)
        if self.last is None or self.first is None or second - self.last >= self.window_s:
            return 0.0
        second = max(second, self.last)
        span = range(max(self.first, second - self.window_s + 1), self.last + 1)
        # Records before the first second never happen; a very early first one widens the span.
        total = sum(self.kept.get(each, 0.0) for each in span)
        return total / len(span)

    def weighted(self, now_s: float) -> float:
        second = math.floor(now_s)
        if self.last is None or second - self.last > self.window_s:
            return 0.0
        second = max(second, self.last)
        newest = max(1 - 0.0001 ** (1 / self.window_s), 0.2)
        return sum(
            self.kept.get(second - age, 0.0) * newest * (1 - newest) ** age
            for age in range(self.window_s)
        )


RECORDS = st.lists(
    st.tuples(st.integers(-4, 9), st.integers(0, 20)),  # seconds later, quarters of load
    max_size=40,
)


@given(window_s=st.integers(1, 8), records=RECORDS, later_s=st.integers(0, 12))
def test_average_equals_the_slow_twin(
    window_s: int, records: list[tuple[int, int]], later_s: int
) -> None:
    linear = AverageWindow(window_s=window_s)
    weighted = AverageWindow(window_s=window_s, is_weighted=True)
    twin = SlowAverage(window_s)
    now = 100
    for step, quarters in records:
        now += step
        for window in (linear, weighted, twin):
            window.record(now, quarters / 4)
        for at in (now, now + later_s):
            assert linear.average(at) == pytest.approx(twin.linear(at), abs=1e-6)
            assert weighted.average(at) == pytest.approx(twin.weighted(at), abs=1e-9)


def filled(window: AverageWindow, values: list[float], *, start_s: float = 0.0) -> AverageWindow:
    for offset, value in enumerate(values):
        window.record(start_s + offset, value)
    return window


def test_an_empty_window_averages_zero() -> None:
    window = AverageWindow(window_s=6)
    assert window.average(3) == 0.0
    assert window.is_empty(3)
    assert window.last_s is None


def test_values_of_one_second_add_up() -> None:
    window = AverageWindow(window_s=6)
    window.record(1.0, 2.0)
    window.record(1.9, 3.0)
    assert window.average(1.95) == 5.0


def test_only_seconds_since_the_first_record_count() -> None:
    assert filled(AverageWindow(window_s=60), [10.0, 20.0]).average(1) == 15.0


def test_gaps_count_as_zero_and_trailing_silence_does_not() -> None:
    window = AverageWindow(window_s=6)
    window.record(0, 6.0)
    window.record(2, 6.0)
    assert window.average(2) == 4.0
    assert window.average(4) == 4.0


def test_old_seconds_leave_while_silence_lasts() -> None:
    window = filled(AverageWindow(window_s=4), [4.0, 4.0, 4.0, 8.0])
    assert window.average(3) == 5.0
    assert window.average(5) == 6.0
    assert window.average(6) == 8.0
    assert window.average(7) == 0.0


def test_a_window_of_silence_starts_afresh() -> None:
    window = filled(AverageWindow(window_s=4), [4.0, 4.0])
    window.record(5, 1.0)
    assert window.average(5) == 1.0


def test_a_record_a_window_late_is_dropped() -> None:
    window = filled(AverageWindow(window_s=4), [0.0, 0.0, 0.0, 0.0, 4.0])
    window.record(0, 100.0)
    assert window.average(4) == 1.0
    window.record(1, 4.0)
    assert window.average(4) == 2.0


def test_the_linear_average_is_rounded_to_six_digits() -> None:
    window = filled(AverageWindow(window_s=3), [0.1, 0.1, 0.1])
    assert window.average(2) == 0.1
    assert filled(AverageWindow(window_s=3), [0.0, 0.0, 1e-6]).average(2) == 0.0
    assert filled(AverageWindow(window_s=2), [0.0, 1e-6]).average(1) == 1e-6  # half: away from 0


@pytest.mark.parametrize("load", [1.0, 3.0, 0.25])
def test_a_busy_average_is_not_one_of_a_rounded_one(load: float) -> None:
    # 1/60 is 0.016667 in six digits, and sixty of those were more than one request.
    window = AverageWindow(window_s=60)
    for second in range(60):
        window.record(second, load if second == 59 else 0.0)
    assert window.busy_average(59.5) == load
    assert window.busy_average(61.5) == load


def test_is_empty_after_more_than_a_window() -> None:
    window = filled(AverageWindow(window_s=4), [1.0])
    assert not window.is_empty(4)
    assert window.is_empty(5)


def test_weights_of_sixty_seconds_are_a_fifth_and_of_six_more() -> None:
    assert filled(AverageWindow(window_s=60, is_weighted=True), [1.0]).average(0) == 0.2
    six = filled(AverageWindow(window_s=6, is_weighted=True), [1.0]).average(0)
    assert six == pytest.approx(0.785, abs=1e-3)


def test_silence_decays_a_weighted_average() -> None:
    window = filled(AverageWindow(window_s=60, is_weighted=True), [10.0])
    assert window.average(2) == pytest.approx(10 * 0.2 * 0.8**2)


def test_shrinking_keeps_the_newest() -> None:
    window = filled(AverageWindow(window_s=6), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    window.resize(2, now_s=5)
    assert window.average(5) == 5.5


def test_growing_keeps_all_and_counts_back_to_the_old_length() -> None:
    window = filled(AverageWindow(window_s=3), [3.0])
    window.resize(6, now_s=0)
    assert window.average(0) == 1.0  # three seconds are taken for known, as in Knative
    window.record(1, 5.0)
    assert window.average(1) == 2.0


def test_resizing_an_expired_window_forgets_it() -> None:
    window = filled(AverageWindow(window_s=3), [3.0])
    window.resize(6, now_s=10)
    assert window.average(10) == 0.0
    window.record(5, 6.0)
    assert window.average(5) == 6.0


def test_resizing_to_the_same_length_changes_nothing() -> None:
    window = filled(AverageWindow(window_s=3), [3.0])
    window.resize(3, now_s=100)
    assert window.average(0) == 3.0


@given(
    span=st.integers(1, 6),
    records=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=40),
)
def test_maximum_equals_the_slow_twin(span: int, records: list[tuple[int, int]]) -> None:
    window, slots, now = MaxWindow(), dict[int, int](), 0
    for step, value in records:
        now += step
        slots[now] = max(value, slots.get(now, 0))
        window = window.record(now, value, span=span)
        assert window.current == max(v for slot, v in slots.items() if now - slot < span)
        assert len(window.entries) <= span


def test_in_one_slot_the_larger_value_stays() -> None:
    window = MaxWindow().record(7, 5, span=3).record(7, 2, span=3)
    assert window.entries == ((7, 5),)


def test_numbers_of_knatives_own_window_test() -> None:
    """A five-second window through holes, laggards and a long silence, as in bucketing_test.go."""
    window = filled(AverageWindow(window_s=5), [1.0, 2.0, 3.0, 4.0, 5.0])
    assert [window.average(at) for at in (4, 3.6, 6, 10)] == [3.0, 3.0, 4.0, 0.0]
    window.record(6, 91.0)
    assert window.average(6) == (15 - 1 - 2 + 91) / 5
    window.record(60, 1984.0)
    assert window.average(60) == 1984.0
    window.record(57, 4.0)
    assert window.average(60) == (4 + 1984) / 4
    window.record(61, 5.0)
    assert window.average(61) == 398.6
    window.record(58, 10.0)
    assert window.average(61) == 400.6
    for too_early in (55, 56):
        window.record(too_early, 10.0)
        assert window.average(61) == 400.6
    window.record(66, 10.0)
    assert window.average(66) == 10.0


def test_what_rounds_to_nothing_has_no_sign() -> None:
    window = AverageWindow(window_s=3)
    for now_s, value in ((0.0, 0.3), (1.0, 0.2), (2.0, 0.1), (3.0, 0.0), (4.0, 0.0), (5.0, 0.0)):
        window.record(now_s, value)
    assert str(window.average(5.0)) == "0.0"


_STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(-1, 3), st.booleans()), min_size=1, max_size=30
)


@given(count=st.integers(1, 6), is_weighted=st.booleans(), steps=_STEPS)
def test_rest_changes_no_average(
    count: int, is_weighted: bool, steps: list[tuple[int, int, bool]]
) -> None:
    restful = AverageWindow(window_s=count, is_weighted=is_weighted)
    other = AverageWindow(window_s=count, is_weighted=is_weighted)
    now = 0
    for step, value, is_resting in steps:
        now += step
        for window in (restful, other):
            if value >= 0:
                window.record(now, value / 4)
        if is_resting:
            restful.rest()
        assert restful.average(now) == other.average(now)
    restful.resize(count + 1, now_s=now)
    other.resize(count + 1, now_s=now)
    assert restful.average(now) == other.average(now)


def test_a_window_has_no_buckets_before_its_first_record_and_after_its_last() -> None:
    window = AverageWindow(window_s=60)
    assert window._buckets == []
    window.record(0, 1.0)
    window.rest()
    assert len(window._buckets) == 60
    window.record(59, 0.0)
    window.record(60, 0.0)
    window.rest()
    assert window._buckets == []


@given(count=st.integers(1, 6), is_weighted=st.booleans(), steps=_STEPS, shift=st.integers(-9, 9))
def test_a_window_that_was_kept_goes_on_as_if_nothing_had_been(
    count: int, is_weighted: bool, steps: list[tuple[int, int, bool]], shift: int
) -> None:
    window = AverageWindow(window_s=count, is_weighted=is_weighted)
    now = 0
    for step, value, is_kept in steps:
        now += step
        if value >= 0:
            window.record(now, value / 4)
        before = window.average(now)
        raw = window.dump(shift=shift, now_s=now)
        if not is_kept:
            continue
        if raw is None:
            assert before == 0
            continue
        again = AverageWindow.restored(raw, shift=shift)
        assert again.average(now) == before
        assert again.dump(shift=shift, now_s=now) == raw
        window = again


def test_nobody_counted_while_away_so_the_window_moves_over_the_gap() -> None:
    window = filled(AverageWindow(window_s=10), [3.0, 5.0])  # seconds 0 and 1
    window.skip(1.9)
    assert window.last_s == 1.0
    window.skip(7.4)
    assert (window.last_s, window.average(7.4)) == (6.0, 4.0)
    window.record(7.9, 1.0)
    assert window.average(7.9) == 3.0
    empty = AverageWindow(window_s=10)
    empty.skip(7)
    assert empty.last_s is None


@given(
    count=st.integers(1, 6),
    is_weighted=st.booleans(),
    before=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    missed=st.integers(0, 20),
    after=st.lists(st.integers(0, 9), max_size=12),
)
def test_a_gap_leaves_no_trace(
    count: int, is_weighted: bool, before: list[int], missed: int, after: list[int]
) -> None:
    gapless = AverageWindow(window_s=count, is_weighted=is_weighted)
    window = AverageWindow(window_s=count, is_weighted=is_weighted)
    for now, value in enumerate(before):
        gapless.record(now, value)
        window.record(now, value)
    window.skip(len(before) + missed)
    for now, value in enumerate(after, start=len(before)):
        gapless.record(now, value)
        window.record(now + missed, value)
        assert window.average(now + missed) == gapless.average(now)


@pytest.mark.parametrize(
    "changes",
    [
        {"last": 50},
        {"first": 99},
        {"values": [1.0]},
        {"values": [1.0, float("nan")]},
        {"values": [1.0, None]},
        {"values": None},
        {"total": float("inf")},
        {"total": "many"},
        {"window_s": 1.0},
        {"window_s": float("inf")},
    ],
)
def test_what_is_no_window_is_refused(changes: dict[str, Any]) -> None:
    raw = filled(AverageWindow(window_s=10), [3.0, 5.0]).dump(shift=0, now_s=1)
    assert raw is not None
    AverageWindow.restored(raw, shift=0)
    with pytest.raises((ValueError, TypeError)):
        AverageWindow.restored(raw | changes, shift=0)


def test_a_longer_window_than_can_be_asked_for_is_cut() -> None:
    raw = filled(AverageWindow(window_s=10), [3.0, 5.0]).dump(shift=0, now_s=1)
    assert raw is not None
    window = AverageWindow.restored(raw | {"window_s": 1e300}, shift=0)
    assert len(window._buckets) == 3600
