"""OpenAPI v3 schemas, built from their descriptions: the subset that CRDs are made of.

For: writing a schema as compactly as the thing it describes.
Must not know: what is described.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
_INT_OR_STRING: Schema = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
}
# Kubernetes' own pattern: what tells an amount from the number or name of a port.
QUANTITY: Schema = {
    **_INT_OR_STRING,
    "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
}


def text(description: str, *, enum: Sequence[str] = ()) -> Schema:
    """A string; one of `enum`, if any are given."""
    schema = {"type": "string", "description": description}
    return {**schema, "enum": list(enum)} if enum else schema


def quantity(description: str) -> Schema:
    """An amount: "500m", "1Gi", or a number."""
    return {**QUANTITY, "description": description}


def port(description: str) -> Schema:
    """The number of a port, or its name."""
    return {**_INT_OR_STRING, "description": description}


def integer(description: str, **bounds: int) -> Schema:
    """An integer; bounds are `minimum` and `maximum`."""
    return {"type": "integer", "format": "int64", "description": description, **bounds}


def boolean(description: str) -> Schema:
    """A boolean."""
    return {"type": "boolean", "description": description}


def array(description: str, items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "description": description, "items": items}


def keyed(description: str, items: Schema, *, by: Sequence[str]) -> Schema:
    """A list whose items are told apart by fields: managers may own items of it, not the whole.

    Every other list is one value. The fields must be required, or have a default.
    """
    keys = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(by)}
    return {**array(description, items), **keys}


def whole(schema: Schema) -> Schema:
    """The same object, which is one value: whoever writes a part of it owns all of it."""
    return {**schema, "x-kubernetes-map-type": "atomic"}


def mapping(description: str, values: Schema) -> Schema:
    """An object with any keys."""
    return {"type": "object", "description": description, "additionalProperties": values}


def record(
    description: str, properties: Mapping[str, Schema], *, required: Sequence[str] = ()
) -> Schema:
    """An object with these fields and no others."""
    schema = {"type": "object", "description": description, "properties": dict(properties)}
    return {**schema, "required": list(required)} if required else schema
