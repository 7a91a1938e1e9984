"""What may be assumed, and draws."""

from collections import Counter
from typing import Any

import pytest

from rehearsal.terms import Terms, drawn, fraction


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"service_s": ()}, "service_s"),
        ({"service_s": (1.0, -1.0)}, "service_s"),
        ({"cold_starts_s": (float("nan"),)}, "cold_starts_s"),
        ({"overhead_s": -0.1}, "overhead_s"),
        ({"resume_s": float("inf")}, "resume_s"),
        ({"tail_s": -1.0}, "tail_s"),
        ({"phase_s": -1.0}, "phase_s"),
        ({"concurrency": -1}, "concurrency"),
        ({"frozen_max": -1}, "frozen_max"),
    ],
)
def test_what_makes_no_sense_is_named(terms: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}: "):
        Terms(**terms)


def test_a_constant_is_never_drawn() -> None:
    assert {Terms(cold_starts_s=(3.0,), seed=seed).cold_start_s(7) for seed in range(9)} == {3.0}


def test_draws_are_even_and_the_same_for_everyone() -> None:
    values = (1.0, 2.0, 4.0)
    draws = [drawn(values, 5, number) for number in range(30_000)]
    assert draws == [drawn(values, 5, number) for number in range(30_000)]
    assert draws != [drawn(values, 6, number) for number in range(30_000)]
    assert all(9_500 < count < 10_500 for count in Counter(draws).values())


def test_fractions_are_even() -> None:
    fractions = [fraction(1, number) for number in range(10_000)]
    assert all(0 <= each < 1 for each in fractions)
    assert 4_800 < sum(each < 0.5 for each in fractions) < 5_200


def test_the_mean_start_has_the_overhead() -> None:
    assert Terms(cold_starts_s=(1.0, 3.0), overhead_s=0.5).cold_start_mean_s == 2.5
