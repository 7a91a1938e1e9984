"""What one Revision asked of the autoscaler, with every default filled in.

For: joining annotations, container concurrency and settings into one value; the two classes'
     targets, the first of their differences (docs/autoscaling.md).
Must not know: load, time, or how an object reached us.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from api import keys
from api.annotations import camel_case
from api.autoscaler_config import Defaults
from api.autoscaling import (
    KeepAlive,
    PodAutoscaler,
    Scaling,
    Target,
    admitted_scaling,
    class_of,
    resolve_target,
)
from api.errors import FieldError, InvalidObjectError
from api.formats import duration_ns
from autoscaler.config import Settings
from autoscaler.signals import Signal

# Times of class relight, by annotation relight.dev/keep-alive.
FACTORS: Mapping[KeepAlive, float] = {"cheap": 0.25, "balanced": 1.0, "fast": 4.0}
# Longer than the progress deadline, so that the reason why no Pod starts is written first.
_ACTIVATION_BUFFER_S = 30.0
_LONG_S = 365 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Everything a decision about one Revision may depend on besides what is seen."""

    is_kpa: bool  # Knative's rules to the letter, else ours
    is_rps: bool  # load is requests a second, else requests held or executing
    is_weighted: bool  # averages are weighted-exponential, else linear
    target: float  # load a replica should have
    total: float  # load a replica can have
    target_burst_capacity: float  # -1: unlimited
    min_scale: int
    max_scale: int  # 0: unlimited
    initial_scale: int
    activation_scale: int
    is_reachable: bool  # some Route points here; without, min_scale does not hold
    stable_window_s: float
    panic_window_s: float  # class relight: of the fast average
    panic_threshold: float  # times what the ready replicas are meant for
    scale_down_delay_s: float
    max_up_rate: float
    max_down_rate: float
    grace_s: float
    retention_s: float  # of the last replica; 0 when unreachable
    activation_timeout_s: float
    is_zero_allowed: bool
    journal_length_max: int
    keep_factor: float = 1.0  # times that replicas are kept, by relight.dev/keep-alive
    signal: Signal | None = None  # what replicas report is the load, else what activators see
    is_direct: bool = False  # the mode is acted on: replicas are reached past the activators

    @property
    def metric(self) -> str:
        """The load that counts, by the name that annotations give it."""
        if self.signal is not None:
            return self.signal.metric
        return "rps" if self.is_rps else "concurrency"

    @property
    def share(self) -> tuple[str, float, float]:
        """The load that one replica is for: while it stays, a number of replicas means the same."""
        return self.metric, self.target, self.total

    @property
    def queue_target(self) -> float:
        """Requests of a queue that are one replica's share."""
        return self.target if self.signal is None else self.signal.requests

    @property
    def floor(self) -> int:
        """The minimum that holds now: Knative ignores min-scale when no Route points here."""
        return self.min_scale if self.is_reachable else 0


def is_ours(annotations: Mapping[str, str], settings: Settings) -> bool:
    """Say whether this autoscaler decides; every other class is left alone."""
    if settings.is_class_named and keys.SCALING_CLASS not in annotations:
        return False
    class_ = class_of(annotations, settings.defaults)
    return class_ in settings.classes and class_ != keys.CLASS_HPA


