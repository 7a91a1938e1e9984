"""The OpenAPI document of one service: the paths it really serves, with its model's own tensors.

For: whoever makes a client from it, tests a service against it, or reads what to send.
Must not know: sockets, how requests are read, or how the document is sent.

A JSON schema can not tie a tensor's data to its shape: a request that fits the schema is still
refused with a 400 where the two disagree.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from predictor import openapi_explain, openapi_text
from predictor import openapi_tensors as tensors
from predictor.errors import Fault
from predictor.loaded import Loaded
from predictor.model import Signature, TensorSpec
from predictor.openapi_tensors import Schema
from predictor.routes import Answer, Route

VERSION = "3.1.0"
_BINARY = (
    "Tensors may follow the JSON as bytes: Inference-Header-Content-Length says where it ends, and "
    "binary_data_size among an input's parameters how many bytes are its."
)
_JSON = "application/json"
_STATUSES = sorted({fault.status for fault in Fault} - {501})
_TEXT: Schema = {"type": "string"}
_TRUTH: Schema = {"type": "boolean"}
_ANY: Schema = {"type": "object"}
_SCALAR: Schema = {"type": ["boolean", "number", "string"]}
_SOME: Schema = {"type": [*_SCALAR["type"], "array", "object"]}
WORDS = {
    Answer.ALIVE: "Whether the process answers",
    Answer.LIVE: "Whether the server is live",
    Answer.READY: "Whether requests should be sent here",
    Answer.STATS: "What waits and runs, and totals since the start",
    Answer.MODELS: "The models served",
    Answer.SERVER: "The server and the extensions it speaks",
    Answer.MODEL_V1: "Whether the model is ready",
    Answer.METADATA: "The model's tensors",
    Answer.MODEL_READY: "Whether the model is ready",
    Answer.PREDICT: "Predictions for rows (V1)",
    Answer.INFER: "Outputs for tensors (V2, Open Inference Protocol)",
    Answer.OPENAPI: "This document",
    Answer.EXPLAIN_V1: "Which features a prediction comes from (V1)",
    Answer.EXPLAIN: "Which features an output comes from (V2)",
    Answer.REPOSITORY: "Triton's repository extension",
}


def document(
    routes: Mapping[bytes, Route],
    loaded: Loaded,
    *,
    model_name: str,
    revision: str,
    text_paths: Iterable[bytes] = (),
) -> bytes:
    """The document as JSON. `text_paths` are those of models that write or embed."""
    found = {
        "openapi": VERSION,
        "info": {
            "title": model_name,
            "version": revision or loaded.digest or "0",
            "description": f"The model {model_name}, served by Relight. Digest: {loaded.digest}.",
        },
        "paths": paths(_served(routes, loaded))
        | openapi_text.paths(text_paths, model_name=model_name),
        "components": {
            "schemas": schemas(
                loaded.signature,
                loaded.described,
                {"const": model_name},
                is_own=loaded.explain is not None,
            )
        },
    }
    return json.dumps(found).encode()


def _served(routes: Mapping[bytes, Route], loaded: Loaded) -> Mapping[bytes, Route]:
    """Without those that a model which only writes, embeds or explains always refuses."""
    if loaded.predicts:
        return routes
    refused = [Answer.PREDICT, Answer.INFER]
    if loaded.explain is None:
        refused += [Answer.EXPLAIN_V1, Answer.EXPLAIN]
    return {path: route for path, route in routes.items() if route.answer not in refused}


def paths(routes: Mapping[bytes, Route], *, is_one: bool = True) -> Schema:
    """What is served where. Of one model there is no unload: its predictor always refuses it."""
    found: Schema = {}
    for raw, route in sorted(routes.items()):
        path, method = raw.decode(), route.method.decode().lower()
        if route.answer is Answer.REPOSITORY:
            if not (is_one and path.endswith("/unload")):
                found[path] = {"post": _repository_operation(path)}
            continue
        operation = _operation(route.answer, path, is_post=method == "post")
        found.setdefault(path, {})[method] = operation
    return found


def _repository_operation(path: str) -> Schema:
    """Bodies may be left out."""
    end = path.rpartition("/")[2]
    asked, answered = ({_JSON: {"schema": schema}} for schema in _REPOSITORY[end])
    return {
        "operationId": f"repository{_slug(path)}",
        "summary": WORDS[Answer.REPOSITORY],
        "requestBody": {"required": False, "content": asked},
        "responses": {
            "200": {"description": "The answer", "content": answered},
            "default": _content("Error", "A refusal, with its reason"),
        },
    }


def _operation(answer: Answer, path: str, *, is_post: bool) -> Schema:
    name = _schema_name(answer)
    operation: Schema = {
        "operationId": f"{answer.name.lower()}{_slug(path)}",
        "summary": WORDS.get(answer, answer.value),
        "responses": {"200": _content(f"{name}Response", "The answer")},
    }
    if is_post:
        operation["requestBody"] = {"required": True, **_content(f"{name}Request")}
        for status in _STATUSES:
            operation["responses"][str(status)] = _content("Error", "A refusal, with its reason")
    if answer is Answer.INFER:
        operation["description"] = _BINARY
        operation["responses"]["200"]["content"]["application/octet-stream"] = {}
    if answer in (Answer.READY, Answer.MODEL_READY, Answer.MODEL_V1):
        operation["responses"]["503"] = _content(f"{name}Response", "Send no more requests here")
    operation["responses"]["default"] = _content("Error", "A refusal, with its reason")
    return operation


def _schema_name(answer: Answer) -> str:
    return answer.value.title().replace(" ", "").replace("-", "").replace("_", "")


def _slug(path: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in path.rstrip("/"))


def _content(schema: str, description: str = "") -> Schema:
    content = {_JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content} if description else {"content": content}


# -- schemas -----------------------------------------------------------------------------------


def schemas(
    signature: Signature | None,
    described: Signature | None,
    model_name: Schema,
    *,
    is_own: bool = False,
) -> Schema:
    """Of what paths take and answer; `is_own`: the model explains itself in its own words."""
    found: Schema = {
        "Error": _object({"error": _TEXT}, is_open=True),
        "PredictRequest": _predict_request(signature, described),
        "PredictResponse": _predict_response(),
        "InferRequest": _infer_request(signature, described, model_name),
        "InferResponse": _infer_response(signature, model_name),
    }
    found |= openapi_explain.schemas(
        found["PredictRequest"],
        found["InferRequest"],
        found["InferResponse"],
        is_own=is_own,
    )
    for answer, schema in _PLAIN.items():
        found[f"{_schema_name(answer)}Response"] = schema() if callable(schema) else schema
    for answer in Answer:  # what later protocols add says of itself no more than that it is JSON
        for part in ("Request", "Response"):
            found.setdefault(f"{_schema_name(answer)}{part}", _ANY)
    return found


def _object(fields: Schema, *, optional: Sequence[str] = (), is_open: bool = False) -> Schema:
    required = [name for name in fields if name not in optional]
    schema: Schema = {"type": "object", "properties": fields, "required": required}
    return schema if is_open else {**schema, "additionalProperties": False}


def _metadata() -> Schema:
    spec = _object(
        {
            "name": _TEXT,
            "datatype": _TEXT,
            "shape": {"type": "array", "items": {"type": "integer", "minimum": -1}},
        },
        is_open=True,
    )
    listed = {"type": "array", "items": spec}
    names = {"type": "array", "items": _TEXT}
    fields = {"name": _TEXT, "versions": names, "platform": _TEXT}
    fields |= {"inputs": listed, "outputs": listed, "parameters": _ANY}
    return _object(fields, optional=("versions", "inputs", "outputs", "parameters"), is_open=True)


_REPOSITORY: Mapping[str, tuple[Schema, Schema]] = {  # how a path ends: request and answer
    "index": (
        _object({"ready": _TRUTH}, optional=("ready",)),
        {
            "type": "array",
            "items": _object({"name": _TEXT, "version": _TEXT, "state": _TEXT, "reason": _TEXT}),
        },
    ),
    "load": (
        _object(
            {"parameters": {"type": ["object", "null"], "maxProperties": 0}},
            optional=("parameters",),
        ),
        _object({"name": _TEXT, "load": _TRUTH}),
    ),
    "unload": (
        _object(
            {
                "parameters": _object(
                    {"unload_dependents": {"const": False}}, optional=("unload_dependents",)
                )
                | {"type": ["object", "null"]}
            },
            optional=("parameters",),
        ),
        _object({"name": _TEXT, "unload": _TRUTH}),
    ),
}
_PLAIN: Mapping[Answer, Schema | Callable[[], Schema]] = {
    Answer.ALIVE: _object({"status": {"const": "alive"}}),
    Answer.LIVE: _object({"live": _TRUTH}),
    Answer.READY: _object({"ready": _TRUTH}),
    Answer.MODELS: _object({"models": {"type": "array", "items": _TEXT}}, is_open=True),
    Answer.SERVER: _object(
        {"name": _TEXT, "version": _TEXT, "extensions": {"type": "array", "items": _TEXT}}
    ),
    Answer.MODEL_V1: _object({"name": _TEXT, "ready": _TRUTH}, is_open=True),
    Answer.MODEL_READY: _object({"name": _TEXT, "ready": _TRUTH}),
    Answer.METADATA: _metadata,
}


def _predict_request(signature: Signature | None, described: Signature | None) -> Schema:
    # Of what nobody declared: anything but null, which is no value; the only input's value alone.
    rows: Schema = {"type": "array", "minItems": 1, "items": _SOME}
    columns: Schema = {"anyOf": [{"type": "object", "minProperties": 1}, _SCALAR]}
    examples: list[Any] = []
    if signature is not None:
        rows |= _rows(signature.inputs)
        columns = _columns(signature.inputs)
    known = signature or described
    if known is not None and known.inputs:
        examples = _row_examples(known.inputs)
    properties: Schema = {"inputs": columns}
    if signature is None or all(spec.shape for spec in signature.inputs):
        properties = {"instances": rows, "inputs": {"anyOf": [rows, columns]}}
    schema: Schema = {
        "type": "object",
        "oneOf": [{"required": [name]} for name in properties],
        "properties": {**properties, "signature_name": {"enum": ["serving_default", None]}},
        "additionalProperties": False,
    }
    return {**schema, "examples": examples} if examples else schema


def _predict_response() -> Schema:
    """`predictions` to rows, `outputs` to columns."""
    rows: Schema = {"type": ["array", "object", "boolean", "number", "string"]}
    fields: Schema = {"predictions": rows, "outputs": {}}
    either = [{"required": [name]} for name in fields]
    return {**_object(fields, optional=tuple(fields)), "oneOf": either}


def _columns(inputs: Sequence[TensorSpec]) -> Schema:
    """Whole tensors by name; of the only input of no dimensions also its value."""
    by_name = {
        spec.name: tensors.nested(spec.datatype, spec.shape, has_base64=True) for spec in inputs
    }
    columns = _object(by_name)
    if len(inputs) == 1 and not inputs[0].shape:
        return {"anyOf": [by_name[inputs[0].name], columns]}
    return columns


def _rows(inputs: Sequence[TensorSpec]) -> Schema:
    """What one instance is: the values of the only input, or an object with all of them."""
    by_name = {
        spec.name: tensors.nested(spec.datatype, spec.shape[1:], has_base64=True) for spec in inputs
    }
    sizes = {spec.shape[0] for spec in inputs if spec.shape} - {-1}
    bounds = {"minItems": min(sizes), "maxItems": min(sizes)} if len(sizes) == 1 else {}
    rows: Schema = {"items": _object(by_name)}
    if len(inputs) == 1:  # all rows in the same way
        rows = {"anyOf": [{"items": next(iter(by_name.values()))}, rows]}
    return {**rows, **bounds}


def _row_examples(inputs: Sequence[TensorSpec]) -> list[Any]:
    if any(tensors.example(spec) is None for spec in inputs):
        return []
    counts = {max(spec.shape[0], 1) if spec.shape else 0 for spec in inputs}
    if len(counts) != 1 or 0 in counts:  # no rows in common
        columns = {spec.name: tensors.nested_example(spec, spec.shape) for spec in inputs}
        return [{"inputs": columns}]
    rows = {spec.name: tensors.nested_example(spec, spec.shape[1:]) for spec in inputs}
    row = next(iter(rows.values())) if len(rows) == 1 else rows
    return [{"instances": [row] * counts.pop()}]


def _infer_request(
    signature: Signature | None, described: Signature | None, model_name: Schema
) -> Schema:
    inputs: Schema = {"type": "array", "items": tensors.any_tensor()}
    parameters = tensors.PARAMETERS
    output: Schema = _object({"name": _TEXT, "parameters": parameters}, optional=("parameters",))
    outputs: Schema = {"type": ["array", "null"], "items": output}
    if signature is not None:
        count = len(signature.inputs)
        inputs = _list_of(signature.inputs) | {"minItems": count, "maxItems": count}
        inputs["allOf"] = [
            {"contains": {"properties": {"name": {"const": spec.name}}, "required": ["name"]}}
            for spec in signature.inputs
        ]
        if signature.outputs:
            outputs |= _each_once([spec.name for spec in signature.outputs], output)
    fields = {
        "id": {"type": ["string", "null"]},
        "model_name": model_name,
        "parameters": parameters,
        "inputs": inputs,
        "outputs": outputs,
    }
    schema = _object(fields, optional=("id", "model_name", "parameters", "outputs"))
    known = signature or described
    examples = [tensors.example(spec) for spec in known.inputs] if known else []
    is_whole = bool(examples) and all(examples)
    return {**schema, "examples": [{"inputs": examples}]} if is_whole else schema


def _each_once(names: Sequence[str], one: Schema) -> Schema:
    """A list of outputs by name, none of them twice."""
    items = {**one, "properties": {**one["properties"], "name": {"enum": list(names)}}}
    twice = [
        {
            "contains": {"properties": {"name": {"const": name}}, "required": ["name"]},
            "minContains": 0,
            "maxContains": 1,
        }
        for name in names
    ]
    return {"items": items, "maxItems": len(names), "allOf": twice}


def _infer_response(signature: Signature | None, model_name: Schema) -> Schema:
    outputs: Schema = {"type": "array", "items": tensors.any_tensor(is_answer=True)}
    if signature is not None and signature.outputs:
        outputs = _list_of(signature.outputs, is_answer=True)
    fields = {
        "model_name": model_name,
        "model_version": _TEXT,
        "id": _TEXT,
        "parameters": _ANY,
        "outputs": outputs,
    }
    return _object(fields, optional=("model_version", "id", "parameters"))


def _list_of(specs: Sequence[TensorSpec], *, is_answer: bool = False) -> Schema:
    """Some of these tensors, in any order."""
    items = [tensors.tensor(spec, is_answer=is_answer) for spec in specs]
    return {"type": "array", "items": items[0] if len(items) == 1 else {"anyOf": items}}
