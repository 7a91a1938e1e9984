"""The objects that planners look at, found by what relates them.

For: turning local views of single kinds into what a planner observes, at the cost of a
look-up.
Must not know: how the views are kept up to date, or what is planned.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import chain
from typing import Any

from api import keys, pool
from api.kinds import (
    CLUSTERSERVINGRUNTIMES,
    CONFIGURATIONS,
    DEPLOYMENTS,
    DOMAINMAPPINGS,
    INFERENCESERVICES,
    PODAUTOSCALERS,
    PODS,
    REVISIONS,
    ROUTES,
    SERVICES,
    SERVINGRUNTIMES,
    Resource,
)
from api.naming import deployment_name
from api.objects import Raw
from controller import (
    collecting,
    configuration,
    domainmapping,
    labeler,
    revision,
    route,
    service,
)
from controller.addresses import claims, hosts_of, lost_names
from controller.children import controller_of, is_controlled_by, labels_of
from controller.clusterconfig import ClusterConfig, Collection
from controller.labeler import routes_of, targets_of
from controller.pinning import Resolution
from controller.plan import status_of

_NO_CONFIG = ClusterConfig()
_IDENTITY = ("name", "namespace", "uid", "resourceVersion")
Key = tuple[str, str]  # namespace, name
WATCHED = (
    *(SERVICES, CONFIGURATIONS, REVISIONS, ROUTES),
    *(DEPLOYMENTS, PODAUTOSCALERS, PODS, DOMAINMAPPINGS),
    *(INFERENCESERVICES, SERVINGRUNTIMES, CLUSTERSERVINGRUNTIMES),
)


def whole(raw: dict[str, Any]) -> dict[str, Any]:
    """What is held of objects that are ours to look at: all of it."""
    return raw


def ours_whole(pod: dict[str, Any]) -> dict[str, Any]:
    """What is held of a Pod: of those that are no replica, and never were warm, hardly anything.

    On a cluster most Pods are other people's.
    """
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    if keys.REVISION in labels or labels.get(keys.APP) == pool.APP:
        return pod
    return {"metadata": {name: metadata[name] for name in _IDENTITY if name in metadata}}


def revisions_whole(deployment: dict[str, Any]) -> dict[str, Any]:
    """What is held of a Deployment: of one that is no Revision's, that it has its name."""
    owner = controller_of(deployment)
    if owner is not None and owner["kind"] == REVISIONS.kind:
        return deployment
    metadata = deployment["metadata"]
    kept = {name: metadata[name] for name in (*_IDENTITY, "ownerReferences") if name in metadata}
    replicas = (deployment.get("spec") or {}).get("replicas", 1)
    return {"kind": DEPLOYMENTS.kind, "metadata": kept, "spec": {"replicas": replicas}}


