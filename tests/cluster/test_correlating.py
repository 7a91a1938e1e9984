"""Kubernetes' bounds on Events."""

import pytest

from cluster import correlating
from cluster.correlating import BURST_MAX, REFILL_S, SIMILAR_MAX, SIMILAR_S, Correlator

KIND = ("uid", "Normal", "Scaled")


def test_the_tenth_different_message_is_combined_and_repeated_ones_are_not() -> None:
    it = Correlator()
    for number in range(SIMILAR_MAX - 1):
        assert it.combined(KIND, f"{number}", now_s=0) is None
    assert it.combined(KIND, "another", now_s=1) == "(combined from similar events): another"
    assert it.combined(KIND, "3", now_s=2) is None
    assert it.combined(("uid", "Normal", "Failed"), "another", now_s=2) is None
    assert it.combined(KIND, "another", now_s=3 + SIMILAR_S) is None  # forgotten


def test_an_object_has_a_burst_and_then_one_at_a_time() -> None:
    it = Correlator()
    assert sum(it.admits("uid", now_s=0) for _ in range(100)) == BURST_MAX
    assert it.admits("other", now_s=0)
    assert not it.admits("uid", now_s=REFILL_S * 0.9)
    assert it.admits("uid", now_s=REFILL_S * 1.01)
    assert not it.admits("uid", now_s=REFILL_S * 1.02)
    assert sum(it.admits("uid", now_s=REFILL_S * 1000) for _ in range(100)) == BURST_MAX


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlating, "_REMEMBERED_MAX", 3)
    it = Correlator()
    for number in range(9):
        it.admits(f"{number}", now_s=0)
        it.combined((f"{number}", "Normal", "Scaled"), "message", now_s=0)
    assert (len(it._buckets), len(it._similar)) == (3, 3)


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    it = Correlator()
    assert it.admits("uid", now_s=1000)
    assert it.admits("uid", now_s=0)
