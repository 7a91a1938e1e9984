"""The scale subresource: how many replicas, without the rest of the object.

For: translating between a Deployment and autoscaling/v1 Scale.
Must not know: who scales, or why.
"""

from collections.abc import Mapping
from typing import Any

from api.objects import Raw
from cluster.errors import BadRequestError

_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(deployment: Raw) -> dict[str, Any]:
    """The Scale that stands for a Deployment."""
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


def with_scale(deployment: Raw, scale: Any) -> dict[str, Any]:
    """The Deployment with the replicas a Scale asks for; the rest of it is shared."""
    spec = scale.get("spec") if isinstance(scale, Mapping) else None
    replicas = spec.get("replicas", 0) if isinstance(spec, Mapping) else None
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise BadRequestError(
            f"spec.replicas: Invalid value: {replicas!r}: must be an integer of at least 0"
        )
    return {**deployment, "spec": {**(deployment.get("spec") or {}), "replicas": replicas}}


def version_of(scale: Any) -> dict[str, Any]:
    """The resourceVersion a Scale was read at, as metadata; BadRequestError for no Scale."""
    metadata = scale.get("metadata") if isinstance(scale, Mapping) else None
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise BadRequestError("metadata: must be an object")
    return {key: metadata[key] for key in ("resourceVersion", "uid") if key in metadata}
