"""Server-side apply, and who owns which field after any write.

For: `kubectl apply --server-side`, its conflicts, and a managedFields that says who wrote what.
Must not know: HTTP, how objects are stored, or what any kind is for.

The components of this process write without a name, hundreds of times a second, and cost
nothing here: an object that only they write has no managedFields, and what nobody owns of a
status is theirs. Their main part is written out (as "relight") when someone else first writes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from api.objects import Raw
from cluster.errors import BadRequestError, InvalidError
from cluster.options import WriteOptions
from embedded.fieldsets import FieldSet, difference, union
from embedded.fieldwalk import Changes, ShapeError, all_of, compare, fields_of, merged, pruned
from embedded.managers import (
    APPLY,
    BEFORE_FIRST_APPLY,
    PLATFORM,
    UPDATE,
    Managers,
    Owned,
    Writer,
    applied,
    read,
    stamped,
    taken,
    written,
)
from embedded.structure import Shape

MANAGER_LENGTH_MAX: Final = 128
_OWNABLE_METADATA: Final = ("labels", "annotations", "finalizers", "ownerReferences")
_NO_STATUS: Final = ("apiVersion", "kind", "metadata", "status")
Entries = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What ownership has to know of a kind."""

    shape: Shape
    has_status: bool
    # An object with its defaults: in what is one value, they stand beside what was applied.
    filled: Callable[[Raw], Raw] = lambda raw: raw


def checked(options: WriteOptions, patch: Any) -> WriteOptions:
    """The options of an apply, which must say who applies, as in Kubernetes."""
    if not options.field_manager:
        cause = {"reason": "FieldValueRequired", "field": "fieldManager"}
        raise InvalidError(
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: '
            "is required for apply patch",
            {"causes": [cause | {"message": "Required value: is required for apply patch"}]},
        )
    if not isinstance(patch, Mapping):
        raise BadRequestError(f"the patch is not an object but {type(patch).__name__}")
    metadata = patch.get("metadata")
    if isinstance(metadata, Mapping) and metadata.get("managedFields"):
        raise BadRequestError("metadata.managedFields must be nil")
    return replace(options, applied=patch)


def is_reset(given: Any) -> bool:
    """Whether a written managedFields asks to forget all owners: an empty list, or [{}]."""
    return isinstance(given, list) and given in ([], [{}])


def created(form: Form, new: Raw, options: WriteOptions, *, now: str) -> Entries:
    """The owners of a new object."""
    if options.applied is not None:
        return _created_by_apply(form, new, options, now)
    if not options.field_manager or _is_platform(options):
        return []
    fields = all_of(_ownable(form, new, ""), form.shape)
    writer = _writer(options, new, UPDATE)
    return written({writer: Owned(fields=_strip(fields), time=now)})


def _strip(fields: FieldSet) -> FieldSet:
    """`metadata` itself is there always, and is nobody's."""
    below = fields.get("f:metadata")
    if not below:
        return {step: each for step, each in fields.items() if step != "f:metadata"}
    return {**fields, "f:metadata": {step: each for step, each in below.items() if step != "."}}


def _created_by_apply(form: Form, new: Raw, options: WriteOptions, now: str) -> Entries:
    assert options.applied is not None, "only an apply comes here"
    fields = _fields(form, options.applied, "")
    return written({_writer(options, new, APPLY): Owned(fields=fields, time=now)})


def is_untracked(old: Raw, options: WriteOptions, given: Any) -> bool:
    """Whether an update needs no look at its fields: our own, of what nobody else owns."""
    before = old["metadata"].get("managedFields")
    if (options.field_manager and not _is_platform(options)) or given not in (None, before):
        return False
    return not before or _is_foreign(options, before)


def updated(
    form: Form, old: Raw, new: Raw, options: WriteOptions, *, given: Any, now: str
) -> Entries:
    """The owners after an update by `options`; `given` is the managedFields written, or None."""
    if is_reset(given):
        return []
    before = old["metadata"].get("managedFields") or []
    is_rewritten = given is not None and given != before
    asked = read(given) if is_rewritten else None
    managers = (read(before) or {}) if asked is None else _without_implied(asked)
    changes = _changes(form, old, new, options.subresource)
    if not changes.touched and not changes.removed:
        return written(managers) if asked is not None else before
    writer = _writer(options, new, UPDATE)
    result = taken(managers or _baseline(form, old), changes, by=writer, now=now)
    if writer == _implied(writer.api_version):
        result.pop(writer, None)  # what nobody owns of a status is the platform's
    return written(result)


def _is_platform(options: WriteOptions) -> bool:
    return options.field_manager == PLATFORM and options.applied is None


def _is_foreign(options: WriteOptions, entries: Entries) -> bool:
    """Whether a write to the status touches nothing that anyone has a claim to."""
    return options.subresource == "status" and not any(
        "f:status" in entry["fieldsV1"] for entry in entries
    )


def apply(
    form: Form, live: Raw, options: WriteOptions, *, now: str
) -> tuple[dict[str, Any], Entries]:
    """The object after an apply, and its owners; ConflictError, BadRequestError."""
    assert options.applied is not None, "only an apply comes here"
    part = options.subresource
    writer = _writer(options, live, APPLY)
    config = _config(form, options.applied, part)
    fields = _fields(form, options.applied, part)
    managers = read(live["metadata"].get("managedFields") or []) or _baseline(form, live)
    if part == "status":
        managers = _with_implied(form, live, managers)
    last = managers.get(writer)
    whole = merged(live, config, form.shape)
    if last is not None:
        kept = union(fields, {"f:metadata": {}})  # which every object has
        for other, owned in managers.items():
            kept = kept if other == writer else union(kept, owned.fields)
        whole = pruned(whole, form.shape, last.fields, kept)
    changes = _changes(form, form.filled(live), form.filled(whole), part)
    after = applied(managers, changes, by=writer, fields=fields, is_forced=options.is_forced)
    if not _same(after, managers) or changes.touched or changes.removed:
        after = stamped(after, writer, now)
    return _tidied(live, whole), written(_without_implied(after))


