"""Settings that whoever runs a cluster keeps in ConfigMaps, as for Knative.

For: reading `config-gc`, `config-network` and what the controller needs of `config-autoscaler` and
     `config-deployment`, in namespace knative-serving, as Knative does.
Must not know: how ConfigMaps are read or watched, or what the settings do.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from api import autoscaler_config, deployment_config
from api.autoscaler_config import NS_PER_S, Defaults, SettingsError
from api.formats import duration_ns
from api.settings_examples import EDITED, is_edited
from api.templates import PROGRESS_DEADLINE_S_DEFAULT
from controller.unserved import GC_KEYS, NAMES, ROLLOUT_KEYS, unserved

NAMESPACE = "knative-serving"
CONFIG_GC = "config-gc"
CONFIG_NETWORK = "config-network"

_Number = TypeVar("_Number", int, float)

_DISABLED = "disabled"
_INT64_MAX = 2**63 - 1
_DURATION_KEYS = GC_KEYS[:2]
_MIN_KEY, _MAX_KEY = GC_KEYS[2:]
_WITHOUT: Mapping[str, str] = {}


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
    defaults: Defaults = field(default_factory=Defaults)  # of Revisions' scaling
    progress_deadline_s: int = PROGRESS_DEADLINE_S_DEFAULT  # of Revisions that do not say


def updated(config: ClusterConfig, name: str, data: Mapping[str, str]) -> ClusterConfig:
    """The settings after the ConfigMap of that name said `data`; raises SettingsError."""
    if name == CONFIG_GC:
        return replace(config, collection=parse_collection(data))
    if name == CONFIG_NETWORK:
        return replace(config, rollout_s=parse_rollout_s(data))
    if name == deployment_config.NAME:
        return replace(config, progress_deadline_s=deployment_config.parse(data))
    if name == autoscaler_config.NAME:
        return replace(config, defaults=autoscaler_config.parse_known(data))
    return config


def fault(
    namespace: str,
    name: str,
    data: Mapping[str, str],
    annotations: Mapping[str, str] = _WITHOUT,
    *,
    home: str = NAMESPACE,
) -> str:
    """Why a ConfigMap can not be written, in Knative's words; "" for one that can, or is not ours.

    What is not read is refused too, each key by name. `home` is the namespace that is read.
    """
    if namespace != home or name not in NAMES:
        return ""
    if is_edited(data, annotations):
        return EDITED
    found = [f'"{key}" is not served: {why}' for key, why in unserved(name, data).items()]
    try:
        updated(ClusterConfig(), name, data)
    except SettingsError as error:
        found.append(str(error))
    return "; ".join(found)


def parse_collection(data: Mapping[str, str]) -> Collection:
    """What `config-gc` says; raises SettingsError."""
    default = Collection()
    least = default.min_idle
    if _MIN_KEY in data:
        try:
            least = _go_int(data[_MIN_KEY])
        except SettingsError as error:
            raise SettingsError(
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
        raise SettingsError(f"{_MIN_KEY} must be non-negative, was: {least}")
    if most is not None and least > most:
        raise SettingsError(f"{_MIN_KEY}({least}) must be <= {_MAX_KEY}({most})")
    return Collection(
        since_create_s=create_s, since_active_s=active_s, min_idle=least, max_idle=most
    )


def parse_rollout_s(data: Mapping[str, str]) -> int:
    """What `config-network` says of rollouts, in seconds; raises SettingsError."""
    seconds = 0
    for key in ROLLOUT_KEYS:
        if key in data:
            try:
                seconds = _go_int(data[key])
            except SettingsError as error:
                raise SettingsError(f'failed to parse "{key}": {error}') from None
    if seconds < 0:
        raise SettingsError(f"rollout-duration must be a positive integer, but was {seconds}")
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
    except SettingsError as error:
        raise SettingsError(f"failed to parse {key}: {error}") from None


def _seconds(text: str) -> float:
    found = duration_ns(text)
    if found is None:
        raise SettingsError(f'time: invalid duration "{text}"')
    if found < 0:
        raise SettingsError("must be non-negative")
    return found / NS_PER_S


def _go_uint(text: str) -> int:
    if not re.fullmatch(r"[0-9]+", text):
        raise SettingsError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    number = int(text[:40])
    if number > 2 * _INT64_MAX + 1:
        raise SettingsError(f'strconv.ParseUint: parsing "{text}": value out of range')
    if number > _INT64_MAX:
        raise SettingsError(f"value should be lower than {_INT64_MAX}")
    return number


def _go_int(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise SettingsError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    number = int(text[:40])
    if not -_INT64_MAX - 1 <= number <= _INT64_MAX:
        raise SettingsError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number
