"""What Knative's ServerlessService says of one Revision, and what a PodAutoscaler says of that.

For: the object as Knative's own autoscaler writes it (knative/serving, pkg/reconciler/autoscaling:
     resources/sks.go, kpa/kpa.go), and the conditions that follow from it.
Must not know: how it is read or written, or why a mode was chosen.

Who carries requests for a Revision is Knative's to do: its controller leads the Service named as
the Revision to activators (`Proxy`) or to Pods (`Serve`), as `spec.mode` of this object says.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from api import conditions, keys
from api.conditions import FALSE, INFO, READY, TRUE, UNKNOWN, Condition
from api.kinds import PODAUTOSCALERS, SERVERLESSSERVICES
from api.objects import Raw
from autoscaler import status
from autoscaler.bursting import Mode

SKS_READY: Final = "SKSReady"
_TOLD_MAX: Final = 4096  # different answers remembered
_NOT_YET: Final = "No Private Service Name"  # Knative's words
_AWAKE: Final = Condition(
    type=keys.CONDITION_WAKES,
    status=FALSE,
    severity=INFO,
    reason="ActivatorMetricsOff",
    message="Nobody tells when requests wait for this Revision at zero, so one replica stays: "
    "Knative's activators have to show metrics (metrics-protocol: prometheus in ConfigMap "
    "config-observability).",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a PodAutoscaler has to tell beside its replicas."""

    service_name: str = ""  # where the Revision is called
    private_name: str = ""  # that of its Pods
    is_ready: bool = False
    message: str = _NOT_YET
    is_foreign: bool = False  # somebody else's object has that name
    can_wake: bool = True


def made(autoscaler: Raw, *, mode: Mode, activators: int) -> dict[str, Any]:
    """The object, owned by its PodAutoscaler."""
    source, spec = autoscaler["metadata"], autoscaler.get("spec") or {}
    reference = spec.get("scaleTargetRef") or {}
    return {
        "apiVersion": SERVERLESSSERVICES.api_version,
        "kind": SERVERLESSSERVICES.kind,
        "metadata": {
            "name": source["name"],
            "namespace": source["namespace"],
            "labels": dict(source.get("labels") or {}),
            "annotations": {
                name: text
                for name, text in (source.get("annotations") or {}).items()
                if name != keys.SCALING_METRIC  # which is the PodAutoscaler's alone
            },
            "ownerReferences": [
                {
                    "apiVersion": PODAUTOSCALERS.api_version,
                    "kind": PODAUTOSCALERS.kind,
                    "name": source["name"],
                    "uid": source["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "mode": mode,
            "numActivators": activators,
            "objectRef": {
                name: reference[name]
                for name in ("apiVersion", "kind", "name")
                if name in reference
            },
            "protocolType": spec.get("protocolType", "http1"),
        },
    }


def is_owned(service: Raw, uid: str) -> bool:
    """Say whether the PodAutoscaler with that uid controls it."""
    owners = service["metadata"].get("ownerReferences") or ()
    return any(each.get("controller") and each.get("uid") == uid for each in owners)


def patch(stored: Raw, wanted: Raw) -> dict[str, Any] | None:
    """What a merge has to change of `stored`; None: nothing. Labels stay as they were made."""
    spec = stored.get("spec") or {}
    changed = {name: value for name, value in wanted["spec"].items() if spec.get(name) != value}
    return {"spec": changed} if changed else None


def standing(service: Raw | None, *, uid: str, can_wake: bool) -> Standing:
    """What the object says of itself; None: there is none yet. `uid` is its PodAutoscaler's."""
    if service is None:
        return Standing(can_wake=can_wake)
    if not is_owned(service, uid):
        return Standing(is_foreign=True, can_wake=can_wake)
    told = service.get("status") or {}
    found = conditions.find(service, READY)
    private = str(told.get("privateServiceName") or "")
    is_ready = conditions.is_true(service, READY) and bool(private)
    message = "" if found is None or is_ready else found.message
    return Standing(
        service_name=str(told.get("serviceName") or ""),
        private_name=private,
        is_ready=is_ready,
        message=message if private else _NOT_YET,
        can_wake=can_wake,
    )


@lru_cache(maxsize=_TOLD_MAX)
def told(
    name: str, of_replicas: tuple[Condition, ...], standing: Standing
) -> tuple[Condition, ...]:
    """All conditions of a PodAutoscaler, from those of its replicas."""
    parts = [_of_replicas(name, each, standing) for each in of_replicas if each.type != READY]
    services = Condition(type=SKS_READY, status=TRUE)
    if not standing.is_ready:
        message = standing.message
        services = Condition(type=SKS_READY, status=UNKNOWN, reason="NotReady", message=message)
    parts.insert(1, services)  # behind Active: of several reasons Ready has the first
    if not standing.can_wake:
        parts.append(_AWAKE)
    return (*parts, conditions.ready(parts))


def _of_replicas(name: str, told: Condition, standing: Standing) -> Condition:
    if told.type == status.ACTIVE and standing.is_foreign:
        kind = SERVERLESSSERVICES.kind
        says = f'There is an existing {kind} "{name}" that we do not own.'
        return Condition(type=told.type, status=FALSE, reason="NotOwned", message=says)
    if told.type == status.INITIALIZED and not standing.service_name:
        return Condition(type=told.type, status=UNKNOWN)  # nobody can call it yet
    return told
