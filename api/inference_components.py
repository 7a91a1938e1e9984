"""The components of an InferenceService: predictor, transformer, explainer.

For: turning what a user wrote of each into typed values, with KServe's complaints.
Must not know: what becomes of a component, or which runtimes exist.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from api import (
    component_pods,
    fields,
    formats,
    inference_refusals,
    known_annotations,
    metadata,
    storage_uris,
)
from api.annotations import INT32_MAX, camel_case
from api.autoscaler_config import Defaults
from api.inference_names import FRAMEWORKS, KSERVE_DOMAINS, LOGGER_MODES, METRICS, PROTOCOLS
from api.inference_refusals import Table, refuse
from api.keys import ENV_PROTOCOL, ENV_STORAGE_URI, MAX_SCALE, MIN_SCALE, SERVING_PREFIX
from api.objects import Raw
from api.payload_logs import is_header_name
from api.pod_schemas import LIMITS
from api.templates import check_revision_annotations
from api.traffic import WHOLE

Kind = Literal["predictor", "transformer", "explainer"]

_ANY = Defaults().permissive
MIN_REPLICAS_DEFAULT = 1
TIMEOUT_S_MAX: int = LIMITS["timeoutSeconds"]["maximum"]
BATCH_SIZE_DEFAULT = 32
_EXTENSION = (
    "annotations",
    "batcher",
    "canaryTrafficPercent",
    "containerConcurrency",
    "labels",
    "logger",
    "maxReplicas",
    "minReplicas",
    "scaleMetric",
    "scaleTarget",
    "timeout",
)
_BOUNDS = {
    MIN_SCALE: "minReplicas",
    MAX_SCALE: "maxReplicas",
    camel_case(MIN_SCALE): "minReplicas",
    camel_case(MAX_SCALE): "maxReplicas",
}
_OF_MODEL = ("modelFormat", "protocolVersion", "runtime", "runtimeVersion", "storageUri")
ONE_OF: Mapping[Kind, str] = {
    "predictor": "exactly one of [Name, SKLearn, XGBoost, Tensorflow, PyTorch, Triton, ONNX, "
    "HuggingFace, PMML, LightGBM, Paddle, Model, StorageUris, StorageContainerName, WorkerSpec, "
    "PodSpec] must be specified in PredictorSpec",
    "transformer": "exactly one of [PodSpec, ComponentExtensionSpec] must be specified in "
    "TransformerSpec",
    "explainer": "exactly one of [ART, PodSpec, ComponentExtensionSpec] must be specified in "
    "ExplainerSpec",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Logger:
    """Where copies of requests and responses go."""

    url: str
    mode: str = "all"
    metadata_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batcher:
    """How requests are put together before they reach the model."""

    max_batch_size: int = BATCH_SIZE_DEFAULT
    max_latency_ms: int | None = None  # None: the predictor's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """What every component can be told of its scaling, traffic and metadata."""

    min_replicas: int = MIN_REPLICAS_DEFAULT
    max_replicas: int = 0  # 0: no limit
    scale_target: int | None = None
    scale_metric: str = ""
    container_concurrency: int | None = None
    timeout_s: int | None = None
    canary_percent: int | None = None  # None: everything to the latest
    logger: Logger | None = None
    batcher: Batcher | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model in a known format, for a runtime to serve."""

    format: str
    format_version: str = ""  # "": any
    runtime: str = ""  # "": one is chosen
    runtime_version: str = ""
    protocol: str = ""  # "": v1, or what the runtime speaks
    storage_uri: str = ""
    container: Raw = field(default_factory=dict)  # what is to override the runtime's


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component."""

    kind: Kind
    extension: Extension
    pod: Raw  # the fields of a PodSpec, as they were written
    model: Model | None = None  # None: containers of the user's own


def read_component(raw: object, kind: Kind, faults: fields.Faults) -> Component:
    """Read one component, noting errors in `faults`."""
    path = f"spec.{kind}"
    source = fields.Fields(raw, path, faults)
    given: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    table = inference_refusals.BY_PATH[path]
    refuse(source, given, table)
    extension = _read_extension(source, kind)
    model = None
    frameworks = FRAMEWORKS if kind == "predictor" else ()
    if kind == "predictor" and source.has("model"):
        model = _read_model(given["model"], f"{path}.model", faults)
    own = {*_EXTENSION, *table, "model", *frameworks} if frameworks else {*_EXTENSION, *table}
    pod = {name: each for name, each in given.items() if name not in own and each is not None}
    if kind == "predictor":
        _check_batcher(extension, source, is_custom=model is None)
    _check_implementations(given, pod, kind, source)
    if pod.get("containers") or model is not None:
        container = model.container if model is not None else None
        component_pods.check(pod, path, faults, model=container, is_whole=model is None)
    else:
        component_pods.check(
            {**pod, "containers": [{"image": "none"}]}, path, faults, is_whole=False
        )
    _check_conventions(pod, kind, path, faults, is_custom=model is None)
    return Component(kind=kind, extension=extension, pod=pod, model=model)


def _check_implementations(given: Raw, pod: Raw, kind: Kind, source: fields.Fields) -> None:
    named = [name for name in (*FRAMEWORKS, "model") if kind == "predictor" and source.has(name)]
    containers = pod.get("containers") or ()
    count = len(named)
    for each in containers if isinstance(containers, list) else ():
        if isinstance(each, Mapping) and each.get("name") == component_pods.CONTAINER:
            count += 1
    is_foreign = kind == "explainer" and given.get("art")
    if (not count and not containers and not is_foreign) or count > 1:
        source.faults.add(ONE_OF[kind], source.path)


def _read_extension(source: fields.Fields, kind: Kind) -> Extension:
    faults = source.faults
    batches = kind == "predictor" and source.has("batcher")
    extension = Extension(
        min_replicas=_or(source.integer("minReplicas"), MIN_REPLICAS_DEFAULT),
        max_replicas=source.integer("maxReplicas") or 0,
        scale_target=source.integer("scaleTarget"),
        scale_metric=source.text("scaleMetric"),
        container_concurrency=source.integer("containerConcurrency"),
        timeout_s=source.integer("timeout"),
        canary_percent=source.integer("canaryTrafficPercent"),
        logger=_read_logger(source) if source.has("logger") else None,
        batcher=_read_batcher(source) if batches else None,
        labels=source.string_map("labels"),
        annotations=source.string_map("annotations"),
    )
    source.skip("logger", "batcher")
    _check_replicas(extension, source)
    _check_scaling(extension, source)
    _check_bounds(extension, source)
    check_labels(extension.labels, source.at("labels"), faults)
    check_passed_on(extension.annotations, source.at("annotations"), faults)
    return extension


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _check_replicas(found: Extension, source: fields.Fields) -> None:
    low, high = found.min_replicas, found.max_replicas
    for number, name, word in ((low, "minReplicas", "Min"), (high, "maxReplicas", "Max")):
        if number < 0:
            source.faults.add(f"'{word}Replicas' cannot be less than 0", source.at(name))
        elif number > INT32_MAX:
            source.faults.out_of_bounds(number, 0, INT32_MAX, source.at(name))
    if low > high > 0:
        message = "'MinReplicas' cannot be greater than MaxReplicas"
        source.faults.add(message, source.at("minReplicas"))


def _check_scaling(found: Extension, source: fields.Fields) -> None:
    metric, target = found.scale_metric, found.scale_target
    if metric and metric not in METRICS:
        source.faults.add(f"[{metric}] is not a supported metric", source.at("scaleMetric"))
    elif metric == "rps" and target is not None and target < 1:
        source.faults.add("the target for rps should be greater than 1", source.at("scaleTarget"))
    elif target is not None and not 1 <= target <= INT32_MAX:
        source.faults.out_of_bounds(target, 1, INT32_MAX, source.at("scaleTarget"))


def _check_bounds(found: Extension, source: fields.Fields) -> None:
    concurrency = found.container_concurrency
    if concurrency is not None and concurrency < 0:
        message = "parallelism cannot be less than 0"
        source.faults.add(message, source.at("containerConcurrency"))
        concurrency = None
    for number, name, high in (
        (concurrency, "containerConcurrency", metadata.CONTAINER_CONCURRENCY_MAX),
        (found.timeout_s, "timeout", TIMEOUT_S_MAX),
        (found.canary_percent, "canaryTrafficPercent", WHOLE),
    ):
        if number is not None and not 0 <= number <= high:
            source.faults.out_of_bounds(number, 0, high, source.at(name))


def check_passed_on(found: Mapping[str, str], path: str, faults: fields.Faults) -> None:
    """Annotations that go to Revisions: their bounds of scaling have fields of their own."""
    metadata.check_annotations(found, path, faults)
    for key, name in _BOUNDS.items():
        if key in found:
            faults.disallowed(f"{path}.{key}", details=f"KServe drops it: use {name}")
    for key in found:
        if key.startswith(KSERVE_DOMAINS):
            faults.invalid_key(key, path, 'it must be put under "metadata.annotations" to work')
    rest = {key: each for key, each in found.items() if key not in _BOUNDS}
    # What settings forbid is refused where the Service is written, and told in the status.
    check_revision_annotations(rest, known_annotations.TEMPLATE, path, faults, _ANY)


def check_labels(found: Mapping[str, str], path: str, faults: fields.Faults) -> None:
    """Labels that go to Services and Revisions: Knative's own are not for users."""
    metadata.check_labels(found, path, faults)
    for key in found:
        if key.startswith(SERVING_PREFIX):
            faults.invalid_key(key, path)


