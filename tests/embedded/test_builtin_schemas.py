from collections.abc import Iterator
from typing import Any

import pytest

from api.kinds import Resource
from embedded import resources
from embedded.builtin_schemas import SCHEMAS
from embedded.fieldcheck import unknown_fields
from embedded.typecheck import check
from tests.cluster.serving import deployment, namespace, pod

TYPES = {"object", "array", "string", "integer", "boolean"}


def parts(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from parts(child, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            yield from parts(schema[inner], f"{path}[]")


def test_every_built_in_kind_has_one() -> None:
    assert SCHEMAS.keys() == resources.BUILT_IN


@pytest.mark.parametrize("resource", SCHEMAS, ids=lambda each: each.kind)
def test_every_part_is_of_a_type_that_can_be_checked(resource: Resource) -> None:
    for path, schema in parts(SCHEMAS[resource]):
        assert schema.get("type", "object") in TYPES, path
        assert ("items" in schema) is (schema.get("type") == "array"), path


@pytest.mark.parametrize("resource", SCHEMAS, ids=lambda each: each.kind)
def test_every_named_field_is_described(resource: Resource) -> None:
    for name, schema in SCHEMAS[resource]["properties"].items():
        assert schema.get("description"), name


@pytest.mark.parametrize(
    "raw", [pod(), deployment(), namespace("n")], ids=lambda raw: str(raw["kind"])
)
def test_plain_objects_fit_them(raw: dict[str, Any]) -> None:
    resource = resources.by_kind(raw["apiVersion"], raw["kind"])
    assert resource is not None
    assert unknown_fields(resource, raw) == []
    check(resource, raw, {})
