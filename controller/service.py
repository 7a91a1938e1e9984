"""Service → Configuration and Route, and the Service's status from theirs.

For: planning one Service.
Must not know: how a Configuration makes Revisions, or how a Route finds them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from api import keys
from api.annotations import camel_case
from api.conditions import FALSE, READY, TRUE, UNKNOWN, Condition, find
from api.kinds import CONFIGURATIONS, ROUTES, SERVICES, Resource
from api.objects import Raw
from controller.children import (
    annotations_of,
    as_admitted,
    is_controlled_by,
    is_going,
    labels_of,
    make_child,
    passed_on,
    update_to,
)
from controller.configuration import Claim, claim_of, own_name
from controller.labeler import routes_of
from controller.plan import (
    Note,
    Plan,
    Write,
    internal_error,
    is_observed,
    new_status,
    quoted,
    status_of,
)

CONFIGURATIONS_READY = "ConfigurationsReady"
ROUTES_READY = "RoutesReady"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A Service and what stands under its name."""

    service: Raw
    configuration: Raw | None
    route: Raw | None
    named_revision: Raw | None  # under the template's own name, if the template has one


# What a Service says to its Route alone.
_OF_ROUTES = (keys.ROLLOUT_DURATION, camel_case(keys.ROLLOUT_DURATION))


class _Standing(Enum):
    FOREIGN = "somebody else's"
    BEHIND = "its status speaks of an older spec"
    CURRENT = "its status speaks of the wanted spec"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Child:
    creates: tuple[Write, ...] = ()
    updates: tuple[Write, ...] = ()
    standing: _Standing
    object: Raw


def plan(seen: Observed, *, now: str) -> Plan:
    """The next step for a Service; `now` is RFC 3339."""
    if is_going(seen.service):
        return Plan()
    service = as_admitted(SERVICES, seen.service)
    seen = replace(seen, service=service)
    configuration = _follow(
        CONFIGURATIONS,
        seen.configuration,
        make_configuration(service, seen.configuration),
        service,
    )
    configurations_ready = _propagated(CONFIGURATIONS_READY, configuration)
    stop = _reason_to_stop(seen, configuration)
    if stop is not None:
        return _finish(seen, [configuration], (configurations_ready, stop), now=now)
    route = _follow(ROUTES, seen.route, make_route(service), service)
    routes_ready = _propagated(ROUTES_READY, route)
    if routes_ready.status == TRUE and not _has_migrated(configuration.object, route.object):
        routes_ready = Condition(
            type=ROUTES_READY,
            status=UNKNOWN,
            reason="TrafficNotMigrated",
            message="Traffic is not yet migrated to the latest revision.",
        )
    return _finish(seen, [configuration, route], (configurations_ready, routes_ready), now=now)


def make_configuration(service: Raw, existing: Raw | None = None) -> dict[str, Any]:
    """The Configuration of a Service. Specs are copied, not interpreted.

    That its Route will point at it is said beforehand; what other Routes do is left.
    """
    own = {
        keys.SERVICE: service["metadata"]["name"],
        keys.SERVICE_UID: service["metadata"]["uid"],
    }
    metadata = _metadata(service, own)
    for key in _OF_ROUTES:
        metadata["annotations"].pop(key, None)
    routes = {*(routes_of(existing) if existing is not None else ()), service["metadata"]["name"]}
    metadata["annotations"][keys.ROUTES] = ",".join(sorted(routes))
    return make_child(
        CONFIGURATIONS,
        service,
        service["metadata"]["name"],
        metadata,
        {"template": service["spec"]["template"]},
    )


def make_route(service: Raw) -> dict[str, Any]:
    """The Route of a Service: targets that name no Revision follow the Configuration."""
    name = service["metadata"]["name"]
    traffic = [
        dict(target) if target.get("revisionName") else {**target, "configurationName": name}
        for target in service["spec"].get("traffic") or ()
    ]
    metadata = _metadata(service, {keys.SERVICE: name})
    return make_child(ROUTES, service, name, metadata, {"traffic": traffic})


def _metadata(service: Raw, own: dict[str, str]) -> dict[str, Any]:
    return {
        "labels": {**labels_of(service), **own},
        "annotations": passed_on(annotations_of(service)),
    }