def _read_logger(parent: fields.Fields) -> Logger:
    source = parent.child("logger")
    raw = parent.raw("logger")
    refuse(source, raw, inference_refusals.LOGGER)
    logger = Logger(
        url=source.text("url"),
        mode=source.text("mode") or LOGGER_MODES[0],
        metadata_headers=source.texts("metadataHeaders"),
    )
    if not logger.url:
        # KServe has a default in its configuration: a broker of Knative Eventing, not here.
        source.faults.missing(source.at("url"))
    elif not logger.url.startswith(("http://", "https://")):
        source.faults.invalid(logger.url, source.at("url"), "must be an http or https URL")
    if logger.mode not in LOGGER_MODES:
        source.faults.add("invalid logger type", source.at("mode"))
    for index, name in enumerate(logger.metadata_headers):
        if not is_header_name(name):
            path = f"{source.at('metadataHeaders')}[{index}]"
            source.faults.invalid(name, path, "must be the name of a header")
    source.finish()
    return logger


def to_annotation(logger: Logger) -> str:
    """The logger as the activator reads it, on a Revision template."""
    found = {
        "url": logger.url,
        "mode": logger.mode,
        "metadataHeaders": list(logger.metadata_headers),
    }
    return json.dumps(found, separators=(",", ":"))


