"""Structural schemas: what is dropped from an object of a CRD's kind, and what is filled in.

For: pruning of unknown fields and defaulting, as Kubernetes does both before it validates.
Must not know: whether values are right; `validation.py` says that.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from api.openapi import Schema
from embedded.bodies import METADATA_FIELDS

PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
EMBEDDED: Final = "x-kubernetes-embedded-resource"
_OF_EVERY_OBJECT: Final = ("apiVersion", "kind", "metadata")


def pruned(schema: Schema, obj: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The object without the fields its schema does not have, and the paths of those."""
    unknown: list[str] = []
    result = _pruned(schema, obj, "", unknown, is_whole=True)
    return result, unknown


def _pruned(schema: Schema, value: Any, path: str, unknown: list[str], *, is_whole: bool) -> Any:
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, Mapping):
            return value
        return [
            _pruned(dict(items), each, f"{path}[{at}]", unknown, is_whole=False)
            for at, each in enumerate(value)
        ]
    if not isinstance(value, Mapping):
        return value
    kept: dict[str, Any] = {}
    is_object = is_whole or bool(schema.get(EMBEDDED))
    properties, values = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, child in value.items():
        here = f"{path}.{key}" if path else key
        if is_object and key in _OF_EVERY_OBJECT:
            kept[key] = child if is_whole else _metadata(child, key, here, unknown)
        elif key in properties:
            kept[key] = _pruned(properties[key], child, here, unknown, is_whole=False)
        elif isinstance(values, Mapping):
            kept[key] = _pruned(dict(values), child, here, unknown, is_whole=False)
        elif values is True or schema.get(PRESERVE):
            kept[key] = child
        else:
            unknown.append(here)
    return kept


def _metadata(value: Any, key: str, path: str, unknown: list[str]) -> Any:
    """That of an object inside another; of the outer one it is checked elsewhere."""
    if key != "metadata" or not isinstance(value, Mapping):
        return value
    unknown += [f"{path}.{each}" for each in value if each not in METADATA_FIELDS]
    return {each: child for each, child in value.items() if each in METADATA_FIELDS}


def defaulted(schema: Schema, value: Any) -> Any:
    """The value with the schema's defaults; nulls that may not be are dropped, as in Kubernetes."""
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, Mapping):
            return value
        return [defaulted(dict(items), each) for each in value]
    if not isinstance(value, Mapping):
        return value
    properties, values = schema.get("properties") or {}, schema.get("additionalProperties")
    result: dict[str, Any] = {}
    for key, child in value.items():
        if key in properties:
            part = properties[key]
            if child is None and not part.get("nullable"):
                continue  # its default, if it has one, comes below
            result[key] = defaulted(part, child)
        elif isinstance(values, Mapping):
            result[key] = defaulted(dict(values), child)
        else:
            result[key] = child
    for key, part in properties.items():
        if key not in result and part.get("default") is not None:
            result[key] = defaulted(part, deepcopy(part["default"]))
    return result
