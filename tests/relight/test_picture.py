import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relight import picture
from relight.picture import Run, draw

STEPS = st.lists(
    st.tuples(st.integers(0, 40).map(lambda tenth: tenth / 10), st.integers(0, 5)), max_size=12
).map(sorted)


def drawn(**changed):  # type: ignore[no-untyped-def] # a Picture of one lane
    given_ = {
        "title": "t",
        "notes": ("n",),
        "requests": [(0.0, 0.2), (0.1, 0.2), (30.0, 0.2)],
        "capacity": 4,
        "span_s": 36.0,
        "runs": [
            Run(name="kpa", ready=[(0.5, 2), (31.0, 0)], starting=[(0, 2), (0.5, 0)], waits=[])
        ],
    }
    return draw(**{**given_, **changed})


def test_bins_are_round_and_few() -> None:
    assert drawn().bin_s == 0.1
    assert drawn(span_s=3600.0).bin_s == 10
    assert drawn(span_s=30 * 86_400.0).bin_s == 86_400
    for span_s in (0.001, 36.0, 3600.0, 1e6, 1e8):
        assert 1 <= len(drawn(span_s=span_s).rates) <= picture.BINS


def test_rates_add_up_to_the_requests() -> None:
    made = drawn(span_s=3600.0)
    assert sum(made.rates) * made.bin_s == pytest.approx(3)
    assert made.rates[0] == pytest.approx(0.2)


def test_needed_is_the_most_at_once_if_nobody_waits() -> None:
    made = drawn()
    assert max(made.needed) == 2
    assert made.needed[0] == 1  # until 0.1 s
    assert made.needed[10] == 0
    assert max(made.needed_replicas) == 1
    assert max(drawn(capacity=1).needed_replicas) == 2


def test_a_lane_has_ready_replicas_and_on_top_those_that_start() -> None:
    [lane] = drawn().lanes
    assert (lane.ready[0], lane.whole[0]) == (0, 2)
    assert (lane.ready[10], lane.whole[10]) == (2, 2)
    assert lane.whole[-1] == 0


def test_the_longest_wait_of_each_bin_is_shown_and_no_wait_is_not() -> None:
    waits = [(0.01, 0.3), (0.02, 0.5), (1.0, 0.0005), (30.0, 0.002)]
    [lane] = drawn(runs=[Run(name="x", ready=[], starting=[], waits=waits)]).lanes
    assert lane.waits == (
        (pytest.approx(0.05), 0.5),
        (pytest.approx(30.05), 0.002),
    )


@given(STEPS)
def test_tops_equal_a_look_at_every_instant(steps: list[tuple[float, int]]) -> None:
    found = picture._tops(steps, 0.5, 8)
    for i, top in enumerate(found):
        # Steps are at tenths: a value that stands for some time stands at a twentieth.
        instants = [i * 0.5 + k / 10 + 0.05 for k in range(5)]
        seen = [next((v for t, v in reversed(steps) if t <= at), 0) for at in instants]
        assert top == max(seen)


@given(STEPS, STEPS)
def test_the_sum_of_steps_is_the_sum_at_every_instant(
    one: list[tuple[float, int]], other: list[tuple[float, int]]
) -> None:
    both = picture._sum(one, other)
    for tenth in range(45):
        at = tenth / 10
        assert picture._value(both, at) == picture._value(one, at) + picture._value(other, at)


@given(st.floats(0.01, 1e7), st.integers(2, 12))
def test_time_ticks_are_few_and_inside(span_s: float, at_most: int) -> None:
    ticks = picture.time_ticks(span_s, at_most=at_most)
    assert 1 <= len(ticks) <= at_most + 1
    assert all(0 <= at <= span_s * (1 + 1e-6) for at, _ in ticks)


@given(st.floats(1e-6, 1e9))
def test_number_ticks_reach_the_top(top: float) -> None:
    ticks = picture.number_ticks(top)
    assert ticks[0] == 0
    assert ticks[-1] >= top * (1 - 1e-6)
    assert len(ticks) <= 6


def test_ticks_read_well() -> None:
    assert [label for _, label in picture.time_ticks(3600)] == (
        ["0", "10 min", "20 min", "30 min", "40 min", "50 min", "60 min"]
    )
    assert picture.number_ticks(7) == [0, 2, 4, 6, 8]
    assert [label for _, label in picture.wait_ticks(2.4)] == (
        ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]
    )
    assert math.isclose(picture.wait_ticks(0)[-1][0], 1.0)
