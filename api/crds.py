"""The CustomResourceDefinition of each of our kinds, for clusters that run a real API server.

For: `manifests/300-crds/`, written from here by `make manifests`, so that the schemas a cluster
checks are those `kubectl explain` shows on a laptop.
Must not know: files, YAML, or which cluster.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from api import coverage, crd_rules, inference_coverage, inference_rules, kinds
from api.crd_rules import Rule
from api.kinds import Resource
from api.openapi import Schema
from api.schemas import PRINTER_COLUMNS, SCHEMAS, Column

RULES = {**crd_rules.RULES, **inference_rules.RULES}
# The column every CRD of Kubernetes' own has; the API server adds it only where none is named.
AGE = Column(name="Age", type="date", json_path=".metadata.creationTimestamp")

# A field that the admission webhook refuses by its name.
REFUSED: Schema = {"x-kubernetes-preserve-unknown-fields": True, "description": "Refused."}
# An InferenceService has three Pods' worth of fields: of those that are refused it names what
# stands in a component, a model or a container, and says no more than their names.
_REFUSED_STEPS_MAX = {kinds.INFERENCESERVICES: 4}
_TERSELY: Schema = {"x-kubernetes-preserve-unknown-fields": True}

# `kubectl apply` keeps what it applied in an annotation, and annotations hold 256 KiB.
SIZE_MAX = 225_000


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
        "schema": {"openAPIV3Schema": with_rules(_open(resource), RULES.get(resource, {}))},
        "additionalPrinterColumns": [_column(each) for each in shown],
    }
    if "status" in schema.get("properties", {}):
        found["subresources"] = {"status": {}}
    return found


def _column(column: Column) -> dict[str, Any]:
    shown = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    return {**shown, "priority": column.priority} if column.priority else shown


def _open(resource: Resource) -> Schema:
    """The schema with every field that is refused by name, of any form.

    A server takes away what a schema does not have before it asks a webhook: the field would be
    lost without a word, or called a slip of the pen.
    """
    form = _TERSELY if resource in _REFUSED_STEPS_MAX else REFUSED
    return with_fields(structural(SCHEMAS[resource]), refused(resource), form)


def refused(resource: Resource) -> list[tuple[str, ...]]:
    """The fields of a spec that are refused by name, as paths of `with_rules`."""
    walk = coverage if resource in coverage.KINDS else inference_coverage
    if resource not in walk.KINDS:
        return []
    paths = [each.path for each in walk.entries(resource) if each.fate is coverage.Fate.REFUSED]
    steps_max = _REFUSED_STEPS_MAX.get(resource, 100)
    return [
        tuple(path.replace("[*]", ".[]").split("."))
        for path in paths
        if path.startswith("spec.") and '"' not in path  # a map's keys are its users'
        if path.count(".") < steps_max
    ]


def with_fields(schema: Schema, paths: Iterable[tuple[str, ...]], form: Schema) -> Schema:
    """A copy of the schema with a field of this form at each path that has none."""
    below: dict[str, list[tuple[str, ...]]] = {}
    for head, *rest in paths:
        below.setdefault(head, []).append(tuple(rest))
    found = dict(schema)
    properties = dict(schema.get("properties", {}))
    for head, rests in below.items():
        inner = [rest for rest in rests if rest]
        if head == "[]":
            found["items"] = with_fields(schema["items"], inner, form)
        elif inner:
            properties[head] = with_fields(properties[head], inner, form)
        else:
            properties.setdefault(head, form)
    return {**found, "properties": properties} if properties else found


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
