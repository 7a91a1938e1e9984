"""What the autoscaler is asked for: PodAutoscalers and the annotations that tune them.

For: typed scaling parameters with Knative's names, bounds, defaults and complaints.
Must not know: how many replicas there are, or how many there should be.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Self, cast

from api import fields, keys, kinds, metadata, signals
from api.annotations import Annotations, read_int32
from api.autoscaler_config import TARGET_MIN, Defaults
from api.objects import ObjectMeta, Raw

_KNATIVES = Defaults()
# Constant in Knative's code: no setting changes them.
ACTIVATION_SCALE = 1
RPS_FRACTION = 0.7  # of the target, where the metric is not concurrency

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
_OUR_CLASSES = (keys.CLASS_RELIGHT, keys.CLASS_KPA)
_KNOWN_CLASSES = (*_OUR_CLASSES, keys.CLASS_HPA)
_SAME_CLASSES = {keys.CLASS_BESIDE: keys.CLASS_RELIGHT}
# What a HorizontalPodAutoscaler knows nothing of.
_NOT_OF_HPA = (
    keys.TARGET_UTILIZATION,
    keys.TARGET_BURST_CAPACITY,
    keys.ACTIVATION_SCALE,
    keys.SCALE_DOWN_DELAY,
    keys.POD_RETENTION,
    keys.PANIC_WINDOW,
    keys.PANIC_THRESHOLD,
    keys.METRIC_AGGREGATION,
)
_KNATIVE_CLASSES = ".knative.dev"
_DOMAIN = re.compile(r"[./]")  # a class of somebody else's is told by a domain of theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Everything that annotations say about the scaling of one Revision."""

    class_: str = _KNATIVES.class_
    metric: Metric = "concurrency"
    target: float | None = None  # of the metric, for one replica; None: by concurrency or default
    target_utilization: float | None = None  # fraction of the target to aim at, in (0, 1]
    # Requests; -1: the activator is always in the path.
    target_burst_capacity: float = _KNATIVES.target_burst_capacity
    min_scale: int = _KNATIVES.min_scale
    max_scale: int = _KNATIVES.max_scale  # 0: unlimited
    initial_scale: int = _KNATIVES.initial_scale
    activation_scale: int = ACTIVATION_SCALE
    scale_down_delay_s: float = _KNATIVES.scale_down_delay_s
    retention_s: float = _KNATIVES.retention_s  # how long the last replica stays
    stable_window_s: float = _KNATIVES.stable_window_s
    panic_window_percentage: float = _KNATIVES.panic_window_percentage  # of the stable window
    panic_threshold_percentage: float = _KNATIVES.panic_threshold_percentage  # of what is ready
    aggregation: Aggregation = "linear"
    keep_alive: KeepAlive = "balanced"  # class relight only


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What one replica should carry (`target`) and what it can at most (`total`)."""

    target: float
    total: float


def parse_scaling(
    annotations: Mapping[str, str],
    *,
    path: str = "spec.template.metadata.annotations",
    defaults: Defaults = _KNATIVES,
) -> Scaling:
    """Read the autoscaling.knative.dev annotations; `path` is where errors place them.

    Raises InvalidObjectError with every wrong value and every unknown key. A class in a
    domain that is not Knative's belongs to somebody else's autoscaler, and so do its metric,
    its algorithm and the keys we do not know: they are left alone.
    """
    faults = fields.Faults()
    scaling = read_scaling(annotations, path, faults, defaults)
    faults.raise_any()
    return scaling


def admitted_scaling(
    annotations: Mapping[str, str], *, path: str = "metadata.annotations", defaults: Defaults
) -> Scaling:
    """What holds of annotations that were admitted, maybe under other `defaults`.

    As in Knative a bound above the limit stays, and an initial scale of 0 that is not allowed
    any more is the default again. What is kept alive rests while the class of the settings learns
    nothing.
    """
    if keys.SCALING_CLASS not in annotations and class_of({}, defaults) != keys.CLASS_RELIGHT:
        annotations = {key: text for key, text in annotations.items() if key != keys.KEEP_ALIVE}
    scaling = parse_scaling(annotations, path=path, defaults=defaults.permissive)
    if scaling.initial_scale == 0 and not defaults.allow_zero_initial_scale:
        return replace(scaling, initial_scale=defaults.initial_scale)
    return scaling


def class_of(annotations: Mapping[str, str], defaults: Defaults = _KNATIVES) -> str:
    """The autoscaler class; that of the settings where none is named."""
    named = annotations.get(keys.SCALING_CLASS, defaults.class_)
    return _SAME_CLASSES.get(named, named)


def read_scaling(
    annotations: Mapping[str, str], path: str, faults: fields.Faults, defaults: Defaults = _KNATIVES
) -> Scaling:
    """`parse_scaling` that notes its errors in `faults` instead of raising."""
    source = Annotations(annotations, path, faults)
    class_ = _read_class(source, defaults)
    is_ours = class_ in _OUR_CLASSES
    metric = _read_metric(source, class_) if is_ours else None
    if class_ == keys.CLASS_HPA:
        _check_hpa(source)
    utilization = source.number_within(keys.TARGET_UTILIZATION, 1, 100)
    min_scale, max_scale, activation_scale = _read_bounds(source, defaults)
    scaling = Scaling(
        class_=class_,
        metric=metric or "concurrency",
        target=_read_target(source),
        target_utilization=None if utilization is None else utilization / 100,
        target_burst_capacity=_or(
            _read_burst_capacity(source),
            # What replicas report is read by the activator, which therefore stays.
            -1.0 if metric in signals.UNITS else defaults.target_burst_capacity,
        ),
        min_scale=min_scale,
        max_scale=max_scale,
        initial_scale=_read_initial_scale(source, defaults),
        activation_scale=activation_scale,
        scale_down_delay_s=_or(
            source.duration_s(keys.SCALE_DOWN_DELAY, "0s", "1h0m0s", is_whole=True),
            defaults.scale_down_delay_s,
        ),
        retention_s=_or(
            source.duration_s(keys.POD_RETENTION, "0s", "1h0m0s", is_whole=False),
            defaults.retention_s,
        ),
        stable_window_s=_or(
            source.duration_s(keys.STABLE_WINDOW, "6s", "1h0m0s", is_whole=True),
            defaults.stable_window_s,
        ),
        panic_window_percentage=_or(
            source.number_within(keys.PANIC_WINDOW, 1, 100), defaults.panic_window_percentage
        ),
        panic_threshold_percentage=_or(
            source.number_within(keys.PANIC_THRESHOLD, 110, 1000),
            defaults.panic_threshold_percentage,
        ),
        aggregation=_read_aggregation(source) if is_ours else "linear",
        keep_alive=_read_keep_alive(source, class_),
    )
    if class_ in _KNOWN_CLASSES:
        for key in source.unread(keys.AUTOSCALING_PREFIX):
            faults.invalid_key(key, path, "not an autoscaling annotation that Relight knows")
    return scaling


def resolve_target(
    scaling: Scaling, container_concurrency: int, defaults: Defaults = _KNATIVES
) -> Target:
    """Knative's ResolveMetricTarget, for a Revision with this container concurrency."""
    if scaling.metric == signals.DELAY:  # a level to aim at, not a capacity to fill
        assert scaling.target is not None
        return Target(target=scaling.target, total=scaling.target)
    utilization = RPS_FRACTION
    total = defaults.rps_target_default
    if scaling.metric == "concurrency":
        utilization = defaults.container_concurrency_target_fraction
        total = float(container_concurrency) or defaults.container_concurrency_target_default
    if scaling.target is not None:
        is_capped = scaling.metric == "concurrency" and container_concurrency > 0
        total = min(scaling.target, container_concurrency) if is_capped else scaling.target
    if scaling.target_utilization is not None:
        utilization = scaling.target_utilization
    return Target(target=max(TARGET_MIN, total * utilization), total=total)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _read_class(source: Annotations, defaults: Defaults) -> str:
    found = source.find(keys.SCALING_CLASS)
    if found is None:
        return class_of({}, defaults)
    if found.text in _SAME_CLASSES:
        return _SAME_CLASSES[found.text]
    if found.text in _KNOWN_CLASSES:
        return found.text
    if found.text.endswith(_KNATIVE_CLASSES):
        source.faults.invalid(found.text, found.path)
    elif not _DOMAIN.search(found.text):
        # Knative takes it for somebody else's, and nobody ever scales it: it is a typing error.
        source.faults.invalid(found.text, found.path, f"known classes: {', '.join(_KNOWN_CLASSES)}")
    return found.text


