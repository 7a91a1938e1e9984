import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.bursting import activators, mode


@pytest.mark.parametrize(
    ("want", "excess", "ready", "expected"),
    [
        (None, 5, 3, "Proxy"),  # not known, as after a restart
        (0, 0, 0, "Proxy"),
        (0, 5, 1, "Proxy"),  # the last one is going
        (1, -1, 1, "Proxy"),
        (1, 0, 1, "Serve"),
        (3, 89, 3, "Serve"),
        (1, 0, 0, "Proxy"),  # target-burst-capacity 0, and nothing is ready yet
    ],
)
def test_mode(want: int | None, excess: int, ready: int, expected: str) -> None:
    assert mode(want, excess, ready=ready) == expected


@pytest.mark.parametrize(
    ("ready", "total", "burst", "capacity", "expected"),
    [
        (0, 100, 211, 100, 3),
        (1, 1, 211, 100, 3),
        (90, 1, 211, 100, 4),
        (3, 100, 211, 100, 6),
        (3, 100, -1, 100, 3),
        (1, 100, -1, 100, 2),
        (50, 100, 0, 100, 2),
        (3, 100, 211, 1000, 2),
        (1, 0.5, 0.6, 1, 2),
    ],
)
def test_activators(ready: int, total: float, burst: float, capacity: float, expected: int) -> None:
    found = activators(ready=ready, total=total, target_burst_capacity=burst, capacity=capacity)
    assert found == expected


@given(st.integers(0, 500), st.floats(0.01, 1000), st.floats(0, 1e5), st.floats(1, 1e4))
def test_there_are_enough_and_never_fewer_than_two(
    ready: int, total: float, burst: float, capacity: float
) -> None:
    found = activators(ready=ready, total=total, target_burst_capacity=burst, capacity=capacity)
    assert found >= 2
    if burst:
        assert found * capacity >= (ready * total + burst) * (1 - 1e-12)
        assert found == 2 or (found - 1) * capacity < math.nextafter(
            ready * total + burst, math.inf
        )
