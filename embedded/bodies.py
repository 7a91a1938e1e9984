"""What an object that is written must say about itself, and what the server says for it.

For: the rules of `apiVersion`, `kind` and `metadata`, the same for every kind.
Must not know: spec and status of any kind, or how objects are stored.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from api import formats
from api.kinds import NAMESPACES, Resource
from api.objects import Raw
from cluster.errors import BadRequestError
from embedded import resources

# What only the server writes; an update keeps it as it was.
SYSTEM_FIELDS: Final = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
)
_ANNOTATIONS_BYTES_MAX: Final = 256 * 1024
_OWNER_FIELDS: Final = ("apiVersion", "kind", "name", "uid")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_LENGTH_MAX: Final = 253
METADATA_FIELDS: Final = frozenset(
    {
        *SYSTEM_FIELDS,
        "generateName",
        "labels",
        "annotations",
        "ownerReferences",
        "finalizers",
        "selfLink",
    }
)


def addressed(resource: Resource, namespace: str, name: str, obj: Any) -> dict[str, Any]:
    """A copy of `obj`, one level deep, with its own `metadata` that agrees with the URL.

    `name` "" leaves the name to the object. Raises BadRequestError.
    """
    if not isinstance(obj, Mapping):
        raise BadRequestError(f"the body is not an object but {type(obj).__name__}")
    _check_kind(resource, obj)
    metadata = obj.get("metadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, Mapping):
        raise BadRequestError("metadata: must be an object")
    own = dict(metadata)
    _check_types(own)
    given = own.get("namespace") or ""
    if not resource.is_namespaced:
        own.pop("namespace", None)
    elif given and given != namespace:
        raise BadRequestError(
            "the namespace of the provided object does not match the namespace sent on the "
            f"request: {given!r} and {namespace!r}"
        )
    else:
        own["namespace"] = namespace
    if name and own.get("name") and own["name"] != name:
        raise BadRequestError(
            f"the name of the object ({own['name']}) does not match the name on the URL ({name})"
        )
    if name:
        own["name"] = name
    return {**obj, "metadata": own}


def typed(resource: Resource, obj: Any) -> Any:
    """The object, named by its URL where a typed client left `apiVersion` and `kind` out.

    As in Kubernetes: its own kinds only; an object of any other kind must name itself.
    """
    if resource not in resources.BUILT_IN or not isinstance(obj, Mapping):
        return obj
    own = {"apiVersion": resource.api_version, "kind": resource.kind}
    return own | {key: value for key, value in obj.items() if key not in own or value}


def _check_kind(resource: Resource, obj: Raw) -> None:
    for field in ("apiVersion", "kind"):
        if not isinstance(obj.get(field), str) or not obj[field]:
            raise BadRequestError(
                f"{field}: Required value: want {resource.api_version} {resource.kind}"
            )
    if obj["apiVersion"] != resource.api_version:
        raise BadRequestError(
            f"the API version in the data ({obj['apiVersion']}) does not match the expected "
            f"API version ({resource.api_version})"
        )
    if obj["kind"] != resource.kind:
        raise BadRequestError(
            f"the kind in the data ({obj['kind']}) does not match the expected kind "
            f"({resource.kind})"
        )


def _check_types(metadata: Mapping[str, Any]) -> None:
    for field in ("name", "generateName", "namespace", "uid", "resourceVersion"):
        if metadata.get(field) is not None and not isinstance(metadata[field], str):
            raise BadRequestError(f"metadata.{field}: must be a string")
    for field in ("labels", "annotations"):
        values = metadata.get(field)
        if values is None:
            continue
        if not isinstance(values, Mapping):
            raise BadRequestError(f"metadata.{field}: must be an object")
        for key, value in values.items():
            if not isinstance(value, str):
                raise BadRequestError(f"metadata.{field}.{key}: must be a string")
    for field, kind in (("ownerReferences", Mapping), ("finalizers", str)):
        values = metadata.get(field)
        if values is not None and not (
            isinstance(values, list | tuple) and all(isinstance(each, kind) for each in values)
        ):
            raise BadRequestError(f"metadata.{field}: must be a list of {kind.__name__.lower()}s")


def check_metadata(resource: Resource, metadata: Raw) -> None:
    """Names, labels, annotations and owners have the form Kubernetes wants; InvalidError."""
    causes = [(f"metadata.{key}", "unknown field") for key in metadata.keys() - METADATA_FIELDS]
    name = metadata.get("name") or ""
    named = formats.dns_1123_label if resource == NAMESPACES else _wrong_in_subdomain
    causes += [("metadata.name", f'Invalid value: "{name}": {wrong}') for wrong in named(name)]
    for key, value in (metadata.get("labels") or {}).items():
        wrong = [*formats.qualified_name(key), *formats.label_value(value)]
        causes += [("metadata.labels", f'Invalid value: "{key}: {value}": {w}') for w in wrong]
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        causes += [
            ("metadata.annotations", f'Invalid value: "{key}": {w}')
            for w in formats.qualified_name(key.lower())
        ]
    size = sum(len(key) + len(value) for key, value in annotations.items())
    if size > _ANNOTATIONS_BYTES_MAX:
        causes.append(
            (
                "metadata.annotations",
                f"Too long: may not be more than {_ANNOTATIONS_BYTES_MAX} bytes",
            )
        )
    for at, owner in enumerate(metadata.get("ownerReferences") or ()):
        causes += [
            (f"metadata.ownerReferences[{at}].{field}", "Required value: must not be empty")
            for field in _OWNER_FIELDS
            if not isinstance(owner.get(field), str) or not owner[field]
        ]
    for finalizer in metadata.get("finalizers") or ():
        causes += [
            ("metadata.finalizers", f'Invalid value: "{finalizer}": {w}')
            for w in formats.qualified_name(finalizer)
        ]
    if causes:
        raise resources.invalid(resource, name, causes)


def _wrong_in_subdomain(text: str) -> list[str]:
    if _SUBDOMAIN.fullmatch(text) and len(text) <= _SUBDOMAIN_LENGTH_MAX:
        return []
    return [
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "
        "or '.', must start and end with an alphanumeric character, and be no longer than "
        f"{_SUBDOMAIN_LENGTH_MAX}"
    ]


def check_unmoved(resource: Resource, old: Raw, metadata: Raw) -> None:
    """The object written is the object read: same uid, same resourceVersion; ConflictError."""
    before, name = old["metadata"], old["metadata"]["name"]
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    if uid and uid != before["uid"]:
        why = (
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['uid']}"
        )
        raise resources.conflict(resource, name, why)
    if version and version != before["resourceVersion"]:
        raise resources.conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version "
            "and try again",
        )


def updated_metadata(resource: Resource, old: Raw, new: Raw) -> dict[str, Any]:
    """The metadata of an update: the caller's, with the server's own fields as they were."""
    before = old["metadata"]
    result = {key: before[key] for key in SYSTEM_FIELDS if key in before} | own_fields(new)
    if "generateName" in before:
        result["generateName"] = before["generateName"]
    added = set(result.get("finalizers") or ()) - set(before.get("finalizers") or ())
    if added and before.get("deletionTimestamp"):
        raise resources.invalid(
            resource,
            before["name"],
            [
                (
                    "metadata.finalizers",
                    "Forbidden: no new finalizers can be added if the object is being deleted, "
                    f"found new finalizers {sorted(added)}",
                )
            ],
        )
    return result


def own_fields(metadata: Raw) -> dict[str, Any]:
    """What a writer may say in metadata, without what is empty."""
    return {
        key: value
        for key, value in metadata.items()
        if key not in SYSTEM_FIELDS and value not in (None, "", {}, [], ())
    }


def is_spec_changed(old: Raw, new: Raw) -> bool:
    """Whether anything but metadata and status differs."""
    parts = (old.keys() | new.keys()) - {"metadata", "status"}
    return any(old.get(part) != new.get(part) for part in parts)
