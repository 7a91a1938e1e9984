from typing import Any

import orjson
import pytest

from api.kinds import DEPLOYMENTS, NAMESPACES, PODS, SERVICES, Resource
from embedded import discovery, openapi, protobuf, resources
from embedded.openapi import OpenApi
from embedded.registry import Registry

REGISTRY = Registry()
OPENAPI = OpenApi(REGISTRY)


def document(resource: Resource) -> dict[str, Any]:
    root = f"apis/{resource.group}" if resource.group else "api"
    found: dict[str, Any] = orjson.loads(OPENAPI.document(f"{root}/{resource.version}"))
    return found


def references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [each for item in value for each in references(item)]
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for item in value.values() for each in references(item)]
    return []


def test_the_index_names_every_group_and_changes_with_it() -> None:
    paths = orjson.loads(OPENAPI.index())["paths"]
    assert len(paths) == len(discovery.group_versions(REGISTRY))
    url = paths["apis/apps/v1"]["serverRelativeURL"]
    assert url.startswith("/openapi/v3/apis/apps/v1?hash=")


def test_what_is_not_served_has_no_document() -> None:
    with pytest.raises(KeyError):
        OPENAPI.document("apis/batch/v1")


@pytest.mark.parametrize("resource", resources.ALL, ids=lambda each: each.kind)
def test_every_kind_is_described_and_every_reference_leads_somewhere(resource: Resource) -> None:
    found = document(resource)
    schemas = found["components"]["schemas"]
    schema = schemas[openapi.schema_name(resource)]
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    assert schema["x-kubernetes-group-version-kind"] == [gvk]
    assert schema["description"]
    for reference in references(found):
        assert reference.removeprefix("#/components/schemas/") in schemas


@pytest.mark.parametrize("resource", resources.ALL, ids=lambda each: each.kind)
def test_writes_take_field_validation(resource: Resource) -> None:
    # kubectl looks for this before it leaves the checking of fields to the server.
    patches = [
        item["patch"]
        for path, item in document(resource)["paths"].items()
        if path.endswith(f"/{resource.plural}/{{name}}")
    ]
    (operation,) = patches
    assert operation["x-kubernetes-group-version-kind"]["kind"] == resource.kind
    assert "fieldValidation" in {each["name"] for each in operation["parameters"]}


def test_paths_are_those_that_are_served() -> None:
    assert "/api/v1/namespaces/{namespace}/pods/{name}/status" in document(PODS)["paths"]
    assert "/api/v1/pods" in document(PODS)["paths"]
    assert "/api/v1/namespaces/{name}" in document(NAMESPACES)["paths"]
    assert "/apis/apps/v1/namespaces/{namespace}/deployments" in document(DEPLOYMENTS)["paths"]


def test_names_are_reversed_groups() -> None:
    assert openapi.schema_name(SERVICES) == "dev.knative.serving.v1.Service"
    assert openapi.schema_name(PODS) == "core.v1.Pod"


def test_both_forms_of_the_empty_version_2_say_the_same() -> None:
    document = dict(protobuf.fields(openapi.EMPTY_V2_PROTOBUF))
    info = dict(protobuf.fields(document[2]))
    assert {
        "swagger": document[1].decode(),
        "info": {"title": info[1].decode(), "version": info[2].decode()},
        "paths": dict(protobuf.fields(document[8])),
    } == openapi.EMPTY_V2
