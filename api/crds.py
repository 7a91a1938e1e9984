"""The CustomResourceDefinition of each of our kinds, for clusters that run a real API server.

For: `manifests/300-crds/`, written from here by `make manifests`, so that the schemas a cluster
checks are those `kubectl explain` shows on a laptop.
Must not know: files, YAML, or which cluster.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from api import crd_rules, inference_rules
from api.crd_rules import Rule
from api.kinds import Resource
from api.openapi import Schema
from api.schemas import PRINTER_COLUMNS, SCHEMAS, Column

RULES = {**crd_rules.RULES, **inference_rules.RULES}
# The column every CRD of Kubernetes' own has; the API server adds it only where none is named.
AGE = Column(name="Age", type="date", json_path=".metadata.creationTimestamp")

# `kubectl apply` keeps what it applied in an annotation, and annotations hold 256 KiB.
SIZE_MAX = 200_000


def definitions() -> dict[str, dict[str, Any]]:
    """Every CustomResourceDefinition, by its name: `<plural>.<group>`."""
    return {name(resource): definition(resource) for resource in SCHEMAS}


def name(resource: Resource) -> str:
    """The name a CustomResourceDefinition must have."""
    return f"{resource.plural}.{resource.group}"


def definition(resource: Resource) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind."""
    names = {
        "plural": resource.plural,
        "singular": resource.singular,
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "shortNames": list(resource.short_names),
        "categories": list(resource.categories),
    }
    made = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": name(resource),
            "labels": {"app.kubernetes.io/name": "relight"},
        },
        "spec": {
            "group": resource.group,
            "names": {key: value for key, value in names.items() if value},
            "scope": "Namespaced" if resource.is_namespaced else "Cluster",
            "versions": [_version(resource)],
        },
    }
    return _fitting(made)


def _fitting(made: dict[str, Any]) -> dict[str, Any]:
    """Descriptions are left out from the deepest level upwards until the definition fits."""
    version = made["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    levels = _depth(schema)
    while size(made) > SIZE_MAX and levels:
        levels -= 1
        version["schema"] = {"openAPIV3Schema": _described(schema, levels)}
    return made


def size(definition: Mapping[str, Any]) -> int:
    """The bytes of a definition as `kubectl apply` notes it in an annotation."""
    return len(json.dumps(definition, separators=(",", ":")))


def _below(schema: Schema) -> dict[str, Schema]:
    """Schemas of lists' items and maps' values, by keyword."""
    both = ("items", "additionalProperties")
    return {each: schema[each] for each in both if isinstance(schema.get(each), dict)}


def _depth(schema: Schema) -> int:
    parts = [*schema.get("properties", {}).values(), *_below(schema).values()]
    return 1 + max((_depth(each) for each in parts), default=0)


def _described(schema: Schema, levels: int) -> Schema:
    """The schema with descriptions on so many of its levels."""
    found = dict(schema)
    if levels <= 0:
        found.pop("description", None)
    for keyword, inner in _below(schema).items():
        found[keyword] = _described(inner, levels - 1)
    if "properties" in schema:
        fields = schema["properties"].items()
        found["properties"] = {field: _described(each, levels - 1) for field, each in fields}
    return found


def _version(resource: Resource) -> dict[str, Any]:
    schema = SCHEMAS[resource]
    columns = PRINTER_COLUMNS.get(resource, ())
    has_age = any(each.name == AGE.name for each in columns)
    shown = columns if has_age else (*columns, AGE)
    found: dict[str, Any] = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": with_rules(structural(schema), RULES.get(resource, {}))},
        "additionalPrinterColumns": [_column(each) for each in shown],
    }
    if "status" in schema.get("properties", {}):
        found["subresources"] = {"status": {}}
    return found


def _column(column: Column) -> dict[str, Any]:
    shown = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    return {**shown, "priority": column.priority} if column.priority else shown


def structural(schema: Schema) -> Schema:
    """The schema as a CRD may have it: `metadata` at the top is the server's own."""
    properties = dict(schema["properties"])
    properties["metadata"] = {"type": "object"}
    return {**schema, "properties": properties}


def with_rules(schema: Schema, rules: Mapping[tuple[str, ...], Sequence[Rule]]) -> Schema:
    """A copy of the schema with CEL rules and bounds at the given paths.

    A path is a chain of property names; `[]` are the items of a list, `{}` the values of a map.
    Raises KeyError for a path the schema does not have: a rule must not get lost.
    """
    for path, added in rules.items():
        schema = _with(schema, path, added)
    return schema


def _with(schema: Schema, path: tuple[str, ...], added: Sequence[Rule]) -> Schema:
    if not path:
        found = dict(schema)
        for rule in added:
            found.update(rule.bounds)
        cel = [rule.cel() for rule in added if rule.expression]
        return {**found, "x-kubernetes-validations": cel} if cel else found
    head, rest = path[0], path[1:]
    inner = {"[]": "items", "{}": "additionalProperties"}.get(head)
    if inner is not None:
        return {**schema, inner: _with(schema[inner], rest, added)}
    properties = schema["properties"]
    return {**schema, "properties": {**properties, head: _with(properties[head], rest, added)}}
