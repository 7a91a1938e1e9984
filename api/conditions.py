"""Conditions: the part of a status that says whether an object works, and why not.

For: building, merging and reading `status.conditions` the way Knative does.
Must not know: which kinds have which conditions, or what makes one of them true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TRUE = "True"
FALSE = "False"
UNKNOWN = "Unknown"
READY = "Ready"
INFO = "Info"  # a severity: such a condition does not gate Ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One line of `status.conditions`. Empty text means the field is left out."""

    type: str
    status: str  # "True", "False" or "Unknown"
    reason: str = ""
    message: str = ""
    severity: str = ""  # "" is an error, else "Warning" or "Info"
    last_transition_time: str = ""  # RFC 3339, whole seconds

    def to_raw(self) -> dict[str, Any]:
        """The JSON form; empty fields are left out."""
        fields = {
            "type": self.type,
            "status": self.status,
            "severity": self.severity,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": self.last_transition_time,
        }
        return {name: text for name, text in fields.items() if text}


def merge(
    previous: Sequence[Mapping[str, Any]], wanted: Sequence[Condition], *, now: str
) -> list[dict[str, Any]]:
    """Exactly the wanted conditions, sorted by type.

    `lastTransitionTime` is kept where status, reason, message and severity are what they
    were, else it is `now`: merging twice changes nothing. A previous condition that is no
    longer wanted disappears.
    """
    before = {raw.get("type"): raw for raw in previous}
    result: list[dict[str, Any]] = []
    for condition in sorted(wanted, key=lambda each: each.type):
        raw = condition.to_raw()
        raw.pop("lastTransitionTime", None)
        old = dict(before.get(condition.type, {}))
        since = old.pop("lastTransitionTime", None)
        raw["lastTransitionTime"] = since if since and old == raw else now
        result.append(raw)
    return result


def ready(wanted: Sequence[Condition]) -> Condition:
    """Ready, of the conditions it depends on: Knative's "living" set.

    False if any is False, else Unknown if any is Unknown, else True; reason and message are
    those of the first that decides. Severity Info and a Ready among them do not count.
    """
    counted = [each for each in wanted if each.severity != INFO and each.type != READY]
    for status in (FALSE, UNKNOWN):
        for each in counted:
            if each.status == status:
                return Condition(
                    type=READY, status=status, reason=each.reason, message=each.message
                )
    return Condition(type=READY, status=TRUE)


def find(raw_object: Mapping[str, Any], type_: str) -> Condition | None:
    """The condition of that type in the object's status; None when it has none."""
    status = raw_object.get("status")
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    for raw in conditions if isinstance(conditions, list) else ():
        if isinstance(raw, Mapping) and raw.get("type") == type_:
            return Condition(
                type=type_,
                status=str(raw.get("status") or UNKNOWN),
                reason=str(raw.get("reason") or ""),
                message=str(raw.get("message") or ""),
                severity=str(raw.get("severity") or ""),
                last_transition_time=str(raw.get("lastTransitionTime") or ""),
            )
    return None


def is_true(raw_object: Mapping[str, Any], type_: str) -> bool:
    """Whether the object's status has that condition, with status True."""
    condition = find(raw_object, type_)
    return condition is not None and condition.status == TRUE


def is_ready(raw_object: Mapping[str, Any]) -> bool:
    """Whether the object says Ready=True *of its present generation*.

    A status whose observedGeneration is behind the object speaks of an older spec.
    """
    status = raw_object.get("status")
    metadata = raw_object.get("metadata")
    observed = status.get("observedGeneration") if isinstance(status, Mapping) else None
    generation = metadata.get("generation") if isinstance(metadata, Mapping) else None
    if observed is not None and generation is not None and observed != generation:
        return False
    return is_true(raw_object, READY)