def _follow(
    resource: Resource, existing: Raw | None, wanted: dict[str, Any], service: Raw
) -> _Child:
    if existing is None:
        write = Write(resource=resource, object=wanted)
        return _Child(creates=(write,), standing=_Standing.BEHIND, object=wanted)
    if not is_controlled_by(existing, service):
        return _Child(standing=_Standing.FOREIGN, object=existing)
    state = annotations_of(existing).get(keys.ROLLOUT)
    if state is not None:  # the Route's own, about a rollout that is going on
        annotations = {**wanted["metadata"]["annotations"], keys.ROLLOUT: state}
        wanted = {**wanted, "metadata": {**wanted["metadata"], "annotations": annotations}}
    update = update_to(resource, existing, wanted)
    is_current = is_observed(existing) and existing.get("spec") == wanted["spec"]
    return _Child(
        updates=(update,) if update is not None else (),
        standing=_Standing.CURRENT if is_current else _Standing.BEHIND,
        object=existing,
    )


def _propagated(type_: str, child: _Child) -> Condition:
    kind, name = child.object["kind"], child.object["metadata"]["name"]
    if child.standing is _Standing.FOREIGN:
        return Condition(
            type=type_,
            status=FALSE,
            reason="NotOwned",
            message=f"There is an existing {kind} {quoted(name)} that we do not own.",
        )
    if child.standing is _Standing.BEHIND:
        return Condition(
            type=type_,
            status=UNKNOWN,
            reason="OutOfDate",
            message=f"The {kind} is still working to reflect the latest desired specification.",
        )
    below = find(child.object, READY) or Condition(type=READY, status=UNKNOWN)
    return Condition(type=type_, status=below.status, reason=below.reason, message=below.message)


def _reason_to_stop(seen: Observed, configuration: _Child) -> Condition | None:
    """Why the Route must not be touched now, told as RoutesReady; None if it may.

    A Revision named by the user may be somebody else's until the Configuration has claimed
    it: pointing the Route at it earlier could send requests to a stranger.
    """
    before = find(seen.service, ROUTES_READY) or Condition(type=ROUTES_READY, status=UNKNOWN)
    if configuration.standing is _Standing.FOREIGN:
        return before
    name = own_name(make_configuration(seen.service))
    if not name:
        return None
    if configuration.standing is _Standing.BEHIND:
        return before
    if claim_of(configuration.object, seen.named_revision) is Claim.TAKEN:
        return Condition(
            type=ROUTES_READY,
            status=FALSE,
            reason="RevisionNameTaken",
            message=f"The revision name {quoted(name)} is taken by a conflicting Revision, "
            "so traffic will not be migrated",
        )
    return None


def _has_migrated(configuration: Raw, route: Raw) -> bool:
    """Whether the Route sends requests where its spec and the Configuration say by now."""
    latest = status_of(configuration).get("latestReadyRevisionName", "")
    name = configuration["metadata"]["name"]
    wanted = [
        (
            latest if target.get("configurationName") == name else target.get("revisionName", ""),
            target.get("percent", 0),
            target.get("tag", ""),
        )
        for target in route["spec"].get("traffic") or ()
    ]
    assigned = [
        (target.get("revisionName", ""), target.get("percent", 0), target.get("tag", ""))
        for target in status_of(route).get("traffic") or ()
    ]
    return wanted == assigned


# Which fields of a Service's status are those of which child's.
_COPIED = {
    CONFIGURATIONS.kind: ("latestCreatedRevisionName", "latestReadyRevisionName"),
    ROUTES.kind: ("url", "address", "traffic"),
}


def _notes(service: Raw, conditions: Sequence[Condition]) -> tuple[Note, ...]:
    notes: list[Note] = []
    kinds = {CONFIGURATIONS_READY: "configuration", ROUTES_READY: "route"}
    name = quoted(service["metadata"]["name"])
    for condition in conditions:
        if condition.reason == "NotOwned":
            message = f"service: {name} does not own {kinds[condition.type]}: {name}"
            notes += internal_error(service, condition, message)
    return tuple(notes)


def _finish(
    seen: Observed, children: Sequence[_Child], conditions: Sequence[Condition], *, now: str
) -> Plan:
    fields = {
        name: status_of(seen.service).get(name) for names in _COPIED.values() for name in names
    }
    for child in children:
        if child.standing is _Standing.CURRENT:
            for name in _COPIED[child.object["kind"]]:
                fields[name] = status_of(child.object).get(name)
    return Plan(
        creates=tuple(write for child in children for write in child.creates),
        updates=tuple(write for child in children for write in child.updates),
        status=new_status(seen.service, conditions, fields, now=now),
        notes=_notes(seen.service, conditions),
    )
