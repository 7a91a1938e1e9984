"""Knative's ConfigMap `config-autoscaler`: what holds where a Revision says nothing.

For: every key with Knative's default, bounds, rules between keys and complaints.
Must not know: who keeps the ConfigMap, or what the settings do.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from typing_extensions import override

from api import keys
from api.formats import duration_ns, duration_text
from api.settings_examples import EXAMPLE_KEY

NAME: Final = "config-autoscaler"
TARGET_MIN: Final = 0.01
NS_PER_S: Final = 1_000_000_000

_CLASSES: Final = (keys.CLASS_RELIGHT, keys.CLASS_KPA, keys.CLASS_HPA)
_KNATIVE_CLASSES: Final = ".knative.dev"
_FOREIGN: Final = re.compile(r"[./]")  # a class of somebody else's is told by a domain of theirs
_FLOAT: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INT: Final = re.compile(r"[+-]?[0-9]+")
_BOOLS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_INT32_MAX: Final = 2**31 - 1
_WHOLE: Final = "must be specified with at most second precision"


class SettingsError(ValueError):
    """A ConfigMap that can not be read; the message names each key, in Knative's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """All of `config-autoscaler`. Only the class differs from Knative's."""

    container_concurrency_target_fraction: float = 0.7  # ...-target-percentage
    container_concurrency_target_default: float = 100.0
    rps_target_default: float = 200.0
    target_burst_capacity: float = 211.0  # requests; -1: the activator is always in the path
    stable_window_s: float = 60.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    max_scale_up_rate: float = 1000.0  # replicas may grow by this factor in one decision
    max_scale_down_rate: float = 2.0  # and shrink by this one
    enable_scale_to_zero: bool = True
    scale_to_zero_grace_period_s: float = 30.0  # only class kpa waits for it
    retention_s: float = 0.0  # scale-to-zero-pod-retention-period
    class_: str = keys.CLASS_RELIGHT
    activator_capacity: float = 100.0
    initial_scale: int = 1
    allow_zero_initial_scale: bool = False
    min_scale: int = 0
    max_scale: int = 0  # unlimited
    max_scale_limit: int = 0  # unlimited
    scale_down_delay_s: float = 0.0

    @property
    def permissive(self) -> "Defaults":
        """These, forbidding nothing: what was admitted under others is read by them."""
        return replace(self, max_scale_limit=0, allow_zero_initial_scale=True)


def parse(data: Mapping[str, str]) -> Defaults:
    """What `config-autoscaler` says; raises SettingsError naming every key that is wrong.

    What can not be read is not checked against other keys: it is wrong already.
    """
    faults = [f'"{key}" is not a key that Relight knows' for key in unknown(data)]
    found: dict[str, Any] = {}
    for key, (name, read) in _READ.items():
        if key in data:
            try:
                found[name] = read(data[key])
            except ValueError as error:
                faults.append(f'failed to parse data: failed to parse "{key}": {error}')
    fraction = found.get("container_concurrency_target_fraction", 0.0)
    if fraction > 1.0:
        found["container_concurrency_target_fraction"] = fraction / 100.0
    said = Defaults(**{name: _seconds(value) for name, value in found.items()})
    faults += [*_of_times(found), *_of_targets(said), *_of_rates(said), *_of_scales(said)]
    if faults:
        raise SettingsError("; ".join(faults))
    return said


def parse_known(data: Mapping[str, str]) -> Defaults:
    """`parse`, leaving out keys of a later Knative: for maps that nobody refused when written."""
    ignored = unknown(data)
    return parse({key: text for key, text in data.items() if key not in ignored})


def unknown(data: Mapping[str, str]) -> list[str]:
    """The keys that are none of Knative's."""
    return sorted(key for key in data if key not in _READ and key != EXAMPLE_KEY)


@dataclass(frozen=True, slots=True)
class _Duration:
    """A time to the nanosecond, as bounds and complaints need it."""

    ns: int

    @override
    def __str__(self) -> str:
        return duration_text(self.ns)

    @property
    def is_whole(self) -> bool:
        return self.ns % NS_PER_S == 0


def _seconds(value: Any) -> Any:
    return value.ns / NS_PER_S if isinstance(value, _Duration) else value


def _of_times(found: Mapping[str, Any]) -> Iterator[str]:
    grace = found.get("scale_to_zero_grace_period_s")
    if grace is not None and grace.ns <= 0:
        yield f"scale-to-zero-grace-period must be positive, was: {grace}"
    delay = found.get("scale_down_delay_s")
    if delay is not None and delay.ns < 0:
        yield f"scale-down-delay cannot be negative, was: {delay}"
    elif delay is not None and not delay.is_whole:
        yield f"scale-down-delay = {delay}, {_WHOLE}"
    retention = found.get("retention_s")
    if retention is not None and retention.ns < 0:
        yield f"scale-to-zero-pod-retention-period cannot be negative, was: {retention}"
    window = found.get("stable_window_s")
    if window is not None and not 6 * NS_PER_S <= window.ns <= 3600 * NS_PER_S:
        yield f"stable-window = {window}, must be in [6s; 1h0m0s] range"
    elif window is not None and not window.is_whole:
        yield f"stable-window = {window}, {_WHOLE}"


