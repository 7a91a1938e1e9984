"""Class hpa: a PodAutoscaler as a HorizontalPodAutoscaler of Kubernetes, and its status.

For: what the cluster's own autoscaler is asked for, and what is said of it (knative/serving,
     pkg/reconciler/autoscaling/hpa).
Must not know: how either object is written, or what measures cpu and memory.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from api import conditions, keys
from api.autoscaler_config import Defaults
from api.autoscaling import PodAutoscaler, Scaling, admitted_scaling
from api.conditions import FALSE, TRUE, UNKNOWN, Condition
from api.kinds import DEPLOYMENTS, PODAUTOSCALERS, Resource
from api.objects import Raw
from autoscaler.status import ACTIVE, INITIALIZED

V2: Final = Resource(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscaler",
    ("hpa",),
    ("all",),
)
# The same in all that is written here; before Kubernetes 1.23 it is all there is.
V2BETA2: Final = replace(V2, version="v2beta2")
NOT_OWNED: Final = "NotOwned"
FAILED: Final = "FailedCreate"

_CPU, _MEMORY = "cpu", "memory"
_INT32_MAX: Final = 2**31 - 1
_MIB: Final = 1024 * 1024


def horizontal(raw: Raw, defaults: Defaults, resource: Resource = V2) -> dict[str, Any]:
    """The HorizontalPodAutoscaler of a PodAutoscaler; InvalidObjectError names what is wrong."""
    autoscaler = PodAutoscaler.parse(raw, defaults=defaults.permissive)
    metadata, annotations = raw["metadata"], autoscaler.metadata.annotations
    scaling = admitted_scaling(annotations, defaults=defaults)
    low = least(raw, scaling)
    spec: dict[str, Any] = {
        "scaleTargetRef": {
            "apiVersion": DEPLOYMENTS.api_version,
            "kind": DEPLOYMENTS.kind,
            "name": autoscaler.scale_target_name,
        },
        "maxReplicas": scaling.max_scale or _INT32_MAX,
    }
    if low > 0:
        spec["minReplicas"] = low
    if scaling.target is not None:
        spec["metrics"] = [_metric(annotations.get(keys.SCALING_METRIC, _CPU), scaling.target)]
    if keys.STABLE_WINDOW in annotations:
        rules = {"stabilizationWindowSeconds": int(scaling.stable_window_s)}
        spec["behavior"] = {"scaleDown": rules, "scaleUp": rules}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": dict(metadata.get("labels") or {}),
            "annotations": dict(annotations),
            "ownerReferences": [_owner(metadata)],
        },
        "spec": spec,
    }


def least(raw: Raw, scaling: Scaling) -> int:
    """The minimum that holds: none where no Route points."""
    is_reachable = (raw.get("spec") or {}).get("reachability") != "Unreachable"
    return scaling.min_scale if is_reachable else 0


def is_controlled_by(child: Raw, owner: Raw) -> bool:
    """Whether the object is the PodAutoscaler's own, not only of its name."""
    owners = child["metadata"].get("ownerReferences") or ()
    uid = owner["metadata"].get("uid")
    return any(each.get("controller") and each.get("uid") == uid for each in owners)


def is_within(wanted: Any, stored: Any) -> bool:
    """Whether all that is wanted is stored; an API server adds its own defaults."""
    if isinstance(wanted, Mapping):
        return isinstance(stored, Mapping) and all(
            is_within(value, stored.get(name)) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(stored, list)
            and len(wanted) == len(stored)
            and all(map(is_within, wanted, stored))
        )
    return bool(wanted == stored)


def threshold(raw: Raw, defaults: Defaults) -> int:
    """Replicas that make the target count as initialized; afterwards, the least that run."""
    scaling = admitted_scaling(raw["metadata"].get("annotations") or {}, defaults=defaults)
    is_initialized = conditions.is_true(raw, INITIALIZED)
    return max(least(raw, scaling), 1 if is_initialized else scaling.initial_scale)


def status(
    raw: Raw, *, found: Raw | None, deployment: Raw | None, defaults: Defaults, problem: str = ""
) -> dict[str, Any]:
    """The PodAutoscaler's status, but for the time in its conditions.

    `found` is the HorizontalPodAutoscaler; `problem` is why there is none of ours. What is wanted
    is what that says, or the Deployment as long as nothing was measured.
    """
    told = (found or {}).get("status") or {}
    replicas = ((deployment or {}).get("spec") or {}).get("replicas", 0)
    ready = int(((deployment or {}).get("status") or {}).get("readyReplicas") or 0)
    is_initialized = conditions.is_true(raw, INITIALIZED) or (
        not problem and ready >= max(1, threshold(raw, defaults))
    )
    return {
        "observedGeneration": raw["metadata"].get("generation", 0),
        "desiredScale": int(told.get("desiredReplicas") or replicas),
        "actualScale": ready,
        "mode": "Serve",  # as Knative: it never waits for the activator
        "activators": None,
        "conditions": _conditions(raw, problem, is_initialized=is_initialized),
    }


def _conditions(raw: Raw, problem: str, *, is_initialized: bool) -> tuple[Condition, ...]:
    """Always active, for nothing scales to zero; Knative says inactive where it could not act."""
    name = f'HorizontalPodAutoscaler "{raw["metadata"]["name"]}"'
    says = {
        NOT_OWNED: f"There is an existing {name} that we do not own.",
        FAILED: f"Failed to create {name}.",
    }
    active = Condition(type=ACTIVE, status=TRUE)
    if problem:
        reason = problem if problem in says else FAILED
        message = says.get(problem) or f"{says[FAILED]} {problem}"
        active = Condition(type=ACTIVE, status=FALSE, reason=reason, message=message)
    initialized = Condition(type=INITIALIZED, status=TRUE if is_initialized else UNKNOWN)
    return active, initialized, conditions.ready((active, initialized))


def _owner(metadata: Raw) -> dict[str, Any]:
    return {
        "apiVersion": PODAUTOSCALERS.api_version,
        "kind": PODAUTOSCALERS.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _metric(name: str, target: float) -> dict[str, Any]:
    if name == _CPU:
        aim: dict[str, Any] = {"type": "Utilization", "averageUtilization": math.ceil(target)}
        return {"type": "Resource", "resource": {"name": _CPU, "target": aim}}
    if name == _MEMORY:
        aim = {"type": "AverageValue", "averageValue": _quantity(int(target) * _MIB, 1024)}
        return {"type": "Resource", "resource": {"name": _MEMORY, "target": aim}}
    aim = {"type": "AverageValue", "averageValue": _quantity(int(target), 1000)}
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": aim}}


def _quantity(number: int, step: int) -> str:
    """A whole number as Kubernetes writes it: the largest unit that leaves no fraction."""
    units = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei") if step == 1024 else tuple(" kMGTPE")
    at = 0
    while number and number % step == 0 and at < len(units) - 1:
        number //= step
        at += 1
    return f"{number}{units[at].strip()}"
