"""Pods as a person counts them.

For: the columns that speak of replicas, in kubectl's words.
Must not know: tables, or how Pods are fetched.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from api import conditions, keys

Raw = Mapping[str, Any]
Replicas = Mapping[tuple[str, str], tuple[int, int]]  # (namespace, service) → (ready, all)


def at(raw: Raw, *path: str) -> Any:
    """The value at a path of keys, or None."""
    value: Any = raw
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def count_replicas(pods: Iterable[Raw]) -> Replicas:
    """How many replicas each Service has; those on their way out do not count."""
    counted: dict[tuple[str, str], tuple[int, int]] = {}
    for pod in pods:
        service = at(pod, "metadata", "labels", keys.SERVICE)
        if service and not at(pod, "metadata", "deletionTimestamp"):
            key = (at(pod, "metadata", "namespace") or "", service)
            ready, whole = counted.get(key, (0, 0))
            counted[key] = (ready + conditions.is_true(pod, "Ready"), whole + 1)
    return counted


def _containers(pod: Raw) -> Sequence[Raw]:
    return at(pod, "status", "containerStatuses") or ()


def ready_containers(pod: Raw) -> str:
    """Ready of all containers, "1/1"."""
    statuses = _containers(pod)
    wanted = len(at(pod, "spec", "containers") or statuses)
    return f"{sum(bool(each.get('ready')) for each in statuses)}/{wanted}"


def restarts(pod: Raw) -> int:
    """How often its containers were started again."""
    return sum(int(each.get("restartCount") or 0) for each in _containers(pod))


def status(pod: Raw) -> str:
    """The word kubectl shows: why a Pod waits or ended, else its phase."""
    if at(pod, "metadata", "deletionTimestamp"):
        return "Terminating"
    for container in _containers(pod):
        for state in ("waiting", "terminated"):
            reason = at(container, "state", state, "reason")
            if reason:
                return str(reason)
    return str(at(pod, "status", "phase") or "Unknown")