def key_of(raw: Raw) -> Key:
    """The object's namespace and name."""
    metadata = raw["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


class Index:
    """Keys of objects by some property, kept in step with every change."""

    def __init__(self, properties: Callable[[Raw], Iterable[Hashable]]) -> None:
        """`properties` of an object are the values it is found by."""
        self._properties = properties
        self._keys: dict[Hashable, dict[Key, None]] = defaultdict(dict)

    def change(self, old: Raw | None, new: Raw | None) -> None:
        """Take note of one change; None is "does not exist"."""
        for found in self._found(old) - self._found(new):
            assert old is not None
            keys_there = self._keys[found]
            keys_there.pop(key_of(old), None)
            if not keys_there:
                del self._keys[found]
        for found in self._found(new) - self._found(old):
            assert new is not None
            self._keys[found][key_of(new)] = None

    def get(self, found: Hashable) -> tuple[Key, ...]:
        """The keys of the objects with that property, oldest first."""
        return tuple(self._keys.get(found, ()))

    def _found(self, raw: Raw | None) -> set[Hashable]:
        return set() if raw is None else set(self._properties(raw))


def _by_label(label: str) -> Callable[[Raw], Iterable[Hashable]]:
    def properties(raw: Raw) -> Iterable[Hashable]:
        name = labels_of(raw).get(label)
        return [(key_of(raw)[0], name)] if name else ()

    return properties


def _own_revision_name(raw: Raw) -> Iterable[Hashable]:
    name = configuration.own_name(raw)
    return [(key_of(raw)[0], name)] if name else ()


def _routes_annotated(raw: Raw) -> Iterable[Hashable]:
    return [(key_of(raw)[0], name) for name in routes_of(raw)]


def _targeted(field: str) -> Callable[[Raw], Iterable[Hashable]]:
    def properties(raw: Raw) -> Iterable[Hashable]:
        return [(key_of(raw)[0], each[field]) for each in targets_of(raw) if each.get(field)]

    return properties


def _claimed(raw: Raw) -> Iterable[Hashable]:
    return [(key_of(raw)[0], name) for name in claims(raw)]


def _referred_to(raw: Raw) -> Iterable[Hashable]:
    ref = domainmapping.reference_of(raw)
    return [(ref["kind"], ref["namespace"], ref["name"])] if domainmapping.is_served(ref) else ()


class View:
    """Every watched object, with the ways from one to another."""

    def __init__(self, objects: Mapping[Resource, Mapping[Key, Raw]]) -> None:
        """`objects` are live mappings; each of their changes must be told to `change`."""
        self._objects = objects
        self.revisions_by_configuration = Index(_by_label(keys.CONFIGURATION))
        self.revisions_by_route = Index(_routes_annotated)
        self.configurations_by_revision_name = Index(_own_revision_name)
        self.configurations_by_route = Index(_routes_annotated)
        self.routes_by_configuration = Index(_targeted("configurationName"))
        self.routes_by_revision = Index(_targeted("revisionName"))
        self.routes_by_name = Index(_claimed)  # their own and those of their tags
        self.routes_by_host = Index(hosts_of)
        self.mappings_by_host = Index(lambda raw: (raw["metadata"]["name"],))
        self.mappings_by_target = Index(_referred_to)
        self.pods_by_revision = Index(_by_label(keys.REVISION))
        self._indexes = {
            CONFIGURATIONS: (self.configurations_by_revision_name, self.configurations_by_route),
            REVISIONS: (self.revisions_by_configuration, self.revisions_by_route),
            ROUTES: (
                *(self.routes_by_configuration, self.routes_by_revision),
                *(self.routes_by_name, self.routes_by_host),
            ),
            DOMAINMAPPINGS: (self.mappings_by_host, self.mappings_by_target),
            PODS: (self.pods_by_revision,),
        }

    def change(self, resource: Resource, old: Raw | None, new: Raw | None) -> None:
        """Take note of one change."""
        for index in self._indexes.get(resource, ()):
            index.change(old, new)

    def keys(self, resource: Resource) -> list[Key]:
        """Every object of a kind."""
        return list(self._objects[resource])

    def get(self, resource: Resource, key: Key) -> Raw | None:
        """One object; None if there is none."""
        return self._objects[resource].get(key)

    def all(self, resource: Resource, found: Iterable[Key]) -> list[Raw]:
        """Those of the objects that exist."""
        objects = self._objects[resource]
        return [objects[key] for key in found if key in objects]

    def service(self, key: Key) -> service.Observed | None:
        """What the planner of a Service looks at."""
        raw = self.get(SERVICES, key)
        if raw is None:
            return None
        name = configuration.own_name(raw)
        return service.Observed(
            service=raw,
            configuration=self.get(CONFIGURATIONS, key),
            route=self.get(ROUTES, key),
            named_revision=self.get(REVISIONS, (key[0], name)) if name else None,
        )

    def configuration(self, key: Key) -> configuration.Observed | None:
        """What the planner of a Configuration looks at."""
        raw = self.get(CONFIGURATIONS, key)
        if raw is None:
            return None
        named = self.get(REVISIONS, (key[0], configuration.wanted_name(raw)))
        found = self.all(REVISIONS, self.revisions_by_configuration.get(key))
        own = [each for each in found if is_controlled_by(each, raw)]
        return configuration.Observed(configuration=raw, named=named, revisions=own)

    def revision(
        self, key: Key, model: Resolution = None, *, config: ClusterConfig = _NO_CONFIG
    ) -> revision.Observed | None:
        """What the planner of a Revision looks at; `model` is read from elsewhere."""
        raw = self.get(REVISIONS, key)
        if raw is None:
            return None
        # By identity, not by name: of another Revision of that name some Pods may still be going.
        uid = raw["metadata"]["uid"]
        pods = self.all(PODS, self.pods_by_revision.get(key))
        return revision.Observed(
            revision=raw,
            deployment=self.get(DEPLOYMENTS, (key[0], deployment_name(key[1]))),
            podautoscaler=self.get(PODAUTOSCALERS, key),
            pods=[each for each in pods if labels_of(each).get(keys.REVISION_UID) == uid],
            model=model,
            defaults=config.defaults,
            deadline_default_s=config.progress_deadline_s,
        )

    def route(self, key: Key, *, rollout_s: float = 0.0) -> route.Observed | None:
        """What the planner of a Route looks at; `rollout_s` is for those that do not say."""
        raw = self.get(ROUTES, key)
        if raw is None:
            return None
        namespace, targets = key[0], raw["spec"].get("traffic") or ()
        names = [each.get("revisionName") for each in targets]
        named = self._named(REVISIONS, namespace, names)
        above = [each.get("configurationName") for each in targets]
        above += [labels_of(each).get(keys.CONFIGURATION) for each in named.values()]
        configurations = self._named(CONFIGURATIONS, namespace, above)
        others = [
            status_of(each).get("latestReadyRevisionName") for each in configurations.values()
        ]
        others += route.served_revisions(raw)
        return route.Observed(
            route=raw,
            configurations=configurations,
            revisions={**self._named(REVISIONS, namespace, others), **named},
            lost_names=lost_names(raw, self.all(ROUTES, self.rivals_of(raw))),
            rollout_s=rollout_s,
        )

    def rivals_of(self, raw: Raw) -> list[Key]:
        """The Routes that want a name that this one wants too."""
        key = key_of(raw)
        found = (self.routes_by_name.get((key[0], name)) for name in claims(raw))
        return [each for each in dict.fromkeys(chain.from_iterable(found)) if each != key]

    def collection(self, key: Key, rules: Collection) -> collecting.Observed | None:
        """What is looked at to find the Revisions of a Configuration that nobody needs."""
        raw = self.get(CONFIGURATIONS, key)
        if raw is None:
            return None
        found = self.all(REVISIONS, self.revisions_by_configuration.get(key))
        own = [each for each in found if is_controlled_by(each, raw)]
        names = {each["metadata"]["name"] for each in own}
        routed = {name for name in names if self.routes_by_revision.get((key[0], name))}
        return collecting.Observed(configuration=raw, revisions=own, routed=routed, rules=rules)

    def domainmapping(self, key: Key, port: int | None) -> domainmapping.Observed | None:
        """What the planner of a DomainMapping looks at; `port` is that of its host."""
        raw = self.get(DOMAINMAPPINGS, key)
        if raw is None:
            return None
        same = (each for each in self.mappings_by_host.get(key[1]) if each != key)
        ref = domainmapping.reference_of(raw)
        target = None
        if domainmapping.is_served(ref):
            kind = SERVICES if ref["kind"] == SERVICES.kind else ROUTES
            target = self.get(kind, (ref["namespace"], ref["name"]))
        above = (ref["namespace"], ref["name"])
        return domainmapping.Observed(
            mapping=raw,
            rivals=self.all(DOMAINMAPPINGS, same),
            target=target,
            port=port,
            is_of_a_route=any(each != above for each in self.routes_by_host.get(key[1])),
        )

    def labels(self, key: Key) -> labeler.Observed:
        """What the planner of a Route's marks looks at, even when the Route is gone."""
        namespace, name = key
        raw = self.get(ROUTES, key)
        targets = targets_of(raw) if raw is not None else []
        named = self._named(REVISIONS, namespace, (each.get("revisionName") for each in targets))
        above = [labels_of(each).get(keys.CONFIGURATION) for each in named.values()]
        above += [each.get("configurationName") for each in targets]
        noted = [each[1] for each in self.configurations_by_route.get(key)]
        concerned = dict.fromkeys(self.revisions_by_route.get(key))
        concerned |= dict.fromkeys((namespace, each) for each in named)
        for each in filter(None, above):
            concerned |= dict.fromkeys(self.revisions_by_configuration.get((namespace, each)))
        return labeler.Observed(
            name=name,
            route=raw,
            configurations=self._named(CONFIGURATIONS, namespace, [*above, *noted]),
            revisions=self.all(REVISIONS, concerned),
        )

    def _named(self, resource: Resource, namespace: str, names: Iterable[Any]) -> dict[str, Raw]:
        found = self.all(resource, [(namespace, name) for name in dict.fromkeys(names) if name])
        return {each["metadata"]["name"]: each for each in found}
