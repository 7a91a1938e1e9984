"""Kinds of anybody's own: CustomResourceDefinitions and the objects they define."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from api.kinds import Resource
from cluster.errors import NotFoundError
from tests.conformance.servers import CRD, DEADLINE_S, MARK, Api, OverHttp, without_rules
from tests.conformance.test_objects import refused

SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10},
        "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "title": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
        "replicas": {"type": "integer", "default": 1},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["id"],
            "items": {
                "type": "object",
                "required": ["id"],
                "properties": {"id": {"type": "string"}, "weight": {"type": "integer"}},
            },
        },
        "tags": {
            "type": "array",
            "x-kubernetes-list-type": "set",
            "items": {"type": "string"},
        },
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "port": {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
        },
    },
    "x-kubernetes-validations": [
        {
            "rule": "!has(self.color) || self.color != 'blue' || self.size > 2",
            "message": "blue widgets are larger than 2",
        },
        {"rule": "self.size >= oldSelf.size", "message": "widgets do not shrink"},
    ],
}


@dataclass
class Widgets:
    """A kind of the test's own, and the server that serves it."""

    api: Api
    resource: Resource

    async def make(self, name: str = "w", **spec: Any) -> dict[str, Any]:
        body = {"metadata": {"name": name}, "spec": {"size": 3, **spec}}
        kind = {"apiVersion": self.resource.api_version, "kind": "Widget"}
        return await self.api.do("create", self.resource, body={**kind, **body})


@pytest.fixture
async def widgets(api: Api) -> AsyncIterator[Widgets]:
    group = f"c{uuid.uuid4().hex[:8]}.example.com"  # names of definitions are not namespaced
    definition = widget_definition(group)
    if "cel" not in api.features:
        definition = without_rules(definition)
    await api.do("create", CRD, body=definition)
    resource = Resource(group, "v1", "widgets", "Widget", "widget", ("wd",))
    await served(api, resource)
    try:
        yield Widgets(api, resource)
    finally:
        await api.do("delete", CRD, f"widgets.{group}")


def widget_definition(group: str, **version: Any) -> dict[str, Any]:
    status = {"type": "object", "properties": {"ready": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"spec": SPEC, "status": status}}
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.ready"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}", "labels": MARK},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "plural": "widgets",
                "singular": "widget",
                "kind": "Widget",
                "shortNames": ["wd"],
            },
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}, "scale": scale},
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}
                    ],
                    **version,
                }
            ],
        },
    }


async def served(api: Api, resource: Resource) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await api.do("list", resource)
            except NotFoundError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_definition_says_that_it_is_established(widgets: Widgets) -> None:
    found = await widgets.api.do("get", CRD, f"widgets.{widgets.resource.group}")
    conditions = {each["type"]: each["status"] for each in found["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert found["status"]["acceptedNames"]["kind"] == "Widget"
    assert found["status"]["acceptedNames"]["listKind"] == "WidgetList"
    assert found["status"]["storedVersions"] == ["v1"]


async def test_defaults_are_filled_in(widgets: Widgets) -> None:
    made = await widgets.make()
    assert made["spec"] == {"size": 3, "color": "red", "replicas": 1}
    assert made["metadata"]["generation"] == 1


async def test_fields_nobody_knows_are_pruned(widgets: Widgets) -> None:
    made = await widgets.make(unknown=1, free={"any": {"thing": 1}}, labels={"a": "b"})
    assert "unknown" not in made["spec"]
    assert made["spec"]["free"] == {"any": {"thing": 1}}
    assert made["spec"]["labels"] == {"a": "b"}


@pytest.mark.needs("field-validation")
async def test_fields_nobody_knows_are_refused_when_asked(widgets: Widgets) -> None:
    body = {
        "apiVersion": widgets.resource.api_version,
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": {"size": 3, "unknown": 1},
    }
    error = await refused(
        widgets.api.do("create", widgets.resource, body=body, fieldValidation="Strict")
    )
    assert error.status == 400
    assert 'strict decoding error: unknown field "spec.unknown"' in error.message


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"size": "three"},
            'spec.size: Invalid value: "string": spec.size in body must be of type integer: '
            '"string"',
        ),
        (
            {"size": 0},
            "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
        ),
        (
            {"size": 11},
            "spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10",
        ),
        ({"size": None}, "spec.size: Required value"),
        (
            {"color": "green"},
            'spec.color: Unsupported value: "green": supported values: "red", "blue"',
        ),
        ({"title": "Abc"}, "spec.title in body should match '^[a-z]+$'"),
        pytest.param(
            {"parts": [{"weight": 1}]},
            "spec.parts[0].id: Required value",
            marks=pytest.mark.needs("recent"),
        ),
        pytest.param(
            {"parts": [{"id": "a"}, {"id": "a"}]},
            'spec.parts[1]: Duplicate value: {"id":"a"}',
            marks=pytest.mark.needs("recent"),
        ),
        ({"tags": ["a", "a"]}, 'spec.tags[1]: Duplicate value: "a"'),
        (
            {"port": True},
            'spec.port: Invalid value: "boolean": spec.port in body must be of type '
            'integer,string: "boolean"',
        ),
    ],
    ids=[
        *("type", "minimum", "maximum", "null", "enum", "pattern"),
        *("required in a list", "the key twice", "an item twice", "integer or string"),
    ],
)
async def test_what_breaks_the_schema_is_refused(
    widgets: Widgets, spec: dict[str, Any], text: str
) -> None:
    error = await refused(widgets.make(**spec))
    assert (error.status, error.reason) == (422, "Invalid")
    assert text in error.message
    assert error.message.startswith(f'Widget.{widgets.resource.group} "w" is invalid: ')


