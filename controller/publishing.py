"""Route and Revision → core Services of their names, and where each of them leads.

For: planning the addresses inside a cluster (Knative's placeholder Service, and the public one of
     its ServerlessService): to activators, or to Pods where a mode and the Revision allow it.
Must not know: how objects are watched or written, or why a mode is what it is.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from api import keys
from api.conditions import TRUE, find
from api.kinds import CORE_SERVICES, Resource
from api.naming import HTTP_PORT
from api.objects import Raw, owner_reference_to
from controller.addresses import name_of
from controller.children import annotations_of, is_controlled_by, is_going, labels_of
from controller.pinning import serving_container
from controller.plan import Delete, Plan, Write, status_of
from controller.probing import serving_port
from controller.slices import Backends, Endpoint, plan_slices
from controller.workload import child_labels

ACTIVATOR_PORT: Final = 8080
_ACTIVATORS_MIN: Final = 2
_PORT: Final = {"name": "http", "port": HTTP_PORT, "protocol": "TCP", "targetPort": HTTP_PORT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """By whom requests inside a cluster are taken."""

    system_namespace: str
    selector: str = "app.kubernetes.io/name=activator"  # labels of the activators' Pods


@dataclass(frozen=True, slots=True, kw_only=True)
class Leading:
    """What decides where the Service of one Revision leads."""

    revision: Raw
    podautoscaler: Raw | None
    pods: Sequence[Raw]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One Service: whose address it is (as keys.PUBLISHED says), and where it leads."""

    of: str
    backends: Backends


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A Route or a Revision, and what of its Services there is."""

    owner: Raw
    services: Mapping[str, Raw]  # of its own and of the wanted names, whoever has them
    slices: Sequence[Raw]  # that it owns
    resource: Resource  # of EndpointSlices


def of_revision(seen: Leading, activators: Sequence[Endpoint]) -> dict[str, Wanted]:
    """The Service of a Revision."""
    name = str(seen.revision["metadata"]["name"])
    return {name: Wanted(of="revision", backends=backends_of(seen, activators))}


def of_route(
    route: Raw, served: Mapping[str, Leading], activators: Sequence[Endpoint]
) -> dict[str, Wanted]:
    """The Services of a Route and of its tags; `served` are the Revisions its traffic names.

    Straight to Pods only where one Revision has everything: nobody divides requests there.
    """
    only = sole_revision(route)
    name = name_of(route, "")
    if only in served:
        backends = backends_of(served[only], activators)
    else:
        count = max((_count(each.podautoscaler) for each in served.values()), default=0)
        backends = _to_activators(name, activators, count)
    found = {name: Wanted(of="route", backends=backends)}
    for line in status_of(route).get("traffic") or ():
        if line.get("tag"):
            tagged = name_of(route, str(line["tag"]))
            found[tagged] = Wanted(of="tag", backends=_to_activators(tagged, activators, 0))
    return found


def of_inference(service: Raw, activators: Sequence[Endpoint]) -> dict[str, Wanted]:
    """The Service of an InferenceService: activators tell its components apart by the path."""
    name = str(service["metadata"]["name"])
    backends = _to_activators(name, activators, 0)
    return {name: Wanted(of="inferenceservice", backends=backends)}


def not_nowhere(wanted: Mapping[str, Wanted], unready: Sequence[Endpoint]) -> dict[str, Wanted]:
    """The same, but where a Service would lead to nobody it leads to activators that are not ready.

    They may be too busy to say that they are; a connection that is refused can only be tried.
    """
    instead = Backends(endpoints=tuple(unready), port=ACTIVATOR_PORT)
    return {
        name: each if each.backends.endpoints else replace(each, backends=instead)
        for name, each in wanted.items()
    }


def sole_revision(route: Raw) -> str:
    """The Revision that has all requests of a Route that moves none and knows no tag; or ""."""
    if annotations_of(route).get(keys.ROLLOUT):
        return ""
    lines: Sequence[Any] = status_of(route).get("traffic") or ()
    if len(lines) != 1 or lines[0].get("tag") or lines[0].get("percent") != 100:
        return ""
    return str(lines[0].get("revisionName") or "")


def backends_of(seen: Leading, activators: Sequence[Endpoint]) -> Backends:
    """Where requests for one Revision go."""
    ready = ready_pods(seen.revision, seen.pods)
    asked = seen.podautoscaler
    is_direct = asked is not None and annotations_of(asked).get(keys.DIRECT) == "true"
    mode = status_of(asked).get("mode") if asked is not None else None
    has_limit = bool(seen.revision["spec"].get("containerConcurrency"))
    is_alone = not activators and (is_direct or not has_limit)  # better than nobody
    if ready and ((is_direct and mode == "Serve") or is_alone):
        return Backends(endpoints=tuple(ready), port=_port_of(seen.revision))
    return _to_activators(str(seen.revision["metadata"]["name"]), activators, _count(asked))


def ready_pods(revision: Raw, pods: Sequence[Raw]) -> list[Endpoint]:
    """Pods of this very Revision that serve and are not told to go, by address."""
    uid = revision["metadata"]["uid"]
    return sorted(
        found
        for pod in pods
        if labels_of(pod).get(keys.REVISION_UID) == uid
        and (found := ready_endpoint(pod)) is not None
    )


def ready_endpoint(pod: Raw) -> Endpoint | None:
    """Where a Pod is reached; None while it is not ready, or once it is told to go."""
    condition = find(pod, "Ready")
    return endpoint(pod) if condition is not None and condition.status == TRUE else None


def endpoint(pod: Raw) -> Endpoint | None:
    """Where a Pod is reached, ready or not; None before it has an address, or once it is to go."""
    address = status_of(pod).get("podIP")
    if is_going(pod) or not address or status_of(pod).get("phase") in ("Succeeded", "Failed"):
        return None
    metadata = pod["metadata"]
    return Endpoint(address=str(address), namespace=metadata["namespace"], pod=metadata["name"])


def _to_activators(name: str, activators: Sequence[Endpoint], count: int) -> Backends:
    """Some of them, the same ones as long as they are there: rendezvous by name."""

    def weight(each: Endpoint) -> bytes:
        return hashlib.sha256(f"{name}/{each.pod}".encode()).digest()

    chosen = sorted(activators, key=weight)[: max(count, _ACTIVATORS_MIN)]
    return Backends(endpoints=tuple(sorted(chosen)), port=ACTIVATOR_PORT)


def _count(podautoscaler: Raw | None) -> int:
    found = status_of(podautoscaler).get("activators") if podautoscaler is not None else 0
    return found if isinstance(found, int) else 0


def _port_of(revision: Raw) -> int:
    return serving_port(serving_container(revision))


def foreign(seen: Observed, wanted: Mapping[str, Wanted]) -> list[str]:
    """The wanted names that are those of Services of somebody else's."""
    return [
        name
        for name in wanted
        if name in seen.services and not is_controlled_by(seen.services[name], seen.owner)
    ]


