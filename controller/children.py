"""What a child gets from its parent, and whose child an object is.

For: owner references, labels and annotations of everything the controller makes.
Must not know: what any particular child is for.
"""

from collections.abc import Mapping
from typing import Any

from api import keys
from api.defaulting import defaulted
from api.kinds import SERVICES, Resource
from api.objects import Raw, owner_reference_to
from controller.plan import Write

# Which Routes point at a Revision, and whether it may be collected, is the Revision's own
# business, and no reason to touch a Pod.
_KEPT = frozenset(
    {
        *(keys.ROUTES, keys.ROUTING_STATE_MODIFIED),
        *(keys.NO_GC, keys.LAST_PINNED, keys.LAST_APPLIED),
    }
)

# Of a Revision's spec, what defaulting never leaves out.
_ALWAYS_FILLED = ("containerConcurrency", "timeoutSeconds")


def labels_of(raw: Raw) -> Mapping[str, str]:
    """The object's labels; empty if it has none."""
    return raw["metadata"].get("labels") or {}


def annotations_of(raw: Raw) -> Mapping[str, str]:
    """The object's annotations; empty if it has none."""
    return raw["metadata"].get("annotations") or {}


def is_going(raw: Raw) -> bool:
    """Whether the object is being deleted."""
    return bool(raw["metadata"].get("deletionTimestamp"))


def controller_of(raw: Raw) -> Mapping[str, Any] | None:
    """The owner reference that controls the object; None if nobody does."""
    for owner in raw["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return None


def is_controlled_by(raw: Raw, owner: Raw) -> bool:
    """Whether `owner` itself, not merely something of its name, controls the object."""
    reference = controller_of(raw)
    return reference is not None and reference["uid"] == owner["metadata"]["uid"]


def as_admitted(resource: Resource, raw: Raw) -> Raw:
    """The object with its defaults, if a cluster stored it without asking a webhook of ours.

    What was admitted stays as it is: defaults younger than an object must not change it.
    """
    spec = raw["spec"]
    pod = spec.get("template", {}).get("spec", {}) if "template" in spec else spec
    is_admitted = (
        all(pod.get(name) is not None for name in _ALWAYS_FILLED)
        and all(each.get("name") for each in pod.get("containers") or ())
        and (resource != SERVICES or bool(spec.get("traffic")))
    )
    return raw if is_admitted else defaulted(resource, raw)


def passed_on(annotations: Mapping[str, str]) -> dict[str, str]:
    """The annotations that a child inherits."""
    return {key: value for key, value in annotations.items() if key not in _KEPT}


def make_child(
    resource: Resource, parent: Raw, name: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]
) -> dict[str, Any]:
    """A child object; `metadata` holds its labels and annotations."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": name,
            "namespace": parent["metadata"]["namespace"],
            "labels": dict(metadata.get("labels") or {}),
            "annotations": dict(metadata.get("annotations") or {}),
            "ownerReferences": [owner_reference_to(parent)],
        },
        "spec": dict(spec),
    }


def update_to(resource: Resource, existing: Raw, wanted: Raw) -> Write | None:
    """The write that gives `existing` the labels, annotations and spec of `wanted`, if any.

    Labels and annotations are replaced as a whole: one that left the parent leaves the child.
    """
    is_alike = (
        existing.get("spec") == wanted["spec"]
        and labels_of(existing) == labels_of(wanted)
        and annotations_of(existing) == annotations_of(wanted)
    )
    return None if is_alike else rewrite(resource, existing, wanted)


def rewrite(resource: Resource, existing: Raw, wanted: Raw) -> Write:
    """The write that gives `existing` the labels, annotations and spec of `wanted`."""
    metadata = {
        **existing["metadata"],
        "labels": labels_of(wanted),
        "annotations": annotations_of(wanted),
    }
    return Write(
        resource=resource, object={**existing, "metadata": metadata, "spec": wanted["spec"]}
    )


def with_metadata(
    raw: Raw, *, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str]
) -> dict[str, Any]:
    """The same object with other annotations, and other labels if they are given."""
    metadata = {**raw["metadata"], "annotations": dict(annotations)}
    if labels is not None:
        metadata["labels"] = dict(labels)
    return {**raw, "metadata": metadata}
