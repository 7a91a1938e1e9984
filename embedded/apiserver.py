"""An API server in this process: Kubernetes' verbs over a store.

For: answering as Kubernetes would, by function call; HTTP and DirectClient stand on it.
Must not know: sockets, URLs, bodies, or what any kind is for.
"""

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Protocol

from api.admission import admit
from api.kinds import EVENTS, NAMESPACES, SERVICEACCOUNTS, Resource
from api.objects import Raw
from cluster.client import ObjectList, PatchKind
from cluster.errors import BadRequestError, ForbiddenError, MethodNotAllowedError
from cluster.options import DeleteOptions, ListOptions, Selection, WatchOptions, WriteOptions
from embedded import (
    applying,
    bodies,
    builtin,
    patching,
    resources,
    scale,
    starting,
    typecheck,
)
from embedded.accounts import DefaultAccounts
from embedded.admitting import Admission, Admit
from embedded.custom import CustomKinds
from embedded.deletion import DEFAULT_NAMESPACE, Deletion
from embedded.expiry import Expiry
from embedded.identity import Identities
from embedded.listing import Lists
from embedded.owners import Owners
from embedded.ownership import Ownership
from embedded.podlog import Wanted
from embedded.registry import Registry
from embedded.selection import parse
from embedded.storage_errors import answered
from embedded.store import Store
from embedded.watching import Hub, HubStatistics, Watcher, bookmark


