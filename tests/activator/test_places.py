"""A replica named to another activator."""

from activator.endpoints import Replica
from activator.places import facts_of, place_of
from activator.replicas import PodFacts
from activator.targets import RevisionKey
from wire.address import Address


async def test_what_is_said_of_a_replica_is_what_the_other_one_reads() -> None:
    facts = PodFacts(
        pod=("ns", "pod-1"),
        revision=RevisionKey("ns", "rev"),
        address=Address.parse("tcp:10.0.0.1:8080"),
        is_predictor=True,
        is_h2c=False,
        is_leaving=False,
    )
    replica = Replica(facts, seen_s=0.0, on_suspect=print, on_drained=print)
    assert facts_of(place_of(replica)) == facts
    assert place_of(replica).address == "tcp:10.0.0.1:8080"
