"""DomainMapping → the Route it means, and its status.

For: planning one DomainMapping: a host of the user's own in front of a Service or Route.
Must not know: how requests to that host are forwarded, or DNS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.conditions import FALSE, READY, TRUE, UNKNOWN, Condition, find
from api.kinds import ROUTES, SERVICES
from api.naming import CLUSTER_DOMAIN, url
from api.objects import Raw
from controller.children import is_going
from controller.ingress import INGRESS_READY, NO_CERTIFICATE, NOT_CONFIGURED
from controller.plan import Plan, internal_error, is_observed, new_status, quoted, status_of

DOMAIN_CLAIMED = "DomainClaimed"
REFERENCE_RESOLVED = "ReferenceResolved"

_SUFFIX = f".svc.{CLUSTER_DOMAIN}"
_GROUPED = {f"{each.api_version} {each.kind}": each for each in (SERVICES, ROUTES)}
_ALREADY_CLAIMED = Condition(
    type=DOMAIN_CLAIMED,
    status=FALSE,
    reason="DomainAlreadyClaimed",
    message="The domain name is already in use by another DomainMapping",
)

_HOST_OF_A_ROUTE = Condition(
    type=DOMAIN_CLAIMED,
    status=FALSE,
    reason="DomainAlreadyClaimed",
    message="The domain name is already in use by a Route",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A DomainMapping, those of its name in other namespaces, and what it refers to."""

    mapping: Raw
    rivals: Sequence[Raw]
    target: Raw | None  # None: there is none, or it is of a kind that is not looked up
    port: int | None = None  # of the host, from outside; None or 80: left out of URLs
    is_of_a_route: bool = False  # another than the target has this host, and is asked first


def reference_of(mapping: Raw) -> Mapping[str, str]:
    """The object a DomainMapping refers to: apiVersion, kind, namespace, name."""
    ref = (mapping.get("spec") or {}).get("ref") or {}
    fields = ("apiVersion", "kind", "name")
    namespace = ref.get("namespace") or mapping["metadata"]["namespace"]
    return {**{each: str(ref.get(each) or "") for each in fields}, "namespace": str(namespace)}


def is_served(ref: Mapping[str, str]) -> bool:
    """Whether what is referred to is a Service or a Route of Knative's."""
    return f"{ref['apiVersion']} {ref['kind']}" in _GROUPED


def plan(seen: Observed, *, now: str) -> Plan:
    """The next step for a DomainMapping; `now` is RFC 3339."""
    mapping = seen.mapping
    if is_going(mapping):
        return Plan()
    address = url(mapping["metadata"]["name"], seen.port)
    claimed = _claimed(seen)
    resolved, problem = _resolved(seen)
    if claimed.status != TRUE:  # as Knative does, nothing else is looked at before that
        resolved, ingress = _before(mapping, REFERENCE_RESOLVED), _previous_ingress(mapping)
        problem = (
            f"namespace {quoted(mapping['metadata']['namespace'])} does not own "
            f"ClusterDomainClaim for {quoted(mapping['metadata']['name'])}"
        )
    elif resolved.status != TRUE:
        ingress, problem = _previous_ingress(mapping), f"resolving reference: {problem}"
    else:
        ingress = _ingress(seen.target)
    conditions = (claimed, resolved, ingress, NO_CERTIFICATE)
    failed = next((each for each in conditions if each.status == FALSE), None)
    return Plan(
        status=new_status(
            mapping, conditions, {"url": address, "address": {"url": address}}, now=now
        ),
        notes=internal_error(mapping, failed, problem) if failed is not None and problem else (),
    )


def _claimed(seen: Observed) -> Condition:
    """A host is that of its Route, then of the oldest mapping, then of the first namespace's."""
    if seen.is_of_a_route:
        return _HOST_OF_A_ROUTE
    if any(_age(rival) < _age(seen.mapping) for rival in seen.rivals if not is_going(rival)):
        return _ALREADY_CLAIMED
    return Condition(type=DOMAIN_CLAIMED, status=TRUE)


def _age(mapping: Raw) -> tuple[str, str]:
    metadata = mapping["metadata"]
    return metadata.get("creationTimestamp", ""), metadata["namespace"]


def _resolved(seen: Observed) -> tuple[Condition, str]:
    """Whether the reference leads to a Route, and the problem if it does not."""
    problem = _problem(seen)
    if not problem:
        return Condition(type=REFERENCE_RESOLVED, status=TRUE), ""
    failed = Condition(
        type=REFERENCE_RESOLVED, status=FALSE, reason="ResolveFailed", message=problem
    )
    return failed, problem


def _problem(seen: Observed) -> str:
    ref = reference_of(seen.mapping)
    if not is_served(ref):
        return (
            f"{ref['kind']} of {ref['apiVersion']} is not served as a target: refer to a Service "
            f"or Route of {SERVICES.api_version}"
        )
    if seen.target is None:
        plural = _GROUPED[f"{ref['apiVersion']} {ref['kind']}"].plural
        qualified = f"{plural}.{SERVICES.group} {quoted(ref['name'])}"
        return f"failed to get object {ref['namespace']}/{ref['name']}: {qualified} not found"
    found = str((status_of(seen.target).get("address") or {}).get("url") or "")
    if not found:
        return f"address not set for {_spelled(ref)}"
    host = found.partition("://")[2].partition("/")[0]
    name, _, namespace = host.removesuffix(_SUFFIX).partition(".")
    if not host.endswith(_SUFFIX) or not name or not namespace or "." in namespace:
        return f"resolved URI {quoted(found)} must be of the form {{name}}.{{namespace}}{_SUFFIX}"
    if namespace != seen.mapping["metadata"]["namespace"]:
        return f"resolved URI {quoted(found)} must be in same namespace as DomainMapping"
    return ""


def _spelled(ref: Mapping[str, str]) -> str:
    """A reference as Knative prints it."""
    return (
        f"Kind = {ref['kind']}, Namespace = {ref['namespace']}, Name = {ref['name']}, "
        f"APIVersion = {ref['apiVersion']}, Group = , Address = "
    )


def _ingress(target: Raw | None) -> Condition:
    """The host is served as soon as the Route is; while requests move it stays so."""
    ready = find(target, READY) if target is not None else None
    has_traffic = target is not None and bool(status_of(target).get("traffic"))
    if has_traffic or (ready is not None and ready.status == TRUE):
        return Condition(type=INGRESS_READY, status=TRUE)
    return NOT_CONFIGURED


def _before(mapping: Raw, type_: str) -> Condition:
    return find(mapping, type_) or Condition(type=type_, status=UNKNOWN)


def _previous_ingress(mapping: Raw) -> Condition:
    before = find(mapping, INGRESS_READY)
    return before if before is not None and is_observed(mapping) else NOT_CONFIGURED
