"""Fields that a built-in kind does not have.

For: `fieldValidation=Strict` and `Warn`, which tell a slip of the pen from a field.
Must not know: HTTP. Our own kinds are not checked here: admission names their unknown fields.
"""

from collections.abc import Iterator
from typing import Any

from api.kinds import Resource
from api.openapi import Schema
from cluster.errors import BadRequestError
from embedded import structural
from embedded.builtin_schemas import SCHEMAS

MODES = ("Ignore", "Warn", "Strict")


def unknown_fields(resource: Resource, obj: Any) -> list[str]:
    """The sentences of Kubernetes for every field the kind does not have."""
    schema = SCHEMAS.get(resource)
    if schema is None:
        return []
    return [f'unknown field "{path}"' for path in _unknown(schema, obj, "")]


def check(resource: Resource, obj: Any, mode: str, custom: Schema | None = None) -> list[str]:
    """What to warn of; with mode "Strict" a BadRequestError instead.

    `custom` is the schema of a kind that a CRD defines.
    """
    if mode not in MODES:
        raise BadRequestError(f"fieldValidation: {mode!r}: want one of {', '.join(MODES)}")
    if mode == "Ignore":
        return []
    if custom is None:
        found = unknown_fields(resource, obj)
    else:
        unknown = structural.pruned(custom, obj)[1] if isinstance(obj, dict) else []
        found = [f'unknown field "{path}"' for path in unknown]
    if found and mode == "Strict":
        raise BadRequestError(f"strict decoding error: {', '.join(found)}")
    return found


def _unknown(schema: Schema, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        items = schema.get("items")
        if items is not None:
            for at, item in enumerate(value):
                yield from _unknown(items, item, f"{path}[{at}]")
        return
    fields = schema.get("properties")
    if not isinstance(value, dict) or fields is None:
        return
    for key, child in value.items():
        if key.startswith("$"):
            continue  # a directive of a strategic merge patch; who merges it knows them all
        here = f"{path}.{key}" if path else key
        if key in fields:
            yield from _unknown(fields[key], child, here)
        else:
            yield here
