"""What the activator tells Prometheus.

For: naming its numbers once.
Must not know: how they are counted, or who asks.
"""

import asyncio
from collections.abc import Iterator

from activator import tally
from activator.server import Activator
from activator.stat_link import StatLink
from activator.tally import Tally
from telemetry.metrics import Family, counter, gauge, table

_REVISION = ("namespace", "revision")
_COLUMNS = (
    ("activator_queued_requests", "Requests held now."),
    ("activator_queued_bytes", "Bytes of their bodies."),
    ("activator_executing_requests", "Requests at a replica now."),
    ("activator_ready_replicas", "Replicas that may be used."),
    ("activator_pods", "Pods that are not leaving, ready or not."),
)


class Metrics:
    """Of one activator."""

    def __init__(self, activator: Activator, link: StatLink) -> None:
        self._activator = activator
        self._link = link
        self._tally = Tally(activator.ledger)

    async def run(self) -> None:
        """Count requests as they end, until cancelled."""
        while True:
            await asyncio.sleep(tally.READ_S)
            self._tally.read()

    def families(self) -> Iterator[Family]:
        """Everything, now."""
        found = self._activator.statistics()
        names = [tuple(key.split("/", 1)) for key in found.revisions]
        self._tally.keep((name[0], name[1]) for name in names)
        yield from self._tally.families()
        rows = [
            (name, (each.queued, each.queued_bytes, each.executing, each.ready_replicas, each.pods))
            for name, each in zip(names, found.revisions.values(), strict=True)
        ]
        yield from table("gauge", _COLUMNS, _REVISION, rows)
        yield gauge("activator_connections", "Connections of clients.", found.connections)
        yield gauge("activator_expected", "Requests for Revisions not known yet.", found.expected)
        yield from self._events()
        yield from self._reports()
        yield from self._peers()

    def _peers(self) -> Iterator[Family]:
        peers = self._activator.peers
        if peers is None:
            return
        found = peers.ring.statistics()
        yield gauge("activator_peers", "Other activators that are reached.", len(found.peers))
        yield gauge("activator_owned", "Revisions with a limit that it owns.", found.owned)
        yield gauge("activator_tickets", "Requests of others, here or at a replica.", found.tickets)
        yield gauge("activator_alone", "Limits kept without the owner's consent.", found.alone)

    def _events(self) -> Iterator[Family]:
        found = self._activator.statistics().events
        yield counter("activator_events_sent", "Payload events that arrived.", found.sent)
        yield counter("activator_events_failed", "Those that did not.", found.failed)
        yield counter("activator_events_dropped", "Those that found no room.", found.dropped)
        yield gauge("activator_events_waiting", "Those on their way.", found.waiting)

    def _reports(self) -> Iterator[Family]:
        found = self._link.statistics()
        yield gauge("activator_stats_link_up", "Whether an autoscaler listens.", found.is_up)
        yield counter("activator_stats_link_connects", "Times one began to.", found.connects)
        yield counter("activator_stats_reports", "Reports sent, pokes among them.", found.reports)
        yield counter("activator_stats_pokes", "Pokes sent.", found.pokes)
        yield counter("activator_stats_dropped", "Reports that nobody heard.", found.dropped)
