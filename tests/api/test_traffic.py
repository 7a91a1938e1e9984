from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidObjectError
from api.fields import Faults, Fields
from api.traffic import TrafficTarget, read_traffic, status_traffic

T0 = "spec.traffic[0]"


def targets_of(raw: Any, *, is_in_service: bool = True) -> tuple[TrafficTarget, ...]:
    faults = Faults()
    found = read_traffic(Fields({"traffic": raw}, "spec", faults), is_in_service=is_in_service)
    faults.raise_any()
    return found


@pytest.mark.parametrize("raw", [None, []])
def test_a_service_without_traffic_sends_all_to_the_latest(raw: object) -> None:
    assert targets_of(raw) == (TrafficTarget(latest_revision=True, percent=100),)


@pytest.mark.parametrize("raw", [None, []])
def test_a_route_without_traffic_sums_to_nothing(raw: object, refused: Callable[..., str]) -> None:
    assert refused(targets_of, raw, is_in_service=False) == (
        "Traffic targets sum to 0, want 100: spec.traffic"
    )


def test_targets() -> None:
    raw = [
        {"revisionName": "iris-00001", "percent": 90, "tag": "old"},
        {"percent": 10},
        {"latestRevision": True, "tag": "next"},
    ]
    assert targets_of(raw) == (
        TrafficTarget(revision_name="iris-00001", latest_revision=False, percent=90, tag="old"),
        TrafficTarget(latest_revision=True, percent=10),
        TrafficTarget(latest_revision=True, percent=0, tag="next"),
    )


def test_a_route_names_configurations_or_revisions(refused: Callable[..., str]) -> None:
    both = [{"configurationName": "a", "revisionName": "b", "percent": 100}]
    paths = f"{T0}.configurationName, {T0}.revisionName"
    assert refused(targets_of, both, is_in_service=False) == (
        f"expected exactly one, got both: {paths}"
    )
    assert refused(targets_of, [{"percent": 100}], is_in_service=False) == (
        f"expected exactly one, got neither: {paths}"
    )
    (found,) = targets_of([{"configurationName": "a", "percent": 100}], is_in_service=False)
    assert found == TrafficTarget(configuration_name="a", latest_revision=True, percent=100)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"configurationName": "a"}, f"must not set the field(s): {T0}.configurationName"),
        ({"url": "http://x"}, f"must not set the field(s): {T0}.url"),
        ({"url": "http://x", "tag": "a"}, f"must not set the field(s): {T0}.url"),
        (
            {"revisionName": "r", "latestRevision": True},
            f'may not set revisionName "r" when latestRevision is true: {T0}.latestRevision',
        ),
        (
            {"latestRevision": False},
            f'may not set revisionName "" when latestRevision is false: {T0}.latestRevision',
        ),
        ({"weight": 1}, f"unknown field: {T0}.weight"),
        ({"percent": "100"}, f"invalid value: 100: {T0}.percent\nmust be an integer"),
    ],
)
def test_a_wrong_target_is_refused_in_knatives_words(
    target: dict[str, Any], expected: str, refused: Callable[..., str]
) -> None:
    found = refused(targets_of, [{"percent": 100, **target}])
    assert found.removeprefix("Traffic targets sum to 0, want 100: spec.traffic\n") == expected


def test_a_tag_is_a_label(refused: Callable[..., str]) -> None:
    found = refused(targets_of, [{"percent": 100, "tag": "V1"}])
    assert found.startswith("invalid value: not a DNS 1035 label: [a DNS-1035 label must consist")
    assert found.endswith(f"]: {T0}.tag")


def test_a_revision_name_is_a_name(refused: Callable[..., str]) -> None:
    found = refused(targets_of, [{"percent": 100, "revisionName": "a b"}])
    assert found.startswith(f'invalid key name "a b": {T0}.revisionName\nname part must consist')


def test_a_tag_has_one_definition(refused: Callable[..., str]) -> None:
    raw = [{"percent": 100, "tag": "a"}, {"tag": "b"}, {"tag": "a"}]
    assert refused(targets_of, raw) == (
        'Multiple definitions for "a": spec.traffic[0].tag, spec.traffic[2].tag'
    )


@pytest.mark.parametrize("percent", [101, -1])
def test_a_percent_has_bounds(percent: int, refused: Callable[..., str]) -> None:
    raw = [{"percent": percent}, {"percent": 100 - percent}]
    assert f"expected 0 <= {percent} <= 100: {T0}.percent" in refused(targets_of, raw)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=8))
def test_only_a_sum_of_100_is_traffic(percents: list[int]) -> None:
    raw = [{"percent": percent} for percent in percents]
    if sum(percents) == 100:
        assert [each.percent for each in targets_of(raw)] == percents
    else:
        with pytest.raises(InvalidObjectError, match=f"sum to {sum(percents)}, want 100"):
            targets_of(raw)


@given(st.lists(st.integers(1, 100), max_size=8))
def test_a_sum_of_100_is_traffic(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), 100]
    percents = [after - before for before, after in pairwise(edges)]
    assert len(targets_of([{"percent": percent} for percent in percents])) == len(percents)


def test_a_status_is_read_back_as_it_was_written() -> None:
    targets = (
        TrafficTarget(revision_name="r", latest_revision=True, percent=100),
        TrafficTarget(revision_name="q", percent=0, tag="old", url="http://old-r.d"),
    )
    raw = {"traffic": [each.to_raw() for each in targets], "url": "http://r.d"}
    assert raw["traffic"][0] == {"revisionName": "r", "latestRevision": True, "percent": 100}
    assert status_traffic(raw) == targets
    assert status_traffic({}) == ()


def test_a_status_of_another_form_is_refused(refused: Callable[..., str]) -> None:
    assert refused(status_traffic, {"traffic": [{"x": 1}]}) == "unknown field: status.traffic[0].x"
