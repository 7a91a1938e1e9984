import random

from api.kinds import NODES
from cluster.direct import DirectClient
from embedded.apiserver import ApiServer
from embedded.node import node
from embedded.registering import register
from embedded.store import IN_MEMORY, Store
from tests.embedded.test_node import FACTS


async def test_the_node_is_made_once_and_kept_true() -> None:
    server = ApiServer(Store(IN_MEMORY), clock=lambda: 1000.0, rng=random.Random(0))
    client = DirectClient(server)
    await register(client, node(FACTS, now="2026-01-01T00:00:00Z"))
    first = server.get(NODES, None, "localhost")
    assert first["status"]["conditions"]
    await register(client, node(FACTS, now="2026-01-02T00:00:00Z"))
    second = server.get(NODES, None, "localhost")
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert second["status"]["conditions"][0]["lastHeartbeatTime"] == "2026-01-02T00:00:00Z"
