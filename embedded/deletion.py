"""How objects go: grace, finalizers, namespaces, and everything an owner leaves behind.

For: the whole of deletion, from a DELETE to the last dependent, done by the server itself.
Must not know: clients, watches, or what any kind is for.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from api.kinds import CUSTOMRESOURCEDEFINITIONS, NAMESPACES, PODS, Resource
from api.objects import Raw, rfc3339
from cluster.errors import BadRequestError, ForbiddenError
from cluster.options import DeleteOptions
from embedded import resources
from embedded.crds import CLEANUP
from embedded.custom import CustomKinds
from embedded.owners import Owners, Place, is_blocking, place_of
from embedded.storage_errors import StorageError
from embedded.store import Store
from embedded.terminating import conditions

FOREGROUND: Final = "foregroundDeletion"  # the finalizer that waits for dependents
DEFAULT_NAMESPACE: Final = "default"
_POLICIES: Final = ("", "Background", "Foreground", "Orphan")
_POD_GRACE_S: Final = 30
_COUNTED_MAX: Final = 64  # objects left in a Namespace that its conditions speak of
_CASCADED: Final = DeleteOptions()


class Deletion:
    """Deletes at once what may go at once, and finishes the rest when its obstacle goes."""

    def __init__(
        self,
        store: Store,
        owners: Owners,
        custom: CustomKinds | None = None,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._custom = custom
        if custom is not None:
            custom.defer = self.later
        self._store = store
        self._owners = owners
        self._clock = clock
        # Work that follows from a removal. A queue, not recursion: chains may be long.
        self._pending: deque[Callable[[], None]] = deque()
        self._is_draining = False
        self._resume()
        self.drain()

    def later(self, step: Callable[[], None]) -> None:
        """Have something done once what is being done is done."""
        self._pending.append(step)

    def delete(self, resource: Resource, obj: Raw, options: DeleteOptions) -> dict[str, Any] | None:
        """Delete, or begin to: the object that is still going, or None when it is gone."""
        _check(resource, obj, options)
        if options.is_dry_run:
            return None
        left = self._delete(resource, obj, options)
        self.drain()
        return left

    def settle(self, resource: Resource, obj: Raw) -> None:
        """After a write: collect an object whose owners are all gone or going already.

        A controller that has not heard of a deletion makes dependents anew: unless they go
        too, an owner that goes in the foreground waits for them for ever.
        """
        references = obj["metadata"].get("ownerReferences")
        if references and "deletionTimestamp" not in obj["metadata"]:
            is_owner_going = any(self._is_going(owner["uid"]) for owner in references)
            if is_owner_going or self._owners.dead(obj):
                propagation = "Foreground" if is_owner_going else ""
                self._pending.append(partial(self._collect, place_of(resource, obj), propagation))
        self.drain()

    def is_final(self, resource: Resource, new: Raw) -> bool:
        """Whether writing this state of a deleted object is its end."""
        metadata = new["metadata"]
        if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
            return False
        if resource == NAMESPACES:
            return self._is_empty(metadata["name"])
        return not metadata.get("deletionGracePeriodSeconds")

    def remove(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        """Remove an object in its last state (owned by this call), and queue what follows."""
        last = self._store.remove(resource, obj)
        self._collect_dependents(last["metadata"]["uid"])
        for owner in last["metadata"].get("ownerReferences") or ():
            self._pending.append(partial(self._finish_foreground, owner["uid"]))
        if resource.group and self._custom is not None:
            name = f"{resource.plural}.{resource.group}"
            self._pending.append(partial(self._finish_kind, name))
        namespace = last["metadata"].get("namespace")
        if namespace:
            self._pending.append(partial(self._finish_namespace, namespace))
        return last

    def drain(self) -> None:
        """Do what follows from removals. A storage failure leaves the rest for the next call."""
        if self._is_draining:
            return
        self._is_draining = True
        try:
            while self._pending:
                step = self._pending.popleft()
                try:
                    step()
                except StorageError:
                    # What was asked for is committed, and its caller must hear that.
                    self._pending.appendleft(step)
                    return
        finally:
            self._is_draining = False

    def _resume(self) -> None:
        """Queue what an earlier process left undone when it died in the middle of a deletion."""
        for uid in self._owners.missing():
            self._collect_dependents(uid)
        for namespace in self._store.select(NAMESPACES):
            if "deletionTimestamp" in namespace["metadata"]:
                self._empty_namespace(namespace["metadata"]["name"])
                finish = partial(self._finish_namespace, namespace["metadata"]["name"])
                self._pending.append(finish)
        if self._custom is not None and self._store.serves(CUSTOMRESOURCEDEFINITIONS):
            for crd in self._store.select(CUSTOMRESOURCEDEFINITIONS):
                if "deletionTimestamp" in crd["metadata"]:
                    self._empty_kind(crd)
        for resource in self._store.homes():
            for obj in self._store.select(resource):
                if FOREGROUND in (obj["metadata"].get("finalizers") or ()):
                    self._delete_dependents(obj["metadata"]["uid"])

    def _delete(
        self, resource: Resource, obj: Raw, options: DeleteOptions
    ) -> dict[str, Any] | None:
        metadata = obj["metadata"]
        finalizers = list(metadata.get("finalizers") or ())
        if options.propagation == "Orphan":
            self._orphan(metadata["uid"])
        elif options.propagation == "Foreground" and self._owners.dependents(metadata["uid"]):
            finalizers += [FOREGROUND] if FOREGROUND not in finalizers else []
        grace_s = _grace_s(resource, obj, options)
        if not finalizers and not grace_s and resource != NAMESPACES:
            self.remove(resource, {**obj, "metadata": dict(metadata)})
            return None
        going = self._begin(resource, obj, finalizers, grace_s)
        place = place_of(resource, going)
        if resource == NAMESPACES:
            self._empty_namespace(metadata["name"])
            self._pending.append(partial(self._finish_namespace, metadata["name"]))
        elif resource == CUSTOMRESOURCEDEFINITIONS:
            self._empty_kind(going)
        if FOREGROUND in finalizers:
            self._delete_dependents(metadata["uid"])
        self.drain()
        return self._store.get(*place)

    def _begin(
        self, resource: Resource, obj: Raw, finalizers: list[str], grace_s: int
    ) -> Mapping[str, Any]:
        metadata = dict(obj["metadata"])
        before = metadata.get("deletionGracePeriodSeconds")
        if "deletionTimestamp" not in metadata or (before is not None and grace_s < before):
            # As in Kubernetes the time is when grace ends; a later DELETE can only shorten it.
            metadata["deletionTimestamp"] = rfc3339(self._clock() + grace_s)
            metadata["deletionGracePeriodSeconds"] = grace_s
        if finalizers:
            metadata["finalizers"] = finalizers
        going = {**obj, "metadata": metadata}
        if resource == NAMESPACES:
            going["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
        if going == obj:
            return obj
        return self._store.put(resource, going)

    def _orphan(self, uid: str) -> None:
        for resource, namespace, name in self._owners.dependents(uid):
            obj = self._store.get(resource, namespace, name)
            if obj is not None:
                self._drop_references(resource, obj, {uid})

    def _drop_references(self, resource: Resource, obj: Raw, uids: set[str]) -> None:
        metadata = dict(obj["metadata"])
        kept = [each for each in metadata.get("ownerReferences") or () if each["uid"] not in uids]
        metadata["ownerReferences"] = kept
        if not kept:
            del metadata["ownerReferences"]
        self._store.put(resource, {**obj, "metadata": metadata})

    def _collect_dependents(self, uid: str) -> None:
        for dependent in self._owners.dependents(uid):
            self._pending.append(partial(self._collect, dependent))

    def _delete_dependents(self, uid: str) -> None:
        """Before their owner, which waits for those that block it."""
        for dependent in self._owners.dependents(uid):
            self._pending.append(partial(self._collect, dependent, "Foreground"))
        self._pending.append(partial(self._finish_foreground, uid))

    def _collect(self, place: Place, propagation: str = "") -> None:
        """Delete an object whose owners are going or gone; with another owner left, keep it."""
        obj = self._store.get(*place)
        if obj is None:
            return
        references = obj["metadata"].get("ownerReferences") or ()
        lost = {owner["uid"] for owner in self._owners.dead(obj)}
        lost |= {owner["uid"] for owner in references if self._is_going(owner["uid"])}
        if not lost:
            return
        if any(owner["uid"] not in lost for owner in references):
            self._drop_references(place[0], obj, lost)
        elif "deletionTimestamp" not in obj["metadata"]:
            self._delete(place[0], obj, DeleteOptions(propagation=propagation))

    def _is_going(self, uid: str) -> bool:
        owner = self._at(uid)
        return owner is not None and FOREGROUND in (owner["metadata"].get("finalizers") or ())

    def _at(self, uid: str) -> dict[str, Any] | None:
        place = self._owners.place(uid)
        return None if place is None else self._store.get(*place)

    def _finish_foreground(self, uid: str) -> None:
        place, owner = self._owners.place(uid), self._at(uid)
        if place is None or owner is None or not self._is_going(uid):
            return
        for dependent in self._owners.dependents(uid):
            obj = self._store.get(*dependent)
            if obj is not None and is_blocking(obj, uid):
                return
        metadata = dict(owner["metadata"])
        metadata["finalizers"] = [each for each in metadata["finalizers"] if each != FOREGROUND]
        if not metadata["finalizers"]:
            del metadata["finalizers"]
        going = {**owner, "metadata": metadata}
        if self.is_final(place[0], going):
            self.remove(place[0], going)
        else:
            self._store.put(place[0], going)

    def _contents(self, namespace: str) -> list[Place]:
        return [
            place_of(resource, obj)
            for resource in self._store.homes()
            if resource.is_namespaced
            for obj in self._store.select(resource, namespace)
        ]

    def _is_empty(self, namespace: str) -> bool:
        return all(
            next(self._store.select(resource, namespace), None) is None
            for resource in self._store.homes()
            if resource.is_namespaced
        )

    def _empty_namespace(self, namespace: str) -> None:
        for place in self._contents(namespace):
            self._pending.append(partial(self._delete_at, place))

    def _delete_at(self, place: Place) -> None:
        obj = self._store.get(*place)
        if obj is not None and "deletionTimestamp" not in obj["metadata"]:
            self._delete(place[0], obj, _CASCADED)

    def _finish_namespace(self, name: str) -> None:
        namespace = self._store.get(NAMESPACES, "", name)
        if namespace is None or "deletionTimestamp" not in namespace["metadata"]:
            return
        if self.is_final(NAMESPACES, namespace):
            self.remove(NAMESPACES, {**namespace, "metadata": dict(namespace["metadata"])})
        else:
            self._tell_remaining(name, namespace)

    def _tell_remaining(self, name: str, namespace: Raw) -> None:
        """Say on a Namespace that is going what is left, once that is little enough to count."""
        places = self._contents(name)
        if len(places) > _COUNTED_MAX:
            return
        left = [(place[0], obj) for place in places if (obj := self._store.get(*place))]
        status = namespace.get("status") or {}
        before = status.get("conditions") or ()
        told = conditions(left, before, now=rfc3339(self._clock()))
        if told != before:
            metadata = dict(namespace["metadata"])
            status = {**status, "conditions": told}
            self._store.put(NAMESPACES, {**namespace, "metadata": metadata, "status": status})

    def _empty_kind(self, crd: Raw) -> None:
        """Delete the objects of a CRD's kind, then the CRD."""
        if self._custom is not None:
            for place in self._custom.contents(crd):
                self._pending.append(partial(self._delete_at, place))
        self._pending.append(partial(self._finish_kind, crd["metadata"]["name"]))

    def _finish_kind(self, name: str) -> None:
        if not self._store.serves(CUSTOMRESOURCEDEFINITIONS):
            return
        crd = self._store.get(CUSTOMRESOURCEDEFINITIONS, "", name)
        if crd is None or "deletionTimestamp" not in crd["metadata"]:
            return
        finalizers = crd["metadata"].get("finalizers") or []
        is_empty = self._custom is None or next(self._custom.contents(crd), None) is None
        if CLEANUP not in finalizers or not is_empty:
            return
        metadata = {
            **crd["metadata"],
            "finalizers": [each for each in finalizers if each != CLEANUP],
        }
        if not metadata["finalizers"]:
            del metadata["finalizers"]
        going = {**crd, "metadata": metadata}
        if self.is_final(CUSTOMRESOURCEDEFINITIONS, going):
            self.remove(CUSTOMRESOURCEDEFINITIONS, going)
        else:
            self._store.put(CUSTOMRESOURCEDEFINITIONS, going)


