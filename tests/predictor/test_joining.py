"""Whether joining pays: what is asked of the next request, after runs of known length."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.joining import BATCH_S, FIRST, TRIAL_BATCHES, TRIAL_RUNS, Joining, Typical

US = 1e-6


def told(joining: Joining, runs: int, run_us: float, requests: int) -> None:
    for _ in range(runs):
        joining.ran(run_us * US, requests)


def known(alone_us: float, joint_us: float, requests: int) -> Joining:
    """Having seen just enough of both."""
    joining = Joining()
    told(joining, FIRST, joint_us, requests)
    told(joining, FIRST, alone_us, 1)
    return joining


def test_requests_are_joined_until_that_is_known_and_then_alone_until_that_is() -> None:
    joining = Joining()
    assert joining.pays
    told(joining, FIRST - 1, 1000, 4)
    assert joining.pays
    told(joining, 1, 1000, 4)
    assert not joining.pays
    told(joining, FIRST - 1, 2000, 1)
    assert not joining.pays
    told(joining, 1, 2000, 1)
    assert joining.pays


@pytest.mark.parametrize(
    ("alone_us", "joint_us", "requests", "pays"),
    [
        (7, 8, 32, True),  # 108 / 32 = 3.4 each
        (7, 8, 8, False),  # 13.5
        (40, 1200, 32, False),  # 40.6: nothing is shared
        (40, 1100, 32, True),  # 37.5
        (650, 1060, 8, True),  # weights are read once
    ],
)
def test_it_pays_where_a_part_of_a_batch_costs_less_than_a_run_alone(
    alone_us: float, joint_us: float, requests: int, *, pays: bool
) -> None:
    assert known(alone_us, joint_us, requests).pays is pays


@pytest.mark.parametrize(("alone_us", "pays"), [(99, False), (101, True)])
def test_who_never_had_company_is_taken_for_a_batch_of_two(alone_us: float, *, pays: bool) -> None:
    joining = Joining()
    told(joining, FIRST, alone_us, 1)
    assert pytest.approx(100 * US) == BATCH_S
    assert joining.pays is pays


@pytest.mark.parametrize(
    ("alone_us", "tried"),
    [(40, TRIAL_BATCHES), (400, 1)],
)
def test_the_other_way_is_tried_in_turns(alone_us: float, tried: int) -> None:
    joining = known(alone_us, 1200, 32)
    usual = joining.pays
    asked = []
    for _ in range(3 * TRIAL_RUNS):
        asked.append(joining.pays)
        joining.ran(*((1200 * US, 32) if joining.pays else (alone_us * US, 1)))
    assert asked.count(not usual) == 3 * tried


def test_one_strange_run_moves_nothing() -> None:
    typical = Typical()
    for _ in range(FIRST + 1):
        typical.saw(40 * US)
    before_s = typical.value_s
    typical.saw(1.0)
    assert typical.value_s == pytest.approx(before_s * 1.1)


def test_the_first_run_that_warms_up_counts_for_nothing() -> None:
    typical = Typical()
    typical.saw(1.0)
    for _ in range(FIRST - 1):
        assert not typical.is_known
        typical.saw(40 * US)
    assert typical.is_known
    assert typical.value_s == 40 * US


REQUEST_S = 15 * US  # what a request costs either way
SAMPLE = 8  # of what runs alone, one in so many is told


def cost(
    joining: Joining, alone_s: float, row_s: float, company: int, dice: random.Random
) -> float:
    """Seconds a request, over many turns in each of which so many requests come."""
    turns, alone, spent_s = 60_000 // company, 0, 0.0
    for turn in range(2 * turns):
        left = company
        while left:
            requests = left if joining.pays else 1
            run_s = dice.choice(STRANGE) * (alone_s + row_s * (requests - 1))
            alone += requests == 1
            if requests > 1 or not alone % SAMPLE:
                joining.ran(run_s, requests)
            if turn >= turns:
                spent_s += run_s + (BATCH_S if requests > 1 else 0.0) + REQUEST_S * requests
            left -= requests
    return spent_s / turns / company


STRANGE = [1.0] * 9 + [3.0]
MEAN = sum(STRANGE) / len(STRANGE)


@settings(max_examples=12, deadline=None)
@given(
    alone_us=st.floats(5, 1500),
    shared=st.floats(0, 1),
    company=st.integers(2, 32),
    seed=st.integers(0, 9),
)
def test_it_costs_hardly_more_than_the_better_way(
    alone_us: float, shared: float, company: int, seed: int
) -> None:
    """`shared`: how much of a run alone the further rows of a joint run do not cost."""
    alone_s = alone_us * US
    row_s = alone_s * (1 - shared)
    found_s = cost(Joining(), alone_s, row_s, company, random.Random(seed))
    apart_s = REQUEST_S + MEAN * alone_s
    joint_s = REQUEST_S + (BATCH_S + MEAN * (alone_s + row_s * (company - 1))) / company
    # Where the ways are about as good, an estimate a step off takes the other one.
    assert found_s <= 1.2 * min(apart_s, joint_s)
    if max(apart_s, joint_s) > 1.5 * min(apart_s, joint_s):
        assert found_s <= 1.05 * min(apart_s, joint_s)
