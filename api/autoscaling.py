"""What the autoscaler is asked for: PodAutoscalers and the annotations that tune them.

For: typed scaling parameters with Knative's names, bounds, defaults and complaints.
Must not know: how many replicas there are, or how many there should be.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self, cast

from api import fields, keys, kinds, metadata, signals
from api.annotations import Annotations
from api.objects import ObjectMeta, Raw

# Defaults of Knative's ConfigMap config-autoscaler (pkg/autoscaler/config/config.go).
CONTAINER_CONCURRENCY_TARGET_FRACTION = 0.7  # container-concurrency-target-percentage
CONTAINER_CONCURRENCY_TARGET_DEFAULT = 100.0
RPS_TARGET_DEFAULT = 200.0  # requests-per-second-target-default
TARGET_BURST_CAPACITY = 211.0
STABLE_WINDOW_S = 60.0
PANIC_WINDOW_PERCENTAGE = 10.0
PANIC_THRESHOLD_PERCENTAGE = 200.0
MAX_SCALE_UP_RATE = 1000.0
MAX_SCALE_DOWN_RATE = 2.0
ENABLE_SCALE_TO_ZERO = True
SCALE_TO_ZERO_GRACE_PERIOD_S = 30.0
POD_RETENTION_S = 0.0  # scale-to-zero-pod-retention-period
ACTIVATOR_CAPACITY = 100.0
INITIAL_SCALE = 1
ALLOW_ZERO_INITIAL_SCALE = False
MIN_SCALE = 0
MAX_SCALE = 0  # unlimited; max-scale-limit is unlimited too
SCALE_DOWN_DELAY_S = 0.0
# Knative's pod-autoscaler-class is kpa.autoscaling.knative.dev; ours is our own.
CLASS = keys.CLASS_RELIGHT
# Constants of Knative's code that no setting changes.
ACTIVATION_SCALE = 1
TARGET_MIN = 0.01

Metric = Literal["concurrency", "rps"] | signals.Signal
Aggregation = Literal["linear", "weighted-exponential"]
KeepAlive = Literal["cheap", "balanced", "fast"]

_METRICS = {"concurrency": "concurrency", "rps": "rps"}
_AGGREGATIONS = {
    "linear": "linear",
    "weighted-exponential": "weighted-exponential",
    "weightedExponential": "weighted-exponential",
}
_KEEP_ALIVES = {"cheap": "cheap", "balanced": "balanced", "fast": "fast"}
_OUR_CLASSES = (keys.CLASS_KPA, keys.CLASS_RELIGHT)
_KNATIVE_CLASSES = ".knative.dev"
_DOMAIN = re.compile(r"[./]")  # a class of somebody else's is told by a domain of theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Everything that annotations say about the scaling of one Revision."""

    class_: str = CLASS
    metric: Metric = "concurrency"
    target: float | None = None  # of the metric, for one replica; None: by concurrency or default
    target_utilization: float | None = None  # fraction of the target to aim at, in (0, 1]
    target_burst_capacity: float = TARGET_BURST_CAPACITY  # requests; -1: activator always in path
    min_scale: int = MIN_SCALE
    max_scale: int = MAX_SCALE  # 0: unlimited
    initial_scale: int = INITIAL_SCALE
    activation_scale: int = ACTIVATION_SCALE
    scale_down_delay_s: float = SCALE_DOWN_DELAY_S
    retention_s: float = POD_RETENTION_S  # how long the last replica stays
    stable_window_s: float = STABLE_WINDOW_S
    panic_window_percentage: float = PANIC_WINDOW_PERCENTAGE  # of the stable window
    panic_threshold_percentage: float = PANIC_THRESHOLD_PERCENTAGE  # of what is ready
    aggregation: Aggregation = "linear"
    keep_alive: KeepAlive = "balanced"  # class relight only


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What one replica should carry (`target`) and what it can at most (`total`)."""

    target: float
    total: float


def parse_scaling(
    annotations: Mapping[str, str], *, path: str = "spec.template.metadata.annotations"
) -> Scaling:
    """Read the autoscaling.knative.dev annotations; `path` is where errors place them.

    Raises InvalidObjectError with every wrong value and every unknown key. A class in a
    domain that is not Knative's belongs to somebody else's autoscaler, and so do its metric,
    its algorithm and the keys we do not know: they are left alone.
    """
    faults = fields.Faults()
    scaling = read_scaling(annotations, path, faults)
    faults.raise_any()
    return scaling


def read_scaling(annotations: Mapping[str, str], path: str, faults: fields.Faults) -> Scaling:
    """`parse_scaling` that notes its errors in `faults` instead of raising."""
    source = Annotations(annotations, path, faults)
    class_ = _read_class(source)
    is_foreign = class_ not in _OUR_CLASSES
    metric = None if is_foreign else _read_metric(source, class_)
    utilization = source.number_within(keys.TARGET_UTILIZATION, 1, 100)
    min_scale, max_scale, activation_scale = _read_bounds(source)
    scaling = Scaling(
        class_=class_,
        metric=metric or "concurrency",
        target=_read_target(source),
        target_utilization=None if utilization is None else utilization / 100,
        target_burst_capacity=_or(_read_burst_capacity(source), TARGET_BURST_CAPACITY),
        min_scale=min_scale,
        max_scale=max_scale,
        initial_scale=_read_initial_scale(source),
        activation_scale=activation_scale,
        scale_down_delay_s=_or(
            source.duration_s(keys.SCALE_DOWN_DELAY, "0s", "1h0m0s", is_whole=True),
            SCALE_DOWN_DELAY_S,
        ),
        retention_s=_or(
            source.duration_s(keys.POD_RETENTION, "0s", "1h0m0s", is_whole=False), POD_RETENTION_S
        ),
        stable_window_s=_or(
            source.duration_s(keys.STABLE_WINDOW, "6s", "1h0m0s", is_whole=True), STABLE_WINDOW_S
        ),
        panic_window_percentage=_or(
            source.number_within(keys.PANIC_WINDOW, 1, 100), PANIC_WINDOW_PERCENTAGE
        ),
        panic_threshold_percentage=_or(
            source.number_within(keys.PANIC_THRESHOLD, 110, 1000), PANIC_THRESHOLD_PERCENTAGE
        ),
        aggregation="linear" if is_foreign else _read_aggregation(source),
        keep_alive=_read_keep_alive(source, class_),
    )
    if not is_foreign:
        for key in source.unread(keys.AUTOSCALING_PREFIX):
            faults.invalid_key(key, path, "not an autoscaling annotation that Relight knows")
    return scaling


def resolve_target(scaling: Scaling, container_concurrency: int) -> Target:
    """Knative's ResolveMetricTarget, for a Revision with this container concurrency."""
    if scaling.metric == signals.DELAY:  # a level to aim at, not a capacity to fill
        assert scaling.target is not None
        return Target(target=scaling.target, total=scaling.target)
    utilization = CONTAINER_CONCURRENCY_TARGET_FRACTION
    if scaling.metric == "concurrency":
        total = float(container_concurrency) or CONTAINER_CONCURRENCY_TARGET_DEFAULT
    else:
        total = RPS_TARGET_DEFAULT
    if scaling.target is not None:
        is_capped = scaling.metric == "concurrency" and container_concurrency > 0
        total = min(scaling.target, container_concurrency) if is_capped else scaling.target
    if scaling.target_utilization is not None:
        utilization = scaling.target_utilization
    return Target(target=max(TARGET_MIN, total * utilization), total=total)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _read_class(source: Annotations) -> str:
    found = source.find(keys.SCALING_CLASS)
    if found is None:
        return CLASS
    if found.text == keys.CLASS_HPA:
        source.faults.invalid(found.text, found.path, fields.NOT_SUPPORTED)
    elif found.text not in _OUR_CLASSES and found.text.endswith(_KNATIVE_CLASSES):
        source.faults.invalid(found.text, found.path)
    elif not _DOMAIN.search(found.text):
        # Knative takes it for somebody else's, and nobody ever scales it: it is a typing error.
        source.faults.invalid(found.text, found.path, f"known classes: {', '.join(_OUR_CLASSES)}")
    return found.text


