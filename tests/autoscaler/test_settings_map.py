import asyncio
from collections.abc import AsyncIterator

import pytest

from api import keys
from api.autoscaler_config import SettingsError
from api.kinds import CONFIGMAPS, NAMESPACES
from autoscaler.config import Settings
from autoscaler.server import Autoscaler
from autoscaler.settings_map import SettingsMap, updated
from tests.autoscaler.world import EPOCH_S, World


def test_each_map_has_its_settings() -> None:
    found = updated(Settings(), "config-autoscaler", {"max-scale-up-rate": "3", "later": "x"})
    found = updated(found, "config-deployment", {"progress-deadline": "2m"})
    assert (found.defaults.max_scale_up_rate, found.progress_deadline_s) == (3.0, 120.0)
    assert updated(found, "config-gc", {"x": "y"}) == found
    with pytest.raises(SettingsError, match="max-scale-up-rate = 1, must be greater"):
        updated(found, "config-autoscaler", {"max-scale-up-rate": "1"})


async def put(world: World, name: str, **data: str) -> None:
    named = {key.replace("_", "-"): text for key, text in data.items()}
    patch = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "knative-serving"},
        "data": named,
    }
    await world.client.patch(CONFIGMAPS, "knative-serving", name, patch, kind="apply")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with World.made() as made:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "knative-serving"}}
        await made.client.create(NAMESPACES, body)
        yield made


@pytest.mark.looptime
async def test_settings_follow_the_maps(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await put(world, "config-autoscaler", stable_window="30s")
    told: asyncio.Queue[Settings] = asyncio.Queue()
    maps = SettingsMap(world.client, Settings(), told.put_nowait)
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(60):
        task = tasks.create_task(maps.run())
        await maps.synced()
        assert (await told.get()).defaults.stable_window_s == 30.0
        await put(world, "config-autoscaler", stable_window="1s")  # refused: what was stays
        await put(world, "config-gc", min_non_active_revisions="1")  # somebody else's
        await put(world, "config-autoscaler", stable_window="40s", frobnication="high")
        assert (await told.get()).defaults.stable_window_s == 40.0
        await put(world, "config-deployment", progress_deadline="9s")
        assert (await told.get()).progress_deadline_s == 9.0
        await world.client.delete(CONFIGMAPS, "knative-serving", "config-autoscaler")
        found = await told.get()
        assert (found.defaults, found.progress_deadline_s) == (Settings().defaults, 9.0)
        task.cancel()
    said = caplog.text
    assert "stable-window = 1s, must be in [6s; 1h0m0s] range; the settings stay" in said
    assert "frobnication is not a key we know" in said


@pytest.mark.looptime
async def test_revisions_that_exist_are_decided_by_other_settings_at_once(world: World) -> None:
    await world.revision("a")
    await world.revision("b", min_scale="1", replicas=1)
    autoscaler = Autoscaler(world.client, Settings(), clock=lambda: EPOCH_S)

    async def wanted(name: str, number: int) -> None:
        async with asyncio.timeout(120):
            while world.replicas(name) != number:
                await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(autoscaler.run())
        await autoscaler.synced()
        await put(world, "config-autoscaler", min_scale="2")
        await wanted("a", 2)
        assert world.replicas("b") == 1  # its annotation holds
        await put(world, "config-autoscaler", pod_autoscaler_class="example.com/mine")
        async with asyncio.timeout(120):
            while autoscaler.statistics()[0].revisions:  # somebody else's now
                await asyncio.sleep(0.01)
        await put(world, "config-autoscaler", pod_autoscaler_class=keys.CLASS_KPA)
        async with asyncio.timeout(120):
            while autoscaler.statistics()[0].revisions != 2:
                await asyncio.sleep(0.01)
        task.cancel()
