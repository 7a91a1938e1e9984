"""Explanations in the OpenAPI document: a request for predictions, and how to explain them.

For: what `:explain` takes and gives, as schemas.
Must not know: models, routes, how the document is sent.
"""

from collections.abc import Mapping
from typing import Any

from predictor import datatypes
from predictor.explain_requests import FEATURES_MAX, METHODS, SAMPLES_MAX, SEED_MAX, UNITS
from predictor.openapi_tensors import PARAMETERS

Schema = dict[str, Any]

_NUMBER: Schema = {"type": "number"}
_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_GRID: Schema = {  # blocks on each axis of an item
    "type": "array",
    "items": {"type": "integer", "minimum": 1, "maximum": FEATURES_MAX},
    "minItems": 1,
    "maxItems": datatypes.RANK_MAX,
}
_NESTED = {"$ref": "#/components/schemas/Attributions"}
_BLOCKS: Schema = {
    "type": "object",
    "properties": {
        "shape": {"type": "array", "items": _WHOLE},
        "grid": {"type": "array", "items": _WHOLE},
        "edges": {"type": "array", "items": {"type": "array", "items": _WHOLE, "minItems": 2}},
    },
    "required": ["shape", "grid", "edges"],
    "additionalProperties": False,
}
_PARAMETERS: Schema = {
    "samples": {"type": ["integer", "null"], "minimum": 1, "maximum": SAMPLES_MAX},
    "seed": {"type": "integer", "minimum": 0, "maximum": SEED_MAX},
    "output": _TEXT,
    "method": {"enum": list(METHODS)},
    "baseline": {},
    "features": {"type": ["integer", "null"], "minimum": 1, "maximum": FEATURES_MAX},
    "grid": {
        "anyOf": [
            {"type": "null"},
            _GRID,
            {"type": "object", "minProperties": 1, "additionalProperties": _GRID},
        ]
    },
    "unit": {"enum": list(UNITS)},
    "keep": {"type": ["array", "null"], "items": _TEXT},
}
_OF_TOOLS: Schema = {"content_type": {"type": ["string", "null"]}, "headers": PARAMETERS}  # of V2
_EXPLANATION: Schema = {
    "type": "object",
    "properties": {
        "row": {"type": "integer", "minimum": 0},
        "method": {"enum": ["tree_shap", "exact_shapley", "permutation_shapley"]},
        "output": _TEXT,
        "class": {},
        "scale": {"enum": ["output", "score"]},
        "prediction": _NUMBER,
        "base_value": _NUMBER,
        "attributions": {"type": "object", "additionalProperties": _NESTED},
        "blocks": {"type": "object", "additionalProperties": _BLOCKS},
        "words": {"type": "object", "additionalProperties": {"type": "array", "items": _TEXT}},
        "additivity_error": _NUMBER,
        "is_additive": {"type": "boolean"},
        "baseline": _TEXT,
        "samples": {"type": "integer"},
        "seed": {"type": "integer"},
        "standard_error": _NUMBER,
        "note": _TEXT,
    },
    "required": ["row", "method", "output", "prediction", "base_value", "attributions"],
    "additionalProperties": False,
}


def schemas(
    predict: Schema, infer: Schema, answer: Schema, *, is_own: bool
) -> Mapping[str, Schema]:
    """Of both protocols' requests and answers; `is_own`: the model explains in its own words."""
    explanations: Schema = {} if is_own else {"type": "array", "items": _EXPLANATION}
    heads = {name: one for name, one in answer["properties"].items() if name != "outputs"}
    required = [name for name in answer["required"] if name != "outputs"]
    known = {} if is_own else _PARAMETERS
    inputs = infer["properties"]["inputs"]
    if not is_own:  # without an input there is nothing to explain by
        inputs = {"minItems": 1, **inputs}
    nested: Schema = {"anyOf": [_NUMBER, {"type": "array", "items": _NESTED}]}
    return {
        **({} if is_own else {"Attributions": nested}),  # of a column; of blocks, of words
        "ExplainV1Request": _with(predict, parameters=_parameters(known)),
        "ExplainRequest": _with(infer, parameters=_parameters(known | _OF_TOOLS), inputs=inputs),
        "ExplainV1Response": _object({"explanations": explanations}, ["explanations"]),
        "ExplainResponse": _object(
            {**heads, "explanations": explanations}, [*required, "explanations"]
        ),
    }


def _parameters(known: Schema) -> Schema:
    return {"type": ["object", "null"], "properties": known, "additionalProperties": False}


def _with(request: Schema, **properties: Schema) -> Schema:
    return {**request, "properties": {**request["properties"], **properties}}


def _object(properties: Schema, required: list[str]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
