import random

import pytest

from autoscaler.foresight import SECONDS, expected


def test_a_ramp_is_followed_to_where_it_leads() -> None:
    ramp = [100 + 2.0 * second for second in range(SECONDS)]
    assert expected(ramp, ahead_s=10.0) == pytest.approx(ramp[-1] + 20.0)
    assert expected(ramp, ahead_s=1000.0) == pytest.approx(1.25 * ramp[-1])


@pytest.mark.parametrize(
    "loads",
    [
        [5.0] * SECONDS,
        [100.0 - second for second in range(SECONDS)],
        [2.0 * second for second in range(SECONDS - 1)],
        [0.0, 9.0] * (SECONDS // 2),
        [],
    ],
    ids=["steady", "falling", "too short", "noise", "nothing"],
)
def test_what_does_not_clearly_rise_has_no_course(loads: list[float]) -> None:
    assert expected(loads, ahead_s=10.0) is None


def test_noise_is_rarely_taken_for_a_ramp() -> None:
    rng = random.Random(1)
    found = sum(
        expected([rng.gauss(10, 3) for _ in range(SECONDS)], ahead_s=5.0) is not None
        for _ in range(2000)
    )
    assert found == 0  # a line explains a fifteenth of the noise


def test_a_step_is_no_ramp_to_run_after() -> None:
    step = [1.0] * (SECONDS // 2) + [9.0] * (SECONDS // 2)
    assert expected(step, ahead_s=1000.0) == 1.25 * 9.0


def test_a_noisy_ramp_is_still_one() -> None:
    rng = random.Random(2)
    loads = [second + rng.gauss(0, 9) for second in range(SECONDS)]
    found = expected(loads, ahead_s=5.0)
    assert found is not None
    assert 55 < found < 75