def _same(one: Managers, other: Managers) -> bool:
    return {writer: owned.fields for writer, owned in one.items() if owned.fields} == {
        writer: owned.fields for writer, owned in other.items() if owned.fields
    }


def _tidied(live: Raw, whole: dict[str, Any]) -> dict[str, Any]:
    """Without the empty maps and lists that pruning leaves in metadata."""
    metadata = {
        key: value
        for key, value in whole["metadata"].items()
        if value not in ({}, []) or key in live["metadata"]
    }
    return {**whole, "metadata": metadata}


def shown(form: Form, obj: dict[str, Any]) -> dict[str, Any]:
    """The object with what the platform owns of it written out; itself if that is nothing."""
    if not form.has_status or not obj.get("status"):
        return obj
    known: Entries = obj["metadata"].get("managedFields") or []
    if any("f:status" in entry["fieldsV1"] for entry in known):
        entries = written(_with_implied(form, obj, read(known) or {}))
    else:
        # The usual case, at a fifth of the cost: lists show a thousand objects.
        appliers = sum(entry["operation"] == APPLY for entry in known)
        entries = [*known[:appliers], *written(_with_implied(form, obj, {})), *known[appliers:]]
    return {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}


def _with_implied(form: Form, obj: Raw, managers: Managers) -> Managers:
    """What nobody owns of a status is the platform's."""
    status = obj.get("status")
    if not status:
        return managers
    fields: FieldSet = {"f:status": {".": {}, **all_of(status, form.shape.field("status"))}}
    for owned in managers.values():
        if "f:status" in owned.fields:
            fields = difference(fields, owned.fields)
    writer = _implied(obj["apiVersion"])
    # That there is a status at all is no field of its own, once others own all that is in it.
    is_owned = not (fields.get("f:status") or {}).keys() - {"."}
    return managers if is_owned else {**managers, writer: Owned(fields=fields)}


def _without_implied(managers: Managers) -> Managers:
    return {
        writer: owned
        for writer, owned in managers.items()
        if writer != _implied(writer.api_version)
    }


def _implied(api_version: str) -> Writer:
    return Writer(name=PLATFORM, operation=UPDATE, api_version=api_version, subresource="status")


def _baseline(form: Form, obj: Raw) -> Managers:
    """The owner of an object that nobody was recorded for."""
    fields = _strip(all_of(_ownable(form, obj, ""), form.shape))
    is_child = bool(obj["metadata"].get("ownerReferences"))
    name = PLATFORM if is_child else BEFORE_FIRST_APPLY
    writer = Writer(name=name, operation=UPDATE, api_version=obj["apiVersion"])
    time = obj["metadata"].get("creationTimestamp") or ""
    return {writer: Owned(fields=fields, time=time)} if fields else {}


def _writer(options: WriteOptions, obj: Raw, operation: str) -> Writer:
    return Writer(
        name=options.field_manager or PLATFORM,
        operation=operation,
        api_version=obj["apiVersion"],
        subresource=options.subresource,
    )


def _changes(form: Form, old: Raw, new: Raw, part: str) -> Changes:
    return compare(_ownable(form, old, part), _ownable(form, new, part), form.shape)


def _ownable(form: Form, obj: Raw, part: str) -> dict[str, Any]:
    """What of an object can be owned by a write of this part of it."""
    metadata = obj["metadata"]
    kept = {key: metadata[key] for key in _OWNABLE_METADATA if metadata.get(key)}
    body = {"metadata": kept}
    if part == "status":
        return body | ({"status": obj["status"]} if obj.get("status") is not None else {})
    hidden = _NO_STATUS if form.has_status else _NO_STATUS[:3]
    return body | {key: value for key, value in obj.items() if key not in hidden}


def _config(form: Form, raw: Raw, part: str) -> dict[str, Any]:
    """What an apply says that it may say: not what the server writes, and no null."""
    metadata = raw.get("metadata") or {}
    kept = {key: metadata[key] for key in _OWNABLE_METADATA if metadata.get(key) is not None}
    config: dict[str, Any] = {"metadata": kept} if kept else {}
    if part == "status":
        config |= {"status": raw["status"]} if "status" in raw else {}
    else:
        hidden = _NO_STATUS if form.has_status else _NO_STATUS[:3]
        config |= {key: value for key, value in raw.items() if key not in hidden}
    present: dict[str, Any] = _present(config)
    return present


def _present(value: Any) -> Any:
    """Without nulls: a field that is null is not there."""
    if isinstance(value, Mapping):
        return {key: _present(child) for key, child in value.items() if child is not None}
    return [_present(item) for item in value] if isinstance(value, list) else value


def _fields(form: Form, raw: Raw, part: str) -> FieldSet:
    try:
        return fields_of(_config(form, raw, part), form.shape)
    except ShapeError as error:
        name = (raw.get("metadata") or {}).get("name", "")
        raise BadRequestError(
            f"failed to create typed patch object ({name}; {raw.get('apiVersion')}, "
            f"Kind={raw.get('kind')}): {error}"
        ) from error
