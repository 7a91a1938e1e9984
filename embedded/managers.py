"""Who owns which fields of one object: metadata.managedFields, read and written.

For: the rules by which managers gain and lose fields, and the words of a conflict.
Must not know: objects and schemas, or how an applied object is merged.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from typing_extensions import override

from cluster.errors import ConflictError
from embedded.fieldsets import (
    FieldSet,
    difference,
    intersection,
    is_fieldset,
    paths,
    union,
)
from embedded.fieldwalk import Changes

# Who writes without giving a name: the components of this process, through no HTTP.
PLATFORM: Final = "relight"
BEFORE_FIRST_APPLY: Final = "before-first-apply"  # Kubernetes' name for who was not tracked
_ANCIENT: Final = "ancient-changes"  # and for the oldest of too many
UPDATERS_MAX: Final = 10
APPLY: Final = "Apply"
UPDATE: Final = "Update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Whoever may own fields: the same name by another operation is another owner."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    @override
    def __str__(self) -> str:
        words = f'"{self.name}"'
        if self.subresource:
            words += f' with subresource "{self.subresource}"'
        return words if self.operation == APPLY else f"{words} using {self.api_version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """What a writer owns, and when it last gained some of it."""

    fields: FieldSet
    time: str = ""


Managers = dict[Writer, Owned]


def read(entries: Any) -> Managers | None:
    """The managers of an object; None when this is not what managedFields looks like."""
    found: Managers = {}
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        return None
    for entry in entries:
        if not isinstance(entry, Mapping) or entry.get("operation") not in (APPLY, UPDATE):
            return None
        fields, kind = entry.get("fieldsV1"), entry.get("fieldsType", "FieldsV1")
        if fields is None:
            fields = {}
        words = [entry.get(key, "") for key in ("manager", "apiVersion", "subresource", "time")]
        if not all(isinstance(word, str) for word in words):
            return None
        if kind != "FieldsV1" or not is_fieldset(fields):
            return None
        name, version, part, time = words
        writer = Writer(
            name=name, operation=entry["operation"], api_version=version, subresource=part
        )
        if fields:
            found[writer] = Owned(fields=fields, time=time)
    return found


def written(managers: Managers) -> list[dict[str, Any]]:
    """The managers as managedFields, in Kubernetes' order."""
    ordered = sorted(
        (pair for pair in managers.items() if pair[1].fields),
        key=lambda pair: (pair[0].operation, pair[1].time, pair[0].name, pair[0].subresource),
    )
    return [_entry(writer, owned) for writer, owned in ordered]


def _entry(writer: Writer, owned: Owned) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": writer.name,
        "operation": writer.operation,
        "apiVersion": writer.api_version,
        "time": owned.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": owned.fields,
        "subresource": writer.subresource,
    }
    return {key: value for key, value in entry.items() if value != ""}


def taken(managers: Managers, changes: Changes, *, by: Writer, now: str) -> Managers:
    """After an update: what changed belongs to who changed it, and to nobody else."""
    lost = union(changes.touched, changes.removed)
    result = _without(managers, lost, spared=())
    if changes.touched:
        before = result.get(by)
        fields = union(before.fields, changes.touched) if before else changes.touched
        result[by] = Owned(fields=fields, time=now)
    return _bounded(result)


def _without(managers: Managers, lost: FieldSet, *, spared: Iterable[Writer]) -> Managers:
    return {
        writer: owned if writer in spared else replace(owned, fields=difference(owned.fields, lost))
        for writer, owned in managers.items()
    }


def applied(
    managers: Managers, changes: Changes, *, by: Writer, fields: FieldSet, is_forced: bool
) -> Managers:
    """After an apply: its owner owns `fields`. ConflictError for what others own, unless forced."""
    if not is_forced:
        _check(managers, changes, by)
    lost = union(changes.touched, changes.removed)
    result = _without(managers, lost, spared=(by,))
    before = managers.get(by)
    result[by] = Owned(fields=fields, time=before.time if before else "")
    return result


def stamped(managers: Managers, writer: Writer, now: str) -> Managers:
    """The managers, with this one having gained something now."""
    return {**managers, writer: replace(managers[writer], time=now)}


def _check(managers: Managers, changes: Changes, by: Writer) -> None:
    found = [
        (writer, path)
        for writer, owned in managers.items()
        if writer != by
        for path in paths(intersection(owned.fields, changes.touched))
    ]
    if not found:
        return
    found.sort(key=lambda each: (str(each[0]), each[1]))
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {writer}", "field": path}
        for writer, path in found
    ]
    raise ConflictError(_conflict_words(found), {"causes": causes})


def _conflict_words(found: list[tuple[Writer, str]]) -> str:
    if len(found) == 1:
        writer, path = found[0]
        return f"Apply failed with 1 conflict: conflict with {writer}: {path}"
    by_writer: dict[str, list[str]] = {}
    for writer, path in found:
        by_writer.setdefault(str(writer), []).append(f"- {path}")
    lines = [f"conflicts with {name}:\n" + "\n".join(listed) for name, listed in by_writer.items()]
    return f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)


def _bounded(managers: Managers) -> Managers:
    """The oldest of more than ten updaters become one, as in Kubernetes."""
    updaters = [
        (owned.time, writer.name, writer)
        for writer, owned in managers.items()
        if writer.operation == UPDATE and owned.fields
    ]
    if len(updaters) <= UPDATERS_MAX:
        return managers
    updaters.sort(key=lambda each: (each[2].name != _ANCIENT, each[0], each[1]))
    merged = [writer for _, _, writer in updaters[: len(updaters) - UPDATERS_MAX + 1]]
    result = {writer: owned for writer, owned in managers.items() if writer not in merged}
    fields: FieldSet = {}
    for writer in merged:
        fields = union(fields, managers[writer].fields)
    ancient = Writer(name=_ANCIENT, operation=UPDATE, api_version=merged[-1].api_version)
    result[ancient] = Owned(fields=fields, time=managers[merged[-1]].time)
    return result
