"""The runtimes of a fresh platform, and those of one that was edited."""

import random
from pathlib import Path

from api.admission import admit
from api.kinds import CLUSTERSERVINGRUNTIMES
from api.runtime_builtin import built_in
from cluster.direct import DirectClient
from embedded import runtimes
from embedded.apiserver import ApiServer
from embedded.store import Store


async def test_absent_ones_are_made_and_changed_ones_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    server = ApiServer(store, clock=lambda: 1.8e9, rng=random.Random(7), admit=admit)
    client = DirectClient(server)
    await runtimes.install(client)
    names = {each["metadata"]["name"] for each in built_in()}
    assert {each["metadata"]["name"] for each in store.select(CLUSTERSERVINGRUNTIMES)} == names
    changed = await client.get(CLUSTERSERVINGRUNTIMES, "", "relight-onnx")
    changed["spec"]["disabled"] = True
    await client.replace(CLUSTERSERVINGRUNTIMES, changed)
    await client.delete(CLUSTERSERVINGRUNTIMES, "", "relight-sklearn")
    await runtimes.install(client)
    assert {each["metadata"]["name"] for each in store.select(CLUSTERSERVINGRUNTIMES)} == names
    kept = await client.get(CLUSTERSERVINGRUNTIMES, "", "relight-onnx")
    assert kept["spec"]["disabled"] is True
    store.close()
