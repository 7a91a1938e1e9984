"""Which decisions become Events, and on which objects.

For: `kubectl describe` of a PodAutoscaler, a Revision and a Service, where people look.
Must not know: how an Event is written, or how many there may be (cluster/correlating).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api import keys
from api.kinds import PODAUTOSCALERS, REVISIONS, SERVICES
from api.objects import rfc3339
from autoscaler import telling
from autoscaler.journal import Entry
from autoscaler.reasons import Reason

# Whose PodAutoscaler it is, by its labels: kinds, with those of their name and their uid.
_OWNERS = (
    (REVISIONS, keys.REVISION, keys.REVISION_UID),
    (SERVICES, keys.SERVICE, keys.SERVICE_UID),
)
_HELD_BACK = frozenset({Reason.MAX_SCALE})  # a refusal that a person can do something about


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One Event to be."""

    about: Mapping[str, Any]  # the object, as far as an Event names it
    reason: str
    message: str


def announcements(raw: Mapping[str, Any], entry: Entry, *, now_s: float) -> list[Announcement]:
    """What to announce of a row that began `now_s` after the epoch.

    `raw` is the Revision's PodAutoscaler.

    A first number after a start is no news, nor is a number that stays.
    """
    decision = entry.decision
    is_held_back = decision.reason in _HELD_BACK and telling.is_refusal(decision)
    if entry.before is None or not (entry.is_change or is_held_back):
        return []
    reason = "".join(word.capitalize() for word in decision.reason.value.split("-"))
    message = telling.told(entry, subject=raw["metadata"]["name"])
    if decision.next_s is not None:
        message = message.replace(telling.NEXT, rfc3339(now_s + decision.next_s - decision.at_s))
    return [Announcement(about=about, reason=reason, message=message) for about in concerned(raw)]


def concerned(raw: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    metadata = raw["metadata"]
    namespace = metadata.get("namespace", "")
    yield {**raw, "apiVersion": PODAUTOSCALERS.api_version, "kind": PODAUTOSCALERS.kind}
    labels = metadata.get("labels") or {}
    for resource, name, uid in _OWNERS:
        if labels.get(name) and labels.get(uid):
            named = {"name": labels[name], "namespace": namespace, "uid": labels[uid]}
            yield {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": named,
            }
