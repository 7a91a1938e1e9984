"""MLServer's model-settings.json, as far as it says how a model is served.

For: names, shapes and batching of a model that was served by MLServer before.
Must not know: files, models, or which file the settings choose: api/repositories.py does.
"""

from collections.abc import Mapping
from typing import Any

from predictor import datatypes, signature_file
from predictor.errors import LoadError
from predictor.model_settings import Batching, ModelSettings

_USED = ("name", "implementation", "inputs", "outputs", "max_batch_size", "max_batch_time")
_WITHOUT_EFFECT = (  # how MLServer runs a model, not what it answers
    "platform",
    "versions",
    "parallel_workers",
    "warm_workers",
    "cache_enabled",
    "$schema",
)
_PARAMETERS_WITHOUT_EFFECT = ("version", "format", "content_type", "environment_path")
_OF_TENSORS = ("parameters", "description", "tags")


def parse(text: str, *, where: str) -> ModelSettings:
    """The settings; LoadError names the field that can not be honoured."""
    said = signature_file.document(text, where=where)
    parameters = said.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise LoadError(f"{where}: parameters: expected an object")
    for field in said:
        if field not in (*_USED, *_WITHOUT_EFFECT, "parameters"):
            raise LoadError(f"{where}: {field} is not read by Relight; without it the file is")
    for field, value in parameters.items():
        if value and field not in ("uri", *_PARAMETERS_WITHOUT_EFFECT):
            raise LoadError(
                f"{where}: parameters.{field} is not read by Relight; without it the file is"
            )
    others = [field for field in _WITHOUT_EFFECT if said.get(field)]
    others += [f"parameters.{each}" for each in _PARAMETERS_WITHOUT_EFFECT if parameters.get(each)]
    name = said.get("name") or ""
    if not isinstance(name, str):
        raise LoadError(f"{where}: name: expected text, got {datatypes.word(name)}")
    signature = signature_file.signature(said, where=where, others=_OF_TENSORS)
    return ModelSettings(
        name=name,
        signature=signature,
        signature_by=where if signature else "",
        batching=_batching(said, where),
        without_effect=tuple(f"{where}: {field}" for field in others),
    )


def _batching(said: Mapping[str, Any], where: str) -> Batching | None:
    size, time_s = said.get("max_batch_size") or 0, said.get("max_batch_time") or 0
    if type(size) is not int or size < 0:
        raise LoadError(f"{where}: max_batch_size: expected a whole number, got {size!r}")
    if isinstance(time_s, bool) or not isinstance(time_s, int | float) or not 0 <= time_s <= 60:
        raise LoadError(f"{where}: max_batch_time: expected 0 to 60 seconds, got {time_s!r}")
    if size <= 1 or not time_s:  # MLServer batches where both are given
        return None
    said_by = f"{where}: max_batch_size and max_batch_time"
    return Batching(size_max=size, delay_s=float(time_s), said_by=said_by)