def _check_hpa(source: Annotations) -> None:
    """Any metric there may be; and nothing that would have no effect."""
    metric = source.find(keys.SCALING_METRIC)
    if metric is not None and not metric.text:
        source.faults.invalid(metric.text, metric.path)
    for key in _NOT_OF_HPA:
        found = source.find(key)
        if found is not None:
            source.faults.disallowed(
                found.path, details="a HorizontalPodAutoscaler, of class hpa, has no such thing"
            )


def _read_metric(source: Annotations, class_: str) -> Metric | None:
    known = {**_METRICS, **signals.WORDS} if class_ == keys.CLASS_RELIGHT else _METRICS
    found = source.find(keys.SCALING_METRIC)
    if found is not None and not found.text and class_ == keys.CLASS_RELIGHT:
        return None  # what Knative's webhook adds where a class is none of its own
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


def _read_initial_scale(source: Annotations, defaults: Defaults) -> int:
    number = source.integer(keys.INITIAL_SCALE)
    if number is None:
        return defaults.initial_scale
    found = source.find(keys.INITIAL_SCALE)
    assert found is not None
    # Knative puts the reason into the path; scripts match on it, so we do too.
    if number < 0:
        source.faults.invalid(found.text, f"{found.path} must be greater than 0")
    elif number == 0 and not defaults.allow_zero_initial_scale:
        source.faults.invalid(found.text, f"{found.path}=0 not allowed by cluster")
    return number


