from collections.abc import Callable
from typing import Any

import pytest

from api import pods
from api.fields import Faults

C0 = "spec.containers[0]"
MAIN = {"name": "main", "image": "a/b", "ports": [{"containerPort": 80}]}
SIDE = {"name": "side", "image": "a/c"}


def read(spec: Any) -> dict[str, Any]:
    faults = Faults()
    found = pods.read_revision_spec(spec, "spec", faults)
    faults.raise_any()
    return found


def test_one_container_is_enough() -> None:
    assert read({"containers": [{"image": "a/b"}]}) == {"containers": [{"image": "a/b"}]}


@pytest.mark.parametrize(
    ("given", "expected"), [([], 0), ([SIDE], 0), ([SIDE, MAIN], 1), ([MAIN, SIDE], 0)]
)
def test_the_container_with_a_port_serves(given: list[dict[str, Any]], expected: int) -> None:
    assert pods.serving_index(given) == expected


@pytest.mark.parametrize("raw", [None, []])
def test_no_container(raw: object, refused: Callable[..., str]) -> None:
    assert refused(read, {"containers": raw}) == "missing field(s): spec.containers"


def test_containers_of_the_wrong_type_are_told_once(refused: Callable[..., str]) -> None:
    assert refused(read, {"containers": {}}) == (
        "invalid value: {...}: spec.containers\nmust be a list of objects"
    )


def test_sidecars_and_what_runs_first() -> None:
    init = {"image": "a/d", "env": [{"name": "PORT", "value": "1"}], "ports": [{"name": "any"}]}
    spec = {"containers": [SIDE, MAIN], "initContainers": [init]}
    assert read(spec) == spec


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"containers": [MAIN, {**SIDE, "ports": [{}]}]},
            "more than one container port is set: spec.containers[*].ports\n"
            "Only a single port is allowed across all containers",
        ),
        (
            {"containers": [SIDE, {**SIDE, "name": "other"}]},
            "missing field(s): spec.containers[*].ports",
        ),
        (
            {"containers": [MAIN, {**SIDE, "name": "main"}]},
            'duplicate container name "main": spec.containers[1].name',
        ),
        (
            {"containers": [MAIN], "initContainers": [{**SIDE, "name": "main"}]},
            'duplicate container name "main": spec.initContainers[0].name',
        ),
        (
            {"containers": [MAIN], "automountServiceAccountToken": True},
            "must not set the field(s): spec.automountServiceAccountToken",
        ),
        (
            {"containers": [MAIN], "nodeSelector": {"a b": "c d"}},
            'invalid key name "a b": spec.nodeSelector\nname part must',
        ),
    ],
)
def test_a_wrong_pod(spec: dict[str, Any], expected: str, refused: Callable[..., str]) -> None:
    assert refused(read, spec).startswith(expected)


@pytest.mark.parametrize("name", ["serviceAccountName", "runtimeClassName", "priorityClassName"])
def test_names_of_other_objects(name: str, refused: Callable[..., str]) -> None:
    read({"containers": [MAIN], name: "some.name"})
    found = refused(read, {"containers": [MAIN], name: "Some_Name"})
    assert found.startswith(
        f"invalid value: Some_Name: spec.{name}\na lowercase RFC 1123 subdomain must consist of"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], False),
        ([{}], False),
        ([{"ports": []}], False),
        ([{"ports": [{"containerPort": 1}]}], False),
        ([{"ports": [{"name": "http1"}]}], False),
        ([{"ports": [{"name": "h2c"}]}], True),
        ([{}, {"ports": [{"name": "h2c"}]}], True),
    ],
)
def test_the_port_says_what_is_spoken(given: Any, expected: bool) -> None:
    assert pods.speaks_h2c(given) is expected
