"""Objects into a cluster by server-side apply, as its API server can take them.

For: `relight install`: applying again changes nothing, and what an older server lacks is said.
Must not know: what the objects are for.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.kinds import CUSTOMRESOURCEDEFINITIONS, Resource
from cluster.errors import ApiError
from relight import converting, served
from relight.connection import Connection, find
from relight.errors import FailedError
from relight.served import Kinds
from relight.waiting import until
from relight.watching import View

Object = dict[str, Any]

_ATTEMPTS: Final = 3
_ROUNDS_MAX: Final = 20  # of fields left out: a server names those of one depth at a time
_ESTABLISHED_S: Final = 30.0
_AGAIN_S: Final = 0.5


@dataclass(slots=True, kw_only=True)
class Applied:
    """What was done, as sentences for a person."""

    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    notes: dict[str, None] = field(default_factory=dict)  # in order, each once
    skipped: list[str] = field(default_factory=list)
    names: set[tuple[str, str, str]] = field(default_factory=set)  # kind, namespace, name


async def known_kinds(connection: Connection, objects: Sequence[Object]) -> Kinds:
    """What is served of the versions of the objects, and of older ones they may become."""
    versions = {str(each["apiVersion"]) for each in objects}
    return await served.kinds_of(connection, versions | {"policy/v1beta1", "autoscaling/v2beta2"})


async def apply(
    connection: Connection,
    objects: Sequence[Object],
    *,
    tell: Callable[[str], None],
) -> Applied:
    """Apply in the order given; definitions are waited for. FailedError names what was refused."""
    kinds = await known_kinds(connection, objects)
    applied = Applied()
    for each in objects:
        obj, note = converting.converted(each, lambda *key: key in kinds)
        if note:
            applied.notes[note] = None
        name = title(obj)
        resource = kinds.get((obj["apiVersion"], obj["kind"]))
        if resource is None:
            applied.skipped.append(f"{name}: {obj['apiVersion']} {obj['kind']} is not served here")
            continue
        applied.names.add(_key(obj))
        before = await _stored(connection, resource, obj)
        obj = _as_many(obj, before)
        if _content(await _apply_one(connection, resource, obj, applied)) == before:
            applied.unchanged += 1
        else:
            applied.changed.append(name)
            tell(f"{name} {'configured' if before else 'created'}")
    await _established(connection, objects)
    return applied


async def _apply_one(
    connection: Connection, resource: Resource, obj: Object, applied: Applied
) -> Object:
    """What is stored then. Fields that the server does not know are left out."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace") if resource.is_namespaced else None
    attempts = 0
    for _ in range(_ROUNDS_MAX):
        try:
            return await connection.client.patch(
                resource, namespace, metadata["name"], obj, kind="apply"
            )
        except ApiError as error:
            unknown = converting.unknown_fields(error.message)
            attempts += not unknown
            if attempts == _ATTEMPTS:
                raise FailedError(f"{title(obj)}: {error.message}") from error
            if unknown:
                obj, notes = converting.without(obj, unknown)
                applied.notes |= dict.fromkeys(notes)
            else:
                await asyncio.sleep(_AGAIN_S * attempts)  # a namespace may just have been made
    raise FailedError(f"{title(obj)}: the API server goes on finding fields it does not know")


async def _stored(connection: Connection, resource: Resource, obj: Object) -> Object | None:
    metadata = obj["metadata"]
    namespace = metadata.get("namespace") if resource.is_namespaced else None
    found = await find(connection.client, resource, namespace or "", metadata["name"])
    return None if found is None else _content(found)


def _as_many(obj: Object, before: Object | None) -> Object:
    """A Deployment that does not say how many stays as many as it is, and is not one for a moment.

    A HorizontalPodAutoscaler says it; a number that we said before and leave out now would be the
    default.
    """
    count = ((before or {}).get("spec") or {}).get("replicas")
    if obj["kind"] != "Deployment" or "replicas" in obj["spec"] or count is None:
        return obj
    return {**obj, "spec": {**obj["spec"], "replicas": count}}


def _content(obj: Object) -> Object:
    """What somebody wrote: without the books that the server keeps of it."""
    books = ("managedFields", "resourceVersion", "generation")
    metadata = {name: value for name, value in obj["metadata"].items() if name not in books}
    return {**obj, "metadata": metadata, "status": None}


async def _established(connection: Connection, objects: Sequence[Object]) -> None:
    names = {
        each["metadata"]["name"] for each in objects if each["kind"] == "CustomResourceDefinition"
    }
    view = View(connection.client, CUSTOMRESOURCEDEFINITIONS, None)

    def missing() -> set[str]:
        ready = {key[1] for key, raw in view.objects.items() if _is_established(raw)}
        return names - ready

    done = await until([view], lambda: not missing() or None, timeout_s=_ESTABLISHED_S)
    if not done:
        raise FailedError(f"definitions that are not served yet: {', '.join(sorted(missing()))}")


def _is_established(raw: Object) -> bool:
    conditions = (raw.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def title(obj: Object) -> str:
    """`Deployment relight-system/activator`."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{obj['kind']} {namespace + '/' if namespace else ''}{metadata['name']}"


def _key(obj: Object) -> tuple[str, str, str]:
    metadata = obj["metadata"]
    return obj["kind"], metadata.get("namespace") or "", metadata["name"]
