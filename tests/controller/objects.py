"""Stored objects as planners see them, built by hand for the tests of the planners."""

from typing import Any

from api.conditions import Condition, merge

NOW = "2027-01-15T08:00:00Z"
NOW_S = 1_800_000_000.0  # the same
LATER = "2027-01-15T09:00:00Z"
LATER_S = NOW_S + 3600.0
SPEC = {
    "containerConcurrency": 4,
    "timeoutSeconds": 60,
    "containers": [{"name": "user-container", "image": "example.com/serve", "args": ["good"]}],
}


def stored(
    kind: str, name: str, spec: Any = None, *, api: str = "serving.knative.dev/v1", **metadata: Any
) -> dict[str, Any]:
    """An object of generation 1 that the API server has; its uid is its kind and name."""
    known = {
        "name": name,
        "namespace": "default",
        "uid": f"{kind}-{name}",
        "resourceVersion": "1",
        "generation": 1,
        "labels": {},
        "annotations": {},
    }
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {**known, **metadata},
        "spec": spec if spec is not None else {},
    }


def owned_by(owner: dict[str, Any]) -> list[dict[str, Any]]:
    metadata = owner["metadata"]
    return [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def saying(raw: dict[str, Any], *conditions: Condition, **fields: Any) -> dict[str, Any]:
    """The object with a status of its present generation."""
    status = {
        "observedGeneration": raw["metadata"]["generation"],
        "conditions": merge((), conditions, now=NOW),
        **fields,
    }
    return {**raw, "status": status}


def ready(status: str = "True", reason: str = "", message: str = "") -> Condition:
    return Condition(type="Ready", status=status, reason=reason, message=message)


def applied(raw: dict[str, Any], plan: Any) -> dict[str, Any]:
    """The planned object after the plan's own status was written."""
    return raw if plan.status is None else {**raw, "status": plan.status}


def condition(status: Any, type_: str = "Ready") -> dict[str, Any]:
    """A condition of a planned status, without its time."""
    found = next(each for each in status["conditions"] if each["type"] == type_)
    return {name: text for name, text in found.items() if name != "lastTransitionTime"}


def a_service(name: str = "mnist", **metadata: Any) -> dict[str, Any]:
    traffic = [{"latestRevision": True, "percent": 100}]
    spec = {"template": {"spec": SPEC}, "traffic": traffic}
    return stored("Service", name, spec, **metadata)


def a_configuration(name: str = "mnist", *, revision: str = "", **metadata: Any) -> dict[str, Any]:
    own = {"metadata": {"name": revision}} if revision else {}
    return stored("Configuration", name, {"template": {**own, "spec": SPEC}}, **metadata)


def a_revision(
    name: str = "mnist-00001",
    *,
    of: dict[str, Any] | None = None,
    generation: int = 1,
    spec: Any = None,
    **metadata: Any,
) -> dict[str, Any]:
    owner = of if of is not None else a_configuration()
    labels = {
        "serving.knative.dev/configuration": owner["metadata"]["name"],
        "serving.knative.dev/configurationGeneration": str(generation),
        "serving.knative.dev/routingState": "pending",
        **metadata.pop("labels", {}),
    }
    return stored(
        "Revision",
        name,
        spec if spec is not None else SPEC,
        labels=labels,
        ownerReferences=owned_by(owner),
        **metadata,
    )


def a_route(*traffic: dict[str, Any], name: str = "mnist", **metadata: Any) -> dict[str, Any]:
    return stored("Route", name, {"traffic": list(traffic)}, **metadata)


def a_mapping(
    host: str = "www.example.com", *, kind: str = "Service", to: str = "mnist", **metadata: Any
) -> dict[str, Any]:
    spec = {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": kind, "name": to}}
    return stored("DomainMapping", host, spec, api="serving.knative.dev/v1beta1", **metadata)
