"""Shares, and what a tag makes of a way."""

import random
from collections import Counter

import pytest

from activator.targets import DEFAULT_ROUTE, RevisionKey, Target, Way, sole

OLD, NEW = RevisionKey("default", "old"), RevisionKey("default", "new")


@pytest.mark.parametrize("seed", range(20))
def test_a_canary_gets_its_share_within_one_of_200(seed: int) -> None:
    target = Target([(OLD, 80), (NEW, 20)], {}, random.Random(seed).random())
    assert target.only is None
    counts = Counter(target.pick() for _ in range(200))
    assert abs(counts[NEW] - 40) <= 2


def test_a_share_is_fair_to_every_other_request_too() -> None:
    # A client that alternates two kinds of request must not find one kind always on the canary.
    target = Target([(OLD, 50), (NEW, 50)], {}, 0.25)
    picks = [target.pick() for _ in range(400)]
    assert 90 <= picks[::2].count(NEW) <= 110


def test_shares_of_nothing_lead_nowhere() -> None:
    assert Target([(OLD, 0)], {}, 0.0).pick() is None
    assert Target([(OLD, 0)], {}, 0.0).only is None
    assert sole(OLD).only == sole(OLD).pick() == OLD


def test_a_tag_narrows_a_way_and_keeps_the_rest_of_it() -> None:
    target = Target([(OLD, 100)], {b"next": NEW}, 0.0)
    way = Way(
        target=target,
        lines=DEFAULT_ROUTE + b"x: 1\r\n",
        replaced=frozenset({b"x"}),
        is_inside_only=True,
    )
    assert way.tagged(b"none") is way
    narrowed = way.tagged(b"next")
    assert narrowed.target.only == NEW
    assert (narrowed.lines, narrowed.replaced) == (b"x: 1\r\n", {b"x"})
    assert narrowed.is_inside_only