def _read_batcher(parent: fields.Fields) -> Batcher:
    source = parent.child("batcher")
    refuse(source, parent.raw("batcher"), inference_refusals.BATCHER)
    size, latency_ms = source.integer("maxBatchSize"), source.integer("maxLatency")
    for number, name, low in ((size, "maxBatchSize", 1), (latency_ms, "maxLatency", 0)):
        if number is not None and not low <= number <= INT32_MAX:
            source.faults.out_of_bounds(number, low, INT32_MAX, source.at(name))
    source.finish()
    return Batcher(max_batch_size=_or(size, BATCH_SIZE_DEFAULT), max_latency_ms=latency_ms)


def _check_batcher(found: Extension, source: fields.Fields, *, is_custom: bool) -> None:
    if found.batcher is not None and is_custom:
        source.faults.disallowed(source.at("batcher"), details=inference_refusals.BATCHES)


def _read_model(raw: object, path: str, faults: fields.Faults) -> Model:
    source = fields.Fields(raw, path, faults)
    given: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    table: Table = inference_refusals.MODEL
    refuse(source, given, table)
    shape = source.child("modelFormat")
    own = {*_OF_MODEL, *table}
    model = Model(
        format=shape.text("name"),
        format_version=shape.text("version"),
        runtime=source.text("runtime"),
        runtime_version=source.text("runtimeVersion"),
        protocol=source.text("protocolVersion"),
        storage_uri=source.text("storageUri"),
        container={name: each for name, each in given.items() if name not in own},
    )
    shape.finish()
    if not model.format:
        faults.missing(f"{path}.modelFormat.name")
    _check_protocol(model.protocol, source.at("protocolVersion"), faults)
    wrong = storage_uris.complaint(model.storage_uri)
    if wrong:
        faults.add(wrong, source.at("storageUri"))
    wrong_name = formats.dns_1123_label(model.runtime) if model.runtime else []
    if wrong_name:
        faults.invalid(model.runtime, source.at("runtime"), ", ".join(wrong_name))
    return model


def _check_protocol(protocol: str, path: str, faults: fields.Faults) -> None:
    if protocol == "grpc-v1":
        faults.invalid(protocol, path, fields.NOT_SUPPORTED)
    elif protocol and protocol not in PROTOCOLS:
        message = f"invalid protocol {protocol}. Must be one of [{', '.join(PROTOCOLS)}]"
        faults.add(message, path)


def _check_conventions(
    pod: Raw, kind: Kind, path: str, faults: fields.Faults, *, is_custom: bool
) -> None:
    """Variables by which containers of the user's own are told about, in KServe."""
    containers = pod.get("containers")
    for at, each in enumerate(containers if isinstance(containers, list) else ()):
        for index, name, value in _variables(each):
            where = f"{path}.containers[{at}].env[{index}].value"
            if name == ENV_STORAGE_URI and kind == "predictor" and not _is_serving(each, at):
                faults.add("storage uri should not be specified in transformer container", where)
            elif name == ENV_STORAGE_URI and (wrong := storage_uris.complaint(value)):
                faults.add(wrong, where)
            elif name == ENV_PROTOCOL and is_custom:
                _check_protocol(value, where, faults)


def _is_serving(container: Any, at: int) -> bool:
    name = container.get("name") if isinstance(container, Mapping) else None
    return name == component_pods.CONTAINER or (at == 0 and not name)


def _variables(container: Any) -> list[tuple[int, str, str]]:
    env = container.get("env") if isinstance(container, Mapping) else None
    return [
        (index, str(each.get("name", "")), str(each.get("value", "")))
        for index, each in enumerate(env if isinstance(env, list) else ())
        if isinstance(each, Mapping)
    ]
