"""An API server in this process: Kubernetes' verbs over a store.

For: answering as Kubernetes would, by function call; HTTP and DirectClient stand on it.
Must not know: sockets, URLs, bodies, or what any kind is for.
"""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

from api.errors import InvalidObjectError
from api.kinds import EVENTS, NAMESPACES, Resource
from api.objects import Raw, rfc3339
from cluster.client import ObjectList, PatchKind
from cluster.errors import (
    AlreadyExistsError,
    ApiError,
    BadRequestError,
    ForbiddenError,
    GoneError,
    InternalError,
    MethodNotAllowedError,
)
from cluster.options import DeleteOptions, ListOptions, Selection, WatchOptions, WriteOptions
from embedded import applying, bodies, builtin, listing, patching, resources, scale
from embedded.deletion import DEFAULT_NAMESPACE, Deletion
from embedded.expiry import Expiry
from embedded.history import CompactedError
from embedded.owners import Owners
from embedded.selection import parse
from embedded.storage_errors import StorageError
from embedded.store import Store
from embedded.watching import Hub, HubStatistics, Watcher, bookmark, event_of, type_for

_SUFFIX_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes': no vowels, no words
_SUFFIX_LENGTH: Final = 5
_GENERATED_NAME_MAX: Final = 58  # of the prefix, so that the whole is a DNS label
_GENERATE_TRIES: Final = 8
_DENIED: Final = 'admission webhook "validation.webhook.serving.knative.dev" denied the request: '


class Admit(Protocol):
    """Check an object and fill in defaults; InvalidObjectError."""

    def __call__(
        self, resource: Resource, new: Raw, old: Raw | None, *, user: str
    ) -> dict[str, Any]:
        """The object to store."""
        ...


class LogsPort(Protocol):
    """Read what a container wrote; NotFoundError or BadRequestError at once or while read."""

    def __call__(
        self, namespace: str, name: str, *, follow: bool, tail_lines: int | None, previous: bool
    ) -> AsyncIterator[bytes]:
        """Pieces of the log, in order."""
        ...


def admit_anything(
    resource: Resource,
    new: Raw,
    old: Raw | None,
    *,
    user: str,
) -> dict[str, Any]:
    """Admission for those who want none."""
    return dict(new)


