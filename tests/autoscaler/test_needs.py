from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.needs import Need, need
from autoscaler.reasons import Reason
from autoscaler.signals import Signal
from tests.autoscaler.specs import spec

TEN = spec(is_kpa=False, target=7.0, total=10.0)


def found(wanted: Any = TEN, **changes: Any) -> tuple[int, Reason] | None:
    looks = {"busy": 0.0, "fast": 0.0, "expected": None, "queued": None, "ready": 3}
    answer = need(wanted, **(looks | changes))
    return None if answer is None else (answer.number, answer.reason)


@pytest.mark.parametrize(
    ("looks", "answer"),
    [
        ({}, (0, Reason.IDLE)),
        ({"busy": 14.0, "fast": 14.0}, (2, Reason.STABLE)),
        ({"busy": 15.0, "fast": 1.0}, (3, Reason.STABLE)),  # headroom is for the average
        ({"busy": 15.0, "fast": 0.0}, (0, Reason.IDLE)),  # nothing runs: nothing is needed
        ({"busy": 21.0, "fast": 30.0}, (3, Reason.STABLE)),  # slots are for the moment
        ({"busy": 21.0, "fast": 31.0}, (4, Reason.FULL)),
        ({"busy": 21.0, "fast": 41.9, "ready": 4}, (5, Reason.FULL)),
        ({"busy": 21.0, "fast": 42.0, "ready": 3}, (6, Reason.SURGE)),  # twice what is ready
        ({"busy": 0.0001, "fast": 0.0001}, (1, Reason.STABLE)),
        ({"busy": 14.0, "fast": 14.0, "expected": 35.5}, (6, Reason.EXPECTED)),
        ({"busy": 14.0, "fast": 14.0, "expected": 3.0}, (2, Reason.STABLE)),
        ({"queued": 100}, (15, Reason.QUEUE)),
        ({"queued": 0}, (1, Reason.QUEUE)),
        ({"busy": 70.0, "fast": 70.0, "queued": 8, "ready": 10}, (10, Reason.STABLE)),
        ({"busy": None, "fast": None, "queued": 8}, (2, Reason.QUEUE)),
        ({"busy": None, "fast": None}, None),
    ],
)
def test_need(looks: dict[str, Any], answer: tuple[int, Reason] | None) -> None:
    assert found(**looks) == answer


def test_a_signal_knows_no_slots_and_a_delay_no_course() -> None:
    tokens = spec(is_kpa=False, signal=Signal(metric="tokens-in-flight", target=7.0, requests=7.0))
    assert found(tokens, busy=21.0, fast=31.0) == (3, Reason.STABLE)
    assert found(tokens, busy=21.0, fast=21.0, expected=70.0) == (10, Reason.EXPECTED)
    delay = spec(is_kpa=False, signal=Signal(metric="queue-delay", target=7.0, requests=7.0))
    assert found(delay, busy=21.0, fast=21.0, expected=70.0) == (3, Reason.STABLE)


@given(
    busy=st.floats(0, 500),
    fast=st.floats(0, 500),
    expected=st.none() | st.floats(0, 500),
    queued=st.none() | st.integers(0, 500),
    ready=st.integers(0, 50),
)
def test_more_of_anything_never_needs_less(
    busy: float, fast: float, expected: float | None, queued: int | None, ready: int
) -> None:
    looks: dict[str, Any] = {
        "busy": busy,
        "fast": fast,
        "expected": expected,
        "queued": queued,
        "ready": ready,
    }
    less = need(TEN, **looks)
    assert isinstance(less, Need)
    for name in ("busy", "fast"):
        more = need(TEN, **(looks | {name: looks[name] + 7.0}))
        assert more is not None
        assert more.number >= less.number
    assert (less.number == 0) == (fast == 0 and queued is None)
