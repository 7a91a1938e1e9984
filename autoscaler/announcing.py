"""Which decisions become Events, and on which objects.

For: `kubectl describe` of a PodAutoscaler, a Revision and a Service, where people look.
Must not know: how an Event is written, or how many there may be (cluster/correlating).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api import keys
from api.kinds import PODAUTOSCALERS, REVISIONS, SERVICES
from autoscaler import telling
from autoscaler.decider import Reason
from autoscaler.journal import Entry

_HELD_BACK = frozenset({Reason.MAX_SCALE})  # a refusal that a person can do something about


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One Event to be."""

    about: Mapping[str, Any]  # the object, as far as an Event names it
    reason: str
    message: str


def announcements(raw: Mapping[str, Any], entry: Entry) -> list[Announcement]:
    """What to announce of a row that began; `raw` is the Revision's PodAutoscaler.

    A first number after a start is no news, nor is a number that stays.
    """
    decision = entry.decision
    is_held_back = decision.reason in _HELD_BACK and telling.is_refusal(decision)
    if entry.before is None or not (entry.is_change or is_held_back):
        return []
    reason = "".join(word.capitalize() for word in decision.reason.value.split("-"))
    message = telling.told(entry, subject=raw["metadata"]["name"])
    return [Announcement(about=about, reason=reason, message=message) for about in _concerned(raw)]


def _concerned(raw: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    metadata = raw["metadata"]
    namespace = metadata.get("namespace", "")
    yield {**raw, "apiVersion": PODAUTOSCALERS.api_version, "kind": PODAUTOSCALERS.kind}
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") == REVISIONS.kind and owner.get("controller"):
            yield {
                "apiVersion": REVISIONS.api_version,
                "kind": REVISIONS.kind,
                "metadata": {
                    "name": owner.get("name"),
                    "namespace": namespace,
                    "uid": owner.get("uid"),
                },
            }
    labels = metadata.get("labels") or {}
    if labels.get(keys.SERVICE) and labels.get(keys.SERVICE_UID):
        yield {
            "apiVersion": SERVICES.api_version,
            "kind": SERVICES.kind,
            "metadata": {
                "name": labels[keys.SERVICE],
                "namespace": namespace,
                "uid": labels[keys.SERVICE_UID],
            },
        }
