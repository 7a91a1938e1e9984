"""Text in the OpenAPI document: what V2's generate and OpenAI's paths take of this model.

For: `text_requests.py` said as schemas, field by field.
Must not know: models, routes, how text is made, how the document is sent.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from predictor import text_requests as limits

Schema = dict[str, Any]

_JSON = "application/json"
_ANY: Schema = {"type": "object"}
_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": ["boolean", "null"]}
_WHATEVER: Schema = {}


def _texts(count_max: int, count_min: int = 1) -> list[Schema]:
    return [_TEXT, {"type": "array", "items": _TEXT, "minItems": count_min, "maxItems": count_max}]


def _whole(low: int, high: int) -> Schema:
    return {"type": ["integer", "null"], "minimum": low, "maximum": high}


def _number(high: float) -> Schema:
    return {"type": ["number", "null"], "minimum": 0, "maximum": high}


def _object(fields: Schema, *required: str) -> Schema:
    return {
        "type": "object",
        "properties": fields,
        "required": list(required),
        "additionalProperties": False,
    }


_HOW: Mapping[str, Schema] = {
    "max_tokens": _whole(1, limits.TOKENS_MAX),
    "temperature": _number(limits.TEMPERATURE_MAX),
    "top_p": _number(1),
    "stop": {"anyOf": [{"type": "null"}, *_texts(limits.STOPS_MAX, 0)]},
    "seed": _whole(-(2**63), 2**63 - 1),
}
_STREAM: Mapping[str, Schema] = {
    "stream": _FLAG,
    "stream_options": {
        "type": ["object", "null"],
        "properties": {"include_usage": _FLAG, "include_obfuscation": _WHATEVER},
        "additionalProperties": False,
    },
}
# Fields that change nothing, and those that may say only what happens anyway.
_NEUTRAL: Mapping[str, Schema] = {
    **dict.fromkeys(limits.HINTS, _WHATEVER),
    **{
        name: {"enum": [one for at, one in enumerate(values) if one not in values[:at]]}
        for name, values in limits.NEUTRAL.items()
    },
}
_PART = {"type": "object", "properties": {"type": {"const": "text"}, "text": _TEXT}}
_MESSAGE = _object(
    {
        "role": _TEXT,
        "content": {
            "anyOf": [_TEXT, {"type": "array", "items": {**_PART, "required": ["type", "text"]}}]
        },
        "name": _WHATEVER,
    },
    "role",
    "content",
)
_GENERATE = _object(
    {
        "text_input": _TEXT,
        "id": _WHATEVER,
        "parameters": {
            "type": ["object", "null"],
            "properties": {**_HOW, "details": _FLAG},
            "additionalProperties": False,
        },
    },
    "text_input",
)
_REQUESTS: Mapping[str, Schema] = {  # by how a path ends
    "/generate": _GENERATE,
    "/generate_stream": _GENERATE,
    "/chat/completions": _object(
        {
            "messages": {"type": "array", "items": _MESSAGE, "minItems": 1},
            "max_completion_tokens": _HOW["max_tokens"],
            "logprobs": _FLAG,
            "top_logprobs": {"enum": [0, None]},
            **_HOW,
            **_STREAM,
            **_NEUTRAL,
        },
        "messages",
    ),
    "/completions": _object(
        {
            "prompt": {"anyOf": _texts(limits.PROMPTS_MAX)},
            "logprobs": {"enum": [0, 1, None]},
            **_HOW,
            **_STREAM,
            **_NEUTRAL,
        },
        "prompt",
    ),
    "/embeddings": _object(
        {
            "input": {"anyOf": _texts(limits.TEXTS_MAX)},
            "encoding_format": {"enum": ["float", "base64", None]},
            **_NEUTRAL,
        },
        "input",
    ),
}


def paths(raw_paths: Iterable[bytes], *, model_name: str) -> Schema:
    """Each path with its request; answers may be streams, of which no more is said."""
    return {path: _path(path, model_name) for path in sorted(raw.decode() for raw in raw_paths)}


def _path(path: str, model_name: str) -> Schema:
    wanted = next((schema for end, schema in _REQUESTS.items() if path.endswith(end)), None)
    answers: Schema = {"description": "The answer", "content": {_JSON: {"schema": _ANY}}}
    refusal: Schema = {"description": "A refusal, with its reason"}
    slug = "".join(letter if letter.isalnum() else "_" for letter in path)
    operation: Schema = {
        "operationId": f"text{slug}",
        "responses": {
            "200": answers,
            "default": {**refusal, "content": {_JSON: {"schema": _ANY}}},
        },
    }
    if wanted is None:
        return {"get": operation}
    fields = wanted["properties"]
    if "model" in fields:
        wanted = {**wanted, "properties": {**fields, "model": {"const": model_name}}}
    answers["content"]["text/event-stream"] = {}
    operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": wanted}}}
    return {"post": operation}
