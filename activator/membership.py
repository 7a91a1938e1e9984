"""Which Pods are activators, and where each of them listens for the others.

For: reading Pods once, at the edge.
Must not know: who of them owns what: that they tell one another.
"""

from dataclasses import dataclass

from api.objects import Raw

PEERS_PORT = "peers"  # the name of the container's port
DEFAULT_PORT = 8082


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFacts:
    """One activator, as its Pod tells of it."""

    name: str
    host: str
    port: int
    is_leaving: bool  # it is being deleted: it need not be waited for


def read_peer(raw: Raw) -> PeerFacts | None:
    """None for a Pod without an address, and for one that has ended."""
    status = raw.get("status") or {}
    host = status.get("podIP")
    if not host or status.get("phase") in {"Succeeded", "Failed"}:
        return None
    containers = (raw.get("spec") or {}).get("containers") or ()
    ports = [port for each in containers for port in each.get("ports") or ()]
    named = [each["containerPort"] for each in ports if each.get("name") == PEERS_PORT]
    return PeerFacts(
        name=raw["metadata"]["name"],
        host=host,
        port=named[0] if named else DEFAULT_PORT,
        is_leaving=bool(raw["metadata"].get("deletionTimestamp")),
    )
