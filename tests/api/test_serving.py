import contextlib
import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import keys
from api.autoscaling import PodAutoscaler
from api.errors import InvalidObjectError
from api.serving import Configuration, Revision, Route, Service, TrafficTarget

PARSERS = (Service.parse, Configuration.parse, Revision.parse, Route.parse, PodAutoscaler.parse)


def test_a_service(service: dict[str, Any]) -> None:
    service["status"] = {"url": "http://x"}
    found = Service.parse(service)
    assert found.metadata.name == "iris"
    assert found.template.spec.pod["containers"][0]["image"] == "a/b"
    assert found.traffic == (TrafficTarget(latest_revision=True, percent=100),)
    assert found.status == {"url": "http://x"}


def test_a_configuration(configuration: dict[str, Any]) -> None:
    configuration["spec"]["template"]["metadata"]["name"] = "iris-blue"
    assert Configuration.parse(configuration).template.name == "iris-blue"


def test_a_configuration_has_no_traffic(
    configuration: dict[str, Any], refused: Callable[..., str]
) -> None:
    configuration["spec"]["traffic"] = [{"percent": 100}]
    assert refused(Configuration.parse, configuration) == "unknown field: spec.traffic"


def test_a_revision(revision: dict[str, Any]) -> None:
    owner = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Configuration",
        "name": "iris",
        "uid": "u",
    }
    revision["metadata"] |= {
        "ownerReferences": [owner],
        "labels": {
            keys.CONFIGURATION: "iris",
            keys.CONFIGURATION_GENERATION: "1",
            keys.CONFIGURATION_UID: "u",
            keys.SERVICE: "iris",
            keys.SERVICE_UID: "s",
            keys.ROUTING_STATE: "active",
        },
        "annotations": {
            keys.ROUTES: "iris",
            keys.ROUTING_STATE_MODIFIED: "2026-01-01T00:00:00Z",
            keys.MODEL_DIGEST: "sha256:0",
            keys.MIN_SCALE: "1",
            keys.PROGRESS_DEADLINE: "30s",
        },
    }
    found = Revision.parse(revision)
    assert found.spec.pod["containers"][0]["image"] == "a/b"
    assert found.metadata.owner_references[0].name == "iris"


def test_a_wrong_revision_is_told_all(
    revision: dict[str, Any], refused: Callable[..., str]
) -> None:
    revision["metadata"]["annotations"] = {
        keys.MIN_SCALE: "x",
        keys.PROGRESS_DEADLINE: "y",
        "serving.knative.dev/mine": "true",
    }
    revision["spec"]["template"] = {}
    path = "metadata.annotations."
    assert refused(Revision.parse, revision).splitlines() == [
        'invalid key name "serving.knative.dev/mine": metadata.annotations',
        "not an annotation that Relight reads here",
        f"invalid value: x: {path}{keys.MIN_SCALE}",
        f"invalid value: y: {path}{keys.PROGRESS_DEADLINE}",
        "unknown field: spec.template",
    ]


def test_a_route(route: dict[str, Any]) -> None:
    assert Route.parse(route).traffic == (
        TrafficTarget(configuration_name="iris", latest_revision=True, percent=100),
    )


def test_all_errors_of_an_object_are_told_at_once(
    service: dict[str, Any], refused: Callable[..., str]
) -> None:
    service["metadata"]["annotations"] = {"autoscaling.knative.dev/minScale": "1"}
    service["spec"]["template"]["spec"] |= {"nodeName": "b", "timeoutSeconds": 601}
    service["spec"]["traffic"] = [{"percent": 60}, {"percent": 60}]
    service["spec"]["paused"] = True
    service["extra"] = 1
    assert refused(Service.parse, service).splitlines() == [
        "Traffic targets sum to 120, want 100: spec.traffic",
        "expected 0 <= 601 <= 600: spec.template.spec.timeoutSeconds",
        'invalid key name "autoscaling.knative.dev/minScale": metadata.annotations',
        'autoscaling annotations must be put under "spec.template.metadata.annotations" to work',
        "must not set the field(s): spec.template.spec.nodeName",
        "unknown field: extra, spec.paused",
    ]


def test_an_empty_object_says_what_it_lacks(refused: Callable[..., str]) -> None:
    assert refused(Service.parse, {}) == (
        "missing field(s): spec.template.spec.containers\n"
        "name or generateName is required: metadata.name"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
def test_any_json_is_parsed_or_refused(raw: Any) -> None:
    for parse in PARSERS:
        with contextlib.suppress(InvalidObjectError):
            parse(raw)


def places(raw: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    match raw:
        case dict():
            inner = list(raw.items())
        case list():
            inner = list(enumerate(raw))
        case _:
            inner = []
    found = [path] if path else []
    for key, value in inner:
        found += places(value, (*path, key))
    return found


FULL: dict[str, Any] = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {
        "name": "iris",
        "labels": {"a": "b"},
        "annotations": {"c": "d"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}],
        "finalizers": ["f"],
    },
    "spec": {
        "template": {
            "metadata": {
                "name": "iris-1",
                "labels": {"a": "b"},
                "annotations": {keys.MIN_SCALE: "1", keys.STABLE_WINDOW: "6s"},
            },
            "spec": {
                "containers": [
                    {
                        "name": "c",
                        "image": "a/b",
                        "command": ["x"],
                        "args": ["y"],
                        "env": [{"name": "A", "value": "1"}],
                        "ports": [{"containerPort": 80, "name": "", "protocol": "TCP"}],
                        "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": 1}},
                    }
                ],
                "containerConcurrency": 1,
                "timeoutSeconds": 10,
            },
        },
        "traffic": [{"revisionName": "iris-1", "percent": 100, "tag": "a"}],
    },
    "status": {},
}


def test_the_full_service_is_right() -> None:
    Service.parse(FULL)


@given(st.sampled_from(places(FULL)), json_values)
def test_any_value_anywhere_is_parsed_or_refused(path: tuple[Any, ...], value: Any) -> None:
    raw = copy.deepcopy(FULL)
    inner: Any = raw
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with contextlib.suppress(InvalidObjectError):
        Service.parse(raw)


@pytest.mark.parametrize("path", places(FULL))
def test_a_wrong_type_anywhere_is_named(path: tuple[Any, ...], refused: Callable[..., str]) -> None:
    raw = copy.deepcopy(FULL)
    inner: Any = raw
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = False
    named = ""
    for key in path:
        named += f"[{key}]" if isinstance(key, int) else f".{key}"
    found = refused(Service.parse, raw)
    # A quantity is told its form; all others are told the type they must have.
    assert (
        f"invalid value: false: {named[1:]}\n" in found
        or f", {named[1:]}" in found
        or (f" {named[1:]}," in found)
    )