def _read_metric(source: Annotations, class_: str) -> Metric | None:
    known = {**_METRICS, **signals.WORDS} if class_ == keys.CLASS_RELIGHT else _METRICS
    metric = source.word(keys.SCALING_METRIC, known)
    signals.check(source, metric)
    return cast("Metric | None", metric)


def _read_aggregation(source: Annotations) -> Aggregation:
    word = source.word(keys.METRIC_AGGREGATION, _AGGREGATIONS)
    return cast("Aggregation", word or "linear")


def _read_keep_alive(source: Annotations, class_: str) -> KeepAlive:
    word = source.word(keys.KEEP_ALIVE, _KEEP_ALIVES)
    if word is not None and class_ != keys.CLASS_RELIGHT:
        source.faults.add(f"only class {keys.CLASS_RELIGHT} learns", source.at(keys.KEEP_ALIVE))
    return cast("KeepAlive", word or "balanced")


def _read_target(source: Annotations) -> float | None:
    number = source.number(keys.SCALING_TARGET)
    if number is not None and number < TARGET_MIN:
        found = source.find(keys.SCALING_TARGET)
        assert found is not None
        message = f"target {found.text} should be at least {TARGET_MIN}"
        source.faults.add(message, found.path)
        return None
    return number


def _read_burst_capacity(source: Annotations) -> float | None:
    number = source.number(keys.TARGET_BURST_CAPACITY)
    if number is not None and number < 0 and number != -1:
        found = source.find(keys.TARGET_BURST_CAPACITY)
        assert found is not None
        source.faults.invalid(found.text, found.path)
        return None
    return number


