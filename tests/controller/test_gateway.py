from typing import Any

import pytest

from api.conditions import Condition
from controller import gateway
from controller.addresses import Addresses
from controller.gateway import Gateway, ingress, plan, wanted
from tests.controller.objects import a_route, saying, stored

GATEWAY = Gateway(namespace="infra", name="front")
ADDRESSES = Addresses(domain="example.com", port=8080)
FIRST = {"revisionName": "mnist-00001", "percent": 80}
NEXT = {"revisionName": "mnist-00002", "percent": 20, "tag": "next"}


def routed(*lines: dict[str, Any], **labels: str) -> dict[str, Any]:
    return saying(a_route(labels=labels), traffic=list(lines))


def asked(route: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return wanted(route, GATEWAY, ADDRESSES)


def sets(backend: dict[str, Any]) -> dict[str, str]:
    [filter_] = backend["filters"]
    return {each["name"]: each["value"] for each in filter_["requestHeaderModifier"]["set"]}


@pytest.mark.parametrize("said", ["front", "/front", "infra/", "a/b/c", ""])
def test_a_gateway_is_named_with_its_namespace(said: str) -> None:
    assert Gateway.parse("infra/front") == GATEWAY
    with pytest.raises(ValueError, match="NAMESPACE/NAME"):
        Gateway.parse(said)


def test_requests_are_divided_by_the_gateway_and_each_revision_is_named() -> None:
    made = asked(routed(FIRST, NEXT))["mnist"]
    assert made["spec"]["hostnames"] == ["mnist.default.example.com"]
    assert made["spec"]["parentRefs"] == [
        {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "namespace": "infra",
            "name": "front",
        }
    ]
    tagged, plain = made["spec"]["rules"]
    assert tagged["matches"][0]["headers"] == [
        {"type": "Exact", "name": "knative-serving-tag", "value": "next"}
    ]
    assert [each["name"] for each in tagged["backendRefs"]] == ["mnist-00002"]
    assert "headers" not in plain["matches"][0]
    assert [(each["name"], each["weight"], each["port"]) for each in plain["backendRefs"]] == [
        ("mnist-00001", 80, 80),
        ("mnist-00002", 20, 80),
    ]
    assert sets(plain["backendRefs"][1]) == {
        "knative-serving-revision": "mnist-00002",
        "knative-serving-namespace": "default",
        "knative-serving-default-route": "true",
    }
    assert "knative-serving-default-route" not in sets(tagged["backendRefs"][0])


def test_a_tag_has_a_host_of_its_own() -> None:
    made = asked(routed(FIRST, {**NEXT, "percent": 0}))
    assert made["next-mnist"]["spec"]["hostnames"] == ["next-mnist.default.example.com"]
    [rule] = made["next-mnist"]["spec"]["rules"]
    [backend] = rule["backendRefs"]
    assert (backend["name"], backend["weight"]) == ("mnist-00002", 1)
    assert sets(backend)["knative-serving-tag"] == "next"
    [_, plain] = made["mnist"]["spec"]["rules"]
    assert [each["name"] for each in plain["backendRefs"]] == ["mnist-00001"]


@pytest.mark.parametrize(
    "route",
    [
        a_route(),
        routed(),
        routed(FIRST, **{"networking.knative.dev/visibility": "cluster-local"}),
    ],
)
def test_what_leads_nowhere_yet_or_is_private_gets_none(route: dict[str, Any]) -> None:
    assert asked(route) == {}


def there(route: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    """What the server has once a plan was carried out, with fields that it filled in."""
    found = []
    for write in plan(route, asked(route), []).creates:
        metadata = {
            **write.object["metadata"],
            "uid": f"uid-{write.name}",
            "resourceVersion": "1",
            "generation": 1,
        }
        found.append({**write.object, "metadata": metadata, **changes})
    return found


def test_a_plan_applied_twice_changes_nothing() -> None:
    route = routed(FIRST, NEXT)
    again = plan(route, asked(route), there(route))
    assert (again.creates, again.updates, again.deletes) == ((), (), ())


def test_shares_follow_and_a_tag_that_is_gone_goes() -> None:
    before = there(routed(FIRST, NEXT))
    after = routed({**FIRST, "percent": 100})
    made = plan(after, asked(after), before)
    assert [each.name for each in made.updates] == ["mnist"]
    assert [each.name for each in made.deletes] == ["next-mnist"]


def test_what_is_somebody_elses_is_left_alone_and_told() -> None:
    route = routed(FIRST)
    theirs = stored("HTTPRoute", "mnist", api="gateway.networking.k8s.io/v1")
    made = plan(route, asked(route), [theirs])
    assert (made.creates, made.updates, made.deletes) == ((), (), ())
    said = ingress(route, asked(route), [theirs])
    assert said is not None
    assert (said.status, said.reason) == ("False", "NotOwned")


def parents(*conditions: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "parents": [
            {
                "conditions": [
                    {"type": type_, "status": status, "reason": reason, "message": "it is so"}
                    for type_, status, reason in conditions
                ]
            }
        ]
    }


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({}, ("Unknown", "IngressNotConfigured")),
        (parents(("Accepted", "True", "Accepted")), None),
        (parents(("Accepted", "True", "Accepted"), ("ResolvedRefs", "True", "")), None),
        (
            parents(("Accepted", "False", "NotAllowedByListeners")),
            ("False", "NotAllowedByListeners"),
        ),
        (
            parents(("Accepted", "True", ""), ("ResolvedRefs", "False", "BackendNotFound")),
            ("False", "BackendNotFound"),
        ),
    ],
)
def test_what_a_gateway_says_is_told(status: dict[str, Any], told: Any) -> None:
    route = routed(FIRST)
    said = ingress(route, asked(route), there(route, status=status))
    assert (None if said is None else (said.status, said.reason)) == told


def test_what_a_gateway_said_of_other_shares_does_not_count() -> None:
    before = there(routed(FIRST, NEXT), status=parents(("Accepted", "True", "Accepted")))
    assert ingress(routed(FIRST, NEXT), asked(routed(FIRST, NEXT)), before) is None
    after = routed({**FIRST, "percent": 50}, {**NEXT, "percent": 50})
    said = ingress(after, asked(after), before)
    assert said is not None
    assert said.reason == "IngressNotConfigured"


def test_before_it_is_written_the_way_in_is_not_configured() -> None:
    route = routed(FIRST)
    said = ingress(route, asked(route), [])
    assert isinstance(said, Condition)
    assert said.reason == "IngressNotConfigured"
    assert gateway.MISSING.status == "False"