class ApiServer:
    """Every method answers at once or raises `ApiError`. What it returns must not be mutated.

    Not thread-safe: one event loop owns it.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        admit: Admit = admit_anything,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._admit_port = admit
        self._hub = Hub()
        owners = Owners()
        for resource in (each for each in resources.ALL if store.serves(each)):
            for obj in store.select(resource):
                owners.add(resource, obj)
        store.subscribe(owners.observe)
        store.subscribe(self._hub.publish)
        self._expiry = Expiry(store, clock=clock)
        self._deletion = Deletion(store, owners, clock=clock)
        self.logs_port: LogsPort | None = None
        if store.get(NAMESPACES, "", DEFAULT_NAMESPACE) is None:
            named = {"apiVersion": "v1", "kind": "Namespace"}
            self.create(
                NAMESPACES, None, named | {"metadata": {"name": DEFAULT_NAMESPACE}}, WriteOptions()
            )

    @property
    def version(self) -> str:
        """The resourceVersion of the last write."""
        return str(self._store.version)

    def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        """Read one object; NotFoundError."""
        return self._existing(resource, namespace, name)

    def get_scale(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        """Read the scale of an object that has one."""
        _check_part(resource, "scale")
        return scale.scale_of(self._existing(resource, namespace, name))

    def list(
        self, resource: Resource, selection: Selection, options: ListOptions | None = None
    ) -> ObjectList:
        """Read the objects a selection names, in order of namespace and name."""
        self._expire(resource)
        return listing.page(
            self._store, resource, parse(resource, selection), options or ListOptions()
        )

    def create(
        self, resource: Resource, namespace: str | None, obj: Raw, options: WriteOptions
    ) -> dict[str, Any]:
        """Store a new object; AlreadyExistsError, and NotFoundError without its namespace."""
        if options.subresource:
            raise MethodNotAllowedError(f"{options.subresource} cannot be created, only written")
        home = self._home(resource, namespace)
        new = bodies.addressed(resource, home, "", obj)
        if new["metadata"].get("resourceVersion"):
            raise BadRequestError("resourceVersion should not be set on objects to be created")
        self._check_namespace(resource, home)
        self._set_identity(resource, new)
        name = new["metadata"]["name"]
        if self._store.get(resource, home, name) is not None:
            raise resources.already_exists(resource, name)
        if resource in resources.WITH_STATUS:
            new.pop("status", None)
        new = builtin.defaulted(resource, new)
        new = self._admitted(resource, new, None, options)
        applying.note(new, None, options, now=rfc3339(self._clock()))
        bodies.check_metadata(resource, new["metadata"])
        builtin.check(resource, new, None)
        if options.is_dry_run:
            return new
        if resource is EVENTS:
            self._expire(resource, room=1)
        stored = self._put(resource, new)
        self._deletion.settle(resource, stored)
        return stored

    def replace(
        self, resource: Resource, namespace: str | None, name: str, obj: Raw, options: WriteOptions
    ) -> dict[str, Any]:
        """Write a whole object, or the part `options.subresource` names; ConflictError."""
        _check_part(resource, options.subresource)
        old = self._existing(resource, namespace, name)
        if options.subresource == "scale":
            given = (obj.get("metadata") or {}).get("resourceVersion")
            bodies.check_unmoved(resource, old, {"resourceVersion": given})
            return scale.scale_of(self._update(resource, old, scale.with_scale(old, obj), options))
        new = bodies.addressed(resource, self._home(resource, namespace), name, obj)
        if not new["metadata"].get("resourceVersion") and resource not in resources.BUILT_IN:
            cause = (
                "metadata.resourceVersion",
                "Invalid value: 0: must be specified for an update",
            )
            raise resources.invalid(resource, name, [cause])
        return self._update(resource, old, new, options)

    def patch(
        self,
        resource: Resource,
        target: tuple[str | None, str],
        patch: Any,
        kind: PatchKind,
        options: WriteOptions,
    ) -> dict[str, Any]:
        """Change the object named by `target`; kind "apply" creates it if need be."""
        namespace, name = target
        _check_part(resource, options.subresource)
        home = self._home(resource, namespace)
        if kind == "apply":
            options = applying.checked(options, patch)
            if self._store.get(resource, home, name) is None and not options.subresource:
                new = bodies.addressed(resource, home, name, patch)
                return self.create(resource, namespace, new, options)
        old = self._existing(resource, namespace, name)
        if options.subresource == "scale":
            changed = patching.patched(resource, scale.scale_of(old), patch, kind)
            return scale.scale_of(
                self._update(resource, old, scale.with_scale(old, changed), options)
            )
        changed = patching.patched(resource, old, patch, kind)
        new = bodies.addressed(resource, home, name, changed)
        return self._update(resource, old, new, options)

    def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        options: DeleteOptions | None = None,
    ) -> dict[str, Any]:
        """Delete, or begin to; a Status when it is gone, else the object that is going."""
        obj = self._existing(resource, namespace, name)
        with _Explained():
            left = self._deletion.delete(resource, obj, options or DeleteOptions())
        if left is not None:
            return left
        details = {"name": name, "group": resource.group, "kind": resource.plural}
        details["uid"] = obj["metadata"]["uid"]
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {key: value for key, value in details.items() if value},
        }

    def delete_collection(
        self, resource: Resource, selection: Selection, options: DeleteOptions
    ) -> ObjectList:
        """Delete every selected object; returns them as they were."""
        found = self.list(resource, selection)
        for obj in found.items:
            metadata = obj["metadata"]
            home = metadata.get("namespace", "")
            current = self._store.get(resource, home, metadata["name"])
            if current is not None:  # a cascade may have taken it
                with _Explained():
                    self._deletion.delete(resource, current, options)
        return found

    def watch(self, resource: Resource, selection: Selection, options: WatchOptions) -> Watcher:
        """Open a watch; GoneError when its start is too old."""
        self._served(resource)
        self._expire(resource)
        selector = parse(resource, selection)
        version = options.resource_version
        is_fresh = version in ("", "0") or options.send_initial_events
        events = []
        if is_fresh:
            start = listing.number(version)
            listing.check_reached(start, self._store.version)
            present = listing.selected(self._store, resource, selector)
            events = listing.added(present)
            if options.send_initial_events and options.has_bookmarks:
                events.append(bookmark(resource, self._store.version, ends_initial=True))
        else:
            start = listing.number(version)
            if start > self._store.version:
                raise GoneError(f"resourceVersion {version} is in the future of this server")
            try:
                changes = self._store.changes_since(resource, start)
            except CompactedError as error:
                raise GoneError(
                    f"too old resource version: {version} ({self._store.oldest_version})"
                ) from error
            for change in changes:
                type_ = type_for(selector, change)
                if type_ is not None:
                    events.append(event_of(type_, change))
        watcher = self._hub.open(resource, selector)
        watcher.start(events)
        return watcher

    def bookmark_of(self, resource: Resource) -> dict[str, Any]:
        """The object of a BOOKMARK event that says: everything so far was sent."""
        return bookmark(resource, self._store.version).object

    def statistics(self) -> HubStatistics:
        """The open watches."""
        return self._hub.statistics()

    def close(self) -> None:
        """End every watch; the store stays the caller's."""
        self._hub.close()

    def _update(
        self,
        resource: Resource,
        old: dict[str, Any],
        changed: dict[str, Any],
        options: WriteOptions,
    ) -> dict[str, Any]:
        metadata = changed["metadata"]
        bodies.check_unmoved(resource, old, metadata)
        if options.subresource == "status":
            new = builtin.with_status(resource, old, changed)
        else:
            new = {**changed, "metadata": bodies.updated_metadata(resource, old, metadata)}
            if resource in resources.WITH_STATUS:
                _keep_status(old, new)
            if not options.subresource:
                new = self._admitted(resource, builtin.defaulted(resource, new), old, options)
        if new == old:
            return old
        if new["metadata"] != old["metadata"]:
            bodies.check_metadata(resource, new["metadata"])
        new["metadata"] = dict(new["metadata"])
        if options.subresource != "status":
            builtin.check(resource, new, old)
            if resource not in resources.WITHOUT_GENERATION and bodies.is_spec_changed(old, new):
                new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        applying.note(new, old, options, now=rfc3339(self._clock()))
        if options.is_dry_run:
            return new
        return self._write(resource, new)

    def _write(self, resource: Resource, new: dict[str, Any]) -> dict[str, Any]:
        if self._deletion.is_final(resource, new):
            with _Explained():
                last = self._deletion.remove(resource, new)
            self._deletion.drain()
            return last
        stored = self._put(resource, new)
        self._deletion.settle(resource, stored)
        return stored

    def _put(self, resource: Resource, new: dict[str, Any]) -> dict[str, Any]:
        with _Explained():
            return self._store.put(resource, new)

    def _admitted(
        self, resource: Resource, new: dict[str, Any], old: Raw | None, options: WriteOptions
    ) -> dict[str, Any]:
        try:
            admitted = self._admit_port(resource, new, old, user=options.user)
        except InvalidObjectError as error:
            if resource in resources.BUILT_IN:
                causes = [(", ".join(each.paths), each.message) for each in error.errors]
                raise resources.invalid(resource, new["metadata"]["name"], causes) from error
            raise BadRequestError(f"{_DENIED}validation failed: {error}") from error
        return {**admitted, "metadata": dict(admitted["metadata"])}

    def _set_identity(self, resource: Resource, new: dict[str, Any]) -> None:
        given = new["metadata"]
        kept = {key: value for key, value in given.items() if key not in bodies.SYSTEM_FIELDS}
        metadata: dict[str, Any] = {"name": given.get("name") or self._generated(resource, given)}
        if resource.is_namespaced:
            metadata["namespace"] = given["namespace"]
        metadata["uid"] = self._uid()
        metadata["creationTimestamp"] = rfc3339(self._clock())
        if resource not in resources.WITHOUT_GENERATION:
            metadata["generation"] = 1
        kept = {key: value for key, value in kept.items() if value not in (None, {}, [], ())}
        new["metadata"] = metadata | kept

    def _generated(self, resource: Resource, metadata: Raw) -> str:
        prefix = metadata.get("generateName")
        if not prefix:
            raise resources.invalid(
                resource,
                "",
                [("metadata.name", "Required value: name or generateName is required")],
                reason="FieldValueRequired",
            )
        for _ in range(_GENERATE_TRIES):
            suffix = "".join(self._rng.choices(_SUFFIX_LETTERS, k=_SUFFIX_LENGTH))
            name = f"{prefix[:_GENERATED_NAME_MAX]}{suffix}"
            if self._store.get(resource, metadata.get("namespace", ""), name) is None:
                return name
        raise AlreadyExistsError(f"no free name was found for generateName {prefix!r}: try again")

    def _uid(self) -> str:
        text = f"{self._rng.getrandbits(128):032x}"
        variant = "89ab"[int(text[16], 16) & 3]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    def _existing(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        home = self._home(resource, namespace)
        self._expire(resource)
        found = self._store.get(resource, home, name)
        if found is None:
            raise resources.not_found(resource, name)
        return found

    def _home(self, resource: Resource, namespace: str | None) -> str:
        self._served(resource)
        return (namespace or DEFAULT_NAMESPACE) if resource.is_namespaced else ""

    def _served(self, resource: Resource) -> None:
        if not self._store.serves(resource):
            raise resources.not_served(resource)

    def _check_namespace(self, resource: Resource, name: str) -> None:
        if not resource.is_namespaced:
            return
        namespace = self._store.get(NAMESPACES, "", name)
        if namespace is None:
            raise resources.not_found(NAMESPACES, name)
        if "deletionTimestamp" in namespace["metadata"]:
            raise ForbiddenError(
                f"{resources.qualified(resource)} is forbidden: unable to create new content in "
                f"namespace {name} because it is being terminated",
                {"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]},
            )

    def _expire(self, resource: Resource, *, room: int = 0) -> None:
        if resource is EVENTS:
            with _Explained():
                self._expiry.expire(room=room)


class _Explained:
    """Storage failures and impossible values as answers to the caller."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, StorageError):
            raise InternalError(f"storage refused the write: {error}") from error
        if isinstance(error, TypeError | ValueError) and not isinstance(error, ApiError):
            raise BadRequestError(f"the object is not JSON: {error}") from error


def _keep_status(old: Raw, new: dict[str, Any]) -> None:
    if "status" in old:
        new["status"] = old["status"]
    else:
        new.pop("status", None)


def _check_part(resource: Resource, subresource: str) -> None:
    """The kind has this subresource; NotFoundError."""
    is_there = (
        not subresource
        or (subresource == "status" and resource in resources.WITH_STATUS)
        or (subresource == "scale" and resource in resources.WITH_SCALE)
    )
    if not is_there:
        raise resources.no_such_part(resource, subresource)