def _read_bounds(source: Annotations, defaults: Defaults) -> tuple[int, int, int]:
    """Min, max and activation scale, which must not contradict one another.

    As in Knative only what annotations say is compared: a default yields to them.
    """
    said_low, said_high = source.count(keys.MIN_SCALE), source.count(keys.MAX_SCALE)
    low, high = said_low or 0, said_high or 0
    if high and high < low:
        message = f"max-scale={high} is less than min-scale={low}"
        source.faults.add(message, source.at(keys.MAX_SCALE), source.at(keys.MIN_SCALE))
    if said_high is not None:
        _check_limit(source, high, defaults.max_scale_limit)
    activation = _read_activation_scale(source, low, high)
    return (
        defaults.min_scale if said_low is None else low,
        defaults.max_scale if said_high is None else high,
        activation,
    )


def _check_limit(source: Annotations, high: int, limit: int) -> None:
    found = source.find(keys.MAX_SCALE)
    assert found is not None
    if limit and high > limit:
        source.faults.out_of_bounds(high, 1, limit, found.path)
    elif limit and high == 0:
        message = f"max-scale=0 (unlimited), must be less than {limit}"
        source.faults.add(message, found.path)


def _read_activation_scale(source: Annotations, low: int, high: int) -> int:
    found = source.find(keys.ACTIVATION_SCALE)
    if found is None:
        return ACTIVATION_SCALE
    activation = read_int32(found.text)
    if activation is None:
        source.faults.invalid(found.text, found.path)
        return ACTIVATION_SCALE
    if low > activation:
        message = f"min-scale={low} is greater than activation-scale={activation}"
        source.faults.add(message, found.path)
    elif high and high < activation:
        message = f"max-scale={high} is less than activation-scale={activation}"
        source.faults.add(message, found.path)
    elif activation < 2:
        source.faults.add(f"activation-scale={activation} must be greater than 1", found.path)
    return activation


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAutoscaler:
    """The autoscaling request for one Revision; its annotations hold the parameters."""

    metadata: ObjectMeta
    scale_target_name: str  # of the Deployment to scale
    container_concurrency: int = 0  # hard limit of requests in one replica; 0: none
    reachability: str = ""  # "Reachable", "Unreachable" or "" (not known)
    status: Raw = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Raw, *, defaults: Defaults = _KNATIVES) -> Self:
        """Raises InvalidObjectError naming every wrong and every unknown field."""
        faults = fields.Faults()
        source = metadata.open_object(raw, kinds.PODAUTOSCALERS, faults)
        meta = ObjectMeta.read(source.child("metadata"))
        metadata.check(meta, faults)
        read_scaling(meta.annotations, "metadata.annotations", faults, defaults)
        spec = source.child("spec")
        autoscaler = cls(
            metadata=meta,
            scale_target_name=_read_scale_target(spec.child("scaleTargetRef")),
            container_concurrency=metadata.read_container_concurrency(spec),
            reachability=_one_of(spec, "reachability", ("", "Reachable", "Unreachable")),
            status=source.raw("status"),
        )
        _one_of(spec, "protocolType", ("", "h2c", "http1"))
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
