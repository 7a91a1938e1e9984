"""A replica in the words of activators to one another, there and back.

For: one that was granted a slot can use a replica which it has not seen yet.
Must not know: connections, queues.
"""

from activator.endpoints import Replica
from activator.peer_messages import Place
from activator.replicas import PodFacts
from activator.targets import RevisionKey
from wire.address import Address


def place_of(replica: Replica) -> Place:
    """A replica, named for others."""
    facts = replica.facts
    namespace, pod = facts.pod
    return Place(
        namespace, pod, facts.revision.name, str(facts.address), facts.is_predictor, facts.is_h2c
    )


def facts_of(place: Place) -> PodFacts:
    """What is known of a replica that another activator names."""
    return PodFacts(
        pod=(place.namespace, place.pod),
        revision=RevisionKey(place.namespace, place.revision),
        address=Address.parse(place.address),
        is_predictor=place.is_predictor,
        is_h2c=place.is_h2c,
        is_leaving=False,
    )
