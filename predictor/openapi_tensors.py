"""Tensors as JSON schemas: what a client may write for a datatype and a shape.

For: the OpenAPI document of a service, and whoever makes clients from it.
Must not know: paths, protocols' messages, or how a value is read.
"""

import math
from typing import Any

from predictor.datatypes import DATATYPES
from predictor.model import TensorSpec

Schema = dict[str, Any]

PARAMETERS: Schema = {"type": ["object", "null"]}
_SIZE: Schema = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_SIZES: Schema = {"type": "array", "items": _SIZE}
EXAMPLE_VALUES_MAX = 1000  # a longer example helps nobody
_NOT_NUMBERS = ["NaN", "Infinity", "-Infinity"]
_NOT_JSON = "BF16"
_SCALARS = ["boolean", "number", "string"]
# What is rounded to infinity: the largest number and half of its last place.
_BEYOND = {"FP16": 2.0**16 - 2.0**4, "FP32": 2.0**128 - 2.0**103}


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
    if beyond := _BEYOND.get(datatype):
        number |= {"exclusiveMinimum": -beyond, "exclusiveMaximum": beyond}
    return {"anyOf": [number, {"enum": _NOT_NUMBERS}]}


def nested(datatype: str, shape: tuple[int, ...], *, has_base64: bool = False) -> Schema:
    """Values nested as a shape says, -1 for any length."""
    schema = element(datatype, has_base64=has_base64)
    for depth, size in enumerate(reversed(shape)):
        schema = {"type": "array", "items": schema}
        if size != -1:
            schema |= {"minItems": size, "maxItems": size}
        elif depth:
            schema["minItems"] = 1  # of nothing nobody could say how deep it is
    return schema


def values(spec: TensorSpec) -> Schema:
    """All values of a tensor, in row-major order: flat, or nested as the shape says."""
    flat: Schema = {"type": "array", "items": element(spec.datatype)}
    if -1 not in spec.shape:
        count = math.prod(spec.shape)
        flat |= {"minItems": count, "maxItems": count}
    if len(spec.shape) == 1:
        return flat
    return {"anyOf": [flat, nested(spec.datatype, spec.shape)]}


def shape_of(shape: tuple[int, ...]) -> Schema:
    """A shape itself, as V2 writes it."""
    schema: Schema = {"type": "array", "minItems": len(shape), "maxItems": len(shape)}
    if shape:
        schema["prefixItems"] = [_SIZE if size == -1 else {"const": size} for size in shape]
    return schema


def tensor(spec: TensorSpec, *, is_answer: bool = False) -> Schema:
    """A V2 tensor of the model's, with its values in JSON.

    Of an answer no more is said than that shapes are sizes: tools of today stumble over the rest.
    """
    fields: Schema = {
        "name": {"const": spec.name},
        "datatype": {"const": spec.datatype},
        "shape": _SIZES if is_answer else shape_of(spec.shape),
        "parameters": PARAMETERS,
    }
    required = ["name", "datatype", "shape"]
    if is_json(spec):
        fields["data"] = values(spec)
        required.append("data")
    return {
        "type": "object",
        "properties": fields,
        "required": required,
        "additionalProperties": False,
    }


def any_tensor(*, is_answer: bool = False) -> Schema:
    """A V2 tensor of a model that declares none; one value of no dimensions may stand alone."""
    listed: Schema = {"type": "array"}
    alone: Schema = {"properties": {"shape": {"maxItems": 0}, "data": {"type": _SCALARS}}}
    schema: Schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "datatype": {"enum": [name for name in DATATYPES if name != _NOT_JSON]},
            "shape": _SIZES,
            "parameters": PARAMETERS,
            "data": listed if is_answer else {"type": ["array", *_SCALARS]},
        },
        "required": ["name", "datatype", "shape", "data"],
        "additionalProperties": False,
    }
    return schema if is_answer else {**schema, "anyOf": [{"properties": {"data": listed}}, alone]}


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
