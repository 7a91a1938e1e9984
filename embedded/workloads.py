"""Deployment → Pods: what to create, what to delete, what to report.

For: deciding, for one Deployment, the next step toward its replicas.
Must not know: how objects are read or written, clocks, dice, or what runs in a Pod.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import orjson

from api.conditions import Condition, is_ready, merge
from api.naming import pod_name
from api.objects import Raw, owner_reference_to, rfc3339

TEMPLATE_HASH = "pod-template-hash"
# Kubernetes' controllers, too, create in batches (SlowStartInitialBatchSize): the first of a
# hundred replicas shall serve before the last is written down.
CREATES_MAX = 8
PROGRESS_DEADLINE_S = 600  # Kubernetes' default for progressDeadlineSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The writes that bring the world one step nearer; applied twice it changes nothing."""

    creates: tuple[dict[str, Any], ...] = ()
    deletes: tuple[str, ...] = ()  # names of Pods
    status: Mapping[str, Any] | None = None  # None: as it stands
    requeue_after_s: float | None = None  # when a deadline may pass with nothing else happening


def template_hash(deployment: Raw) -> str:
    """Ten hex digits that change when the pod template does."""
    template = orjson.dumps(deployment["spec"]["template"], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(template).hexdigest()[:10]


def is_going(pod: Raw) -> bool:
    """Whether a Pod is on its way out and no longer counts as a replica."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def make_pod(deployment: Raw, suffix: str, revision_hash: str) -> dict[str, Any]:
    """The Pod that a Deployment's template, of that hash, asks for."""
    template = deployment["spec"]["template"]
    metadata = template.get("metadata") or {}
    name = deployment["metadata"]["name"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(name, f"{revision_hash[:5]}{suffix}"),
            "namespace": deployment["metadata"]["namespace"],
            "labels": {**(metadata.get("labels") or {}), TEMPLATE_HASH: revision_hash},
            "annotations": dict(metadata.get("annotations") or {}),
            "ownerReferences": [owner_reference_to(deployment)],
        },
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }


def plan(deployment: Raw, pods: Sequence[Raw], *, suffixes: Iterator[str], now_s: float) -> Plan:
    """Decide the next step for a Deployment whose Pods are `pods`.

    `suffixes` yields random name endings; `now_s` is wall time (seconds since the epoch), as
    Kubernetes' conditions record it. At most `CREATES_MAX` Pods are created in a step.
    """
    if deployment["metadata"].get("deletionTimestamp"):
        return Plan()
    replicas = int(deployment["spec"].get("replicas", 1))
    current_hash = template_hash(deployment)
    staying = [pod for pod in pods if not is_going(pod)]
    fresh = [p for p in staying if p["metadata"]["labels"].get(TEMPLATE_HASH) == current_hash]
    stale = [p for p in staying if p["metadata"]["labels"].get(TEMPLATE_HASH) != current_hash]
    missing = max(0, replicas - len(fresh))
    creates = tuple(
        make_pod(deployment, suffix, current_hash)
        for suffix in islice(suffixes, min(missing, CREATES_MAX))
    )
    deletes = _surplus(fresh, replicas) + _replaced(stale, fresh, replicas)
    status = _status(deployment, staying, fresh, now_s=now_s)
    unchanged = status == deployment.get("status")
    return Plan(
        creates=creates,
        deletes=deletes,
        status=None if unchanged else status,
        requeue_after_s=_seconds_to_deadline(deployment, status, now_s=now_s),
    )


def _surplus(pods: Sequence[Raw], replicas: int) -> tuple[str, ...]:
    """Those to stop when there are too many: not ready first, then the youngest.

    Kubernetes' order (pkg/controller, ActivePods): what does no work yet goes first.
    """
    excess = len(pods) - replicas
    if excess <= 0:
        return ()
    by_age = sorted(pods, key=_age_key, reverse=True)
    by_use = sorted(by_age, key=is_ready)
    return tuple(pod["metadata"]["name"] for pod in by_use[:excess])


def _replaced(stale: Sequence[Raw], fresh: Sequence[Raw], replicas: int) -> tuple[str, ...]:
    """Pods of an older template may go once that many new ones serve (maxUnavailable 0)."""
    ready = sum(1 for pod in fresh if is_ready(pod))
    keep = max(0, replicas - ready)
    ordered = sorted(sorted(stale, key=_age_key, reverse=True), key=is_ready)
    return tuple(pod["metadata"]["name"] for pod in ordered[: max(0, len(stale) - keep)])


def _age_key(pod: Raw) -> tuple[str, int]:
    metadata = pod["metadata"]
    return metadata.get("creationTimestamp", ""), int(metadata.get("resourceVersion", 0) or 0)


def _status(
    deployment: Raw, staying: Sequence[Raw], fresh: Sequence[Raw], *, now_s: float
) -> dict[str, Any]:
    replicas = int(deployment["spec"].get("replicas", 1))
    ready = sum(1 for pod in staying if is_ready(pod))
    previous = (deployment.get("status") or {}).get("conditions") or ()
    counts = {
        "replicas": len(staying),
        "updatedReplicas": len(fresh),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, replicas - ready),
    }
    status = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        **{name: count for name, count in counts.items() if count},
        "conditions": merge(previous, _conditions(ready, replicas), now=rfc3339(now_s)),
    }
    left_s = _seconds_to_deadline(deployment, status, now_s=now_s)
    if left_s is not None and left_s <= 0 and ready < replicas:
        late = Condition(
            type="Progressing",
            status="False",
            reason="ProgressDeadlineExceeded",
            message=f'Deployment "{deployment["metadata"]["name"]}" has timed out progressing.',
        )
        kept = [c for c in _conditions(ready, replicas) if c.type != late.type]
        status["conditions"] = merge(previous, [*kept, late], now=rfc3339(now_s))
    return status


def _conditions(ready: int, replicas: int) -> list[Condition]:
    is_available = ready >= replicas
    count = f"{ready} of {replicas} replicas are ready."
    return [
        Condition(
            type="Available",
            status="True" if is_available else "False",
            reason="MinimumReplicas" + ("Available" if is_available else "Unavailable"),
            message=count,
        ),
        Condition(
            type="Progressing",
            status="True",
            reason="NewReplicaSetAvailable" if is_available else "ReplicaSetUpdated",
            message=count,  # a change of the count is progress: it restarts the deadline
        ),
    ]


def _seconds_to_deadline(deployment: Raw, status: Raw, *, now_s: float) -> float | None:
    """Seconds until the progress deadline passes, or None when nothing is awaited.

    The deadline stays passed until a replica becomes ready: a condition already False is kept
    by the caller, because its count has not changed either.
    """
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Progressing" and condition["status"] == "False":
            return 0.0
    for condition in status["conditions"]:
        if condition["type"] == "Progressing" and condition["reason"] == "ReplicaSetUpdated":
            since = datetime.fromisoformat(condition["lastTransitionTime"]).timestamp()
            deadline_s = deployment["spec"].get("progressDeadlineSeconds", PROGRESS_DEADLINE_S)
            return float(since + deadline_s - now_s)
    return None
