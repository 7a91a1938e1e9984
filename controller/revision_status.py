"""What a Revision's status says beside its conditions, and what is news to people.

For: the planner of Revisions.
Must not know: how a condition comes about, or what is made of a Revision.
"""

from collections.abc import Sequence
from typing import Any

from api.conditions import FALSE, INFO, READY, TRUE, Condition, find, is_true
from api.objects import Raw
from controller.pinning import is_predictor, pinned_digest
from controller.plan import Note, internal_error, quoted, status_of

ACTIVE = "Active"
NOT_OURS = " that we do not own."
_QUIET = frozenset({"NoTraffic", ""})  # reasons of Active that are no failures


def fields_of(revision: Raw, podautoscaler: Raw | None) -> dict[str, Any]:
    """What a status says beside its conditions."""
    scale = status_of(podautoscaler) if podautoscaler is not None else {}
    spec = revision["spec"]
    return {
        "containerStatuses": [_pinned(revision, each) for each in spec["containers"]],
        "initContainerStatuses": [
            _pinned(revision, each) for each in spec.get("initContainers") or ()
        ]
        or None,
        "actualReplicas": _count(scale.get("actualScale")),
        "desiredReplicas": _count(scale.get("desiredScale")),
    }


def _pinned(revision: Raw, container: Raw) -> dict[str, Any]:
    """A container, and the bytes it is pinned to: the image's, or our predictor's model's."""
    image = str(container.get("image") or "")
    digest = pinned_digest(revision) if is_predictor(container) else ""
    if not digest and "@sha256:" in image:
        digest = image
    pinned = {"imageDigest": digest} if digest else {}
    return {"name": container.get("name", ""), **pinned}


def _count(replicas: Any) -> int | None:
    return replicas if isinstance(replicas, int) and replicas >= 0 else None


def notes_of(revision: Raw, conditions: Sequence[Condition]) -> tuple[Note, ...]:
    """What became of the Revision with this step."""
    notes = []
    gating = [each for each in conditions if each.severity != INFO]
    if not is_true(revision, READY) and all(each.status == TRUE for each in gating):
        message = "Revision becomes ready upon all resources being ready"
        notes.append(Note(type="Normal", reason="RevisionReady", message=message))
    for condition in conditions:
        is_start_failure = condition.type == ACTIVE and condition.reason not in _QUIET
        if condition.status != FALSE or (condition.severity == INFO and not is_start_failure):
            continue
        before = find(revision, condition.type)
        if before is None or (before.reason, before.message) != (
            condition.reason,
            condition.message,
        ):
            notes.append(Note(type="Warning", reason=condition.reason, message=condition.message))
    return tuple(notes)


def not_owned(revision: Raw, conditions: Sequence[Condition]) -> tuple[Note, ...]:
    """The error in Knative's words; the condition names the child."""
    for condition in conditions:
        if condition.reason == "NotOwned":
            _, kind, child = condition.message.removesuffix(NOT_OURS).rsplit(" ", 2)
            own = quoted(revision["metadata"]["name"])
            message = f"revision: {own} does not own {kind}: {child}"
            return internal_error(revision, condition, message)
    return ()
