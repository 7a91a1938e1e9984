"""Kinds that CRDs define: their objects' forms and rules, and the coming and going of kinds.

For: all that the API server does for CRDs and their objects beyond what it does for any object.
Must not know: HTTP, or how a schema is checked.
"""

from collections.abc import Callable, Iterator
from typing import Any

from api.kinds import CUSTOMRESOURCEDEFINITIONS, Resource
from api.objects import Raw, rfc3339
from cluster.errors import MethodNotAllowedError
from embedded import crds, definitions, resources, rules, structural, validation
from embedded.history import Change
from embedded.registry import Registry
from embedded.store import Store
from embedded.watching import Hub

_CRDS = CUSTOMRESOURCEDEFINITIONS


class CustomKinds:
    """Keeps registry, store and watches as the stored CRDs say."""

    def __init__(
        self, store: Store, registry: Registry, hub: Hub, *, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._registry = registry
        self._hub = hub
        self._clock = clock
        self.defer: Callable[[Callable[[], None]], None] = lambda step: step()
        if store.serves(_CRDS):
            for crd in store.select(_CRDS):
                self._define(crd)
        store.subscribe(self.observe)

    def formed(self, resource: Resource, new: dict[str, Any]) -> dict[str, Any]:
        """The object as its schema wants it: pruned and with defaults."""
        if resource == _CRDS:
            return crds.defaulted(new)
        version = self._registry.version_of(resource)
        if version is None:
            return new
        kept, _ = structural.pruned(version.schema, new)
        filled: dict[str, Any] = structural.defaulted(version.schema, kept)
        return {**filled, "metadata": new["metadata"]}

    def checked(self, resource: Resource, new: dict[str, Any], old: Raw | None) -> dict[str, Any]:
        """The object to store; InvalidError for one that breaks the rules of its kind."""
        if resource == _CRDS:
            return self._checked_crd(new, old)
        version = self._registry.version_of(resource)
        if version is None:
            return new
        found = list(validation.causes(version.schema, new, ""))[: validation.CAUSES_MAX]
        if not found and rules.has_any(version.schema):
            found = list(rules.causes(version.schema, new, old, ""))
        if found:
            raise resources.invalid(resource, new["metadata"]["name"], found)
        return new

    def check_creatable(self, resource: Resource) -> None:
        """MethodNotAllowedError while the CRD of this kind is going."""
        if self._registry.version_of(resource) is None:
            return
        crd = self._store.get(_CRDS, "", f"{resource.plural}.{resource.group}")
        if crd is not None and "deletionTimestamp" in crd["metadata"]:
            raise MethodNotAllowedError(
                "create not allowed while custom resource definition is terminating"
            )

    def _checked_crd(self, new: dict[str, Any], old: Raw | None) -> dict[str, Any]:
        name = new["metadata"]["name"]
        is_native = self._is_native(new)
        found = list(crds.causes(new, old, is_native=is_native))
        if found:
            raise resources.invalid(_CRDS, name, found)
        if old is None and not is_native:
            finalizers = new["metadata"].get("finalizers") or []
            if crds.CLEANUP not in finalizers:
                new["metadata"]["finalizers"] = [*finalizers, crds.CLEANUP]
        return self._with_status(new)

    def _with_status(self, crd: dict[str, Any]) -> dict[str, Any]:
        now = rfc3339(self._clock())
        return crds.with_status(crd, self._conflict(crd), now=now)

    def _is_native(self, crd: Raw) -> bool:
        spec = crd.get("spec") or {}
        names = spec.get("names") or {}
        return self._registry.is_native(str(spec.get("group")), str(names.get("plural")))

    def _conflict(self, crd: Raw) -> str:
        """Which of a CRD's names another kind of its group has already; "" if none."""
        if self._is_native(crd):
            return ""
        spec, taken = crd["spec"], set[str]()
        name = crd["metadata"]["name"]
        for each in self._registry.all:
            if each.group == spec["group"] and f"{each.plural}.{each.group}" != name:
                taken |= {each.plural, each.singular, each.kind, f"{each.kind}List"}
                taken |= set(each.short_names)
        names = spec["names"]
        wanted = [names["plural"], names["singular"], *(names.get("shortNames") or ())]
        wanted += [names["kind"], names["listKind"]]
        return next((f'"{each}" is already in use' for each in wanted if each in taken), "")

    def observe(self, change: Change) -> None:
        """Follow a committed change of a CRD."""
        if change.resource != _CRDS:
            return
        if change.type == "DELETED":
            self._forget(change.object)
        else:
            self._define(change.object)

    def _define(self, crd: Raw) -> None:
        if not crds.is_accepted(crd):
            return
        definition = definitions.read(crd)
        before = set(self._registry.all)
        self._registry.define(definition)
        if self._registry.is_native(definition.group, definition.plural):
            return
        fields = {field for version in definition.versions for field in version.selectable}
        self._store.open(definition.versions[0].resource, tuple(sorted(fields)))
        for gone in before - set(self._registry.all):
            self._hub.end(gone)

    def _forget(self, crd: Raw) -> None:
        name = crd["metadata"]["name"]
        definition = self._registry.definitions().get(name)
        if definition is None:
            return
        self._registry.forget(name)
        if not self._registry.is_native(definition.group, definition.plural):
            for version in definition.versions:
                self._hub.end(version.resource)
            self._store.drop(definition.versions[0].resource)
        self.defer(lambda: self._admit_waiting(definition.group))

    def _admit_waiting(self, group: str) -> None:
        """Names are free again: a CRD that waited for them is served now."""
        for crd in list(self._store.select(_CRDS)):
            if crd["spec"]["group"] == group and not crds.is_accepted(crd):
                new = self._with_status({**crd, "metadata": dict(crd["metadata"])})
                if new["status"] != crd["status"]:
                    self._store.put(_CRDS, new)

    def contents(self, crd: Raw) -> Iterator[tuple[Resource, str, str]]:
        """Where the objects of a CRD's kind are: what goes with it."""
        definition = self._registry.definitions().get(crd["metadata"]["name"])
        if definition is None or self._registry.is_native(definition.group, definition.plural):
            return
        home = definition.versions[0].resource
        for obj in self._store.select(home):
            yield home, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
