"""Definitions with more than one version, and schemas with more than plain fields."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from api.kinds import Resource
from cluster.errors import NotFoundError
from tests.conformance.servers import CRD, Api, without_rules
from tests.conformance.test_definitions import Widgets, served, widget_definition
from tests.conformance.test_objects import refused

STEP = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "retries": {"type": "integer", "default": 3},
        "options": {
            "type": "object",
            "default": {},
            "properties": {"quiet": {"type": "boolean", "default": True}},
        },
    },
}
NESTED = {
    "type": "object",
    "properties": {
        "steps": {"type": "array", "items": STEP},
        "named": {"type": "object", "additionalProperties": STEP},
        "free": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"known": {"type": "object", "properties": {"a": {"type": "string"}}}},
        },
        "pod": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        "counts": {
            "type": "object",
            "properties": {"wanted": {"type": "integer"}, "optional": {"type": "integer"}},
        },
        "text": {"type": "string", "nullable": True},
        "plain": {"type": "string"},
        "when": {"type": "string", "format": "date-time"},
    },
}


def nested_definition(group: str) -> dict[str, Any]:
    made = without_rules(widget_definition(group))
    [version] = made["spec"]["versions"]
    status = {"type": "object", "properties": {"ready": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"spec": NESTED, "status": status}}
    version["schema"] = {"openAPIV3Schema": schema}
    version["subresources"] = {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.counts.wanted",
            "statusReplicasPath": ".status.ready",
        },
    }
    del version["additionalPrinterColumns"]
    older = {**version, "name": "v1beta1", "storage": False, "served": True}
    hidden = {**version, "name": "v1alpha1", "storage": False, "served": False}
    made["spec"]["versions"] = [version, older, hidden]
    made["spec"]["conversion"] = {"strategy": "None"}
    return made


@pytest.fixture
async def nested(api: Api) -> AsyncIterator[Widgets]:
    group = f"c{uuid.uuid4().hex[:8]}.example.com"
    await api.do("create", CRD, body=nested_definition(group))
    resource = Resource(group, "v1", "widgets", "Widget", "widget", ("wd",))
    await served(api, resource)
    try:
        yield Widgets(api, resource)
    finally:
        await api.do("delete", CRD, f"widgets.{group}")


def in_version(widgets: Widgets, version: str) -> Resource:
    return replace(widgets.resource, version=version)


async def make(widgets: Widgets, resource: Resource | None = None, **spec: Any) -> dict[str, Any]:
    kind = resource or widgets.resource
    body = {"apiVersion": kind.api_version, "kind": "Widget", "metadata": {"name": "w"}}
    return await widgets.api.do("create", kind, body={**body, "spec": spec})


async def test_defaults_are_filled_in_inside_lists_and_maps(nested: Widgets) -> None:
    made = await make(nested, steps=[{"name": "a"}, {"retries": 1}], named={"x": {}})
    assert made["spec"] == {
        "steps": [
            {"name": "a", "retries": 3, "options": {"quiet": True}},
            {"retries": 1, "options": {"quiet": True}},
        ],
        "named": {"x": {"retries": 3, "options": {"quiet": True}}},
    }


async def test_unknown_fields_are_pruned_inside_lists_and_maps(nested: Widgets) -> None:
    step = {"retries": 1, "options": {"quiet": False, "loud": True}, "extra": 1}
    made = await make(nested, steps=[step], named={"x": step})
    kept = {"retries": 1, "options": {"quiet": False}}
    assert made["spec"] == {"steps": [kept], "named": {"x": kept}}


async def test_what_is_free_stays_and_what_is_named_in_it_is_pruned(nested: Widgets) -> None:
    made = await make(nested, free={"any": [1, {"b": None}], "known": {"a": "x", "b": "y"}})
    assert made["spec"]["free"]["any"][0] == 1
    assert made["spec"]["free"]["known"] == {"a": "x"}


async def test_an_object_inside_says_what_it_is(nested: Widgets) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "x": 1}, "spec": {"y": 2}}
    made = await make(nested, pod=pod)
    assert made["spec"]["pod"]["metadata"] == {"name": "p"}
    assert made["spec"]["pod"]["spec"] == {"y": 2}
    patch = {"spec": {"pod": {"kind": None}}}
    error = await refused(nested.api.do("patch", nested.resource, "w", patch))
    assert error.status == 422
    assert "spec.pod.kind: Required value" in error.message


async def test_null_is_kept_where_it_may_be(nested: Widgets) -> None:
    made = await make(nested, text=None)
    assert made["spec"] == {"text": None}


async def test_a_time_is_a_time(nested: Widgets) -> None:
    error = await refused(make(nested, when="yesterday"))
    assert error.status == 422
    assert "spec.when" in error.message
    await make(nested, when="2026-11-23T00:00:00Z")


async def test_an_object_is_served_in_each_version(nested: Widgets) -> None:
    older = in_version(nested, "v1beta1")
    made = await make(nested, older, plain="x")
    assert made["apiVersion"] == older.api_version
    found = await nested.api.do("get", nested.resource, "w")
    assert found["apiVersion"] == nested.resource.api_version
    assert found["spec"] == made["spec"]
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    listed = await nested.api.do("list", older)
    assert [each["apiVersion"] for each in listed["items"]] == [older.api_version]
    patched = await nested.api.do("patch", older, "w", {"spec": {"plain": "y"}})
    assert (patched["apiVersion"], patched["metadata"]["generation"]) == (older.api_version, 2)


async def test_a_version_that_is_not_served_is_not_there(nested: Widgets) -> None:
    with pytest.raises(NotFoundError):
        await nested.api.do("list", in_version(nested, "v1alpha1"))


async def test_an_object_of_another_version_than_its_path_is_refused(nested: Widgets) -> None:
    body = {
        "apiVersion": in_version(nested, "v1beta1").api_version,
        "kind": "Widget",
        "metadata": {"name": "w"},
    }
    error = await refused(nested.api.do("create", nested.resource, body=body))
    assert error.status == 400


async def test_a_scale_is_where_the_definition_says(nested: Widgets) -> None:
    await make(nested, counts={"wanted": 2})
    scale = await nested.api.do("get", nested.resource, "w", part="scale")
    assert scale["spec"] == {"replicas": 2}
    grown = await nested.api.do(
        "patch", nested.resource, "w", {"spec": {"replicas": 3}}, part="scale"
    )
    assert grown["spec"] == {"replicas": 3}
    found = await nested.api.do("get", nested.resource, "w")
    assert found["spec"] == {"counts": {"wanted": 3}}
