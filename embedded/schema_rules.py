"""Whether the schema of a CRD is structural, and made of what this server checks.

For: refusing by path, when a CRD is written, what could not be enforced later.
Must not know: objects, or the rest of a CRD.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.openapi import Schema
from embedded import string_formats, structural, validation

_Causes = Iterator[tuple[str, str]]
_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_FORBIDDEN: Final = {
    "$ref": "Forbidden: $ref is not supported",
    "definitions": "Forbidden: definitions is not supported",
    "dependencies": "Forbidden: dependencies is not supported",
    "patternProperties": "Forbidden: patternProperties is not supported",
    "additionalItems": "Forbidden: additionalItems is not supported",
    "id": "Forbidden: id is not supported",
}
_KNOWN_WORDS: Final = (
    "type format title description default maximum minimum exclusiveMaximum exclusiveMinimum "
    "maxLength minLength pattern maxItems minItems uniqueItems multipleOf enum maxProperties "
    "minProperties required items allOf oneOf anyOf not properties additionalProperties "
    "externalDocs example nullable $schema x-kubernetes-preserve-unknown-fields "
    "x-kubernetes-embedded-resource x-kubernetes-int-or-string x-kubernetes-list-type "
    "x-kubernetes-list-map-keys x-kubernetes-map-type x-kubernetes-validations"
)
_KNOWN: Final = frozenset(_KNOWN_WORDS.split())


def causes(schema: Schema, path: str) -> _Causes:
    """Everything that is wrong with the schema of whole objects."""
    if not schema.get("type"):
        yield f"{path}.type", "Required value: must not be empty at the root"
    elif schema["type"] != "object":
        yield f"{path}.type", f'Invalid value: "{schema["type"]}": must be object at the root'
    yield from _part(schema, path)


def _part(schema: Schema, path: str) -> _Causes:
    yield from _words(schema, path)
    yield from _lists(schema, path)
    for name, child in (schema.get("properties") or {}).items():
        here = f"{path}.properties[{name}]"
        yield from _typed(child, here, "must not be empty for specified object fields")
        yield from _part(child, here)
    items = schema.get("items")
    if isinstance(items, Mapping):
        yield from _typed(
            dict(items), f"{path}.items", "must not be empty for specified array items"
        )
        yield from _part(dict(items), f"{path}.items")
    elif items is not None:
        yield f"{path}.items", "Forbidden: items must be a schema object and not an array"
    elif schema.get("type") == "array":
        yield f"{path}.items", "Required value: must be specified"
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        here = f"{path}.additionalProperties"
        yield from _typed(dict(values), here, "must not be empty for specified object fields")
        yield from _part(dict(values), here)
        if schema.get("properties"):
            yield here, "Forbidden: additionalProperties and properties are mutual exclusive"
    yield from _default(schema, path)


def _words(schema: Schema, path: str) -> _Causes:
    type_ = schema.get("type")
    if type_ and type_ not in _TYPES:
        listed = ", ".join(f'"{each}"' for each in _TYPES)
        yield f"{path}.type", f'Unsupported value: "{type_}": supported values: {listed}'
    for word in schema:
        if word in _FORBIDDEN:
            yield f"{path}.{word}", _FORBIDDEN[word]
        elif word not in _KNOWN:
            yield f"{path}.{word}", "Forbidden: unknown field of a schema"
    if schema.get("uniqueItems"):
        yield (
            f"{path}.uniqueItems",
            "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes "
            "quadratic",
        )
    pattern = schema.get("pattern")
    if pattern:
        try:
            string_formats.searcher(pattern)
        except string_formats.PatternError as error:
            yield (
                f"{path}.pattern",
                f'Invalid value: "{pattern}": must be a valid regular expression: {error}',
            )


def _lists(schema: Schema, path: str) -> _Causes:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in (None, "atomic", "set", "map"):
        yield (
            f"{path}.x-kubernetes-list-type",
            f'Unsupported value: "{kind}": supported values: "atomic", "map", "set"',
        )
    keys = schema.get("x-kubernetes-list-map-keys")
    if kind == "map" and not keys:
        yield (
            f"{path}.x-kubernetes-list-map-keys",
            "Required value: must not be empty if x-kubernetes-list-type is map",
        )
    if kind == "map":
        items = schema.get("items") or {}
        for at, key in enumerate(keys or ()):
            if key not in (items.get("properties") or {}):
                yield (
                    f"{path}.x-kubernetes-list-map-keys[{at}]",
                    f'Invalid value: "{key}": entries must all be names of item properties',
                )


def _typed(schema: Schema, path: str, why: str) -> _Causes:
    is_free = schema.get(structural.PRESERVE) or schema.get("x-kubernetes-int-or-string")
    if not schema.get("type") and not is_free:
        yield f"{path}.type", f"Required value: {why}"


def _default(schema: Schema, path: str) -> _Causes:
    default: Any = schema.get("default")
    if default is None:
        return
    filled = structural.defaulted(schema, default)
    for field, message in validation.causes(schema, filled, ""):
        yield f"{path}.default{'.' + field if field not in ('', '<nil>') else ''}", message
