from hypothesis import given
from hypothesis import strategies as st

from cluster.pacing import Pace


def test_a_burst_goes_at_once_and_the_rest_at_its_pace() -> None:
    pace = Pace(per_s=10.0, burst=3.0)
    waits = [pace.wait_s(now_s=100.0) for _ in range(6)]
    assert [round(each, 6) for each in waits] == [0.0, 0.0, 0.0, 0.1, 0.2, 0.3]
    assert pace.wait_s(now_s=200.0) == 0.0


def test_what_is_urgent_does_not_wait_and_others_wait_for_it() -> None:
    pace = Pace(per_s=10.0, burst=1.0)
    assert pace.wait_s(now_s=0.0) == 0.0
    assert pace.wait_s(now_s=0.0, is_urgent=True) == 0.0
    assert round(pace.wait_s(now_s=0.0), 6) == 0.2


def test_without_a_pace_nobody_waits() -> None:
    pace = Pace(per_s=0.0, burst=0.0)
    assert {pace.wait_s(now_s=0.0) for _ in range(1000)} == {0.0}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 5))
def test_in_no_second_there_are_more_than_the_pace_and_the_burst(
    gaps: list[int], burst: int
) -> None:
    pace = Pace(per_s=2.0, burst=float(burst))
    now_s, sent = 0.0, []
    for gap in gaps:
        now_s += gap / 4
        sent.append(now_s + pace.wait_s(now_s=now_s))
    for at_s in sent:
        within = [each for each in sent if at_s <= each < at_s + 1.0 - 1e-9]
        assert len(within) <= 2 + burst
