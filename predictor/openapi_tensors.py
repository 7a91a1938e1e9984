"""Tensors as JSON schemas: what a client may write for a datatype and a shape.

For: the OpenAPI document of a service, and whoever makes clients from it.
Must not know: paths, protocols' messages, or how a value is read.
"""

import math
from collections.abc import Iterator
from typing import Any

from predictor.datatypes import DATATYPES
from predictor.model import TensorSpec

Schema = dict[str, Any]

EXAMPLE_VALUES_MAX = 1000  # a longer example helps nobody
_NOT_NUMBERS = ["NaN", "Infinity", "-Infinity"]
_NOT_JSON = "BF16"


def is_json(spec: TensorSpec) -> bool:
    """Whether the tensor can be written in JSON at all."""
    return spec.datatype != _NOT_JSON


def element(datatype: str, *, has_base64: bool = False) -> Schema:
    """One value. `has_base64`: text may also be written as {"b64": "..."}."""
    row = DATATYPES[datatype]
    if row.kind == "b":
        return {"anyOf": [{"type": "boolean"}, {"enum": [0, 1]}]}
    if row.kind in "ui":
        return {"type": "integer", "minimum": row.low, "maximum": row.high}
    if row.kind == "O":
        text: Schema = {"type": "string"}
        if not has_base64:
            return text
        base64 = {"b64": {"type": "string", "contentEncoding": "base64"}}
        return {"anyOf": [text, {"type": "object", "properties": base64, "required": ["b64"]}]}
    number: Schema = {"type": "number"}
    if datatype in ("FP16", "FP32"):
        number |= {"minimum": row.low, "maximum": row.high}
    return {"anyOf": [number, {"enum": _NOT_NUMBERS}]}


def values(datatype: str) -> Schema:
    """Values flat or nested to any depth; it stands in the document's schemas under `name_of`."""
    itself = {"$ref": f"#/components/schemas/{name_of(datatype)}"}
    items = {"anyOf": [element(datatype), itself]}
    return {"type": "array", "items": items, "description": "In row-major order, flat or nested."}


def name_of(datatype: str) -> str:
    """Where `values` of a datatype stands among the document's schemas."""
    return f"Values{datatype}"


def nested(datatype: str, shape: tuple[int, ...]) -> Schema:
    """Values nested as a shape says, -1 for any length."""
    schema = element(datatype, has_base64=True)
    for size in reversed(shape):
        schema = {"type": "array", "items": schema}
        if size != -1:
            schema |= {"minItems": size, "maxItems": size}
    return schema


def shape_of(shape: tuple[int, ...]) -> Schema:
    """A shape itself, as V2 writes it."""
    schema: Schema = {"type": "array", "minItems": len(shape), "maxItems": len(shape)}
    if shape:
        free: Schema = {"type": "integer", "minimum": 0}
        schema["prefixItems"] = [free if size == -1 else {"const": size} for size in shape]
    return schema


def tensor(spec: TensorSpec) -> Schema:
    """A V2 tensor of the model's, with its values in JSON."""
    fields: Schema = {
        "name": {"const": spec.name},
        "datatype": {"const": spec.datatype},
        "shape": shape_of(spec.shape),
        "parameters": {"type": "object"},
    }
    required = ["name", "datatype", "shape"]
    if is_json(spec):
        fields["data"] = {"$ref": f"#/components/schemas/{name_of(spec.datatype)}"}
        required.append("data")
    return {
        "type": "object",
        "properties": fields,
        "required": required,
        "additionalProperties": False,
    }


def any_tensor() -> Schema:
    """A V2 tensor of a model that declares none."""
    return {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "datatype": {"enum": list(DATATYPES)},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "parameters": {"type": "object"},
            "data": {"type": "array"},
        },
        "required": ["name", "datatype", "shape"],
        "additionalProperties": False,
    }


def example(spec: TensorSpec) -> Schema | None:
    """One that the model takes, if it is short enough to be read."""
    shape = [1 if size == -1 else size for size in spec.shape]
    count = math.prod(shape)
    if count > EXAMPLE_VALUES_MAX or not is_json(spec):
        return None
    data = [_zero(spec.datatype)] * count
    return {"name": spec.name, "datatype": spec.datatype, "shape": shape, "data": data}


def nested_example(spec: TensorSpec, shape: tuple[int, ...]) -> Any:
    """The same, nested as a part of its shape says."""
    found: Any = _zero(spec.datatype)
    for size in reversed(shape):
        found = [found] * (1 if size == -1 else size)
    return found


def _zero(datatype: str) -> Any:
    return {"b": False, "O": "", "f": 0.0}.get(DATATYPES[datatype].kind, 0)


def datatypes_of(specs: Iterator[TensorSpec]) -> dict[str, Schema]:
    """The schemas that `tensor` refers to, by name."""
    found = sorted({spec.datatype for spec in specs if is_json(spec)})
    return {name_of(datatype): values(datatype) for datatype in found}
