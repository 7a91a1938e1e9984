"""Where a Service leads, as EndpointSlices.

For: the fewest writes from the slices there are to those that are wanted.
Must not know: why a Service leads there, or how slices are written.

A slice holds so many endpoints as Kubernetes' own do, of one family of addresses and one port. An
endpoint stays in its slice, so that one Pod that comes or goes is one write. The first slice stays
when nothing is left to lead to: the Service refuses connections then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from api import keys
from api.kinds import ENDPOINTSLICES, Resource
from api.objects import Raw, owner_reference_to
from controller.plan import Delete, Plan, Write

ENDPOINTS_MAX: Final = 100
MANAGER: Final = "controller.relight.dev"
_PORT_NAME: Final = "http"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Endpoint:
    """One Pod of those behind a Service."""

    address: str
    namespace: str
    pod: str

    @property
    def family(self) -> str:
        """The addressType of its slice."""
        return "IPv6" if ":" in self.address else "IPv4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """Where a Service leads: some Pods, at one port."""

    endpoints: tuple[Endpoint, ...] = ()
    port: int


def plan_slices(
    owner: Raw,
    service: str,
    wanted: Backends,
    existing: Sequence[Raw],
    resource: Resource = ENDPOINTSLICES,
) -> Plan:
    """The writes that have a Service lead to `wanted`; `existing` are its slices, if they are ours.

    What comes is written before what goes.
    """
    names = {str(each["metadata"]["name"]) for each in existing}
    creates: list[Write] = []
    updates: list[Write] = []
    unused: list[Raw] = []
    families = sorted({each.family for each in wanted.endpoints}) or [_first_family(existing)]
    for family in families:
        those = sorted((each for each in existing if each.get("addressType") == family), key=_rank)
        endpoints = [each for each in wanted.endpoints if each.family == family]
        held = _placed(those, endpoints)
        for raw, content in zip(those, held, strict=False):
            if not content and raw is not those[0]:
                unused.append(raw)
            elif not _is_alike(raw, content, wanted.port):
                updates.append(_rewritten(resource, raw, content, wanted.port))
        for content in held[len(those) :] or ([[]] if not those else []):
            name = next(each for each in _names(service) if each not in names)
            names.add(name)
            creates.append(_new(resource, owner, service, name, family, content, wanted.port))
    unused += [each for each in existing if each.get("addressType") not in families]
    deletes = tuple(Delete.of(resource, each) for each in unused)
    return Plan(creates=tuple(creates), updates=tuple(updates), deletes=deletes)


def _placed(slices: Sequence[Raw], wanted: Sequence[Endpoint]) -> list[list[Endpoint]]:
    """What each slice holds; more lists than slices where more are needed."""
    if len(wanted) <= ENDPOINTS_MAX:  # one is enough, whatever there was
        return [sorted(wanted), *([] for _ in slices[1:])] if slices or wanted else []
    left = {each.address: each for each in wanted}
    held: list[list[Endpoint]] = []
    for raw in slices:
        stay = [left.pop(address) for address in _addresses(raw) if address in left]
        held.append(stay[:ENDPOINTS_MAX])
        left |= {each.address: each for each in stay[ENDPOINTS_MAX:]}
    coming = iter(sorted(left.values()))
    for content in held:
        content += islice(coming, ENDPOINTS_MAX - len(content))
    while rest := list(islice(coming, ENDPOINTS_MAX)):
        held.append(rest)
    return [sorted(content) for content in held]


def _new(  # noqa: PLR0913 - each is one field of the object
    resource: Resource,
    owner: Raw,
    service: str,
    name: str,
    family: str,
    content: Sequence[Endpoint],
    port: int,
) -> Write:
    made = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "labels": {keys.SERVICE_NAME: service, keys.SLICE_MANAGER: MANAGER},
            "ownerReferences": [owner_reference_to(owner)],
        },
        "addressType": family,
        **_body(content, port),
    }
    return Write(resource=resource, object=made)


def _rewritten(resource: Resource, raw: Raw, content: Sequence[Endpoint], port: int) -> Write:
    return Write(resource=resource, object={**raw, **_body(content, port)})


def _body(content: Sequence[Endpoint], port: int) -> dict[str, Any]:
    return {
        "endpoints": [
            {
                "addresses": [each.address],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "namespace": each.namespace, "name": each.pod},
            }
            for each in content
        ],
        "ports": [{"name": _PORT_NAME, "port": port, "protocol": "TCP"}],
    }


def _is_alike(raw: Raw, content: Sequence[Endpoint], port: int) -> bool:
    """Compared by what was written: a server fills in fields of its own."""
    ports: Sequence[Any] = raw.get("ports") or ()
    said = [
        (
            address,
            (each.get("targetRef") or {}).get("name"),
            (each.get("conditions") or {}).get("ready"),
        )
        for each in raw.get("endpoints") or ()
        for address in each.get("addresses") or ()
    ]
    return (
        len(ports) == 1
        and ports[0].get("port") == port
        and ports[0].get("name") == _PORT_NAME
        and said == [(each.address, each.pod, True) for each in content]
    )


def _addresses(raw: Raw) -> list[str]:
    return [
        str(address)
        for each in raw.get("endpoints") or ()
        for address in each.get("addresses") or ()
    ]


def _first_family(existing: Sequence[Raw]) -> str:
    """Nothing is wanted: the family that there is stays."""
    found = sorted(existing, key=_rank)
    return str(found[0].get("addressType") or "IPv4") if found else "IPv4"


def _rank(raw: Raw) -> tuple[int, str]:
    name = str(raw["metadata"]["name"])
    return len(name), name


def _names(service: str) -> Any:
    """Of slices, in order. Two Services never have one in common: a number follows the whole."""
    number = 0
    while True:
        yield f"{service}-{number}"
        number += 1