def _read_initial_scale(source: Annotations) -> int:
    number = source.integer(keys.INITIAL_SCALE)
    if number is None:
        return INITIAL_SCALE
    found = source.find(keys.INITIAL_SCALE)
    assert found is not None
    # Knative puts the reason into the path; scripts match on it, so we do too.
    if number < 0:
        source.faults.invalid(found.text, f"{found.path} must be greater than 0")
    elif number == 0 and not ALLOW_ZERO_INITIAL_SCALE:
        source.faults.invalid(found.text, f"{found.path}=0 not allowed by cluster")
    return number


def _read_bounds(source: Annotations) -> tuple[int, int, int]:
    """Min, max and activation scale, which must not contradict one another."""
    low = source.count(keys.MIN_SCALE) or MIN_SCALE
    high = source.count(keys.MAX_SCALE) or MAX_SCALE
    if high and high < low:
        message = f"max-scale={high} is less than min-scale={low}"
        source.faults.add(message, source.at(keys.MAX_SCALE), source.at(keys.MIN_SCALE))
    activation = source.integer(keys.ACTIVATION_SCALE)
    if activation is None:
        return low, high, ACTIVATION_SCALE
    found = source.find(keys.ACTIVATION_SCALE)
    assert found is not None
    if low > activation:
        message = f"min-scale={low} is greater than activation-scale={activation}"
        source.faults.add(message, found.path)
    elif high and high < activation:
        message = f"max-scale={high} is less than activation-scale={activation}"
        source.faults.add(message, found.path)
    elif activation < 2:
        source.faults.add(f"activation-scale={activation} must be greater than 1", found.path)
    return low, high, activation


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAutoscaler:
    """The autoscaling request for one Revision; its annotations hold the parameters."""

    metadata: ObjectMeta
    scale_target_name: str  # of the Deployment to scale
    container_concurrency: int = 0  # hard limit of requests in one replica; 0: none
    reachability: str = ""  # "Reachable", "Unreachable" or "" (not known)
    status: Raw = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """Raises InvalidObjectError naming every wrong and every unknown field."""
        faults = fields.Faults()
        source = metadata.open_object(raw, kinds.PODAUTOSCALERS, faults)
        meta = ObjectMeta.read(source.child("metadata"))
        metadata.check(meta, faults)
        read_scaling(meta.annotations, "metadata.annotations", faults)
        spec = source.child("spec")
        autoscaler = cls(
            metadata=meta,
            scale_target_name=_read_scale_target(spec.child("scaleTargetRef")),
            container_concurrency=metadata.read_container_concurrency(spec),
            reachability=_one_of(spec, "reachability", ("", "Reachable", "Unreachable")),
            status=source.raw("status"),
        )
        _one_of(spec, "protocolType", ("", "http1"))  # HTTP/1.1 is all that is spoken
        spec.finish()
        source.finish()
        faults.raise_any()
        return autoscaler


def _one_of(source: fields.Fields, name: str, allowed: tuple[str, ...]) -> str:
    text = source.text(name)
    if text not in allowed:
        source.faults.invalid(text, source.at(name))
    return text


def _read_scale_target(source: fields.Fields) -> str:
    for name, wanted in (("apiVersion", kinds.DEPLOYMENTS.api_version), ("kind", "Deployment")):
        text = source.text(name)
        if not text:
            source.faults.missing(source.at(name))
        elif text != wanted:
            source.faults.invalid(text, source.at(name), f"only {wanted} can be scaled")
    name = source.text("name")
    if not name:
        source.faults.missing(source.at("name"))
    source.finish()
    return name
