import random

from activator.config import Settings
from activator.metrics import Metrics
from activator.peers import PeerSettings
from activator.server import Activator
from activator.stat_link import StatLink
from tests.cluster.serving import Served


async def test_everything_has_one_name_and_a_help() -> None:
    served = Served()
    rng = random.Random(1)
    link = StatLink(served.direct, "a", namespace="default", rng=rng)
    activator = Activator(served.direct, Settings(), report=link.report, rng=rng)
    families = list(Metrics(activator, link).families())
    names = [each.name for each in families]
    assert len(names) == len(set(names))
    assert {
        "activator_requests",
        "activator_queued_requests",
        "activator_stats_link_up",
    } <= set(names)
    assert all(each.help.endswith(".") for each in families)
    served.close()


async def test_peers_are_told_of_where_there_may_be_some() -> None:
    served = Served()
    rng = random.Random(1)
    link = StatLink(served.direct, "a", namespace="default", rng=rng)
    peers = PeerSettings(name="a", namespace="default")
    activator = Activator(served.direct, Settings(), report=link.report, rng=rng, peers=peers)
    names = {each.name for each in Metrics(activator, link).families()}
    assert {"activator_peers", "activator_owned", "activator_tickets", "activator_alone"} <= names
    served.close()
