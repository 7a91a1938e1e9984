"""InferenceServices for tests, as users write them, and what is said of them."""

from collections.abc import Callable
from typing import Any

from api.errors import InvalidObjectError


def isvc(spec: Any = None, **metadata: Any) -> dict[str, Any]:
    """An InferenceService; a model of format sklearn unless the spec says otherwise."""
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "default", **metadata},
        "spec": {"predictor": predictor()} if spec is None else spec,
    }


def predictor(*, model: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    shape = {"modelFormat": {"name": "sklearn"}, "storageUri": "models/iris.skops"}
    return {"model": {**shape, **(model or {})}, **fields}


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "kserve-container", "image": "example.com/mine", **fields}


def complaints(read: Callable[[Any], object], raw: Any) -> str:
    """Everything that is said against an object; empty if nothing is."""
    try:
        read(raw)
    except InvalidObjectError as error:
        return str(error)
    return ""
