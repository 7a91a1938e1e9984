"""Whether a JSON value has the form that its schema describes, and what of it is served.

For: one table, the schema, behind validation, `kubectl explain` and the list of what is served.
Must not know: any field by name, or what one means.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from api import quantities
from api.fields import INT64_MAX, Faults, shown
from api.openapi import Schema

DISALLOWED = "must not set the field(s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """How a field is refused; `{name}` in a message is the name of what it stands in."""

    message: str = DISALLOWED
    details: str = ""
    why: str = ""  # for readers of the documentation; the details by default
    is_false_absent: bool = False  # in Go, false and 0 in such a field are no value


Refusals = Mapping[str, Mapping[str, tuple[Refusal, ...]]]  # path of an object → its fields


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """A schema, made ready to check values against."""

    kind: str  # object, map, array, string, integer, boolean, amount or port
    fields: Mapping[str, "Shape"] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    refused: Mapping[str, tuple[Refusal, ...]] = field(default_factory=dict)
    items: "Shape | None" = None  # of an array's entries and a map's values
    low: int | None = None
    high: int | None = None
    allowed: tuple[str, ...] = ()  # texts; none: all
    is_terse: bool = False  # a text not allowed is refused without saying which are


def compiled(
    schema: Schema, refused: Refusals, *, terse: frozenset[str] = frozenset(), path: str = ""
) -> Shape:
    """The shape of a schema; `refused` and `terse` name paths like "containers[].ports[]"."""

    def inner(part: Schema, where: str) -> Shape:
        return compiled(part, refused, terse=terse, path=where)

    kind = _kind_of(schema)
    if kind in ("array", "map"):
        name = "items" if kind == "array" else "additionalProperties"
        return Shape(kind=kind, items=inner(schema[name], f"{path}[]"))
    return Shape(
        kind=kind,
        fields={
            name: inner(part, f"{path}.{name}" if path else name)
            for name, part in schema.get("properties", {}).items()
        },
        required=tuple(schema.get("required", ())),
        refused=refused.get(path, {}),
        low=schema.get("minimum"),
        high=schema.get("maximum"),
        allowed=tuple(schema.get("enum", ())),
        is_terse=path in terse,
    )


def _kind_of(schema: Schema) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        return "amount" if "pattern" in schema else "port"
    if schema["type"] == "object" and "additionalProperties" in schema:
        return "map"
    return str(schema["type"])


def read(raw: Any, shape: Shape, path: str, faults: Faults) -> Any:
    """The value without what is null, unknown, refused or of the wrong type: that is noted.

    What is left can be read without looking at types. An entry of a list that is wrong is
    left as an empty one, so that the others keep their places.
    """
    return _READERS[shape.kind](raw, shape, path, faults)


def walk(shape: Shape, path: str) -> Iterator[tuple[str, tuple[Refusal, ...]]]:
    """Every field below, by path, with how it is refused; nothing says that it is served."""
    for name, part in shape.fields.items():
        yield f"{path}.{name}", ()
        yield from walk(part, f"{path}.{name}")
    for name, refusals in shape.refused.items():
        yield f"{path}.{name}", refusals
    if shape.items is not None:
        yield from walk(shape.items, f"{path}[]")


def _object(raw: Any, shape: Shape, path: str, faults: Faults) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not isinstance(raw, Mapping):
        _wrong(raw, path, "an object", faults)
        return found
    fields = shape.fields
    for name, value in raw.items():
        if value is None:
            continue
        part = fields.get(name)
        if part is None:
            _refuse(name, raw, shape, path, faults)
            continue
        clean = _READERS[part.kind](value, part, f"{path}.{name}", faults)
        if clean is not None:
            found[name] = clean
    for name in shape.required:
        if raw.get(name) in _NOTHING:
            faults.missing(f"{path}.{name}")
    return found


_NOTHING: tuple[object, ...] = (None, "", [])


def _refuse(name: str, raw: Mapping[str, Any], shape: Shape, path: str, faults: Faults) -> None:
    refusals = shape.refused.get(name)
    if refusals is None:
        faults.add("unknown field", f"{path}.{name}")
        return
    value = raw[name]
    is_zero = value is False or value == 0
    for each in refusals:
        # An empty list or text says nothing and is let pass; an empty object turns something on.
        if value in ([], "") or (is_zero and each.is_false_absent):
            continue
        message = each.message.replace("{name}", shown(raw.get("name", "")))
        faults.add(message, f"{path}.{name}", details=each.details)


def _map(raw: Any, shape: Shape, path: str, faults: Faults) -> dict[str, Any] | None:
    if not isinstance(raw, Mapping):
        _wrong(raw, path, "an object", faults)
        return None
    assert shape.items is not None
    read_one, found = _READERS[shape.items.kind], {}
    for key, value in raw.items():
        clean = read_one(value, shape.items, f"{path}.{key}", faults)
        if clean is not None:
            found[key] = clean
    return found


def _array(raw: Any, shape: Shape, path: str, faults: Faults) -> list[Any] | None:
    assert shape.items is not None
    read_one, empty = _READERS[shape.items.kind], _EMPTY[shape.items.kind]
    if not isinstance(raw, list):
        _wrong(raw, path, f"a list of {_PLURALS[shape.items.kind]}", faults)
        return None
    found = []
    for index, value in enumerate(raw):
        clean = read_one(value, shape.items, f"{path}[{index}]", faults)
        found.append(empty() if clean is None else clean)
    return found


def _string(raw: Any, shape: Shape, path: str, faults: Faults) -> str | None:
    if not isinstance(raw, str):
        _wrong(raw, path, "a string", faults)
        return None
    if shape.allowed and raw and raw not in shape.allowed:
        help_ = "" if shape.is_terse else f"must be one of: {', '.join(shape.allowed)}"
        faults.invalid(raw, path, help_)
        return None
    return raw


def _integer(raw: Any, shape: Shape, path: str, faults: Faults) -> int | None:
    if type(raw) is not int or abs(raw) > INT64_MAX:
        _wrong(raw, path, "an integer", faults)
        return None
    low = -INT64_MAX if shape.low is None else shape.low
    high = INT64_MAX if shape.high is None else shape.high
    if not low <= raw <= high:
        faults.out_of_bounds(raw, low, high, path)
        return None
    return raw


def _boolean(raw: Any, shape: Shape, path: str, faults: Faults) -> bool | None:
    del shape
    if not isinstance(raw, bool):
        _wrong(raw, path, "a boolean", faults)
        return None
    return raw


def _amount(raw: Any, shape: Shape, path: str, faults: Faults) -> str | None:
    """A quantity; Kubernetes takes numbers for text here, and so do we."""
    del shape
    is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
    text = str(raw) if is_number or isinstance(raw, str) else ""
    amount = quantities.parse(text)
    if amount is None:
        faults.invalid(shown(raw), path, quantities.FORM)
    elif amount < 0:
        faults.invalid(text, path, "must be greater than or equal to 0")
    return text


def _port(raw: Any, shape: Shape, path: str, faults: Faults) -> int | str | None:
    del shape
    if isinstance(raw, str) or (type(raw) is int and abs(raw) <= INT64_MAX):
        return raw
    _wrong(raw, path, "a number or a name", faults)
    return None


def _wrong(raw: Any, path: str, wanted: str, faults: Faults) -> None:
    faults.invalid(shown(raw), path, f"must be {wanted}")


_READERS: Mapping[str, Callable[[Any, Shape, str, Faults], Any]] = {
    "object": _object,
    "map": _map,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "amount": _amount,
    "port": _port,
}
_EMPTY: Mapping[str, Callable[[], Any]] = {
    "object": dict,
    "string": str,
    "integer": int,
}
_PLURALS = {"object": "objects", "string": "strings", "integer": "integers"}
