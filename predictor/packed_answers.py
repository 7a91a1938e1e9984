"""What a predictor of many models says of itself, whichever of them are open.

For: the plain questions of both protocols, and the document of all that it serves.
Must not know: sockets, gRPC, how models are opened.
"""

import importlib.metadata
from collections.abc import Callable, Sequence
from typing import Any

from predictor import openapi_many
from predictor.repository_requests import What

_EXTENSIONS = ("binary_tensor_data", "model_repository")
_VERSION = importlib.metadata.version("relight")


def said(what: What, names: Callable[[], Sequence[str]], revision: str) -> Any:
    """The answer, as JSON. `names`: of the models there are now; LoadError if nobody can say."""
    match what:
        case "models":
            return {"models": list(names())}
        case "server":
            return {"name": "relight", "version": _VERSION, "extensions": list(_EXTENSIONS)}
        case "openapi":
            return openapi_many.document(names(), revision=revision)
        case "alive":
            return {"status": "alive"}
        case _:
            assert what == "live", what
            return {"live": True}
