"""Ladders of annotations."""

import pytest

from rehearsal.knobs import beside, coarse, defaults, knobs_of, policy_at
from rehearsal.policies import parse


@pytest.mark.parametrize("class_", ["kpa", "relight"])
@pytest.mark.parametrize("concurrency", [0, 4])
def test_every_value_is_one_that_the_platform_takes(class_: str, concurrency: int) -> None:
    knobs = knobs_of(class_, concurrency)
    start = defaults(knobs)
    for index, knob in enumerate(knobs):
        for place in range(len(knob.values)):
            places = (*start[:index], place, *start[index + 1 :])
            policy = policy_at(class_, knobs, places)
            assert policy == parse(policy.name)
            assert policy.annotations.get(knob.key) == (
                None if place == knob.default else knob.values[place]
            )


def test_at_its_defaults_a_policy_is_its_class() -> None:
    knobs = knobs_of("relight", 1)
    assert policy_at("relight", knobs, defaults(knobs)).name == "relight"


def test_only_ours_learns() -> None:
    assert len(knobs_of("relight", 1)) == len(knobs_of("kpa", 1)) + 1


def test_without_a_limit_the_target_is_turned() -> None:
    assert knobs_of("kpa", 0)[0].key.endswith("/target")
    assert knobs_of("kpa", 1)[0].key.endswith("/target-utilization-percentage")


def test_one_knob_is_turned_at_a_time() -> None:
    knobs = knobs_of("relight", 1)
    start = defaults(knobs)
    for places in [*coarse(knobs), *beside(knobs, start)]:
        assert sum(one != other for one, other in zip(places, start, strict=True)) == 1
        assert all(0 <= at < len(knob.values) for at, knob in zip(places, knobs, strict=True))
    near = list(beside(knobs, tuple(0 for _ in knobs)))
    assert len(near) == len(knobs)
