"""Route → HTTPRoutes of the Gateway API, for clusters that have a gateway of their own.

For: planning one HTTPRoute for a Route and one for each of its tags; what a gateway says of them.
Must not know: which gateway it is, how objects are written, or how requests travel.

A gateway divides requests by the shares of a Route, and sends each to the Service of a Revision
with the two headers that name it: whoever answers there, activator or Pod, need not divide again.
What is cluster-local gets no HTTPRoute: gateways are seen from outside.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api import keys
from api.conditions import FALSE, TRUE, UNKNOWN, Condition
from api.kinds import HTTPROUTES
from api.naming import HTTP_PORT
from api.objects import Raw
from controller.addresses import Addresses, is_cluster_local, name_of
from controller.children import (
    annotations_of,
    is_controlled_by,
    is_going,
    labels_of,
    make_child,
    update_to,
)
from controller.ingress import INGRESS_READY, NOT_CONFIGURED
from controller.plan import Delete, Plan, Write, quoted, status_of

_ROUTE: Final = "route"
_TAG: Final = "tag"
MISSING: Final = Condition(
    type=INGRESS_READY,
    status=FALSE,
    reason="GatewayApiMissing",
    message="There are no HTTPRoutes on this cluster: install the Gateway API, "
    "or run the controller without --gateway",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The Gateway that HTTPRoutes are attached to."""

    namespace: str
    name: str

    @classmethod
    def parse(cls, said: str) -> "Gateway":
        """From NAMESPACE/NAME; ValueError."""
        namespace, slash, name = said.partition("/")
        if not slash or not namespace or not name or "/" in name:
            raise ValueError("expected NAMESPACE/NAME")
        return cls(namespace=namespace, name=name)


def wanted(route: Raw, gateway: Gateway, addresses: Addresses) -> dict[str, dict[str, Any]]:
    """The HTTPRoutes of a Route, by name; none before it sends requests anywhere."""
    lines: Sequence[Any] = [
        each for each in status_of(route).get("traffic") or () if each.get("revisionName")
    ]
    if is_cluster_local(route) or is_going(route) or not lines:
        return {}
    shares = [each for each in lines if each.get("percent")]
    by_tag = {str(each["tag"]): each for each in lines if each.get("tag")}
    rules = [_rule(route, [line], tag=tag) for tag, line in by_tag.items()]
    if shares:
        rules.append(_rule(route, shares))
    found = {}
    if rules:
        host = addresses.host(route)
        found[name_of(route, "")] = _made(route, gateway, name_of(route, ""), host, rules)
    for tag, line in by_tag.items():
        told = {keys.HEADER_TAG: tag}
        name, host = name_of(route, tag), addresses.host(route, tag)
        found[name] = _made(route, gateway, name, host, [_rule(route, [line], told=told)], of=_TAG)
    return found


def _made(
    route: Raw,
    gateway: Gateway,
    name: str,
    host: str,
    rules: list[dict[str, Any]],
    *,
    of: str = _ROUTE,
) -> dict[str, Any]:
    parent = {
        "group": HTTPROUTES.group,
        "kind": "Gateway",
        "namespace": gateway.namespace,
        "name": gateway.name,
    }
    labels = {**labels_of(route), keys.ROUTE: route["metadata"]["name"], keys.PUBLISHED: of}
    spec = {"parentRefs": [parent], "hostnames": [host], "rules": rules}
    return make_child(HTTPROUTES, route, name, {"labels": labels}, spec)


def _rule(
    route: Raw, lines: Iterable[Raw], *, tag: str = "", told: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """To the Revisions of `lines`, by their shares; if a tag is given, of requests that ask for it.

    A server fills in what is left out, so nothing is: else every look would find a difference.
    """
    match: dict[str, Any] = {"path": {"type": "PathPrefix", "value": "/"}}
    if tag:
        match["headers"] = [{"type": "Exact", "name": keys.HEADER_TAG, "value": tag}]
    else:
        told = told or {keys.HEADER_DEFAULT_ROUTE: "true"}
    namespace = str(route["metadata"]["namespace"])
    return {
        "matches": [match],
        "backendRefs": [_backend(namespace, each, told or {}, is_sole=bool(tag)) for each in lines],
    }


def _backend(
    namespace: str, line: Raw, told: Mapping[str, str], *, is_sole: bool
) -> dict[str, Any]:
    revision = str(line["revisionName"])
    named = {keys.HEADER_TO_REVISION: revision, keys.HEADER_TO_NAMESPACE: namespace}
    headers = [{"name": name, "value": value} for name, value in {**named, **told}.items()]
    is_tagged = is_sole or keys.HEADER_TAG in told
    return {
        "group": "",
        "kind": "Service",
        "name": revision,
        "port": HTTP_PORT,
        "weight": 1 if is_tagged else int(line.get("percent") or 0),
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": headers}}],
    }


def plan(route: Raw, asked: Mapping[str, dict[str, Any]], existing: Sequence[Raw]) -> Plan:
    """The writes from the HTTPRoutes there are to those that are wanted; others' are left alone."""
    if is_going(route):
        return Plan()
    there = {str(each["metadata"]["name"]): each for each in existing}
    creates, updates = [], []
    for name, made in asked.items():
        if name not in there:
            creates.append(Write(resource=HTTPROUTES, object=made))
        elif is_controlled_by(there[name], route):
            kept = {**made, "metadata": {**made["metadata"], "annotations": {}}}
            kept["metadata"]["annotations"] = annotations_of(there[name])
            updates.append(update_to(HTTPROUTES, there[name], kept))
    gone = [
        Delete.of(HTTPROUTES, each)
        for name, each in there.items()
        if name not in asked and is_controlled_by(each, route)
    ]
    return Plan(
        creates=tuple(creates),
        updates=tuple(each for each in updates if each is not None),
        deletes=tuple(gone),
    )


def ingress(route: Raw, asked: Mapping[str, Raw], existing: Sequence[Raw]) -> Condition | None:
    """What gateways say of a Route's HTTPRoutes; None: they serve all of them."""
    there = {str(each["metadata"]["name"]): each for each in existing}
    for name, made in asked.items():
        found = there.get(name)
        if found is None:
            return NOT_CONFIGURED
        if not is_controlled_by(found, route):
            message = f"There is an existing HTTPRoute {quoted(name)} that we do not own."
            return Condition(type=INGRESS_READY, status=FALSE, reason="NotOwned", message=message)
        if found.get("spec") != made["spec"]:
            return NOT_CONFIGURED  # what gateways say is about what it was
        said = _said(found)
        if said is not None:
            return said
    return None


def _said(httproute: Raw) -> Condition | None:
    parents: Sequence[Any] = status_of(httproute).get("parents") or ()
    generation = httproute["metadata"].get("generation", 0)
    told = {
        each["type"]: each
        for parent in parents
        for each in parent.get("conditions") or ()
        if each.get("observedGeneration", generation) == generation
    }
    if "Accepted" not in told:
        return NOT_CONFIGURED
    for type_ in ("Accepted", "ResolvedRefs"):
        found = told.get(type_)
        if found is not None and found.get("status") != TRUE:
            status = FALSE if found.get("status") == FALSE else UNKNOWN
            name = quoted(str(httproute["metadata"]["name"]))
            message = f"The gateway says of HTTPRoute {name}: {found.get('message') or type_}"
            return Condition(
                type=INGRESS_READY,
                status=status,
                reason=str(found.get("reason") or type_),
                message=message,
            )
    return None
