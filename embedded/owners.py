"""Who owns whom, by uid.

For: finding what must go when an owner is gone, without searching every object.
Must not know: how deletion works.
"""

from collections.abc import Callable, Iterator
from typing import Any

from api.kinds import Resource
from api.objects import Raw
from embedded import resources
from embedded.history import Change

ByKind = Callable[[str, str], Resource | None]  # apiVersion and kind, as an owner is named
Place = tuple[Resource, str, str]  # kind, namespace ("" for kinds without one), name


class Owners:
    """Two indexes kept by the changes themselves: uid → object, owner's uid → dependents."""

    def __init__(self, by_kind: ByKind = resources.by_kind) -> None:
        self._by_kind = by_kind
        self._places: dict[str, Place] = {}
        self._dependents: dict[str, dict[Place, None]] = {}  # a dict for its order

    def observe(self, change: Change) -> None:
        """Follow a committed write."""
        place = place_of(change.resource, change.object)
        metadata = change.object["metadata"]
        if change.old is not None:
            before = change.old["metadata"].get("ownerReferences")
            if change.type == "MODIFIED" and before == metadata.get("ownerReferences"):
                return
            self._forget(place, before or ())
        if change.type == "DELETED":
            self._places.pop(metadata["uid"], None)
            return
        self.add(change.resource, change.object)

    def add(self, resource: Resource, obj: Raw) -> None:
        """Index an object."""
        place = place_of(resource, obj)
        metadata = obj["metadata"]
        self._places[metadata["uid"]] = place
        for owner in metadata.get("ownerReferences") or ():
            self._dependents.setdefault(owner["uid"], {})[place] = None

    def _forget(self, place: Place, references: Any) -> None:
        for owner in references:
            dependents = self._dependents.get(owner["uid"])
            if dependents is not None:
                dependents.pop(place, None)
                if not dependents:
                    del self._dependents[owner["uid"]]

    def place(self, uid: str) -> Place | None:
        """Where the object with this uid is, if it exists."""
        return self._places.get(uid)

    def dependents(self, uid: str) -> list[Place]:
        """The objects that name this uid as an owner."""
        return list(self._dependents.get(uid, ()))

    def missing(self) -> list[str]:
        """Uids that are named as owners and do not exist."""
        return [uid for uid in self._dependents if uid not in self._places]

    def dead(self, obj: Raw) -> list[Raw]:
        """The object's references to owners that are gone.

        An owner of a kind this server does not serve is taken to exist: nobody can say.
        """
        return [owner for owner in _references(obj) if self._is_dead(owner, obj)]

    def _is_dead(self, owner: Raw, obj: Raw) -> bool:
        kind = self._by_kind(owner["apiVersion"], owner["kind"])
        if kind is None:
            return False
        place = self._places.get(owner["uid"])
        if place is None or (place[0].group, place[0].plural) != (kind.group, kind.plural):
            return True
        # An owner in another namespace does not count, as in Kubernetes.
        return kind.is_namespaced and place[1] != obj["metadata"].get("namespace", "")


def place_of(resource: Resource, obj: Raw) -> Place:
    """Where an object is kept."""
    metadata = obj["metadata"]
    return resource, metadata.get("namespace", ""), metadata["name"]


def _references(obj: Raw) -> Iterator[Raw]:
    yield from obj["metadata"].get("ownerReferences") or ()


def is_blocking(obj: Raw, uid: str) -> bool:
    """Whether a foreground deletion of the owner `uid` must wait for this object."""
    return any(ref["uid"] == uid and ref.get("blockOwnerDeletion") for ref in _references(obj))
