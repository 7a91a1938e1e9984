import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.gaps import BINS_MAX, KEEP_MIN_S, REST_MAX_S, Gaps, Plan, Terms

TERMS = Terms(keep_s=64.0, buy_s=30.0, sell_s=600.0, lead_s=3.0)
RESTS = st.lists(st.floats(1.0, 4000.0), min_size=1, max_size=80)


def plan(rests: list[float], terms: Terms = TERMS, *, may_go_ahead: bool = True) -> Plan:
    gaps = Gaps()
    for rest in rests:
        gaps.add(rest)
    return gaps.plan(terms, may_go_ahead=may_go_ahead)


def cost(rests: list[float], found: Plan, terms: Terms) -> float:
    """What a plan would have cost, rest by rest; a second way to say what a plan is."""
    total = 0.0
    for rest in rests:
        total += min(rest, found.keep_s)
        is_there = rest <= found.keep_s
        if found.ahead is not None and rest > found.ahead[0]:
            total += terms.lead_s + min(rest, found.ahead[1]) - found.ahead[0]
            is_there = is_there or rest <= found.ahead[1]
        total += 0 if is_there else terms.sell_s
    return total


def test_without_history_the_terms_hold() -> None:
    assert plan([]) == Plan(keep_s=64.0)


def test_a_few_long_rests_prove_nothing() -> None:
    assert plan([500.0, 900.0]) == Plan(keep_s=64.0, covered=0.0)


def test_many_long_rests_end_a_keep_alive_that_never_helped() -> None:
    rng = random.Random(1)
    rests = [rng.uniform(200, 4000) for _ in range(60)]
    found = plan(rests, may_go_ahead=False)
    assert (found.keep_s, found.rests, found.covered) == (KEEP_MIN_S, 60, 0.0)


def test_rests_just_beyond_the_keep_alive_lengthen_it() -> None:
    found = plan([80.0] * 10, may_go_ahead=False)
    assert 80 < found.keep_s < 90
    assert found.covered == 1.0


def test_rests_far_beyond_it_do_not_pay() -> None:
    assert plan([64.0 + 200.0] * 5 + [9.0] * 20, may_go_ahead=False).keep_s <= 64.0


def test_a_clock_is_met_ahead_of_its_stroke() -> None:
    strokes = [300.0, 301.0, 299.5, 300.5, 300.0, 299.0, 300.2]
    found = plan(strokes)
    assert found.ahead is not None
    begin, end = found.ahead
    assert 285 < begin < 299 - TERMS.lead_s
    assert 301 < end < 310
    assert found.keep_s == TERMS.keep_s  # seven strokes do not prove that nothing comes between
    assert plan(strokes * 4).keep_s == KEEP_MIN_S


def test_nobody_goes_ahead_of_rests_that_are_all_over_the_place() -> None:
    rng = random.Random(2)
    rests = [rng.expovariate(1 / 900) + 100 for _ in range(200)]
    assert plan(rests).ahead is None


def test_short_rests_between_strokes_are_covered_by_keeping() -> None:
    found = plan([5.0, 4.0, 6.0, 300.0] * 30)
    assert found.ahead is not None
    assert 6 < found.keep_s < 10


def test_nobody_goes_ahead_of_rests_too_long_to_be_told_apart() -> None:
    """A week counts as a day and a half: being back then would be in vain every time."""
    found = plan([7 * 86_400.0] * 60)
    assert (found.ahead, found.covered) == (None, 0.0)


def test_who_keeps_longer_may_go_ahead_as_well() -> None:
    """Both were won, by one plan: the usual one covers none of them."""
    spread = [float(rest) for rest in range(4, 74)] * 3
    found = plan(spread + [68.0] * 60 + [1000.0] * 120)
    assert 70 < found.keep_s < 80
    assert found.ahead is not None
    assert found.covered > 0.95


@given(rests=RESTS)
def test_a_plan_pays_by_the_history_it_was_made_from(rests: list[float]) -> None:
    """Against the plan without history, by a count of its own; bins blur it by 9 % at most."""
    terms = replace(TERMS, buy_s=600.0)  # one price, so that costs are plain sums
    usual = cost(rests, Plan(keep_s=terms.keep_s), terms)
    assert cost(rests, plan(rests, terms), terms) <= usual * 1.05 + 10


@given(rests=RESTS, factor=st.sampled_from([0.25, 4.0]))
def test_a_plan_stays_in_reason(rests: list[float], factor: float) -> None:
    terms = Terms(keep_s=64 * factor, buy_s=30 * factor, sell_s=600 * factor, lead_s=3.0)
    found = plan(rests, terms)
    assert KEEP_MIN_S <= found.keep_s <= max(terms.keep_s, max(rests) * 1.05 + 1.01)
    assert 0 <= found.covered <= 1
    if found.ahead is not None:
        assert found.keep_s < found.ahead[0] < found.ahead[1] <= max(rests) * 1.01 + 1.01


@given(rests=RESTS)
def test_a_dump_is_all_there_is(rests: list[float]) -> None:
    gaps = Gaps()
    for rest in rests:
        gaps.add(rest)
    again = Gaps.restored(gaps.dump(), count=gaps.count)
    assert again.count == gaps.count
    one, other = (each.plan(TERMS, may_go_ahead=True) for each in (gaps, again))
    assert other.keep_s == pytest.approx(one.keep_s)
    assert (other.ahead is None) == (one.ahead is None)


@pytest.mark.parametrize(
    "rows", [[[1.0, 5.0, 9.0, 5.0]], [[0.0, 5.0, 5.0, 5.0]], [[1.0, 5.0]], [["x", 1, 1, 1]]]
)
def test_what_is_no_dump_is_refused(rows: list[list[float]]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Gaps.restored(rows, count=1)


def test_a_histogram_is_bounded_and_old_rests_fade() -> None:
    gaps, rng = Gaps(), random.Random(3)
    for _ in range(20_000):
        gaps.add(rng.uniform(0.5, 2 * REST_MAX_S))
    assert len(gaps.dump()) <= BINS_MAX
    for _ in range(5000):
        gaps.add(10.0)
    assert gaps.plan(TERMS, may_go_ahead=True).covered > 0.99
