"""Every number of a line of the table, on literal runs."""

import pytest

from rehearsal.runs import COLD, RESUMED, WARM, Life, Run
from rehearsal.scores import percentile, score

RUN = Run(
    arrivals=[0.0, 10.0, 11.0, 50.0],
    services=[1.0] * 4,
    waits=[5.0, 0.0, 0.001, 0.002],
    found=bytearray([COLD, WARM, WARM, RESUMED]),
    lives=[
        # ready from 5 to 40: busy 3, idle 32, of which 28 after its last request
        Life(born_s=0.0, ready_s=5.0, ended_s=40.0, busy_s=3.0, last_s=12.0),
        # stopped while it started
        Life(born_s=0.0, ready_s=5.0, ended_s=4.0, busy_s=0.0, last_s=5.0),
        # resumed, and never used
        Life(born_s=50.0, ready_s=50.5, ended_s=60.0, busy_s=0.0, last_s=50.5, is_resumed=True),
    ],
    frozen=[(40.0, 50.0), (60.0, 61.0)],
    cold_starts=2,
    end_s=61.0,
)


def test_a_run_in_numbers() -> None:
    told = score(RUN)
    assert (told.requests, told.waits, told.cold_waits, told.resumed_waits) == (4, 2, 1, 1)
    assert (told.cold_starts, told.starts, told.resumes) == (2, 2, 1)
    assert told.busy_s == 3.0
    assert told.idle_s == 32.0 + 9.5
    assert told.starting_s == 5.0 + 4.0 + 0.5
    assert told.wasted_s == 28.0 + 9.5
    assert told.frozen_s == 11.0
    assert told.replica_s == 3.0 + 41.5 + 9.5 == 40.0 + 4.0 + 10.0
    assert (told.wait_mean_s, told.wait_max_s) == (pytest.approx(5.003 / 4), 5.0)
    assert (told.wait_p50_s, told.wait_p95_s) == (0.001, 5.0)
    assert told.span_s == 61.0


def test_cost_is_by_the_second() -> None:
    told = score(RUN)
    assert told.cost(2.0) == 108.0
    assert told.cost(2.0, frozen_price=0.5) == 113.5


def test_nothing_costs_nothing() -> None:
    told = score(
        Run(
            arrivals=[], services=[], waits=[], found=b"", lives=[], frozen=[], cold_starts=0,
            end_s=0.0,
        )
    )  # fmt: skip
    assert (told.requests, told.replica_s, told.wait_p99_s) == (0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("fraction", "value"), [(0.0, 1), (0.5, 50), (0.95, 95), (0.99, 99), (0.991, 100), (1.0, 100)]
)
def test_a_percentile_is_by_nearest_rank(fraction: float, value: int) -> None:
    assert percentile(range(1, 101), fraction) == value