def plan(seen: Observed, wanted: Mapping[str, Wanted]) -> Plan:
    """The writes for all Services of one owner. What is somebody else's is left alone."""
    if is_going(seen.owner):
        return Plan()
    result = Plan()
    taken = set(foreign(seen, wanted))
    for name, each in wanted.items():
        if name in taken:
            continue
        result = _after(result, _plan_service(seen, name, each))
        own = [one for one in seen.slices if labels_of(one).get(keys.SERVICE_NAME) == name]
        result = _after(result, plan_slices(seen.owner, name, each.backends, own, seen.resource))
    gone = [
        one
        for name, one in seen.services.items()
        if name not in wanted and is_controlled_by(one, seen.owner)
    ]
    gone_slices = [
        one for one in seen.slices if labels_of(one).get(keys.SERVICE_NAME) not in wanted
    ]
    deletes = [Delete.of(CORE_SERVICES, one) for one in gone]
    deletes += [Delete.of(seen.resource, one) for one in gone_slices]
    return replace(result, deletes=(*result.deletes, *deletes))


def _after(first: Plan, second: Plan) -> Plan:
    return Plan(
        creates=first.creates + second.creates,
        updates=first.updates + second.updates,
        deletes=first.deletes + second.deletes,
    )


def _plan_service(seen: Observed, name: str, wanted: Wanted) -> Plan:
    existing = seen.services.get(name)
    labels = _labels(seen.owner, wanted.of)
    if existing is None:
        made = {
            "apiVersion": CORE_SERVICES.api_version,
            "kind": CORE_SERVICES.kind,
            "metadata": {
                "name": name,
                "namespace": seen.owner["metadata"]["namespace"],
                "labels": labels,
                "ownerReferences": [owner_reference_to(seen.owner)],
            },
            "spec": {"type": "ClusterIP", "ports": [_PORT]},
        }
        return Plan(creates=(Write(resource=CORE_SERVICES, object=made),))
    spec = existing.get("spec") or {}
    ports = [{key: each.get(key) for key in _PORT} for each in spec.get("ports") or ()]
    has_labels = all(labels_of(existing).get(key) == text for key, text in labels.items())
    if ports == [_PORT] and not spec.get("selector") and has_labels:
        return Plan()
    metadata = {**existing["metadata"], "labels": {**labels_of(existing), **labels}}
    kept = {key: each for key, each in spec.items() if key != "selector"}
    changed = {**existing, "metadata": metadata, "spec": {**kept, "ports": [_PORT]}}
    return Plan(updates=(Write(resource=CORE_SERVICES, object=changed),))


def _labels(owner: Raw, of: str) -> dict[str, str]:
    if of == "revision":
        return {**child_labels(owner), keys.PUBLISHED: of}
    whose = keys.INFERENCE_SERVICE if of == "inferenceservice" else keys.ROUTE
    own = {whose: str(owner["metadata"]["name"]), keys.PUBLISHED: of}
    return {**labels_of(owner), **own}
