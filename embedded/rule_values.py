"""Values as CEL rules see them: names escaped, times and durations as such.

For: handing an object to a rule as Kubernetes does.
Must not know: rules.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from api.openapi import Schema

_RESERVED_WORDS: Final = (
    "true false null in as break const continue else for function if import let loop package "
    "namespace return var void while"
)
_RESERVED: Final = frozenset(_RESERVED_WORDS.split())
_SIGNS: Final = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"))


def escaped(schema: Schema, value: Any) -> Any:
    """The value for a rule: fields that are no CEL names are escaped, keys of maps are not."""
    if isinstance(value, Mapping):
        properties, values = schema.get("properties") or {}, schema.get("additionalProperties")
        found: dict[str, Any] = {}
        for key, child in value.items():
            part = properties.get(key)
            if part is not None:
                found[name(key)] = escaped(part, child)
            else:
                found[key] = escaped(dict(values) if isinstance(values, Mapping) else {}, child)
        return found
    if isinstance(value, list):
        items = schema.get("items")
        part = dict(items) if isinstance(items, Mapping) else {}
        return [escaped(part, each) for each in value]
    if schema.get("type") == "number" and isinstance(value, int):
        return float(value)
    if schema.get("format") in ("date-time", "datetime") and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value


def name(field: str) -> str:
    """A field's name in CEL: x-y is x__dash__y, namespace is __namespace__."""
    if field in _RESERVED:
        return f"__{field}__"
    for sign, word in _SIGNS:
        field = field.replace(sign, word)
    return field.replace("/", "__slash__")
