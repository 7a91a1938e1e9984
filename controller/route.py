"""Route → which Revision gets what share of the requests, and at which addresses.

For: planning one Route; the activator reads the answer from its status.
Must not know: how requests are forwarded, or why a Revision is or is not ready.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api import keys
from api.conditions import FALSE, READY, TRUE, UNKNOWN, Condition, find, is_ready
from api.naming import cluster_local_host, host, tag_host, url
from api.objects import Raw
from controller.children import is_going, labels_of
from controller.plan import Plan, is_observed, new_status, quoted, status_of

ALL_TRAFFIC_ASSIGNED = "AllTrafficAssigned"
INGRESS_READY = "IngressReady"
CERTIFICATE_PROVISIONED = "CertificateProvisioned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """How users reach Routes from outside."""

    domain: str
    port: int | None = None  # None or 80: left out of URLs


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A Route and what its spec names; what does not exist is absent from the mappings."""

    route: Raw
    configurations: Mapping[str, Raw]
    revisions: Mapping[str, Raw]  # those named, and the latest ready ones of `configurations`


@dataclass(frozen=True, slots=True, kw_only=True)
class _Obstacle:
    """Why a target can not be given requests. False is for good, Unknown is for now."""

    status: str
    reason: str
    message: str


def plan(seen: Observed, addresses: Addresses, *, now: str) -> Plan:
    """The next step for a Route; `now` is RFC 3339.

    One target without a ready Revision keeps the whole previous assignment: requests go on
    being answered as they were.
    """
    route = seen.route
    if is_going(route):
        return Plan()
    targets = [_resolve(seen, target) for target in route["spec"].get("traffic") or ()]
    obstacle = _worst([each for each in targets if isinstance(each, _Obstacle)])
    if obstacle is None:
        assigned = Condition(type=ALL_TRAFFIC_ASSIGNED, status=TRUE)
        ingress = Condition(type=INGRESS_READY, status=TRUE)
        traffic: Any = [
            _addressed(route, target, addresses) for target in targets if isinstance(target, dict)
        ]
    else:
        assigned = Condition(
            type=ALL_TRAFFIC_ASSIGNED,
            status=obstacle.status,
            reason=obstacle.reason,
            message=obstacle.message,
        )
        ingress = _previous_ingress(route)
        traffic = status_of(route).get("traffic")
    name, namespace = route["metadata"]["name"], route["metadata"]["namespace"]
    fields = {
        "url": url(host(name, namespace, addresses.domain), addresses.port),
        "address": {"url": url(cluster_local_host(name, namespace))},
        "traffic": traffic,
    }
    conditions = (assigned, ingress, _CERTIFICATE)
    return Plan(status=new_status(route, conditions, fields, now=now))


_CERTIFICATE = Condition(
    type=CERTIFICATE_PROVISIONED,
    status=TRUE,
    reason="TLSNotEnabled",
    message="external-domain-tls is not enabled",
)


def _previous_ingress(route: Raw) -> Condition:
    """What is served stays served, but of a new spec nothing is served yet."""
    before = find(route, INGRESS_READY)
    if before is not None and is_observed(route):
        return before
    return Condition(
        type=INGRESS_READY,
        status=UNKNOWN,
        reason="IngressNotConfigured",
        message="Ingress has not yet been reconciled.",
    )


def _worst(obstacles: Sequence[_Obstacle]) -> _Obstacle | None:
    for obstacle in obstacles:
        if obstacle.status == FALSE:
            return obstacle
    return obstacles[0] if obstacles else None


def _resolve(seen: Observed, target: Raw) -> dict[str, Any] | _Obstacle:
    """The target with its Revision filled in, or why it has none."""
    if target.get("revisionName"):
        found = _named(seen, str(target["revisionName"]))
    else:
        found = _latest(seen, str(target.get("configurationName", "")))
    if isinstance(found, _Obstacle):
        return found
    kept = {key: target[key] for key in ("tag", "percent", "latestRevision") if key in target}
    return {**kept, "revisionName": found}


def _named(seen: Observed, name: str) -> str | _Obstacle:
    revision = seen.revisions.get(name)
    if revision is None:
        return _missing("Revision", name)
    foreign = _foreign(seen.route, revision)
    if foreign is not None:
        return foreign
    if is_ready(revision):
        return name
    if _is_failed(revision):
        message = f"Revision {quoted(name)} failed to become ready."
        return _Obstacle(status=FALSE, reason="RevisionMissing", message=message)
    message = f"Revision {quoted(name)} is not yet ready."
    return _Obstacle(status=UNKNOWN, reason="RevisionMissing", message=message)


def _latest(seen: Observed, name: str) -> str | _Obstacle:
    configuration = seen.configurations.get(name)
    if configuration is None:
        return _missing("Configuration", name)
    latest = str(status_of(configuration).get("latestReadyRevisionName") or "")
    if latest:
        return latest if latest in seen.revisions else _missing("Revision", latest)
    if _is_failed(configuration):
        message = f"Configuration {quoted(name)} does not have any ready Revision."
        return _Obstacle(status=FALSE, reason="RevisionMissing", message=message)
    message = f"Configuration {quoted(name)} is waiting for a Revision to become ready."
    return _Obstacle(status=UNKNOWN, reason="RevisionMissing", message=message)


def _missing(kind: str, name: str) -> _Obstacle:
    return _Obstacle(
        status=FALSE,
        reason=f"{kind}Missing",
        message=f"{kind} {quoted(name)} referenced in traffic not found.",
    )


def _foreign(route: Raw, revision: Raw) -> _Obstacle | None:
    """A Service's Route may only name Revisions of that Service."""
    service = labels_of(route).get(keys.SERVICE)
    owner = labels_of(revision).get(keys.SERVICE)
    if service is None or service == owner:
        return None
    name = quoted(revision["metadata"]["name"])
    message = (
        f"Revision {name} belongs to Service {quoted(owner)}, not Service {quoted(service)}."
        if owner
        else f"Revision {name} does not belong to Service {quoted(service)}."
    )
    return _Obstacle(status=FALSE, reason="RevisionNotOwned", message=message)


def _is_failed(raw: Raw) -> bool:
    """Whether the object says Ready=False of its present spec."""
    condition = find(raw, READY)
    return condition is not None and condition.status == FALSE and is_observed(raw)


def _addressed(route: Raw, target: dict[str, Any], addresses: Addresses) -> dict[str, Any]:
    """The target as the status shows it: a tagged one has an address of its own."""
    if not target.get("tag"):
        return target
    name, namespace = route["metadata"]["name"], route["metadata"]["namespace"]
    tagged = tag_host(target["tag"], name, namespace, addresses.domain)
    return {**target, "url": url(tagged, addresses.port)}
