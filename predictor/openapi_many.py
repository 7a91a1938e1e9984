"""The OpenAPI document of a repository of models: paths of any of them, its name to be filled in.

For: whoever makes a client of a service that has many models, or reads what to send.
Must not know: sockets, which models are open, what any of them takes.

What a model takes is its own to say: its metadata has its tensors.
"""

from collections.abc import Sequence

from predictor import openapi, openapi_explain, routes
from predictor.openapi_tensors import Schema

_MODEL = "{model}"
_TOLD = (
    "A repository of models, served by Relight. Each is opened when it is asked for; what it takes "
    "is in its metadata, GET /v2/models/{model}. Those that write text have more paths."
)
_NAME = "The model's name: its folder's, or its file's without the suffix"


def document(names: Sequence[str], *, revision: str) -> Schema:
    """The document. `names` are those of the models there are now."""
    name: Schema = {"type": "string", "enum": list(names)} if names else {"type": "string"}
    return {
        "openapi": openapi.VERSION,
        "info": {"title": "models", "version": revision or "0", "description": _TOLD},
        "paths": _paths(name, revision),
        "components": {"schemas": _schemas(name)},
    }


def _paths(name: Schema, revision: str) -> Schema:
    found = openapi.paths(routes.table(_MODEL, revision), is_one=False)
    parameter = {
        "name": "model",
        "in": "path",
        "required": True,
        "description": _NAME,
        "schema": name,
    }
    return {
        path: {"parameters": [parameter], **each} if _MODEL in path else each
        for path, each in found.items()
    }


def _schemas(name: Schema) -> Schema:
    """Of any model: one may explain itself in its own words."""
    found = openapi.schemas(None, None, name)
    predict, infer = found["PredictRequest"], found["InferRequest"]
    own = openapi_explain.schemas(predict, infer, found["InferResponse"], is_own=True)
    return {**found, **{name: one for name, one in own.items() if name.endswith("Response")}}
