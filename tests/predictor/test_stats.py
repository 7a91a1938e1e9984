"""Time-weighted concurrency, with literal times and against the slow obvious version."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.stats import RequestStats


def test_two_requests_of_two_and_one_seconds_are_three_concurrency_seconds() -> None:
    stats = RequestStats(now_s=10)
    stats.arrived(is_proxied=True, now_s=10)
    stats.arrived(is_proxied=False, now_s=11)
    stats.left(is_proxied=True, now_s=12)
    stats.left(is_proxied=False, now_s=12)
    report = stats.report(now_s=20)
    assert report["concurrency_seconds"] == 3
    assert report["proxied_concurrency_seconds"] == 2
    assert (report["requests"], report["proxied_requests"], report["in_flight"]) == (2, 1, 0)


def test_reading_changes_nothing_for_the_next_reader() -> None:
    stats = RequestStats(now_s=0)
    stats.arrived(is_proxied=False, now_s=0)
    assert stats.report(now_s=5) == stats.report(now_s=5)
    assert stats.report(now_s=6)["concurrency_seconds"] == 6


def test_what_passed_in_one_go_counts_beside_what_is_here() -> None:
    stats = RequestStats(now_s=0)
    stats.arrived(is_proxied=False, now_s=0)
    stats.passed(0.5, is_proxied=True)
    stats.passed(0.25, is_proxied=False)
    report = stats.report(now_s=1)
    assert report["concurrency_seconds"] == 1.75
    assert report["proxied_concurrency_seconds"] == 0.5
    assert (report["requests"], report["proxied_requests"], report["in_flight"]) == (3, 1, 1)


def test_leaving_without_arriving_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        RequestStats(now_s=0).left(is_proxied=False, now_s=1)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10), st.booleans()), max_size=20))
def test_the_total_is_the_sum_of_all_durations(spans: list[tuple[int, int, bool]]) -> None:
    stats = RequestStats(now_s=0)
    events = [(start, 0, proxied) for start, _, proxied in spans]
    events += [(start + length, 1, proxied) for start, length, proxied in spans]
    for time_s, is_end, proxied in sorted(events, key=lambda event: event[:2]):
        if is_end:
            stats.left(is_proxied=proxied, now_s=time_s)
        else:
            stats.arrived(is_proxied=proxied, now_s=time_s)
    report = stats.report(now_s=40)
    assert report["concurrency_seconds"] == sum(length for _, length, _ in spans)
    assert report["proxied_concurrency_seconds"] == sum(s[1] for s in spans if s[2])
