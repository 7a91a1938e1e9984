"""What a planner asks for: the writes that bring the world one step nearer.

For: one shape that every planner returns and the one shell carries out.
Must not know: any kind of object, or how a write is done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from api.conditions import READY, Condition, find, merge, ready
from api.kinds import Resource
from api.objects import Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A whole object to create, or to put in the place of the one that was read."""

    resource: Resource
    object: dict[str, Any]

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.object["metadata"]["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """An object to delete, if it is still that very one."""

    resource: Resource
    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, resource: Resource, raw: Raw) -> "Delete":
        """Of this one."""
        metadata: Mapping[str, Any] = raw["metadata"]
        return cls(
            resource=resource,
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An Event about the planned object, told once its status is written."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The writes: creates, updates, deletes, then the status. Applied twice it changes nothing.

    An update replaces the object that was read, at the resourceVersion that was read, so a
    plan made from a stale view fails with a conflict instead of undoing somebody's work.
    """

    creates: tuple[Write, ...] = ()
    updates: tuple[Write, ...] = ()
    deletes: tuple[Delete, ...] = ()
    status: dict[str, Any] | None = None  # None: as it stands
    notes: tuple[Note, ...] = ()
    requeue_after_s: float | None = None  # when time alone may change the answer


def new_status(
    raw: Raw, conditions: Sequence[Condition], fields: Mapping[str, Any], *, now: str
) -> dict[str, Any] | None:
    """The status with these conditions and fields; None if it is that already.

    Ready is added unless it is among the conditions. Fields whose value is None are left
    out. `now` is RFC 3339.
    """
    before = raw.get("status") or {}
    has_ready = any(condition.type == READY for condition in conditions)
    wanted = conditions if has_ready else [ready(conditions), *conditions]
    status = {
        "observedGeneration": raw["metadata"].get("generation", 0),
        "conditions": merge(before.get("conditions") or (), wanted, now=now),
        **{name: value for name, value in fields.items() if value is not None},
    }
    return None if status == before else status


def status_of(raw: Raw) -> Mapping[str, Any]:
    """The object's status; empty if it has none yet."""
    status = raw.get("status")
    return status if isinstance(status, Mapping) else {}


def is_observed(raw: Raw) -> bool:
    """Whether the object's status speaks of its present spec."""
    return bool(status_of(raw).get("observedGeneration", 0) == raw["metadata"].get("generation", 0))


def internal_error(raw: Raw, condition: Condition, message: str) -> tuple[Note, ...]:
    """The Event of an error that ended a step, told when the condition that says so is new."""
    before = find(raw, condition.type)
    told = None if before is None else (before.status, before.reason, before.message)
    if told == (condition.status, condition.reason, condition.message):
        return ()
    return (Note(type="Warning", reason="InternalError", message=message),)


def quoted(name: str) -> str:
    """A name inside a sentence, as Go's %q prints it."""
    return f'"{name}"'
