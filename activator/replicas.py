"""What a Pod says about the replica in it: which Revision, where it listens, how to prove it.

For: reading Pods once, at the edge.
Must not know: sockets, probes, queues.
"""

from dataclasses import dataclass
from typing import Any

from activator.targets import RevisionKey
from api import keys
from api.conditions import is_ready
from api.images import is_predictor_image
from api.objects import Raw
from api.pods import DEFAULT_PORT, serving_index, speaks_h2c
from wire.address import Address

PodKey = tuple[str, str]  # namespace, name
_THIS_MACHINE = "127.0.0.1"


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
    is_predictor = is_predictor_image(serving.get("image", ""))
    return PodFacts(
        pod=(namespace, metadata["name"]),
        revision=RevisionKey(namespace, name),
        address=_address(raw, serving, is_predictor=is_predictor),
        is_predictor=is_predictor,
        is_h2c=speaks_h2c(containers),
        is_leaving=bool(metadata.get("deletionTimestamp")) or has_ended,
        is_down=any("waiting" in state or "terminated" in state for state in states),
    )


def _address(raw: Raw, container: dict[str, Any], *, is_predictor: bool) -> Address | None:
    """The kubelet of one machine says where, once it is ready; on a cluster a Pod has an address.

    It is used before the kubelet says that it is ready, as that takes a second, unless only the
    kubelet can tell: by what its user wants to be asked. What an annotation says there anyone may
    have written, so that the activator would reach for them what they can not.
    """
    ip = (raw.get("status") or {}).get("podIP")
    said = (raw["metadata"].get("annotations") or {}).get(keys.ENDPOINT)
    if said and ip in (None, "", _THIS_MACHINE):
        return _own_address(said)
    ports = container.get("ports") or [{}]
    port = ports[0].get("containerPort", DEFAULT_PORT)
    containers = (raw.get("spec") or {}).get("containers") or ()
    others = [each for each in containers if each is not container]
    is_told = all(_shows_by_its_socket(each, None) for each in others) and (
        is_predictor or _shows_by_its_socket(container, port)
    )
    if not ip or not (is_told or is_ready(raw)):
        return None
    return Address(host=ip, port=port)


def _own_address(said: str) -> Address | None:
    """One on this machine; a replica we cannot reach is one we do not use."""
    try:
        address = Address.parse(said)
    except ValueError:
        return None
    return address if address.host in ("", _THIS_MACHINE) else None


def _shows_by_its_socket(container: dict[str, Any], port: int | None) -> bool:
    """Whether a container is ready as soon as its port (None: it has none) takes connections."""
    probe = container.get("readinessProbe") or {}
    by = {action for action in ("httpGet", "exec", "grpc", "tcpSocket") if probe.get(action)}
    is_late = container.get("startupProbe") or probe.get("initialDelaySeconds")
    if not by:
        return not is_late
    return by == {"tcpSocket"} and probe["tcpSocket"].get("port") == port and not is_late
