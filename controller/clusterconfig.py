"""Settings that whoever runs a cluster keeps in ConfigMaps, as for Knative.

For: reading `config-gc` and `config-network` of namespace knative-serving, as Knative does.
Must not know: how ConfigMaps are read or watched, or what the settings do.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from api.formats import duration_ns

NAMESPACE = "knative-serving"
CONFIG_GC = "config-gc"
CONFIG_NETWORK = "config-network"

_Number = TypeVar("_Number", int, float)

_NS_PER_S = 1_000_000_000
_DISABLED = "disabled"
_EXAMPLE = "_example"  # Knative's own documentation inside its ConfigMaps
_INT64_MAX = 2**63 - 1
_DURATION_KEYS = ("retain-since-create-time", "retain-since-last-active-time")
_MIN_KEY, _MAX_KEY = "min-non-active-revisions", "max-non-active-revisions"
_ROLLOUT_KEYS = ("rolloutDuration", "rollout-duration")  # the new spelling counts more


class ConfigError(ValueError):
    """A ConfigMap that can not be read; the message is Knative's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Which Revisions are collected. None: that rule is disabled."""

    since_create_s: float | None = 48 * 3600.0
    since_active_s: float | None = 15 * 3600.0
    min_idle: int = 20
    max_idle: int | None = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """All that is read."""

    collection: Collection = Collection()
    rollout_s: int = 0  # of Routes that do not say how long


def updated(config: ClusterConfig, name: str, data: Mapping[str, str]) -> ClusterConfig:
    """The settings after the ConfigMap of that name said `data`; raises ConfigError."""
    collection, rollout_s = config.collection, config.rollout_s
    if name == CONFIG_GC:
        collection = parse_collection(data)
    elif name == CONFIG_NETWORK:
        rollout_s = parse_rollout_s(data)
    return ClusterConfig(collection=collection, rollout_s=rollout_s)


def fault(namespace: str, name: str, data: Mapping[str, str]) -> str:
    """Why a ConfigMap can not be read, in Knative's words; "" for one that can, or is not ours."""
    try:
        if namespace == NAMESPACE:
            updated(ClusterConfig(), name, data)
    except ConfigError as error:
        return str(error)
    return ""


def unserved(name: str, data: Mapping[str, str]) -> list[str]:
    """The keys of a ConfigMap that nobody here reads."""
    served: dict[str, tuple[str, ...]] = {
        CONFIG_GC: (*_DURATION_KEYS, _MIN_KEY, _MAX_KEY),
        CONFIG_NETWORK: _ROLLOUT_KEYS,
    }
    known = {_EXAMPLE, *served.get(name, ())}
    return sorted(key for key in data if key not in known) if name in served else []


def parse_collection(data: Mapping[str, str]) -> Collection:
    """What `config-gc` says; raises ConfigError."""
    default = Collection()
    least = default.min_idle
    if _MIN_KEY in data:
        try:
            least = _go_int(data[_MIN_KEY])
        except ConfigError as error:
            raise ConfigError(
                f'failed to parse data: failed to parse "{_MIN_KEY}": {error}'
            ) from None
    create_s, active_s = (
        _or_disabled(data, key, seconds, _seconds)
        for key, seconds in zip(
            _DURATION_KEYS, (default.since_create_s, default.since_active_s), strict=True
        )
    )
    most = _or_disabled(data, _MAX_KEY, default.max_idle, _go_uint)
    if least < 0:
        raise ConfigError(f"{_MIN_KEY} must be non-negative, was: {least}")
    if most is not None and least > most:
        raise ConfigError(f"{_MIN_KEY}({least}) must be <= {_MAX_KEY}({most})")
    return Collection(
        since_create_s=create_s, since_active_s=active_s, min_idle=least, max_idle=most
    )


def parse_rollout_s(data: Mapping[str, str]) -> int:
    """What `config-network` says of rollouts, in seconds; raises ConfigError."""
    seconds = 0
    for key in _ROLLOUT_KEYS:
        if key in data:
            try:
                seconds = _go_int(data[key])
            except ConfigError as error:
                raise ConfigError(f'failed to parse "{key}": {error}') from None
    if seconds < 0:
        raise ConfigError(f"rollout-duration must be a positive integer, but was {seconds}")
    return seconds


def _or_disabled(
    data: Mapping[str, str], key: str, default: _Number | None, parse: Callable[[str], _Number]
) -> _Number | None:
    text = data.get(key, "").strip()
    if not text:
        return default
    if text.lower() == _DISABLED:
        return None
    try:
        return parse(text)
    except ConfigError as error:
        raise ConfigError(f"failed to parse {key}: {error}") from None


def _seconds(text: str) -> float:
    found = duration_ns(text)
    if found is None:
        raise ConfigError(f'time: invalid duration "{text}"')
    if found < 0:
        raise ConfigError("must be non-negative")
    return found / _NS_PER_S


def _go_uint(text: str) -> int:
    if not re.fullmatch(r"[0-9]+", text):
        raise ConfigError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    number = int(text[:40])
    if number > 2 * _INT64_MAX + 1:
        raise ConfigError(f'strconv.ParseUint: parsing "{text}": value out of range')
    if number > _INT64_MAX:
        raise ConfigError(f"value should be lower than {_INT64_MAX}")
    return number


def _go_int(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ConfigError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    number = int(text[:40])
    if not -_INT64_MAX - 1 <= number <= _INT64_MAX:
        raise ConfigError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number