def _of_targets(said: Defaults) -> Iterator[str]:
    if said.target_burst_capacity < 0 and said.target_burst_capacity != -1:
        yield (
            "target-burst-capacity must be either non-negative or -1 (for unlimited), was: "
            f"{said.target_burst_capacity:f}"
        )
    fraction = said.container_concurrency_target_fraction
    if not 0 < fraction <= 1:
        yield (
            f"container-concurrency-target-percentage = {fraction:f} is outside of valid range of "
            "(0, 100]"
        )
    elif (product := fraction * said.container_concurrency_target_default) < TARGET_MIN:
        yield (
            "container-concurrency-target-percentage and container-concurrency-target-default "
            f"yield target concurrency of {_shown(product)}, can't be less than {TARGET_MIN}"
        )
    if said.rps_target_default < TARGET_MIN:
        yield (
            f"requests-per-second-target-default must be at least {TARGET_MIN}, was: "
            f"{_shown(said.rps_target_default)}"
        )
    if said.activator_capacity < 1:
        yield f"activator-capacity = {_shown(said.activator_capacity)}, must be at least 1"
    if not _FOREIGN.search(said.class_) or (
        said.class_.endswith(_KNATIVE_CLASSES) and said.class_ not in _CLASSES
    ):
        # Knative takes any text, and nobody would ever scale by most of them.
        known = f"must be one of {', '.join(_CLASSES)}, or of your own domain"
        yield f'pod-autoscaler-class = "{said.class_}", {known}'


def _of_rates(said: Defaults) -> Iterator[str]:
    for key, rate in (
        ("max-scale-up-rate", said.max_scale_up_rate),
        ("max-scale-down-rate", said.max_scale_down_rate),
    ):
        if rate <= 1.0:
            yield f"{key} = {_shown(rate)}, must be greater than 1.0"
    if not 1 <= said.panic_window_percentage <= 100:
        shown = _shown(said.panic_window_percentage)
        yield f"panic-window-percentage = {shown}, must be in [1, 100] interval"


def _of_scales(said: Defaults) -> Iterator[str]:
    if said.initial_scale < 0 or (said.initial_scale == 0 and not said.allow_zero_initial_scale):
        yield (
            f"initial-scale = {said.initial_scale}, must be at least 0 "
            "(or at least 1 when allow-zero-initial-scale is false)"
        )
    if said.min_scale < 0:
        yield f"min-scale = {said.min_scale}, must be at least 0"
    least = 1 if said.max_scale_limit > 0 else 0
    is_over = said.max_scale_limit > 0 and said.max_scale > said.max_scale_limit
    if said.max_scale < least or is_over:
        yield (
            f"max-scale = {said.max_scale}, must be in "
            f"[{least}, max-scale-limit({said.max_scale_limit})] range"
        )
    if said.max_scale_limit < 0:
        yield f"max-scale-limit = {said.max_scale_limit}, must be at least 0"
    if said.min_scale > said.max_scale > 0:
        yield f"min-scale ({said.min_scale}) must be less than max-scale ({said.max_scale})"


def _shown(number: float) -> str:
    """A number as Go prints it."""
    is_plain = number == int(number) and abs(number) < 1e21
    return str(int(number)) if is_plain else repr(number)


def _bool(text: str) -> bool:
    if text not in _BOOLS:
        raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return _BOOLS[text]


def _float(text: str) -> float:
    number = float(text) if _FLOAT.fullmatch(text) else math.nan
    if math.isnan(number):
        raise ValueError(f'strconv.ParseFloat: parsing "{text}": invalid syntax')
    if math.isinf(number):
        raise ValueError(f'strconv.ParseFloat: parsing "{text}": value out of range')
    return number


def _int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    number = int(text[:40])
    if not -_INT32_MAX - 1 <= number <= _INT32_MAX:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def _duration(text: str) -> _Duration:
    found = duration_ns(text)
    if found is None:
        raise ValueError(f'time: invalid duration "{text}"')
    return _Duration(found)


_READ: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "container-concurrency-target-percentage": ("container_concurrency_target_fraction", _float),
    "container-concurrency-target-default": ("container_concurrency_target_default", _float),
    "requests-per-second-target-default": ("rps_target_default", _float),
    "target-burst-capacity": ("target_burst_capacity", _float),
    "stable-window": ("stable_window_s", _duration),
    "panic-window-percentage": ("panic_window_percentage", _float),
    "panic-threshold-percentage": ("panic_threshold_percentage", _float),
    "max-scale-up-rate": ("max_scale_up_rate", _float),
    "max-scale-down-rate": ("max_scale_down_rate", _float),
    "enable-scale-to-zero": ("enable_scale_to_zero", _bool),
    "scale-to-zero-grace-period": ("scale_to_zero_grace_period_s", _duration),
    "scale-to-zero-pod-retention-period": ("retention_s", _duration),
    "pod-autoscaler-class": ("class_", str.strip),
    "activator-capacity": ("activator_capacity", _float),
    "initial-scale": ("initial_scale", _int),
    "allow-zero-initial-scale": ("allow_zero_initial_scale", _bool),
    "min-scale": ("min_scale", _int),
    "max-scale": ("max_scale", _int),
    "max-scale-limit": ("max_scale_limit", _int),
    "scale-down-delay": ("scale_down_delay_s", _duration),
}
