"""Fields that a kind does not have, or that are given twice.

For: `fieldValidation=Strict` and `Warn`, which tell a slip of the pen from a field.
Must not know: HTTP, or what else may be wrong with an object.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from api import coverage, inference_coverage, schemas
from api.kinds import Resource
from api.openapi import Schema
from cluster.errors import BadRequestError
from embedded import structural
from embedded.builtin_schemas import SCHEMAS

_INDEX = re.compile(r"\[\d+\]")
MODES = ("Ignore", "Warn", "Strict")


def unknown_fields(resource: Resource, obj: Any) -> list[str]:
    """The sentences of Kubernetes for every field the kind does not have.

    One that is refused by name is no slip of the pen: admission says why it is refused.
    """
    schema = SCHEMAS.get(resource) or schemas.SCHEMAS.get(resource)
    if schema is None:
        return []
    return [
        f'unknown field "{path}"'
        for path in _unknown(schema, obj, "")
        if _INDEX.sub("[*]", path) not in _refused(resource)
    ]


@cache
def _refused(resource: Resource) -> frozenset[str]:
    walk = coverage if resource in coverage.KINDS else inference_coverage
    if resource not in walk.KINDS:
        return frozenset()
    return frozenset(e.path for e in walk.entries(resource) if e.fate is coverage.Fate.REFUSED)


def check(
    resource: Resource,
    obj: Any,
    mode: str,
    custom: Schema | None = None,
    *,
    twice: Sequence[str] = (),
) -> list[str]:
    """What to warn of; with mode "Strict" a BadRequestError instead.

    `custom` is the schema of a kind that a CRD defines, `twice` what was given twice.
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
    found += twice
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
    fields, values = schema.get("properties") or {}, schema.get("additionalProperties")
    is_open = not fields or bool(schema.get(structural.PRESERVE))
    if not isinstance(value, dict):
        return
    for key, child in value.items():
        if key.startswith("$"):
            continue  # a directive of a strategic merge patch; who merges it knows them all
        here = f"{path}.{key}" if path else key
        if key in fields:
            yield from _unknown(fields[key], child, here)
        elif isinstance(values, dict):
            yield from _unknown(values, child, here)
        elif not is_open:
            yield here
