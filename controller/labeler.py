"""Which Routes point at a Revision, written on the Revision.

For: telling autoscaling (min-scale counts only for a Revision that is reachable) and garbage
collection what is in use.
Must not know: shares of traffic, or what is done with the mark.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from api import keys
from api.kinds import CONFIGURATIONS, REVISIONS
from api.objects import Raw
from controller.children import annotations_of, is_going, labels_of, with_metadata
from controller.configuration import generation_of
from controller.plan import Plan, Write, status_of

ACTIVE = "active"
RESERVE = "reserve"
PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The Route of a name (None: it is gone) and every Revision it may concern.

    `configurations`: those it follows, those whose Revisions it names, and those that say it
    does. `revisions`: those that say the Route points at them, those it names, and all those
    of the Configurations it follows or whose Revisions it names.
    """

    name: str
    route: Raw | None
    configurations: Mapping[str, Raw]
    revisions: Sequence[Raw]


def plan(seen: Observed, *, now: str) -> Plan:
    """The marks to change; `now` is RFC 3339."""
    route = seen.route if seen.route is not None and not is_going(seen.route) else None
    pointed = _pointed_at(route, seen) if route is not None else frozenset[str]()
    updates = []
    for revision in seen.revisions:
        if is_going(revision):
            continue
        update = _marked(revision, seen.name, revision["metadata"]["name"] in pointed, now=now)
        if update is not None:
            updates.append(update)
    followed = _followed(route, seen) if route is not None else frozenset[str]()
    for configuration in seen.configurations.values():
        if not is_going(configuration):
            update = _noted(configuration, seen.name, configuration["metadata"]["name"] in followed)
            updates += [update] if update is not None else []
    return Plan(updates=tuple(updates))


def routes_of(raw: Raw) -> tuple[str, ...]:
    """The Routes that a Revision or Configuration says point at it, in order."""
    text = annotations_of(raw).get(keys.ROUTES, "")
    return tuple(sorted(filter(None, text.split(","))))


def targets_of(route: Raw) -> list[Raw]:
    """Every target, wanted or assigned: what is served now stays marked until it is not."""
    wanted = (route.get("spec") or {}).get("traffic") or ()
    return [*wanted, *(status_of(route).get("traffic") or ())]


def _pointed_at(route: Raw, seen: Observed) -> Collection[str]:
    names = set()
    for target in targets_of(route):
        if target.get("revisionName"):
            names.add(target["revisionName"])
            continue
        configuration = seen.configurations.get(target.get("configurationName", ""))
        if configuration is not None:
            names.add(status_of(configuration).get("latestReadyRevisionName", ""))
            # The newest is about to get requests: its replicas must not be taken away now.
            names.add(_newest(configuration["metadata"]["name"], seen.revisions))
    return frozenset(names)


def _followed(route: Raw, seen: Observed) -> Collection[str]:
    """The Configurations whose Revisions the Route points at, by name or as the latest."""
    above = {
        each["metadata"]["name"]: labels_of(each).get(keys.CONFIGURATION, "")
        for each in seen.revisions
    }
    return frozenset(
        target.get("configurationName") or above.get(target.get("revisionName", ""), "")
        for target in targets_of(route)
    )


def _noted(configuration: Raw, route: str, is_followed: bool) -> Write | None:
    """A Revision that it makes is then marked from its first moment on."""
    before = routes_of(configuration)
    # That its own Route points at it is the word of its Service, which says it beforehand.
    is_own = labels_of(configuration).get(keys.SERVICE) == route
    if is_followed == (route in before) or is_own:
        return None
    routes = sorted({*before, route} if is_followed else set(before) - {route})
    annotations = dict(annotations_of(configuration))
    annotations.pop(keys.ROUTES, None)
    if routes:
        annotations[keys.ROUTES] = ",".join(routes)
    obj = with_metadata(configuration, annotations=annotations)
    return Write(resource=CONFIGURATIONS, object=obj)


def _newest(configuration: str, revisions: Sequence[Raw]) -> str:
    own = [each for each in revisions if labels_of(each).get(keys.CONFIGURATION) == configuration]
    return str(max(own, key=generation_of)["metadata"]["name"]) if own else ""


def _marked(revision: Raw, route: str, is_pointed: bool, *, now: str) -> Write | None:
    before = routes_of(revision)
    routes = sorted({*before, route} if is_pointed else set(before) - {route})
    state = ACTIVE if routes else RESERVE
    old_state = labels_of(revision).get(keys.ROUTING_STATE, "")
    if tuple(routes) == before and state == old_state:
        return None
    annotations = dict(annotations_of(revision))
    annotations.pop(keys.ROUTES, None)
    if routes:
        annotations[keys.ROUTES] = ",".join(routes)
    if state != old_state:
        annotations[keys.ROUTING_STATE_MODIFIED] = now
    labels = {**labels_of(revision), keys.ROUTING_STATE: state}
    obj = with_metadata(revision, labels=labels, annotations=annotations)
    return Write(resource=REVISIONS, object=obj)
