import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import kinds
from api.defaulting import defaulted

SERVING = (kinds.SERVICES, kinds.CONFIGURATIONS, kinds.REVISIONS, kinds.ROUTES)
REVISION_SPEC = {
    "containers": [
        {
            "image": "a/b",
            "name": "user-container",
            "readinessProbe": {"tcpSocket": {"port": 0}, "successThreshold": 1},
        }
    ],
    "containerConcurrency": 0,
    "enableServiceLinks": False,
    "timeoutSeconds": 300,
}


def test_a_service(service: dict[str, Any]) -> None:
    assert defaulted(kinds.SERVICES, service)["spec"] == {
        "template": {"metadata": {}, "spec": REVISION_SPEC},
        "traffic": [{"latestRevision": True, "percent": 100}],
    }


def test_a_configuration_has_no_traffic(configuration: dict[str, Any]) -> None:
    spec = defaulted(kinds.CONFIGURATIONS, configuration)["spec"]
    assert spec == {"template": {"metadata": {}, "spec": REVISION_SPEC}}


def test_a_revision(revision: dict[str, Any]) -> None:
    assert defaulted(kinds.REVISIONS, revision)["spec"] == REVISION_SPEC


def test_a_route_says_what_it_means(route: dict[str, Any]) -> None:
    route["spec"]["traffic"] = [
        {"configurationName": "a", "percent": 100},
        {"revisionName": "b", "tag": "old"},
    ]
    assert defaulted(kinds.ROUTES, route)["spec"]["traffic"] == [
        {"configurationName": "a", "latestRevision": True, "percent": 100},
        {"revisionName": "b", "latestRevision": False, "percent": 0, "tag": "old"},
    ]


def test_a_route_without_traffic_gets_none(route: dict[str, Any]) -> None:
    route["spec"] = {}
    assert defaulted(kinds.ROUTES, route)["spec"] == {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"timeoutSeconds": 300}, None),
        ({"timeoutSeconds": 301}, 300),
        ({"timeoutSeconds": 301, "responseStartTimeoutSeconds": 0}, 0),
        ({"timeoutSeconds": 301, "responseStartTimeoutSeconds": 7}, 7),
        ({"timeoutSeconds": "x"}, None),
    ],
)
def test_the_first_byte_may_take_as_long_as_the_answer_up_to_300_s(
    given: dict[str, Any], expected: int | None, revision: dict[str, Any]
) -> None:
    revision["spec"] |= given
    spec = defaulted(kinds.REVISIONS, revision)["spec"]
    assert spec.get("responseStartTimeoutSeconds") == expected


def test_what_is_said_stays(service: dict[str, Any]) -> None:
    service["spec"]["template"]["spec"] = {
        "containers": [
            {
                "image": "a/b",
                "name": "mine",
                "readinessProbe": {"exec": {"command": ["x"]}, "successThreshold": 2},
            }
        ],
        "enableServiceLinks": True,
        "containerConcurrency": 4,
        "timeoutSeconds": 7,
    }
    service["spec"]["traffic"] = [{"revisionName": "r", "latestRevision": False, "percent": 100}]
    assert defaulted(kinds.SERVICES, service) == service


def test_the_kind_is_filled_in(revision: dict[str, Any]) -> None:
    del revision["apiVersion"], revision["kind"]
    found = defaulted(kinds.REVISIONS, revision)
    assert (found["apiVersion"], found["kind"]) == ("serving.knative.dev/v1", "Revision")


@pytest.mark.parametrize(
    "spec",
    [
        0,
        {"traffic": 0},
        {"traffic": False},
        {"template": []},
        {"template": {"spec": 1}},
        {"timeoutSeconds": False},
        {"containers": 1},
        {"containers": [1]},
        {"containers": [{"name": "c", "ports": 1, "readinessProbe": 1}]},
        {"containers": [{"name": "c", "readinessProbe": 1, "ports": [1, {"containerPort": ""}]}]},
    ],
)
def test_a_wrong_type_is_left_for_the_parser(spec: Any) -> None:
    for resource in SERVING:
        found = defaulted(resource, {"spec": spec})["spec"]
        assert found == spec or all(found[name] == spec[name] for name in spec)


_NAMES = [
    "spec",
    "template",
    "containers",
    "ports",
    "containerPort",
    "traffic",
    "timeoutSeconds",
    "name",
    "percent",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(_NAMES),
            inner,
            max_size=4,
        )
    ),
)


@given(st.dictionaries(st.sampled_from(["spec", "kind"]), json_values))
def test_twice_is_once_and_the_original_stays(raw: dict[str, Any]) -> None:
    before = copy.deepcopy(raw)
    for resource in SERVING:
        once = defaulted(resource, raw)
        assert defaulted(resource, once) == once
    assert raw == before
