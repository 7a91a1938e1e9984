"""Whether values are of the types that a kind's schema gives them.

For: everyone who reads a stored object, who may then rely on lists being lists.
Must not know: which fields there are, or what may stand in them: only of what type it is.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from api import schemas
from api.kinds import Resource
from api.objects import Raw
from api.openapi import Schema
from cluster.errors import BadRequestError
from embedded.builtin_schemas import SCHEMAS

_Test = Callable[[Any], bool]
_NAMES: Final = {"object": "an object", "array": "a list", "string": "a string"} | {
    "integer": "an integer",
    "boolean": "true or false",
}
_TESTS: Final[Mapping[str, _Test]] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list | tuple),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
}


def check(resource: Resource, new: Raw, old: Raw) -> None:
    """BadRequestError names the first value of a wrong type; what `new` shares with `old` is right.

    null passes everywhere: it stands for a field that is not there. Metadata has its own check.
    """
    schema = SCHEMAS.get(resource) or schemas.SCHEMAS.get(resource)
    if schema is None:
        return
    for name, part in schema["properties"].items():
        if name in new and name != "metadata":
            _check(part, new[name], old.get(name), name)


def _check(schema: Schema, value: Any, old: Any, path: str) -> None:
    if value is None or value is old:
        return
    wanted = schema.get("type")
    if wanted is None:
        return
    if not _TESTS[wanted](value):
        raise BadRequestError(f"{path}: must be {_NAMES[wanted]}, not {type(value).__name__}")
    if wanted == "array":
        items, before = schema.get("items"), old if isinstance(old, list) else ()
        if items is not None:
            for at, item in enumerate(value):
                if item is None:
                    raise BadRequestError(f"{path}[{at}]: must not be null")
                _check(items, item, before[at] if at < len(before) else None, f"{path}[{at}]")
    elif wanted == "object":
        _check_fields(schema, value, old if isinstance(old, Mapping) else {}, path)


def _check_fields(schema: Schema, value: Raw, old: Raw, path: str) -> None:
    fields, values = schema.get("properties"), schema.get("additionalProperties")
    if fields is not None:
        for key, child in value.items():
            known = fields.get(key)
            if known is not None:
                _check(known, child, old.get(key), f"{path}.{key}")
    elif values is not None:
        for key, child in value.items():
            if child is None:
                raise BadRequestError(f"{path}.{key}: must not be null")
            _check(values, child, old.get(key), f"{path}.{key}")
