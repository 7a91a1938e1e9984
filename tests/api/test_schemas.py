from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api import kinds
from api.autoscaling import PodAutoscaler
from api.domainmapping import DomainMapping
from api.errors import InvalidObjectError
from api.schemas import PRINTER_COLUMNS, SCHEMAS
from api.serving import Configuration, Revision, Route, Service

Schema = dict[str, Any]

PARSE: dict[kinds.Resource, Callable[[Any], object]] = {
    kinds.SERVICES: Service.parse,
    kinds.CONFIGURATIONS: Configuration.parse,
    kinds.REVISIONS: Revision.parse,
    kinds.ROUTES: Route.parse,
    kinds.DOMAINMAPPINGS: DomainMapping.parse,
    kinds.PODAUTOSCALERS: PodAutoscaler.parse,
}


def described(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every field of a schema, by path."""
    for name, inner in schema.get("properties", {}).items():
        where = f"{path}.{name}" if path else name
        yield where, inner
        yield from described(inner, where)
        yield from described(inner.get("items", {}), f"{where}[0]")


def example(schema: Schema) -> Any:
    """A value with every field of the schema, each of the right type."""
    match schema.get("type"):
        case "object" if "additionalProperties" in schema:
            return {"a.b/k": example(schema["additionalProperties"])}
        case "object":
            return {name: example(inner) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [example(schema["items"])]
        case "integer":
            return schema.get("minimum", 0) + 1
        case "boolean":
            return False
        case _:
            return "1"


@pytest.mark.parametrize("resource", SCHEMAS, ids=lambda resource: resource.kind)
def test_every_field_is_described_in_a_sentence(resource: kinds.Resource) -> None:
    schema = SCHEMAS[resource]
    assert schema["description"].endswith(".")
    for path, inner in described(schema, ""):
        assert inner["description"].endswith("."), path
        assert "type" in inner or inner["x-kubernetes-int-or-string"], path
        assert inner.get("type") != "array" or "type" in inner["items"], path


@pytest.mark.parametrize("resource", PARSE, ids=lambda resource: resource.kind)
def test_every_field_of_the_schema_is_known_to_the_parser(resource: kinds.Resource) -> None:
    raw = {**example(SCHEMAS[resource]), "metadata": {"name": "a"}}
    with pytest.raises(InvalidObjectError) as caught:  # one target has too many fields, for one
        PARSE[resource](raw)
    messages = {error.message for error in caught.value.errors}
    assert not messages & {"unknown field", "must not set the field(s)"}, str(caught.value)


@pytest.mark.parametrize("resource", PARSE, ids=lambda resource: resource.kind)
def test_every_field_the_parser_reads_is_in_the_schema(resource: kinds.Resource) -> None:
    # Reading an object that has no field of the right type asks for each by its name.
    asked = set()

    class Recording(dict[str, Any]):
        def __init__(self, path: str) -> None:
            self.path = path

        def get(self, name: str, default: object = None) -> Any:
            where = f"{self.path}.{name}" if self.path else name
            asked.add(where)
            inner = fields.get(where, {})
            if inner.get("type") == "array":
                return [Recording(f"{where}[0]")]
            return Recording(where) if "properties" in inner else default

    fields = dict(described(SCHEMAS[resource], ""))
    with pytest.raises(InvalidObjectError):
        PARSE[resource](Recording(""))
    # What stands in a Revision's spec is read by the schema itself: see shapes.py.
    inner = "spec." if resource is kinds.REVISIONS else "spec.template.spec."
    spec = {path for path in asked if path.startswith("spec") and not path.startswith(inner)}
    fields = {path: each for path, each in fields.items() if not path.startswith(inner)}
    never_in_a_spec = {"spec.traffic[0].url"}
    if resource is kinds.SERVICES:
        never_in_a_spec.add("spec.traffic[0].configurationName")
    assert spec - never_in_a_spec == {path for path in fields if path.startswith("spec")}


def test_columns_are_knatives() -> None:
    names = {
        resource.kind: [each.name for each in columns if each.priority == 0]
        for resource, columns in PRINTER_COLUMNS.items()
        if resource in PARSE
    }
    assert names == {
        "Service": ["URL", "LatestCreated", "LatestReady", "Ready", "Reason"],
        "Configuration": ["LatestCreated", "LatestReady", "Ready", "Reason"],
        "Revision": [
            "Config Name",
            "Generation",
            "Ready",
            "Reason",
            "Actual Replicas",
            "Desired Replicas",
        ],
        "Route": ["URL", "Ready", "Reason"],
        "DomainMapping": ["URL", "Ready", "Reason"],
        "PodAutoscaler": ["DesiredScale", "ActualScale", "Ready", "Reason"],
    }


def test_columns_show_what_the_schema_has() -> None:
    for resource in PARSE:
        fields = dict(described(SCHEMAS[resource], ""))
        for column in PRINTER_COLUMNS[resource]:
            path = column.json_path.removeprefix(".").split("[")[0]
            assert path in fields or path == "metadata.labels", column
            assert column.priority == 0 or column.name in ("Mode", "Activators")


def test_a_label_is_escaped_as_jsonpath_wants() -> None:
    paths = [column.json_path for column in PRINTER_COLUMNS[kinds.REVISIONS]]
    assert paths[0] == r".metadata.labels['serving\.knative\.dev/configuration']"
