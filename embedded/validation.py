"""Whether an object is what the schema of its CRD says, in Kubernetes' words.

For: types, enums, patterns, bounds, required fields, combinations, sets and maps in lists.
Must not know: requests, CRDs, or CEL rules.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.openapi import Schema
from embedded import string_formats
from embedded.structural import EMBEDDED, PRESERVE

Causes = Iterator[tuple[str, str]]  # field, message
_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
CAUSES_MAX: Final = 100


def causes(schema: Schema, value: Any, path: str) -> Causes:
    """Everything that is wrong with a value; nothing if it is right."""
    if value is None:
        if not schema.get("nullable") and schema.get("type"):
            yield _wrong_type(path, schema["type"], value)
        return
    if schema.get(_INT_OR_STRING):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield _wrong_type(path, "integer,string", value)
            return
    elif "type" in schema and not _is_of(schema["type"], value):
        yield _wrong_type(path, schema["type"], value)
        return
    yield from _allowed(schema, value, path)
    if isinstance(value, str):
        yield from _of_string(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _of_number(schema, value, path)
    elif isinstance(value, list):
        yield from _of_list(schema, value, path)
    elif isinstance(value, Mapping):
        yield from _of_object(schema, value, path)
    yield from _combined(schema, value, path)


def shown(value: Any) -> str:
    """A value as Kubernetes shows it in a message."""
    if value is None:
        return "null"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def child(path: str, name: str) -> str:
    """The path of a field."""
    return f"{path}.{name}" if path else name


def _is_of(wanted: str, value: Any) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    match wanted:
        case "integer":
            return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        case "number":
            return isinstance(value, int | float)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case _:
            return wanted == "object" and isinstance(value, Mapping)


def _type_name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names: list[tuple[Any, str]] = [(int, "integer"), (float, "number"), (str, "string")]
    names += [(list, "array"), (Mapping, "object")]
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def _wrong_type(path: str, wanted: str, value: Any) -> tuple[str, str]:
    found = _type_name(value)
    return path, f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'


def _invalid(path: str, value: Any, why: str) -> tuple[str, str]:
    return path, f"Invalid value: {shown(value)}: {path} in body {why}"


def _allowed(schema: Schema, value: Any, path: str) -> Causes:
    allowed = schema.get("enum")
    if allowed is not None and not any(_is_same(value, each) for each in allowed):
        listed = ", ".join(map(shown, allowed))
        yield path, f"Unsupported value: {shown(value)}: supported values: {listed}"


def _is_same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _of_string(schema: Schema, value: str, path: str) -> Causes:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        yield path, f"Too long: may not be more than {longest} bytes"
    if shortest is not None and len(value) < shortest:
        yield _invalid(path, value, f"should be at least {shortest} chars long")
    pattern = schema.get("pattern")
    if pattern and not string_formats.searcher(pattern)(value):
        yield _invalid(path, value, f"should match '{pattern}'")
    known = string_formats.TESTS.get(schema.get("format", ""))
    if known is not None and not known(value):
        yield _invalid(path, value, f"must be of type {schema['format']}: {shown(value)}")


def _of_number(schema: Schema, value: float, path: str) -> Causes:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None:
        if schema.get("exclusiveMinimum") and value <= least:
            yield _invalid(path, value, f"should be greater than {shown(least)}")
        elif value < least:
            yield _invalid(path, value, f"should be greater than or equal to {shown(least)}")
    if most is not None:
        if schema.get("exclusiveMaximum") and value >= most:
            yield _invalid(path, value, f"should be less than {shown(most)}")
        elif value > most:
            yield _invalid(path, value, f"should be less than or equal to {shown(most)}")
    step = schema.get("multipleOf")
    if step and value % step:
        yield _invalid(path, value, f"should be a multiple of {shown(step)}")
    bits = {"int32": 31, "int64": 63}.get(schema.get("format", ""))
    if bits is not None and not -(1 << bits) <= value < 1 << bits:
        yield _invalid(path, value, f"must be of type {schema['format']}: {shown(str(value))}")


def _of_list(schema: Schema, value: list[Any], path: str) -> Causes:
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        yield path, f"Too many: {len(value)}: must have at most {most} items"
    if least is not None and len(value) < least:
        yield _invalid(path, len(value), f"should have at least {least} items")
    items = schema.get("items")
    if isinstance(items, Mapping):
        for at, each in enumerate(value):
            yield from causes(dict(items), each, f"{path}[{at}]")
    yield from _unique(schema, value, path)


def _unique(schema: Schema, value: list[Any], path: str) -> Causes:
    kind, seen = schema.get("x-kubernetes-list-type"), set()
    for at, each in enumerate(value):
        if kind == "set":
            named = each
        elif kind == "map" and isinstance(each, Mapping):
            keys = schema.get("x-kubernetes-list-map-keys") or ()
            named = {key: each[key] for key in keys if key in each}
        else:
            return
        text = json.dumps(named, sort_keys=True)
        if text in seen:
            yield f"{path}[{at}]", f"Duplicate value: {shown(named)}"
        seen.add(text)


def _of_object(schema: Schema, value: Mapping[str, Any], path: str) -> Causes:
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        yield path, f"Too many: {len(value)}: must have at most {most} items"
    if least is not None and len(value) < least:
        yield _invalid(path, len(value), f"should have at least {least} properties")
    yield from _required(schema, value, path)
    properties, values = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, each in value.items():
        if key in properties:
            if path or key != "metadata" or properties[key].get("properties"):
                yield from causes(properties[key], each, child(path, key))
        elif isinstance(values, Mapping):
            yield from causes(dict(values), each, child(path, key))
        elif values is False and not schema.get(PRESERVE):
            yield child(path, key), f"Invalid value: {shown(each)}: is a forbidden property"


def _required(schema: Schema, value: Mapping[str, Any], path: str) -> Causes:
    for name in schema.get("required") or ():
        if name not in value:
            yield child(path, name), "Required value"
    for name in ("apiVersion", "kind") if schema.get(EMBEDDED) else ():
        if not value.get(name):
            yield child(path, name), "Required value: must not be empty"


def _combined(schema: Schema, value: Any, path: str) -> Causes:
    """A combination has no field of its own: Kubernetes names none, and quotes the path."""

    def fits(part: Schema) -> bool:
        return next(causes(part, value, path), None) is None

    some, one, every = schema.get("anyOf"), schema.get("oneOf"), schema.get("allOf")
    if some and not any(map(fits, some)):
        yield _of_whole(path, "must validate at least one schema (anyOf)")
        yield from _nearest(some, value, path)
    if one:
        found = sum(map(fits, one))
        if found != 1:
            told = "Found none valid" if not found else f"Found {found} valid alternatives"
            yield _of_whole(path, f"must validate one and only one schema (oneOf). {told}")
            if not found:
                yield from _nearest(one, value, path)
    if every and not all(map(fits, every)):
        yield _of_whole(path, "must validate all the schemas (allOf)")
        for part in every:
            yield from causes(part, value, path)
    if schema.get("not") is not None and fits(schema["not"]):
        yield _of_whole(path, "must not validate the schema (not)")


def _nearest(parts: list[Schema], value: Any, path: str) -> Causes:
    """What is wrong by the alternative that fits best."""
    found = [list(causes(part, value, path)) for part in parts]
    yield from min(found, key=len)


def _of_whole(path: str, why: str) -> tuple[str, str]:
    return "<nil>", f'Invalid value: "": "{path}" {why}'
