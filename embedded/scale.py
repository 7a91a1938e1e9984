"""The scale subresource: how many replicas, without the rest of the object.

For: translating between a Deployment and autoscaling/v1 Scale.
Must not know: who scales, or why.
"""

from collections.abc import Mapping
from typing import Any

from api.kinds import Resource
from api.objects import Raw
from cluster.errors import BadRequestError
from embedded.definitions import ScalePaths
from embedded.printing import json_path

_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(deployment: Raw, paths: ScalePaths | None = None) -> dict[str, Any]:
    """The Scale that stands for a Deployment, or by `paths` for an object of a CRD."""
    if paths is not None:
        return _custom_scale_of(deployment, paths)
    metadata = deployment["metadata"]
    spec = deployment.get("spec") or {}
    labels = ((spec.get("selector") or {}).get("matchLabels")) or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in _COPIED if key in metadata},
        "spec": {"replicas": spec.get("replicas", 1)},
        "status": {
            "replicas": (deployment.get("status") or {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }


def _custom_scale_of(obj: Raw, paths: ScalePaths) -> dict[str, Any]:
    metadata = obj["metadata"]
    status = {"replicas": _number(obj, paths.status_replicas)}
    selector = json_path(obj, paths.selector) if paths.selector else None
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in _COPIED if key in metadata},
        "spec": {"replicas": _number(obj, paths.replicas)},
        "status": status | ({"selector": selector} if isinstance(selector, str) else {}),
    }


def _number(obj: Raw, path: str) -> int:
    found = json_path(obj, path)
    return found if isinstance(found, int) else 0


def _with(obj: Mapping[str, Any], steps: list[str], value: int) -> dict[str, Any]:
    head, *rest = steps
    inner = obj.get(head)
    return {
        **obj,
        head: _with(inner if isinstance(inner, Mapping) else {}, rest, value) if rest else value,
    }


def with_scale(deployment: Raw, scale: Any, paths: ScalePaths | None = None) -> dict[str, Any]:
    """The object with the replicas a Scale asks for; the rest of it is shared."""
    spec = scale.get("spec") if isinstance(scale, Mapping) else None
    replicas = spec.get("replicas", 0) if isinstance(spec, Mapping) else None
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise BadRequestError(
            f"spec.replicas: Invalid value: {replicas!r}: must be an integer of at least 0"
        )
    if paths is not None:
        return _with(deployment, paths.replicas.strip(".").split("."), replicas)
    return {**deployment, "spec": {**(deployment.get("spec") or {}), "replicas": replicas}}


def applied_by(
    resource: Resource, metadata: Raw, patch: Any, paths: ScalePaths | None = None
) -> dict[str, Any]:
    """What applying a Scale applies to the object itself."""
    wanted = with_scale({}, patch, paths)
    named = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": named} | wanted


def version_of(scale: Any) -> dict[str, Any]:
    """The resourceVersion a Scale was read at, as metadata; BadRequestError for no Scale."""
    metadata = scale.get("metadata") if isinstance(scale, Mapping) else None
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise BadRequestError("metadata: must be an object")
    return {key: metadata[key] for key in ("resourceVersion", "uid") if key in metadata}