class LogsPort(Protocol):
    """Read what a container wrote; NotFoundError or BadRequestError at once or while read."""

    def __call__(
        self,
        namespace: str,
        name: str,
        *,
        wanted: Wanted,
        follow: bool,
        container: str = "",
    ) -> AsyncIterator[bytes]:
        """Pieces of the log, in order."""
        ...


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
        admit: Admit = admit,
    ) -> None:
        self._store = store
        self._clock = clock
        self.registry = Registry()  # every kind served now, with its schema
        self._lists = Lists(store)
        self._ownership = Ownership(self.registry, clock=clock)
        self._identities = Identities(store, clock=clock, rng=rng)
        self._admit = Admission(admit)
        self._hub = Hub()
        owners = Owners(self.registry.by_kind)
        for resource in store.homes():
            for obj in store.select(resource):
                owners.add(resource, obj)
        store.subscribe(owners.observe)
        store.subscribe(self._hub.publish)
        self._custom = CustomKinds(store, self.registry, self._hub, clock=clock)
        self._expiry = Expiry(store, clock=clock)
        self._deletion = Deletion(store, owners, self._custom, clock=clock)
        self.logs_port: LogsPort | None = None
        DefaultAccounts(store, create=self._create_account, later=self._deletion.later)
        if store.get(NAMESPACES, "", DEFAULT_NAMESPACE) is None:
            named = {"apiVersion": "v1", "kind": "Namespace"}
            self.create(
                NAMESPACES, None, named | {"metadata": {"name": DEFAULT_NAMESPACE}}, WriteOptions()
            )

    @property
    def version(self) -> str:
        """The resourceVersion of the last write."""
        return str(self._store.version)

    def now_s(self) -> float:
        """The server's wall clock, in seconds since the epoch."""
        return self._clock()

    def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        """Read one object; NotFoundError."""
        return self._existing(resource, namespace, name)

    def shown(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        """An object with every owner of its fields written out, for people to see."""
        return self._ownership.shown(resource, obj)

    def get_scale(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        """Read the scale of an object that has one."""
        self._check_part(resource, "scale")
        return scale.scale_of(
            self._existing(resource, namespace, name), self.registry.scale_of(resource)
        )

    def list(
        self, resource: Resource, selection: Selection, options: ListOptions | None = None
    ) -> ObjectList:
        """Read the objects a selection names, in order of namespace and name."""
        self._served(resource)
        self._expire(resource)
        return self._lists.page(
            resource,
            parse(resource, selection, self.registry.selectable(resource)),
            options or ListOptions(),
        )

    def create(
        self, resource: Resource, namespace: str | None, obj: Raw, options: WriteOptions
    ) -> dict[str, Any]:
        """Store a new object; AlreadyExistsError, and NotFoundError without its namespace."""
        if options.subresource:
            raise MethodNotAllowedError(f"{options.subresource} cannot be created, only written")
        home = self._home(resource, namespace)
        new = bodies.addressed(resource, home, "", bodies.typed(resource, obj))
        if new["metadata"].get("resourceVersion"):
            raise BadRequestError("resourceVersion should not be set on objects to be created")
        self._check_namespace(resource, home)
        self._custom.check_creatable(resource)
        self._identities.give(resource, new)
        name = new["metadata"]["name"]
        if self._store.get(resource, home, name) is not None:
            raise resources.already_exists(resource, name)
        if self.registry.has_status(resource):
            new.pop("status", None)
        typecheck.check(resource, new, {})
        new = self._custom.formed(resource, builtin.defaulted(resource, new))
        new = self._admit(resource, new, None, options)
        self._ownership.note_created(resource, new, options)
        bodies.check_metadata(resource, new["metadata"])
        builtin.check(resource, new, None)
        new = self._custom.checked(resource, new, None)
        if options.is_dry_run:
            return new
        if resource == EVENTS:
            self._expire(resource, room=1)
        stored = self._put(resource, new)
        self._deletion.settle(resource, stored)
        return stored

    def replace(
        self, resource: Resource, namespace: str | None, name: str, obj: Raw, options: WriteOptions
    ) -> dict[str, Any]:
        """Write a whole object, or the part `options.subresource` names; ConflictError."""
        self._check_part(resource, options.subresource)
        old = self._existing(resource, namespace, name)
        if options.subresource == "scale":
            bodies.check_unmoved(resource, old, scale.version_of(obj))
            paths = self.registry.scale_of(resource)
            scaled = scale.with_scale(old, obj, paths)
            return scale.scale_of(self._update(resource, old, scaled, options), paths)
        given = bodies.typed(resource, obj)
        new = bodies.addressed(resource, self._home(resource, namespace), name, given)
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
        self._check_part(resource, options.subresource)
        home = self._home(resource, namespace)
        if kind == "apply":
            options = applying.checked(options, patch)
            if self._store.get(resource, home, name) is None and not options.subresource:
                new = bodies.addressed(resource, home, name, patch)
                return self.create(resource, namespace, new, options)
        old = self._existing(resource, namespace, name)
        if kind == "apply":
            return self._apply(resource, old, patch, options)
        if options.subresource == "scale":
            paths = self.registry.scale_of(resource)
            changed = patching.patched(resource, scale.scale_of(old, paths), patch, kind)
            scaled = scale.with_scale(old, changed, paths)
            return scale.scale_of(self._update(resource, old, scaled, options), paths)
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
        with answered():
            left = self._deletion.delete(resource, obj, options or DeleteOptions())
        return resources.gone(resource, obj["metadata"]) if left is None else left

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
                with answered():
                    self._deletion.delete(resource, current, options)
        return found

    def watch(self, resource: Resource, selection: Selection, options: WatchOptions) -> Watcher:
        """Open a watch; GoneError when its start is too old."""
        self._served(resource)
        self._expire(resource)
        selector = parse(resource, selection, self.registry.selectable(resource))
        events = starting.events(self._store, resource, selector, options)
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

    def _apply(
        self, resource: Resource, old: dict[str, Any], patch: Raw, options: WriteOptions
    ) -> dict[str, Any]:
        metadata = old["metadata"]
        if options.subresource == "scale":
            bodies.check_unmoved(resource, old, scale.version_of(patch))
            paths = self.registry.scale_of(resource)
            applied = scale.applied_by(resource, metadata, patch, paths)
            whole, owners = self._ownership.apply(resource, old, replace(options, applied=applied))
            return scale.scale_of(self._update(resource, old, whole, options, owners=owners), paths)
        home = metadata.get("namespace", "")
        given = bodies.addressed(resource, home, metadata["name"], patch)["metadata"]
        bodies.check_unmoved(resource, old, given)
        whole, owners = self._ownership.apply(resource, old, options)
        return self._update(resource, old, whole, options, owners=owners)

    def _update(
        self,
        resource: Resource,
        old: dict[str, Any],
        changed: dict[str, Any],
        options: WriteOptions,
        *,
        owners: applying.Entries | None = None,
    ) -> dict[str, Any]:
        """`owners` is the managedFields of an apply; any other write has them found out."""
        metadata = changed["metadata"]
        bodies.check_unmoved(resource, old, metadata)
        typecheck.check(resource, changed, old)
        if options.subresource == "status":
            new = self._custom.formed(resource, builtin.with_status(resource, old, changed))
        else:
            new = {**changed, "metadata": bodies.updated_metadata(resource, old, metadata)}
            if self.registry.has_status(resource):
                _keep_status(old, new)
            if not options.subresource:
                new = self._admitted(resource, new, old, options)
        self._ownership.note_updated(
            resource, (old, new), options, given=metadata.get("managedFields"), owners=owners
        )
        if new == old:
            return old
        if new["metadata"] != old["metadata"]:
            bodies.check_metadata(resource, new["metadata"])
        new["metadata"] = dict(new["metadata"])
        if options.subresource != "status":
            builtin.check(resource, new, old)
            if resource not in resources.WITHOUT_GENERATION and bodies.is_spec_changed(old, new):
                new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        new = self._custom.checked(resource, new, old)
        if options.is_dry_run:
            return new
        return self._write(resource, new)

    def _create_account(self, namespace: str, account: Raw) -> None:
        self.create(SERVICEACCOUNTS, namespace, account, WriteOptions())

    def _admitted(
        self, resource: Resource, new: dict[str, Any], old: Raw, options: WriteOptions
    ) -> dict[str, Any]:
        formed = self._custom.formed(resource, builtin.defaulted(resource, new))
        return self._admit(resource, formed, old, options)

    def _write(self, resource: Resource, new: dict[str, Any]) -> dict[str, Any]:
        if self._deletion.is_final(resource, new):
            with answered():
                last = self._deletion.remove(resource, new)
            self._deletion.drain()
            return last
        stored = self._put(resource, new)
        self._deletion.settle(resource, stored)
        return stored

    def _put(self, resource: Resource, new: dict[str, Any]) -> dict[str, Any]:
        with answered():
            return self._store.put(resource, new)

    def _existing(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        home = self._home(resource, namespace)
        self._expire(resource)
        found = self._store.get(resource, home, name)
        if found is None:
            raise resources.not_found(resource, name)
        return found

    def _check_part(self, resource: Resource, subresource: str) -> None:
        """The kind has this subresource; NotFoundError."""
        is_there = (
            not subresource
            or (subresource == "status" and self.registry.has_status(resource))
            or (subresource == "scale" and self.registry.has_scale(resource))
        )
        if not is_there:
            raise resources.no_such_part(resource, subresource)

    def _home(self, resource: Resource, namespace: str | None) -> str:
        self._served(resource)
        return (namespace or DEFAULT_NAMESPACE) if resource.is_namespaced else ""

    def _served(self, resource: Resource) -> None:
        if not self._store.serves(resource) or not self.registry.serves(resource):
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
        if resource == EVENTS:
            with answered():
                self._expiry.expire(room=room)


def _keep_status(old: Raw, new: dict[str, Any]) -> None:
    if "status" in old:
        new["status"] = old["status"]
    else:
        new.pop("status", None)
