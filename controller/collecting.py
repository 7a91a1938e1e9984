"""Which Revisions nobody needs any more.

For: deciding, for one Configuration, which of its Revisions go and when to look again.
Must not know: clocks, or how an object is deleted.
"""

from collections.abc import Collection as Names
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api import keys
from api.kinds import REVISIONS
from api.objects import Raw
from controller.children import annotations_of, is_going, labels_of
from controller.clusterconfig import Collection
from controller.labeler import RESERVE
from controller.plan import Delete, Plan, status_of

_LOOK_AGAIN_S_MAX = 3600.0  # days ahead, a wish would only lie in a queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A Configuration, its Revisions, and those that any Route names or serves."""

    configuration: Raw
    revisions: Sequence[Raw]
    routed: Names[str]
    rules: Collection


def plan(seen: Observed, *, now_s: float) -> Plan:
    """The Revisions to delete: the stale ones, then the longest unused above the maximum.

    So many as the minimum stay in any case. `now_s` is wall time.
    """
    rules = seen.rules
    if is_going(seen.configuration) or _is_disabled(rules):
        return Plan()
    idle = sorted(
        (each for each in seen.revisions if _is_idle(each, seen)),
        key=lambda each: (_active_s(each), each["metadata"]["name"]),
    )
    surplus = max(0, len(idle) - rules.min_idle)
    stale_s = {each["metadata"]["name"]: _stale_from_s(each, rules) for each in idle}
    stale = [each for each in idle if _is_past(stale_s[each["metadata"]["name"]], now_s)]
    doomed = stale[:surplus]
    left = [each for each in idle if each not in doomed]
    if rules.max_idle is not None and len(left) > rules.max_idle:
        doomed += left[: len(left) - rules.max_idle]
    later = [at for at in stale_s.values() if at is not None and at > now_s]
    wait_s = min(later) - now_s if surplus > len(doomed) and later else None
    return Plan(
        deletes=tuple(Delete.of(REVISIONS, each) for each in doomed),
        requeue_after_s=None if wait_s is None else min(wait_s, _LOOK_AGAIN_S_MAX),
    )


def _is_disabled(rules: Collection) -> bool:
    return rules.since_create_s is None and rules.since_active_s is None and rules.max_idle is None


def _is_idle(revision: Raw, seen: Observed) -> bool:
    """Whether nobody needs the Revision; before a Route was asked it counts as needed."""
    name, status = revision["metadata"]["name"], status_of(seen.configuration)
    return not (
        is_going(revision)
        or name in seen.routed
        or name == status.get("latestReadyRevisionName")
        or name == status.get("latestCreatedRevisionName")
        or annotations_of(revision).get(keys.NO_GC, "").lower() == "true"
        or labels_of(revision).get(keys.ROUTING_STATE) != RESERVE
    )


def _stale_from_s(revision: Raw, rules: Collection) -> float | None:
    """From when on the Revision is old enough to go; None: never by its age."""
    ends = []
    if rules.since_create_s is not None:
        ends.append(_created_s(revision) + rules.since_create_s)
    if rules.since_active_s is not None:
        ends.append(_active_s(revision) + rules.since_active_s)
    return max(ends) if ends else None


def _is_past(at_s: float | None, now_s: float) -> bool:
    return at_s is not None and at_s <= now_s


def _created_s(revision: Raw) -> float:
    return _epoch_s(str(revision["metadata"].get("creationTimestamp") or "")) or 0.0


def _active_s(revision: Raw) -> float:
    """When a Route last pointed at it, else when it was made."""
    text = annotations_of(revision).get(keys.ROUTING_STATE_MODIFIED, "")
    return _epoch_s(text) or _created_s(revision)


def _epoch_s(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
