"""Every kind this server serves now: those of this version, and those that CRDs define.

For: one place to ask what a kind is called, what parts and what schema it has.
Must not know: requests, or how objects and CRDs are stored.
"""

from collections.abc import Iterator, Mapping, Sequence

from api import kinds, schemas
from api.kinds import Resource
from api.openapi import Schema
from api.schemas import Column
from cluster.errors import NotFoundError
from embedded import builtin_schemas, resources, review_kinds
from embedded.definitions import Definition, ScalePaths, Version

_Path = tuple[str, str, str]


def _path(resource: Resource) -> _Path:
    """What names a kind at a version, whatever else a caller knows of it."""
    return resource.group, resource.version, resource.plural


class Registry:
    """Static kinds always win: a CRD for one of them is an object and changes nothing."""

    def __init__(self, statics: Sequence[Resource] | None = None) -> None:
        self._statics = tuple(kinds.ALL if statics is None else statics)
        self._names = {(each.group, each.plural) for each in self._statics}
        self._definitions: dict[str, Definition] = {}
        self.generation = 0  # counts the changes of what is served, for those who cache
        self._index()

    def define(self, definition: Definition) -> None:
        """Serve what a CRD defines, from now on as it says now."""
        self._definitions[definition.name] = definition
        self._index()

    def forget(self, name: str) -> None:
        """Serve the kind of the CRD `name` no longer."""
        if self._definitions.pop(name, None) is not None:
            self._index()

    def _index(self) -> None:
        found = {
            version.resource: version
            for definition in self._definitions.values()
            if not self.is_native(definition.group, definition.plural)
            for version in definition.versions
            if version.is_served
        }
        self._versions: dict[_Path, Version] = {
            _path(resource): version for resource, version in found.items()
        }
        self._all = (*self._statics, *found)
        self._by_path = {(each.group, each.version, each.plural): each for each in self._all}
        self._by_kind = {(each.api_version, each.kind): each for each in self._all}
        self.generation += 1

    @property
    def all(self) -> tuple[Resource, ...]:
        """Every kind at every served version."""
        return self._all

    @property
    def told(self) -> tuple[Resource, ...]:
        """What clients are told of: every kind, and the reviews, which are asked for only."""
        return (*self._all, *review_kinds.ALL)

    def homes(self) -> Iterator[Resource]:
        """Every kind once, at whichever version."""
        seen: set[tuple[str, str]] = set()
        for each in self._all:
            if (each.group, each.plural) not in seen:
                seen.add((each.group, each.plural))
                yield each

    def is_native(self, group: str, plural: str) -> bool:
        """Whether this version of Relight serves the kind by itself."""
        return (group, plural) in self._names

    def definitions(self) -> Mapping[str, Definition]:
        """What CRDs define, by the name of the CRD."""
        return self._definitions

    def version_of(self, resource: Resource) -> Version | None:
        """What a CRD says of a kind at this version; None for a static kind."""
        return self._versions.get(_path(resource))

    def by_path(self, group: str, version: str, plural: str) -> Resource:
        """The resource at a URL; NotFoundError."""
        found = self._by_path.get((group, version, plural))
        if found is None:
            raise NotFoundError("the server could not find the requested resource")
        return found

    def serves(self, resource: Resource) -> bool:
        """Whether a kind is served at that version."""
        return _path(resource) in self._by_path

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource of an object, if it is served."""
        return self._by_kind.get((api_version, kind))

    def schema_of(self, resource: Resource) -> Schema | None:
        """The structural schema of whole objects of a kind; None if there is none.

        Lists carry x-kubernetes-list-type and -map-keys, or a built-in kind's
        x-kubernetes-patch-merge-key, where they are not atomic.
        """
        version = self._versions.get(_path(resource))
        if version is not None:
            return version.schema
        if resource in review_kinds.ALL:
            return review_kinds.schema_of(resource)
        return builtin_schemas.SCHEMAS.get(resource) or schemas.SCHEMAS.get(resource)

    def columns_of(self, resource: Resource) -> tuple[Column, ...] | None:
        """The columns that `kubectl get` prints after the name; None: the age alone."""
        version = self._versions.get(_path(resource))
        if version is not None:
            return version.columns or None
        return schemas.PRINTER_COLUMNS.get(resource)

    def has_status(self, resource: Resource) -> bool:
        """Whether the status of a kind is written apart from the rest."""
        version = self._versions.get(_path(resource))
        return resource in resources.WITH_STATUS if version is None else version.has_status

    def has_scale(self, resource: Resource) -> bool:
        """Whether a kind can be scaled."""
        version = self._versions.get(_path(resource))
        return resource in resources.WITH_SCALE if version is None else version.scale is not None

    def verbs_of(self, resource: Resource) -> tuple[str, ...]:
        """What can be asked of a kind."""
        if resource in review_kinds.ALL:
            return ("create",)
        return resources.VERBS_OF.get(resource, resources.VERBS)

    def scale_of(self, resource: Resource) -> ScalePaths | None:
        """Where a kind of a CRD keeps its replicas."""
        version = self._versions.get(_path(resource))
        return None if version is None else version.scale

    def selectable(self, resource: Resource) -> tuple[str, ...]:
        """The fields of a CRD's kind that a field selector may name, as "spec.color"."""
        version = self._versions.get(_path(resource))
        return () if version is None else version.selectable
