"""Which runtime serves a model: the one it names, or the best that offers itself.

For: KServe's choice, and its reasons where there is none.
Must not know: where runtimes are kept, or what they run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.inference_components import Model
from api.inference_names import RUNTIME_PROTOCOLS
from api.runtimes import Runtime

RUNTIME_NOT_RECOGNIZED = "RuntimeNotRecognized"
RUNTIME_DISABLED = "RuntimeDisabled"
NO_SUPPORTING_RUNTIME = "NoSupportingRuntime"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRuntime:
    """Why there is none: KServe's reason and message, and a sentence that names names."""

    reason: str
    message: str
    sentence: str


def select(model: Model, runtimes: Sequence[Runtime]) -> Runtime | NoRuntime:
    """The runtime for a model, of those of its namespace and of the cluster."""
    return _named(model, runtimes) if model.runtime else _best(model, runtimes)


def _named(model: Model, runtimes: Sequence[Runtime]) -> Runtime | NoRuntime:
    name = model.runtime
    # The namespace's own come first.
    ordered = sorted(runtimes, key=lambda each: each.is_of_cluster)
    runtime = next((each for each in ordered if each.metadata.name == name), None)
    if runtime is None:
        return NoRuntime(
            reason=RUNTIME_NOT_RECOGNIZED,
            message="Waiting for runtime to become available",
            sentence=f"No ServingRuntimes or ClusterServingRuntimes with the name: {name}",
        )
    if runtime.is_disabled:
        return NoRuntime(
            reason=RUNTIME_DISABLED,
            message="Specified runtime is disabled",
            sentence=f"specified runtime {name} is disabled",
        )
    wrong = ""
    if not runtime.speaks(model.protocol):
        wrong = "protocol version"
    elif not _serves(runtime, model):
        wrong = "framework/version"
    if wrong:
        return NoRuntime(
            reason=NO_SUPPORTING_RUNTIME,
            message=f"Specified runtime does not support specified {wrong}",
            sentence=f"specified runtime {name} does not support specified {wrong}",
        )
    return runtime


def _best(model: Model, runtimes: Iterable[Runtime]) -> Runtime | NoRuntime:
    protocol = model.protocol or RUNTIME_PROTOCOLS[0]
    able = [
        each
        for each in runtimes
        if not each.is_disabled and each.speaks(protocol) and _serves(each, model)
    ]
    if not able:
        version = f" version {model.format_version}" if model.format_version else ""
        return NoRuntime(
            reason=NO_SUPPORTING_RUNTIME,
            message="No runtime found to support specified framework/version",
            sentence="no runtime found to support predictor with model type: "
            f"{model.format}{version}, protocol {protocol}",
        )
    # Sorting keeps the order of equals: the last key that is sorted by weighs most.
    able.sort(key=lambda each: each.metadata.name)
    able.sort(key=lambda each: each.metadata.creation_timestamp, reverse=True)
    able.sort(key=_protocol_rank)
    able.sort(key=lambda each: (each.is_of_cluster, -(each.priority_of(model.format) or 0)))
    return able[0]


def _protocol_rank(runtime: Runtime) -> int:
    return min(map(RUNTIME_PROTOCOLS.index, runtime.protocols), default=len(RUNTIME_PROTOCOLS))


def _serves(runtime: Runtime, model: Model) -> bool:
    is_named = bool(model.runtime)
    return any(
        each.name == model.format
        and model.format_version in ("", each.version)
        and (is_named or each.is_auto_selected)
        for each in runtime.formats
    )