def _check(resource: Resource, obj: Raw, options: DeleteOptions) -> None:
    metadata = obj["metadata"]
    if options.propagation not in _POLICIES:
        raise BadRequestError(
            f'invalid propagation policy "{options.propagation}": '
            "want Background, Foreground or Orphan"
        )
    if options.grace_period_s is not None and options.grace_period_s < 0:
        raise BadRequestError("gracePeriodSeconds: must not be negative")
    for what, wanted, found in (
        ("UID", options.uid, metadata["uid"]),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"]),
    ):
        if wanted is not None and wanted != found:
            raise resources.conflict(
                resource,
                metadata["name"],
                f"Precondition failed: {what} in precondition: {wanted}, "
                f"{what} in object meta: {found}",
            )
    if resource == NAMESPACES and metadata["name"] == DEFAULT_NAMESPACE:
        raise ForbiddenError(
            f'namespaces "{metadata["name"]}" is forbidden: this namespace may not be deleted'
        )


def _grace_s(resource: Resource, obj: Raw, options: DeleteOptions) -> int:
    """Seconds a Pod has to finish; everything else, and a Pod that runs nowhere, goes at once."""
    if resource != PODS:
        return 0
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    is_taken = spec.get("nodeName") or status not in ({}, {"phase": "Pending"})
    if status.get("phase") in ("Succeeded", "Failed") or not is_taken:
        return 0
    if options.grace_period_s is not None:
        return options.grace_period_s
    wanted = spec.get("terminationGracePeriodSeconds")
    return int(wanted) if wanted is not None else _POD_GRACE_S
