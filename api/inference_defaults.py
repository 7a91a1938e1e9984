"""Fill in what a user left out of an InferenceService, as KServe's defaulting webhook does.

For: storing one form, `model`, of the two in which a model may be written.
Must not know: what is valid: a value of the wrong type is left for the parser to refuse.
"""

from collections.abc import Mapping
from typing import Any

from api.component_pods import CONTAINER
from api.inference_names import FRAMEWORKS
from api.objects import Raw

# Their servers never spoke anything else.
_V2_FRAMEWORKS = ("triton", "onnx", "huggingface")
_V2_FORMATS = ("triton", "vllm")


def defaulted_spec(raw: Raw) -> dict[str, Any]:
    """A copy of the spec; doing it twice changes nothing."""
    result = dict(raw)
    predictor = raw.get("predictor")
    if isinstance(predictor, Mapping):
        result["predictor"] = _predictor(predictor)
    for kind in ("transformer", "explainer"):
        component = raw.get(kind)
        if isinstance(component, Mapping):
            result[kind] = _named_first(component, is_forced=True)
    return result


def frameworks_in(predictor: object) -> list[str]:
    """The older keys that stand in a predictor."""
    found = predictor if isinstance(predictor, Mapping) else {}
    return [name for name in FRAMEWORKS if isinstance(found.get(name), Mapping)]


def _predictor(raw: Raw) -> dict[str, Any]:
    result = dict(raw)
    named = frameworks_in(raw)
    if len(named) == 1:
        # It wins over a `model`: that is what an earlier apply of the same manifest left.
        result["model"] = _model_of(named[0], result.pop(named[0]))
    model = result.get("model")
    if isinstance(model, Mapping):
        result["model"] = _model(model)
        return result
    return _named_first(result, is_forced=False)


def _model_of(framework: str, raw: Raw) -> dict[str, Any]:
    protocol = {"protocolVersion": "v2"} if framework in _V2_FRAMEWORKS else {}
    return {**protocol, **raw, "modelFormat": {"name": framework}}


def _model(raw: Raw) -> dict[str, Any]:
    model_format = raw.get("modelFormat")
    name = model_format.get("name") if isinstance(model_format, Mapping) else None
    is_v2 = name in _V2_FORMATS and raw.get("protocolVersion") is None
    return {**raw, "protocolVersion": "v2"} if is_v2 else dict(raw)


def _named_first(raw: Raw, *, is_forced: bool) -> dict[str, Any]:
    """The first container has KServe's name; `is_forced`: whatever it was called."""
    containers = raw.get("containers")
    if not isinstance(containers, list) or not containers:
        return dict(raw)
    first = containers[0]
    is_only = len(containers) == 1
    if not isinstance(first, Mapping) or not (is_forced or is_only or not first.get("name")):
        return dict(raw)
    return {**raw, "containers": [{**first, "name": CONTAINER}, *containers[1:]]}
