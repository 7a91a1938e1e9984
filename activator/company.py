"""An activator as one of several: its peers, and holders whose queues are shared with them.

For: joining the ring to the replicas and queues of this activator.
Must not know: sockets, how a request is carried, what peers say.
"""

from typing import Any

from activator import places
from activator.endpoints import Endpoints, Replica
from activator.holding import Holder, Office, Terms
from activator.peer_messages import Place
from activator.peers import Naming, Peers, PeerSettings
from activator.proxy import Passage
from activator.sharing import SharedQueue
from activator.targets import RevisionKey
from cluster.client import Client


class Company:
    """Makes holders. Those of Revisions without a limit need nobody's consent."""

    def __init__(self, client: Client, settings: PeerSettings, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        naming: Naming[Any] = Naming(
            place_of=places.place_of, find=self._replica_at, suspect=Replica.suspect
        )
        self.peers: Peers[Passage, Any] = Peers(client, settings, naming)

    def hold(self, key: RevisionKey, terms: Terms, office: Office, *, service: str) -> Holder:
        """The queue of a Revision."""
        if not terms.container_concurrency:
            return Holder(key, terms, office, service=service)
        queue: SharedQueue[Passage, Any] = SharedQueue(
            key,
            self.peers.ring,
            capacity=terms.container_concurrency,
            depth_max=office.settings.queue_depth_max,
            bytes_max=office.settings.queue_bytes_max,
        )
        holder = Holder(key, terms, office, service=service, throttler=queue)
        self.peers.ring.add(queue, holder)
        return holder

    def forget(self, key: RevisionKey) -> None:
        """A Revision is gone."""
        self.peers.ring.remove(key)

    def _replica_at(self, place: Place) -> Replica:
        return self._endpoints.introduce(places.facts_of(place))
