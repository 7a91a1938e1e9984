"""What a Pod says about the replica in it: which Revision, where it listens, how to prove it.

For: reading Pods once, at the edge.
Must not know: sockets, probes, queues.
"""

from dataclasses import dataclass
from typing import Any

from activator.targets import RevisionKey
from api import keys
from api.images import is_predictor_image
from api.objects import Raw
from api.pods import DEFAULT_PORT, serving_index, speaks_h2c
from wire.address import Address

PodKey = tuple[str, str]  # namespace, name


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """One Pod, as far as sending requests to it goes."""

    pod: PodKey
    revision: RevisionKey
    address: Address | None  # None: not yet known
    is_predictor: bool  # it answers GET /v2/health/ready when, and only when, it can serve
    is_h2c: bool  # it speaks HTTP/2 only, unless it is a predictor
    is_leaving: bool  # being deleted, or ended
    is_down: bool = False  # its process ended and will be started again


def read_pod(raw: Raw) -> PodFacts | None:
    """None for a Pod that belongs to no Revision."""
    metadata = raw["metadata"]
    name = (metadata.get("labels") or {}).get(keys.REVISION)
    if not name:
        return None
    namespace = metadata.get("namespace", "default")
    containers = (raw.get("spec") or {}).get("containers") or [{}]
    serving = containers[serving_index(containers)]
    status = raw.get("status") or {}
    has_ended = status.get("phase") in {"Succeeded", "Failed"}
    states = [each.get("state") or {} for each in status.get("containerStatuses") or ()]
    return PodFacts(
        pod=(namespace, metadata["name"]),
        revision=RevisionKey(namespace, name),
        address=_address(raw, serving),
        is_predictor=is_predictor_image(serving.get("image", "")),
        is_h2c=speaks_h2c(containers),
        is_leaving=bool(metadata.get("deletionTimestamp")) or has_ended,
        is_down=any("waiting" in state or "terminated" in state for state in states),
    )


def _address(raw: Raw, container: dict[str, Any]) -> Address | None:
    """The kubelet of one machine says where; on a cluster a Pod has an address of its own."""
    said = (raw["metadata"].get("annotations") or {}).get(keys.ENDPOINT)
    if said:
        try:
            return Address.parse(said)
        except ValueError:
            return None  # a replica we cannot reach is one we do not use
    ip = (raw.get("status") or {}).get("podIP")
    if not ip:
        return None
    ports = container.get("ports") or [{}]
    return Address(host=ip, port=ports[0].get("containerPort", DEFAULT_PORT))