@pytest.mark.needs("cel")
async def test_rules_in_cel_are_kept(widgets: Widgets) -> None:
    error = await refused(widgets.make(size=1, color="blue"))
    assert error.status == 422
    assert "blue widgets are larger than 2" in error.message
    await widgets.make(size=5)
    patch = {"spec": {"size": 4}}
    shrunk = await refused(widgets.api.do("patch", widgets.resource, "w", patch))
    assert "widgets do not shrink" in shrunk.message


async def test_the_status_and_the_scale_are_parts(widgets: Widgets) -> None:
    await widgets.make(replicas=2)
    status = {"status": {"ready": 2}, "spec": {"size": 9}}
    after = await widgets.api.do("patch", widgets.resource, "w", status, part="status")
    assert (after["status"], after["spec"]["size"]) == ({"ready": 2}, 3)
    scale = await widgets.api.do("get", widgets.resource, "w", part="scale")
    assert (scale["kind"], scale["spec"], scale["status"]["replicas"]) == (
        "Scale",
        {"replicas": 2},
        2,
    )
    grown = {"spec": {"replicas": 4}}
    await widgets.api.do("patch", widgets.resource, "w", grown, part="scale")
    assert (await widgets.api.do("get", widgets.resource, "w"))["spec"]["replicas"] == 4


@pytest.mark.needs("recent")  # older servers publish the schema some time after the kind
async def test_lists_with_keys_are_merged_when_applied(widgets: Widgets) -> None:
    def parts(**weights: int) -> dict[str, Any]:
        listed = [{"id": key, "weight": weight} for key, weight in weights.items()]
        return {
            "apiVersion": widgets.resource.api_version,
            "kind": "Widget",
            "metadata": {"name": "w"},
            "spec": {"size": 3, "parts": listed},
        }

    async def apply(body: dict[str, Any], manager: str) -> dict[str, Any]:
        return await widgets.api.do(
            "patch", widgets.resource, "w", body, patch="apply", fieldManager=manager
        )

    await apply(parts(a=1, b=2), "one")
    both = await apply(parts(c=3), "two")
    assert both["spec"]["parts"] == [
        {"id": "a", "weight": 1},
        {"id": "b", "weight": 2},
        {"id": "c", "weight": 3},
    ]
    left = await apply(parts(b=2), "one")
    assert [each["id"] for each in left["spec"]["parts"]] == ["b", "c"]


@pytest.mark.needs("http")
async def test_a_table_has_the_columns_of_the_definition(widgets: Widgets) -> None:
    await widgets.make()
    assert isinstance(widgets.api, OverHttp)
    path = widgets.api.path(widgets.resource).removeprefix(widgets.api.url.rstrip("/"))
    table = await widgets.api.raw(path, "application/json;as=Table;v=v1;g=meta.k8s.io")
    assert table["kind"] == "Table"
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Size"]
    assert table["rows"][0]["cells"] == ["w", 3]


async def test_definitions_that_are_none_are_refused(api: Api) -> None:
    wrong = widget_definition("nodot")
    error = await refused(api.do("create", CRD, body=wrong))
    assert error.status == 422
    assert "spec.group" in error.message
    unnamed = widget_definition(f"c{uuid.uuid4().hex[:8]}.example.com")
    unnamed["metadata"]["name"] = "other"
    assert (await refused(api.do("create", CRD, body=unnamed))).status == 422
    nothing = widget_definition(f"c{uuid.uuid4().hex[:8]}.example.com", schema={})
    error = await refused(api.do("create", CRD, body=nothing))
    assert "schema" in error.message


async def test_objects_go_with_their_definition(api: Api) -> None:
    group = f"c{uuid.uuid4().hex[:8]}.example.com"
    definition = without_rules(widget_definition(group))
    await api.do("create", CRD, body=definition)
    resource = Resource(group, "v1", "widgets", "Widget", "widget")
    await served(api, resource)
    await Widgets(api, resource).make()
    await api.do("delete", CRD, f"widgets.{group}")
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await api.do("get", CRD, f"widgets.{group}")
            except NotFoundError:
                break
            await asyncio.sleep(0.05)
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await api.do("get", resource, "w")
            except NotFoundError:
                return
            await asyncio.sleep(0.05)
