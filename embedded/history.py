"""The last changes, in order, so that a watch can start in the recent past.

For: replaying what happened after a resourceVersion, within a bound on count and bytes.
Must not know: who watches, or where objects are kept.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from api.kinds import Resource

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One committed write. `old` is the object before it, or only its selectable part."""

    version: int
    type: ChangeType
    resource: Resource
    object: dict[str, Any]
    old: dict[str, Any] | None


class CompactedError(Exception):
    """The history begins after the version asked for."""


@dataclass(frozen=True, slots=True)
class _Entry:
    version: int
    type: ChangeType
    resource: Resource
    body: bytes
    old: dict[str, Any] | None


class History:
    """A bounded log of changes. Bodies are kept as JSON: a fifth of the memory of dicts."""

    def __init__(self, *, start: int, events_max: int, bytes_max: int) -> None:
        self._entries: deque[_Entry] = deque()
        self._floor = start  # everything after this version is here
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._bytes = 0

    @property
    def floor(self) -> int:
        """The oldest version from which a replay is complete."""
        return self._floor

    def append(self, change: Change, body: bytes, selected: tuple[str, ...] = ()) -> None:
        """Remember `change`, whose object in JSON is `body`; forget what is beyond the bounds.

        `selected` are further fields by which objects of the kind are selected.
        """
        old = None if change.old is None else selectable(change.old, selected)
        self._entries.append(_Entry(change.version, change.type, change.resource, body, old))
        self._bytes += len(body)
        while len(self._entries) > self._events_max or self._bytes > self._bytes_max:
            dropped = self._entries.popleft()
            self._bytes -= len(dropped.body)
            self._floor = dropped.version

    def since(self, resource: Resource, version: int) -> list[Change]:
        """Changes of a kind after `version`; cost grows with all changes since then.

        Raises CompactedError when some of them are forgotten.
        """
        if version < self._floor:
            raise CompactedError(version)
        found: list[_Entry] = []
        for entry in reversed(self._entries):
            if entry.version <= version:
                break
            kept = entry.resource
            if kept is resource or (kept.plural, kept.group) == (resource.plural, resource.group):
                found.append(entry)
        return [
            Change(
                version=entry.version,
                type=entry.type,
                resource=entry.resource,
                object=orjson.loads(entry.body),
                old=entry.old,
            )
            for entry in reversed(found)
        ]


def selectable(obj: Mapping[str, Any], further: tuple[str, ...] = ()) -> dict[str, Any]:
    """The parts of an object that a label or field selector can look at."""
    metadata = obj["metadata"]
    kept: dict[str, Any] = {
        "metadata": {
            key: metadata[key] for key in ("name", "namespace", "labels") if key in metadata
        }
    }
    for part, fields in (("spec", _SPEC_FIELDS), ("status", _STATUS_FIELDS)):
        values = obj.get(part)
        if isinstance(values, dict):
            kept[part] = {key: values[key] for key in fields if key in values}
    for key in ("involvedObject", "reason", "type", "source", "reportingComponent"):
        if key in obj:
            kept[key] = obj[key]
    for path in further:
        _keep(kept, obj, path.split("."))
    return kept


def _keep(kept: dict[str, Any], obj: Any, steps: list[str]) -> None:
    """Copy the field at a path, and nothing beside it."""
    head, *rest = steps
    if not isinstance(obj, Mapping) or head not in obj:
        return
    if rest:
        _keep(kept.setdefault(head, {}), obj[head], rest)
    else:
        kept[head] = obj[head]


_SPEC_FIELDS = ("nodeName", "restartPolicy", "schedulerName", "serviceAccountName")
_STATUS_FIELDS = ("phase", "podIP")
