from collections.abc import Callable
from typing import Any

import pytest

from api import keys, kinds, known_annotations
from api.errors import InvalidObjectError
from api.fields import Faults
from api.known_annotations import REFUSED, TEMPLATE
from api.serving import Service

PATH = "metadata.annotations"


def check(place: kinds.Resource | str, **found: str) -> None:
    faults = Faults()
    known_annotations.check(found, place, PATH, faults)
    faults.raise_any()


@pytest.mark.parametrize("key", REFUSED)
def test_what_is_not_served_is_refused_by_name_and_reason(
    key: str, service: dict[str, Any], refused: Callable[..., str]
) -> None:
    service["metadata"]["annotations"] = {key: "1", "example.com/mine": "kept"}
    service["spec"]["template"]["metadata"]["annotations"] = {key: "1"}
    assert refused(Service.parse, service) == (
        f"must not set the field(s): {PATH}.{key}, spec.template.{PATH}.{key}\n"
        f"{REFUSED[key].reason}"
    )


@pytest.mark.parametrize("key", [key for key in REFUSED if REFUSED[key].harmless])
def test_values_that_hold_anyway_are_taken(key: str) -> None:
    for value in REFUSED[key].harmless:
        check(kinds.SERVICES, **{key: value.capitalize()})


@pytest.mark.parametrize(
    ("place", "key", "details"),
    [
        (TEMPLATE, "networking.knative.dev/new", ""),
        (kinds.ROUTES, "serving.knative.dev/new", "not an annotation that Relight reads here"),
        (TEMPLATE, "features.knative.dev/new", "not an annotation that Relight reads here"),
        (kinds.SERVICES, "relight.dev/new", "not an annotation that Relight reads here"),
        (TEMPLATE, keys.CREATOR, "not an annotation that Relight reads here"),
        (kinds.DOMAINMAPPINGS, keys.NO_GC, "not an annotation that Relight reads here"),
        (
            kinds.SERVICES,
            keys.NO_GC,
            'this annotation must be put under "spec.template.metadata.annotations" to work',
        ),
        (
            kinds.SERVICES,
            "serving.knative.dev/progressDeadline",
            'this annotation must be put under "spec.template.metadata.annotations" to work',
        ),
        (
            TEMPLATE,
            keys.ROLLOUT_DURATION,
            'this annotation must be put under "metadata.annotations" to work',
        ),
    ],
)
def test_what_would_be_ignored_is_refused(
    place: kinds.Resource | str, key: str, details: str, refused: Callable[..., str]
) -> None:
    expected = f'invalid key name "{key}": {PATH}'
    assert refused(check, place, **{key: "1s"}) == expected + (f"\n{details}" if details else "")


def test_how_long_replicas_are_kept_is_said_where_scaling_is(refused: Callable[..., str]) -> None:
    for place in (TEMPLATE, kinds.REVISIONS):
        check(place, **{keys.KEEP_ALIVE: "cheap"})
    assert refused(check, kinds.SERVICES, **{keys.KEEP_ALIVE: "cheap"}) == (
        f'invalid key name "{keys.KEEP_ALIVE}": {PATH}\n'
        'this annotation must be put under "spec.template.metadata.annotations" to work'
    )


def test_what_is_read_besides() -> None:
    faults = Faults()
    also = frozenset({"relight.dev/mine"})
    known_annotations.check({"relight.dev/mine": "1"}, TEMPLATE, PATH, faults, also=also)
    faults.raise_any()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("soon", "invalid value: soon: {}"),
        ("1500ms", "rollout-duration=1500ms is not at second precision: {}"),
        ("-1s", "rollout-duration=-1s must be positive: {}"),
    ],
)
@pytest.mark.parametrize("name", ["rollout-duration", "rolloutDuration"])
def test_a_wrong_rollout(text: str, expected: str, name: str, refused: Callable[..., str]) -> None:
    key = f"serving.knative.dev/{name}"
    assert refused(check, kinds.ROUTES, **{key: text}) == expected.format(f"{PATH}.{key}")


def test_a_rollout() -> None:
    found = {keys.ROLLOUT_DURATION: "2m"}
    check(kinds.SERVICES, **found)
    assert known_annotations.read_rollout_duration(found, PATH, Faults()) == 120
    assert known_annotations.read_rollout_duration({}, PATH, Faults()) is None


def test_no_gc_is_true_or_false(refused: Callable[..., str]) -> None:
    for value in ("true", "False"):
        check(kinds.REVISIONS, **{keys.NO_GC: value})
    assert refused(check, TEMPLATE, **{keys.TEMPLATE: "on"}) == (
        f"invalid value: on: {PATH}.{keys.TEMPLATE}\nmust be true or false"
    )
    assert refused(check, TEMPLATE, **{keys.NO_GC: "yes"}) == (
        f"invalid value: yes: {PATH}.{keys.NO_GC}\nmust be true or false"
    )


def test_what_knatives_parts_say_to_each_other_is_not_for_users() -> None:
    said = {keys.ROLLOUT: "{}"}
    with pytest.raises(InvalidObjectError, match="not an annotation that Relight reads here"):
        check(kinds.SERVICES, **said)
    check(kinds.ROUTES, **said)
