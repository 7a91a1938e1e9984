"""Server-side apply, in its simple form: who wrote last, and what they applied.

For: `kubectl apply --server-side`, and a managedFields that says what is known and no more.
Must not know: how a patch is merged.

What this is not: ownership of single fields. Applying merges the given object into the stored
one; a field left out of a later apply stays, and writing what another manager wrote is never
a conflict, whether `force` is set or not. managedFields names each manager, operation and
time, with the fields of an Apply entry and none for an Update, which is not tracked.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from api.objects import Raw
from cluster.errors import BadRequestError
from cluster.options import WriteOptions

MANAGERS_MAX: Final = 16  # entries kept on one object; the longest unused go first
_IDENTITY: Final = ("apiVersion", "kind", "metadata")


def checked(options: WriteOptions, applied: Any) -> WriteOptions:
    """The options of an apply, which must say who applies, as in Kubernetes."""
    if not options.field_manager:
        raise BadRequestError("fieldManager is required for apply patch")
    if not isinstance(applied, Mapping):
        raise BadRequestError(f"the patch is not an object but {type(applied).__name__}")
    metadata = applied.get("metadata")
    if isinstance(metadata, Mapping) and metadata.get("managedFields"):
        raise BadRequestError("metadata.managedFields must be nil in an apply patch")
    return replace(options, applied=applied)


def note(new: dict[str, Any], old: Raw | None, options: WriteOptions, *, now: str) -> None:
    """Record in `new` (owned by the caller, with its metadata) who writes it."""
    if not options.field_manager:
        return
    metadata = new["metadata"]
    before = (old or {}).get("metadata", {}).get("managedFields") or []
    entry: dict[str, Any] = {
        "manager": options.field_manager,
        "operation": "Apply" if options.applied is not None else "Update",
        "apiVersion": new["apiVersion"],
        "time": now,
        "fieldsType": "FieldsV1",
        # Never left out: kubectl before 1.33 crashes on an entry without it.
        "fieldsV1": {} if options.applied is None else fields_of(options.applied),
    }
    if options.subresource:
        entry["subresource"] = options.subresource
    others = [each for each in before if _identity(each) != _identity(entry)]
    metadata["managedFields"] = [*others, entry][-MANAGERS_MAX:]


def fields_of(applied: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an object in Kubernetes' FieldsV1 notation; lists count as one value."""
    body = {key: value for key, value in applied.items() if key not in _IDENTITY}
    metadata = applied.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    kept = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
    return _fields(body | ({"metadata": kept} if kept else {}))


def _fields(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"f:{key}": _fields(child) if isinstance(child, Mapping) else {}
        for key, child in value.items()
    }


def _identity(entry: Raw) -> tuple[Any, ...]:
    return entry.get("manager"), entry.get("operation"), entry.get("subresource")
