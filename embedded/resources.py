"""The kinds this server serves and what each of them can do; the rest is refused by name.

For: one place that says which parts, rules and defaults a kind has.
Must not know: requests, or how objects are stored.
"""

from collections.abc import Mapping
from typing import Any, Final

from api import kinds
from api.kinds import Resource
from cluster.errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError

ALL: Final = kinds.ALL
_SMALL: Final = frozenset(  # without a status
    {kinds.EVENTS, kinds.CONFIGMAPS, kinds.SECRETS, kinds.SERVICEACCOUNTS, kinds.LEASES}
)
WITH_STATUS: Final = frozenset(kinds.ALL) - _SMALL
WITH_SCALE: Final = frozenset({kinds.DEPLOYMENTS})
# metadata.generation counts changes of what the user wants; these kinds have no such part.
WITHOUT_GENERATION: Final = frozenset({kinds.NAMESPACES, kinds.NODES}) | _SMALL
# Kubernetes' own kinds: strategic merge, and PUT without a resourceVersion.
BUILT_IN: Final = frozenset(
    {kinds.NAMESPACES, kinds.PODS, kinds.DEPLOYMENTS, kinds.NODES, kinds.CORE_SERVICES}
    | {kinds.CUSTOMRESOURCEDEFINITIONS}
    | _SMALL
)
VERBS: Final = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)
# Kinds that are there to be read: the platform writes them, or nothing here would honour them.
VERBS_OF: Final[Mapping[Resource, tuple[str, ...]]] = {
    kinds.NODES: ("get", "list", "patch", "update", "watch"),
    kinds.CORE_SERVICES: ("get", "list", "watch"),
}
_BY_PATH: Final = {(each.group, each.version, each.plural): each for each in kinds.ALL}
_BY_KIND: Final = {(each.api_version, each.kind): each for each in kinds.ALL}


def by_path(group: str, version: str, plural: str) -> Resource:
    """The resource at a URL; NotFoundError."""
    found = _BY_PATH.get((group, version, plural))
    if found is None:
        raise NotFoundError("the server could not find the requested resource")
    return found


def by_kind(api_version: str, kind: str) -> Resource | None:
    """The resource of an object, if it is served."""
    return _BY_KIND.get((api_version, kind))


def qualified(resource: Resource) -> str:
    """The name of a kind as error messages give it: "services.serving.knative.dev"."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _details(resource: Resource, name: str) -> dict[str, str]:
    details = {"name": name, "kind": resource.plural}
    return details | ({"group": resource.group} if resource.group else {})


def gone(resource: Resource, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The Status that answers a deletion after which nothing is left."""
    details = _details(resource, metadata["name"]) | {"uid": metadata["uid"]}
    success = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return success | {"details": details}


def not_found(resource: Resource, name: str) -> NotFoundError:
    """No such object."""
    message = f'{qualified(resource)} "{name}" not found'
    return NotFoundError(message, _details(resource, name))


def not_served(resource: Resource) -> NotFoundError:
    """A kind that this server does not know."""
    return NotFoundError(
        f"the server does not serve {qualified(resource)}: it knows "
        + ", ".join(qualified(each) for each in ALL)
    )


def no_such_part(resource: Resource, subresource: str) -> NotFoundError:
    """A subresource that this kind does not have."""
    return NotFoundError(f"{qualified(resource)} have no subresource {subresource!r} here")


def already_exists(resource: Resource, name: str) -> AlreadyExistsError:
    """The name is taken."""
    message = f'{qualified(resource)} "{name}" already exists'
    return AlreadyExistsError(message, _details(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ConflictError:
    """The object is not the one the caller had in mind."""
    message = f'Operation cannot be fulfilled on {qualified(resource)} "{name}": {why}'
    return ConflictError(message, _details(resource, name))


def invalid(
    resource: Resource,
    name: str,
    causes: list[tuple[str, str]],
    *,
    reason: str = "FieldValueInvalid",
) -> InvalidError:
    """An object that breaks rules; `causes` are (field, message)."""
    listed = [f"{field}: {message}" for field, message in causes]
    text = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = {
        "name": name,
        "kind": resource.kind,
        "causes": [
            {"reason": reason, "message": message, "field": field} for field, message in causes
        ],
    }
    if resource.group:
        details["group"] = resource.group
    return InvalidError(f'{kind} "{name}" is invalid: {text}', details)