def build(autoscaler: PodAutoscaler, settings: Settings) -> Spec:
    """Fill in every default; InvalidObjectError names the annotation that is wrong."""
    annotations, defaults = autoscaler.metadata.annotations, settings.defaults
    scaling = admitted_scaling(annotations, defaults=defaults)
    target = resolve_target(scaling, autoscaler.container_concurrency, defaults)
    is_kpa = scaling.class_ == keys.CLASS_KPA
    is_rps = scaling.metric == "rps"
    is_reachable = autoscaler.reachability != "Unreachable"
    signal = _signal(scaling, target, autoscaler.container_concurrency, defaults)
    if signal is not None and not settings.hears_reports:
        path = f"metadata.annotations.{keys.SCALING_METRIC}"
        says = "nobody here reads what replicas report: concurrency or rps"
        raise InvalidObjectError([FieldError(message=says, paths=(path,))])
    least = 0 if settings.can_wake else 1
    return Spec(
        is_kpa=is_kpa,
        is_rps=is_rps,
        is_weighted=scaling.aggregation == "weighted-exponential",
        target=target.target
        if is_kpa or is_rps or signal is not None
        else headroom_target(target.target, target.total),
        total=target.total,
        # An activator that stepped out would hear no reports.
        target_burst_capacity=scaling.target_burst_capacity if signal is None else -1.0,
        min_scale=max(scaling.min_scale, least),
        max_scale=scaling.max_scale,
        initial_scale=max(scaling.initial_scale, least),
        activation_scale=scaling.activation_scale,
        is_reachable=is_reachable,
        stable_window_s=scaling.stable_window_s,
        panic_window_s=_panic_window_s(scaling)
        if is_kpa or _is_panic_window_chosen(annotations, defaults)
        else fast_window_s(scaling.stable_window_s),
        panic_threshold=scaling.panic_threshold_percentage / 100,
        scale_down_delay_s=scaling.scale_down_delay_s,
        max_up_rate=defaults.max_scale_up_rate,
        max_down_rate=defaults.max_scale_down_rate,
        grace_s=defaults.scale_to_zero_grace_period_s,
        retention_s=scaling.retention_s if is_reachable else 0.0,
        activation_timeout_s=_activation_timeout_s(annotations, settings),
        is_zero_allowed=defaults.enable_scale_to_zero,
        journal_length_max=settings.journal_length_max,
        keep_factor=FACTORS[scaling.keep_alive],
        signal=signal,
        is_direct=settings.is_mode_followed and annotations.get(keys.DIRECT) == "true",
    )


def headroom_target(target: float, total: float) -> float:
    """Keep headroom, but never below one whole request (class relight, concurrency).

    A replica for 10 requests aims at 7. One for a single request aims at 1, not at 0.7,
    because 0.7 asks for two replicas while one request runs.
    """
    return max(target, min(1.0, total))


def _signal(
    scaling: Scaling, target: Target, container_concurrency: int, defaults: Defaults
) -> Signal | None:
    """How the metric is measured, where replicas report it, and what a request is until then."""
    if scaling.metric == "concurrency" or scaling.metric == "rps":
        return None
    by_requests = replace(scaling, metric="concurrency", target=None)
    usual = resolve_target(by_requests, container_concurrency, defaults)
    return Signal(
        metric=scaling.metric,
        target=target.target,
        requests=headroom_target(usual.target, usual.total),
        slots=container_concurrency,
    )


def _panic_window_s(scaling: Scaling) -> float:
    """Whole seconds, halves up as in Go, and at least one bucket."""
    window_s = scaling.stable_window_s * scaling.panic_window_percentage / 100
    return max(1.0, float(int(window_s + 0.5)))


def fast_window_s(stable_window_s: float) -> float:
    """The fast window of class relight where none is asked for: a thirtieth, two seconds at least.

    One second is noise (a request of 0.2 s more or less), three are a second too late.
    """
    return max(2.0, float(int(stable_window_s / 30 + 0.5)))


def _is_panic_window_chosen(annotations: Mapping[str, str], defaults: Defaults) -> bool:
    """Whether somebody wants another panic window than what Knative has anyway."""
    if defaults.panic_window_percentage != Defaults().panic_window_percentage:
        return True
    return keys.PANIC_WINDOW in annotations or camel_case(keys.PANIC_WINDOW) in annotations


def _activation_timeout_s(annotations: Mapping[str, str], settings: Settings) -> float:
    """None runs while Pods wait for what is no fault of theirs: room, an image, a model."""
    deadline_s = _progress_deadline_s(annotations, settings)
    return _LONG_S if annotations.get(keys.WAITS) else deadline_s + _ACTIVATION_BUFFER_S


def _progress_deadline_s(annotations: Mapping[str, str], settings: Settings) -> float:
    text = annotations.get(keys.PROGRESS_DEADLINE)
    if text is None:
        return settings.progress_deadline_s
    nanoseconds = duration_ns(text)
    if nanoseconds is None or nanoseconds < 0:
        path = f"metadata.annotations.{keys.PROGRESS_DEADLINE}"
        raise InvalidObjectError([FieldError(message=f"invalid value: {text}", paths=(path,))])
    return nanoseconds / 1e9
