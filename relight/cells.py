"""What stands in each column of a table, for each kind.

For: reading an object's status the way kubectl's columns do, and a little further.
Must not know: how a table is laid out, or the time (it is an argument).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from api import keys
from relight import containers, replicas
from relight.ages import age
from relight.replicas import Replicas, at

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a cell needs beside its object."""

    now_s: float  # since the epoch
    replicas: Replicas = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `is_wide` ones are shown with `-o wide` only."""

    title: str
    cell: Callable[[Raw, Facts], Any]
    is_wide: bool = False


def _field(*path: str) -> Callable[[Raw, Facts], Any]:
    return lambda raw, _facts: at(raw, *path)


def _label(key: str) -> Callable[[Raw, Facts], Any]:
    return _field("metadata", "labels", key)


def _condition(type_: str, part: str) -> Callable[[Raw, Facts], Any]:
    def cell(raw: Raw, _facts: Facts) -> Any:
        conditions = at(raw, "status", "conditions") or ()
        return next((c.get(part) for c in conditions if c.get("type") == type_), None)

    return cell


def _age(raw: Raw, facts: Facts) -> str:
    return age(at(raw, "metadata", "creationTimestamp"), facts.now_s)


def _traffic(raw: Raw, _facts: Facts) -> str:
    targets = at(raw, "status", "traffic") or ()
    shares = [f"{t.get('revisionName')}={t['percent']}%" for t in targets if t.get("percent")]
    return ",".join(shares)


def _replicas(raw: Raw, facts: Facts) -> str:
    metadata = raw["metadata"]
    ready, whole = facts.replicas.get((metadata.get("namespace", ""), metadata["name"]), (0, 0))
    return f"{ready}/{whole}" if whole else "0"


def _container(raw: Raw) -> Raw:
    spec = at(raw, "spec", "template", "spec") or at(raw, "spec") or {}
    first: Raw = (spec.get("containers") or [{}])[0]
    return first


def _source(raw: Raw, _facts: Facts) -> str:
    return containers.model_source(_container(raw))


_NAME = Column("NAME", _field("metadata", "name"))
_READY = (Column("READY", _condition("Ready", "status")),)
_REASON = (Column("REASON", _condition("Ready", "reason")),)
_AGE = Column("AGE", _age)

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "services": (
        _NAME,
        Column("URL", _field("status", "url")),
        Column("LATESTCREATED", _field("status", "latestCreatedRevisionName")),
        Column("LATESTREADY", _field("status", "latestReadyRevisionName")),
        *_READY,
        *_REASON,
        Column("TRAFFIC", _traffic),
        Column("REPLICAS", _replicas),
        Column("AGE", _age, True),
        Column("SOURCE", _source, True),
    ),
    "revisions": (
        _NAME,
        Column("CONFIG NAME", _label(keys.CONFIGURATION)),
        Column("GENERATION", _label(keys.CONFIGURATION_GENERATION)),
        *_READY,
        *_REASON,
        Column("ACTUAL REPLICAS", _field("status", "actualReplicas")),
        Column("DESIRED REPLICAS", _field("status", "desiredReplicas")),
        Column("AGE", _age, True),
        Column("DIGEST", _field("metadata", "annotations", keys.MODEL_DIGEST), True),
        Column("SOURCE", _source, True),
    ),
    "routes": (
        _NAME,
        Column("URL", _field("status", "url")),
        *_READY,
        *_REASON,
        Column("TRAFFIC", _traffic, True),
        Column("AGE", _age, True),
    ),
    "pods": (
        _NAME,
        Column("READY", lambda pod, _facts: replicas.ready_containers(pod)),
        Column("STATUS", lambda pod, _facts: replicas.status(pod)),
        Column("RESTARTS", lambda pod, _facts: replicas.restarts(pod)),
        _AGE,
        Column("REVISION", _label(keys.REVISION), True),
        Column("ENDPOINT", _field("metadata", "annotations", keys.ENDPOINT), True),
    ),
}
NAMESPACE = Column("NAMESPACE", _field("metadata", "namespace"))
