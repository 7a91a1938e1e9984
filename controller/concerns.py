"""Whom a change concerns: which objects must be looked at again.

For: naming, for each change of each kind, the work it may cause and no more.
Must not know: what the work is, or when it is done.
"""

from collections.abc import Iterator
from enum import Enum

from api import keys
from api.conditions import READY, find
from api.kinds import (
    CONFIGURATIONS,
    DEPLOYMENTS,
    DOMAINMAPPINGS,
    PODAUTOSCALERS,
    PODS,
    REVISIONS,
    ROUTES,
    SERVICES,
    Resource,
)
from api.objects import Raw
from controller import inference_view
from controller.addresses import hosts_of
from controller.children import annotations_of, controller_of, labels_of
from controller.failures import is_troubled
from controller.labeler import routes_of
from controller.pod_events import is_stuck
from controller.view import Key, View, key_of


class Task(Enum):
    """What there is to do for an object of a name."""

    SERVICE = "service"
    CONFIGURATION = "configuration"
    REVISION = "revision"
    ROUTE = "route"
    LABELS = "labels"  # of the Revisions that a Route points at
    COLLECT = "collect"  # the Revisions of a Configuration that nobody needs
    DOMAINMAPPING = "domainmapping"
    INFERENCE = "inferenceservice"
    PUBLISH = "publish"  # where the Services of a Revision and its Routes lead
    PUBLISH_ROUTE = "publish-route"
    PUBLISH_INFERENCE = "publish-inferenceservice"
    GATEWAY = "gateway"  # the HTTPRoutes of a Route


Work = tuple[Task, Key]


def work_for(view: View, resource: Resource, old: Raw | None, new: Raw | None) -> Iterator[Work]:
    """The work that one change may cause; `view` has the change already."""
    raw = new if new is not None else old
    assert raw is not None
    key = key_of(raw)
    for service in inference_view.concerned(view, resource, old, new):
        yield Task.INFERENCE, service
    if resource == SERVICES:
        yield Task.SERVICE, key
        yield from _mappings_of(view, resource, key)
    elif resource == CONFIGURATIONS:
        yield from _after_configuration(view, key)
    elif resource == ROUTES:
        yield from _after_route(view, key, old, new)
    elif resource == REVISIONS:
        yield Task.REVISION, key
        if _shows_news(old, new):
            yield from _after_revision(view, raw)
    elif resource == DOMAINMAPPINGS:
        for each in dict.fromkeys((key, *view.mappings_by_host.get(key[1]))):
            yield Task.DOMAINMAPPING, each
    else:
        yield from _after_child(resource, old, raw)


def _after_route(view: View, key: Key, old: Raw | None, new: Raw | None) -> Iterator[Work]:
    yield from ((task, key) for task in (Task.ROUTE, Task.LABELS, Task.SERVICE))
    for raw in (old, new):
        for rival in view.rivals_of(raw) if raw is not None else ():
            yield Task.ROUTE, rival
        for host in hosts_of(raw) if raw is not None else ():
            for mapping in view.mappings_by_host.get(host):
                yield Task.DOMAINMAPPING, mapping
    yield from _mappings_of(view, ROUTES, key)


def stuck_pods(resource: Resource, old: Raw | None, new: Raw | None) -> Iterator[Work]:
    """Where Events are asked for: a Pod begins to be stuck, and no other change may ever come."""
    if resource == PODS and new is not None and is_stuck(new) and not (old and is_stuck(old)):
        yield Task.REVISION, (key_of(new)[0], labels_of(new).get(keys.REVISION, ""))


def _mappings_of(view: View, resource: Resource, key: Key) -> Iterator[Work]:
    for mapping in view.mappings_by_target.get((resource.kind, *key)):
        yield Task.DOMAINMAPPING, mapping


def _after_configuration(view: View, key: Key) -> Iterator[Work]:
    yield Task.CONFIGURATION, key
    yield Task.COLLECT, key
    yield Task.SERVICE, key  # a Configuration has the name of its Service
    for route in view.routes_by_configuration.get(key):
        yield Task.ROUTE, route
        yield Task.LABELS, route


def _after_revision(view: View, revision: Raw) -> Iterator[Work]:
    key = key_of(revision)
    configuration = (key[0], labels_of(revision).get(keys.CONFIGURATION, ""))
    yield Task.COLLECT, configuration
    waiting = view.configurations_by_revision_name.get(key)
    for each in dict.fromkeys((configuration, *waiting)):
        yield Task.CONFIGURATION, each
        yield Task.SERVICE, each
    routes = dict.fromkeys(view.routes_by_revision.get(key))
    routes |= dict.fromkeys(view.routes_by_configuration.get(configuration))
    for route in routes:
        yield Task.ROUTE, route
        yield Task.LABELS, route
    # A Route that names only older Revisions has to say that it does not point at this one.
    for name in dict.fromkeys((labels_of(revision).get(keys.SERVICE, ""), *routes_of(revision))):
        yield Task.LABELS, (key[0], name)


def _shows_news(old: Raw | None, new: Raw | None) -> bool:
    """Whether others than the Revision itself can see a difference: counts of replicas are none."""
    if old is None or new is None:
        return True
    return (
        find(old, READY) != find(new, READY)
        or labels_of(old) != labels_of(new)
        or annotations_of(old) != annotations_of(new)
        or old["metadata"].get("deletionTimestamp") != new["metadata"].get("deletionTimestamp")
    )


def _after_child(resource: Resource, old: Raw | None, raw: Raw) -> Iterator[Work]:
    namespace, name = key_of(raw)
    if resource == PODAUTOSCALERS:
        yield Task.REVISION, (namespace, name)
    elif resource == DEPLOYMENTS:
        owner = controller_of(raw)
        if owner is not None and owner["kind"] == REVISIONS.kind:
            yield Task.REVISION, (namespace, owner["name"])
    elif resource == PODS and (is_troubled(raw) or (old is not None and is_troubled(old))):
        # That a Pod serves is told by its Deployment; only its troubles are told by no one else.
        yield Task.REVISION, (namespace, labels_of(raw).get(keys.REVISION, ""))
