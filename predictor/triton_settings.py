"""Triton's config.pbtxt, as far as it says how a model is served.

For: names, shapes, batching, labels and warm-up of a model from a Triton repository.
Must not know: models, or which file the settings choose: api/repositories.py does.

With max_batch_size over 0 the dimensions leave out the batch, which comes first.
"""

from collections.abc import Callable, Mapping
from typing import Any

from api import textproto
from api.textproto import Message, TextFormatError
from predictor import signature_file, triton_warmup
from predictor.errors import LoadError
from predictor.model import Signature, TensorSpec
from predictor.model_settings import Batching, ModelSettings
from predictor.providers import CPU, CUDA

_USED = frozenset(
    (
        "name",
        "platform",
        "backend",
        "max_batch_size",
        "input",
        "output",
        "dynamic_batching",
        "instance_group",
        "model_warmup",
        "default_model_filename",
        "version_policy",
    )
)
_WITHOUT_EFFECT = frozenset(  # how Triton runs a model, not what it answers
    ("optimization", "parameters", "response_cache", "metric_tags", "model_metrics", "runtime")
)
_REFUSED = {
    "ensemble_scheduling": "no ensembles are served",
    "sequence_batching": "no sequences are kept: send the state with each request",
    "batch_input": "no tensors are made from the batch",
    "batch_output": "no outputs are parted by other tensors",
    "model_transaction_policy": "each request has one answer",
    "model_operations": "no libraries of operators are loaded",
    "model_repository_agents": "no agents are run on a repository",
    "cc_model_filenames": "name one file with default_model_filename",
}
_TENSOR_USED = frozenset(("name", "data_type", "dims", "label_filename"))
_TENSOR_WITHOUT_EFFECT = frozenset(("format",))  # which Triton checks and does not act on
_BATCHING_USED = frozenset(("max_queue_delay_microseconds",))
_BATCHING_WITHOUT_EFFECT = frozenset(("preferred_batch_size", "preserve_ordering"))
_GROUP_WITHOUT_EFFECT = frozenset(("name", "count", "gpus", "profile", "host_policy"))
_KINDS = {"KIND_CPU": (CPU,), "KIND_GPU": (CUDA, CPU), "KIND_AUTO": (), "KIND_MODEL": ()}

Read = Callable[[str], bytes]  # a file by its name in the settings' folder


def parse(text: str, *, where: str, read: Read) -> ModelSettings:
    """The settings; LoadError names the field that can not be honoured."""
    try:
        said = textproto.parse(text)
    except TextFormatError as error:
        raise LoadError(f"{where}: {error}") from None
    without_effect = _checked(said, _USED, _WITHOUT_EFFECT, where, _REFUSED)
    size_max = _number(said, "max_batch_size", where)
    inputs, outputs = (
        [
            _spec(tensor, bool(size_max), f"{where}: {field}")
            for tensor in _messages(said, field, where)
        ]
        for field in ("input", "output")
    )
    providers: tuple[str, ...] = ()
    for group in _messages(said, "instance_group", where):
        group_where = f"{where}: instance_group"
        known = _GROUP_WITHOUT_EFFECT
        without_effect += _checked(group, frozenset(("kind",)), known, group_where, {})
        kind = str(_one(group, "kind", "KIND_AUTO"))
        if kind not in _KINDS:
            raise LoadError(f"{where}: instance_group.kind: {kind} is none of {', '.join(_KINDS)}")
        providers = providers or _KINDS[kind]
    batching, more = _batching(said, size_max, where)
    warmups = [
        triton_warmup.of(each, is_batched=bool(size_max), where=where, read=read)
        for each in _messages(said, "model_warmup", where)
    ]
    name = str(_one(said, "name", ""))
    return ModelSettings(
        name=name,
        folder_name=name,
        signature=Signature(inputs=inputs, outputs=outputs) if inputs else None,
        signature_by=where if inputs else "",
        batching=batching,
        labels=_labels(said, where, read),
        warmups=tuple(warmups),
        providers=providers,
        without_effect=tuple(without_effect + more),
    )


def _spec(said: Message, is_batched: bool, where: str) -> TensorSpec:
    name = _one(said, "name", "")
    if not isinstance(name, str) or not name:
        raise LoadError(f"{where}: a tensor has no name")
    where = f"{where} '{name}'"
    reshaped = {"reshape": "write the model's own dims"}
    for field in ("is_shape_tensor", "allow_ragged_batch", "optional", "is_non_linear_format_io"):
        if _one(said, field, "false") != "false":
            raise LoadError(f"{where}: {field} can not be honoured")
    known = _TENSOR_WITHOUT_EFFECT | {
        "is_shape_tensor",
        "allow_ragged_batch",
        "optional",
        "is_non_linear_format_io",
    }
    _checked(said, _TENSOR_USED, known, where, reshaped)
    datatype = triton_warmup.datatype(str(_one(said, "data_type", "")), where)
    dims = signature_file.sizes(said.get("dims", []), f"{where}: dims")
    return TensorSpec(name=name, datatype=datatype, shape=(-1, *dims) if is_batched else dims)


def _batching(said: Message, size_max: int, where: str) -> tuple[Batching | None, list[str]]:
    found = _messages(said, "dynamic_batching", where)
    if not found:
        return None, []
    where = f"{where}: dynamic_batching"
    refused = {
        "priority_levels": "requests are served in the order in which they came",
        "default_priority_level": "requests are served in the order in which they came",
        "default_queue_policy": "the queue's bounds are the Service's",
        "priority_queue_policy": "the queue's bounds are the Service's",
    }
    more = _checked(found[-1], _BATCHING_USED, _BATCHING_WITHOUT_EFFECT, where, refused)
    if size_max < 1:
        raise LoadError(f"{where} needs a max_batch_size over 0")
    delay_us = _number(found[-1], "max_queue_delay_microseconds", where)
    if delay_us > 60_000_000:
        raise LoadError(f"{where}.max_queue_delay_microseconds: at most a minute, got {delay_us}")
    return Batching(size_max=size_max, delay_s=delay_us / 1e6, said_by=where), more


def _labels(said: Message, where: str, read: Read) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for output in _messages(said, "output", where):
        if file := str(_one(output, "label_filename", "")):
            try:
                text = read(file).decode()
            except UnicodeDecodeError:
                raise LoadError(f"{where}: label_filename {file} is not UTF-8 text") from None
            found[str(_one(output, "name", ""))] = tuple(text.splitlines())
    return found


def _checked(
    said: Message,
    used: frozenset[str],
    without_effect: frozenset[str],
    where: str,
    refused: Mapping[str, str],
) -> list[str]:
    """The fields that change nothing; LoadError for those that would."""
    for field in said:
        if field not in used and field not in without_effect:
            why = refused.get(field, "Relight does not know it")
            raise LoadError(f"{where}: {field} can not be honoured: {why}")
    return [f"{where}: {field}" for field in sorted(set(said) & without_effect)]


def _messages(said: Message, field: str, where: str) -> list[Message]:
    found = said.get(field, [])
    for each in found:
        if not isinstance(each, dict):
            raise LoadError(f"{where}: {field}: expected a message, got {each!r}")
    return found


def _one(said: Message, field: str, default: Any) -> Any:
    return (said.get(field) or [default])[-1]


def _number(said: Message, field: str, where: str) -> int:
    value = _one(said, field, 0)
    if type(value) is not int or value < 0:
        raise LoadError(f"{where}: {field}: expected a whole number, got {value!r}")
    return value
