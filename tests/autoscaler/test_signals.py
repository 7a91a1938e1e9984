"""What reports of replicas come to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.stats import Stat
from autoscaler.signals import Amount, Signal, amount, leads
from tests.autoscaler.queues import TARGET_S, World

TOKENS = Signal(metric="tokens-in-flight", target=2800, requests=7, slots=10)
DELAY = Signal(metric="queue-delay", target=200, requests=70)


def stat(concurrency: float = 1.0, **more: Any) -> Stat:
    return Stat(
        namespace="n",
        revision="r",
        reporter="a",
        time_s=1,
        average_concurrency=concurrency,
        requests_per_s=1,
        **more,
    )


def wanted(delay_s: float | None, *, ready: int, signal: Signal = DELAY, **more: Any) -> float:
    """Replicas."""
    found = amount(signal, stat(queue_delay_s=delay_s, **more), ready=ready)
    return found.value / signal.target


@pytest.mark.parametrize("ready", [0, 1, 9])
def test_tokens_are_what_they_are(ready: int) -> None:
    assert amount(TOKENS, stat(tokens_in_flight=5000), ready=ready) == Amount(5000, True)
    assert amount(TOKENS, stat(tokens_in_flight=0), ready=ready) == Amount(0, True)


@pytest.mark.parametrize("signal", [TOKENS, DELAY])
def test_where_nobody_reports_a_request_is_its_share_of_a_replica(signal: Signal) -> None:
    value, is_shared = amount(signal, stat(signal.requests * 3), ready=4)
    assert value == pytest.approx(3 * signal.target)
    assert not is_shared


@pytest.mark.parametrize(
    ("delay_s", "ready", "expected"),
    [
        (0.2, 3, 3),  # as it should be
        (0.3, 2, 3),
        (0.15, 4, 3),
        (0.4, 3, 6),
        (60, 3, 6),  # at most twice
        (0.1, 4, 2),
        (0.0, 4, 2),  # at least half
        (0.0, 1, 0.5),
    ],
)
def test_a_delay_is_a_ratio(delay_s: float, ready: int, expected: float) -> None:
    assert wanted(delay_s, ready=ready) == pytest.approx(expected)


def test_a_delay_without_replicas_is_their_start() -> None:
    assert wanted(5.0, ready=0, concurrency=140, queued=140) == pytest.approx(2)


def test_a_delay_of_nothing_where_nothing_is_done_is_nothing() -> None:
    assert wanted(0.0, ready=4, concurrency=0) == 0
    assert wanted(0.3, ready=2, concurrency=0, queued=1) == pytest.approx(3)


def test_full_slots_are_not_taken_away() -> None:
    limited = Signal(metric="queue-delay", target=200, requests=1, slots=2)
    assert wanted(0.0, ready=4, signal=limited, concurrency=7) == pytest.approx(3.5)
    assert wanted(0.0, ready=4, signal=limited, concurrency=50) == pytest.approx(4)
    assert wanted(0.0, ready=4, signal=limited, concurrency=1) == pytest.approx(2)


@given(
    st.floats(0, 100), st.integers(1, 1000), st.floats(0, 1000), st.integers(0, 10), st.booleans()
)
def test_one_second_asks_for_half_to_twice_of_what_there_is(
    delay_s: float, ready: int, concurrency: float, slots: int, is_queued: bool
) -> None:
    signal = Signal(metric="queue-delay", target=100, requests=1, slots=slots)
    found = wanted(
        delay_s, ready=ready, signal=signal, concurrency=concurrency, queued=int(is_queued)
    )
    if concurrency or is_queued:
        assert 0.5 * ready * (1 - 1e-9) <= found <= 2 * ready * (1 + 1e-9)
    else:
        assert found == 0


@given(st.dictionaries(st.sampled_from("abcd"), st.floats(0, 10), min_size=1))
def test_of_those_who_tell_of_the_same_one_counts(said: dict[str, float]) -> None:
    counted = [
        value
        for name, value in said.items()
        if leads(name, value, [(n, v) for n, v in said.items() if n != name])
    ]
    assert counted == [max(said.values())]


def test_it_settles_where_waits_are_as_long_as_was_asked_for() -> None:
    world = World()
    world.fly(0, 300, rate=12)
    mean, most, wait_s = world.fly(300, 900, rate=12)  # 2.4 replicas' worth of work
    assert 2.4 <= mean <= 6
    assert most <= 10
    assert wait_s <= 2 * TARGET_S


def test_it_follows_a_load_up_and_down() -> None:
    world = World()
    world.fly(0, 300, rate=3)
    world.fly(300, 480, rate=30)
    mean, most, wait_s = world.fly(480, 780, rate=30)  # 6 replicas' worth
    assert 6 <= mean <= 14
    assert most <= 30
    assert wait_s <= 3 * TARGET_S
    world.fly(780, 1080, rate=3)
    assert world.fly(1080, 1380, rate=3)[0] <= 3  # 0.6 replicas' worth
