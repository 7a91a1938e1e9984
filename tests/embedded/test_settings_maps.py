"""Knative's ConfigMaps on a fresh platform, and those that somebody changed."""

import random
from pathlib import Path

from api.admission import admit
from api.kinds import CONFIGMAPS
from api.settings_examples import is_edited
from cluster.direct import DirectClient
from controller import clusterconfig
from embedded import settings_maps
from embedded.apiserver import ApiServer
from embedded.store import Store


def test_they_are_those_that_are_read() -> None:
    assert settings_maps.NAMESPACE == clusterconfig.NAMESPACE
    assert set(settings_maps.NAMES) == {
        clusterconfig.CONFIG_GC,
        clusterconfig.CONFIG_NETWORK,
        "config-autoscaler",
        "config-deployment",
    }


async def test_absent_ones_are_made_and_changed_ones_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    server = ApiServer(store, clock=lambda: 1.8e9, rng=random.Random(7), admit=admit)
    client = DirectClient(server)
    await settings_maps.install(client)
    data = {"data": {"rollout-duration": "10"}}
    await client.patch(CONFIGMAPS, "knative-serving", "config-network", data)
    await client.delete(CONFIGMAPS, "knative-serving", "config-gc")
    await settings_maps.install(client)
    kept = await client.get(CONFIGMAPS, "knative-serving", "config-network")
    assert kept["data"]["rollout-duration"] == "10"
    made = await client.get(CONFIGMAPS, "knative-serving", "config-gc")
    assert list(made["data"]) == ["_example"]
    assert clusterconfig.fault("knative-serving", "config-gc", made["data"]) == ""
    assert not is_edited(made["data"], made["metadata"]["annotations"])
    store.close()
