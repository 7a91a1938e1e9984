import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.kinds import CUSTOMRESOURCEDEFINITIONS, PODAUTOSCALERS, SERVERLESSSERVICES
from autoscaler.bursting import Mode
from autoscaler.metered import Metered
from autoscaler.scaler import Key
from autoscaler.serverless_services import ServerlessServices
from cluster.errors import UnavailableError
from tests.autoscaler.knative import CRD
from tests.autoscaler.specs import spec
from tests.autoscaler.world import World, podautoscaler

pytestmark = pytest.mark.looptime
KEY = ("default", "r")


class Cluster:
    """A client of a real API server, some of whose creations fail."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.faults = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.client, name)

    async def create(self, *args: Any) -> Any:
        if self.faults:
            self.faults -= 1
            raise UnavailableError("not now")
        return await self._world.client.create(*args)


class Bench:
    def __init__(self, world: World) -> None:
        self.world = world
        self.client = Cluster(world)
        self.changed: list[Key] = []
        self.can_wake = True
        self.services = ServerlessServices(
            self.client, changed=self.changed.append, can_wake=lambda: self.can_wake
        )

    def stored(self) -> dict[str, Any]:
        return dict(self.world.server.get(SERVERLESSSERVICES, *KEY))

    def uid(self) -> str:
        """That of the one that is known of."""
        found = self.services._services.objects.get(KEY)
        return str(found["metadata"]["uid"]) if found else ""

    def names(self) -> list[str]:
        found = self.services._services.objects
        return [name for _, name in found]

    async def meet(self) -> None:
        """A PodAutoscaler that is seen for the first time."""
        made = await self.world.client.create(PODAUTOSCALERS, podautoscaler("r"))
        self.services.exposure(KEY, made["metadata"]["uid"], ready=0, now_s=0)

    def want(self, mode: Mode, ready: int = 1) -> dict[str, Any]:
        return self.services.spelled(
            KEY, spec(target_burst_capacity=0.0), ready=ready, mode=mode, capacity=100.0
        )


@asynccontextmanager
async def running() -> AsyncIterator[Bench]:
    with World.made() as world:
        await world.client.create(CUSTOMRESOURCEDEFINITIONS, CRD)
        bench = Bench(world)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(bench.services.run())
            await bench.services.synced()
            yield bench
            task.cancel()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_it_is_made_and_follows_the_mode() -> None:
    async with running() as bench:
        await bench.meet()
        bench.want("Proxy")
        await until(lambda: bench.names() == ["r"])
        assert bench.stored()["spec"]["mode"] == "Proxy"
        assert bench.stored()["metadata"]["ownerReferences"][0]["kind"] == "PodAutoscaler"
        bench.want("Serve")
        await until(lambda: bench.stored()["spec"]["mode"] == "Serve")
        assert bench.services.statistics().written == 2


async def test_what_is_wanted_already_is_not_written() -> None:
    async with running() as bench:
        await bench.meet()
        for _ in range(3):
            bench.want("Proxy")
            await asyncio.sleep(1)
        assert bench.services.statistics().written == 1


async def test_what_others_do_to_it_is_mended() -> None:
    async with running() as bench:
        await bench.meet()
        bench.want("Serve")
        await until(lambda: bench.names() == ["r"])
        uid = bench.uid()
        other = {"spec": {"mode": "Proxy", "numActivators": 50}}
        await bench.client.patch(SERVERLESSSERVICES, *KEY, other)
        await until(lambda: bench.stored()["spec"]["mode"] == "Serve")
        assert bench.stored()["spec"]["numActivators"] == 2
        await bench.client.delete(SERVERLESSSERVICES, *KEY)
        await until(lambda: bench.uid() not in {"", uid})
        assert KEY in bench.changed


async def test_a_write_that_failed_is_tried_again() -> None:
    async with running() as bench:
        await bench.meet()
        bench.client.faults = 2
        bench.want("Proxy")
        await until(lambda: bench.names() == ["r"])
        assert bench.services.statistics().failures == 2


async def test_somebody_elses_stays_as_it_is() -> None:
    async with running() as bench:
        await bench.meet()
        foreign = {
            "apiVersion": SERVERLESSSERVICES.api_version,
            "kind": SERVERLESSSERVICES.kind,
            "metadata": {"name": "r", "namespace": "default"},
            "spec": {"mode": "Serve", "objectRef": {}, "protocolType": "http1"},
        }
        await bench.world.client.create(SERVERLESSSERVICES, foreign)
        await until(lambda: bench.names() == ["r"])
        bench.want("Proxy")
        await asyncio.sleep(5)
        assert bench.stored()["spec"]["mode"] == "Serve"
        [active] = [each for each in bench.services.conditions(KEY, ()) if each.type == "SKSReady"]
        assert active.status == "Unknown"


async def test_another_podautoscaler_of_the_same_name_has_one_of_its_own() -> None:
    async with running() as bench:
        made = await bench.world.client.create(PODAUTOSCALERS, podautoscaler("r"))
        bench.services.exposure(KEY, "of the one before", ready=0, now_s=0)
        bench.want("Proxy")
        await until(lambda: bench.names() == ["r"])
        [owner] = bench.stored()["metadata"]["ownerReferences"]
        assert owner["uid"] == made["metadata"]["uid"]
        bench.want("Serve")
        await until(lambda: bench.stored()["spec"]["mode"] == "Serve")


async def test_a_revision_that_went_is_not_written_any_more() -> None:
    async with running() as bench:
        await bench.meet()
        bench.services.gone(KEY)
        await bench.world.client.delete(PODAUTOSCALERS, *KEY)
        await asyncio.sleep(5)
        assert bench.names() == []
        bench.want("Proxy")  # the last look at it
        await asyncio.sleep(5)
        assert bench.names() == []


async def test_the_status_has_the_fields_of_knative() -> None:
    async with running() as bench:
        await bench.meet()
        assert bench.want("Proxy", ready=2) == {
            "actualScale": 2,
            "serviceName": "",
            "metricsServiceName": "",
        }
        await until(lambda: bench.names() == ["r"])
        status = {"serviceName": "r", "privateServiceName": "r-private"}
        patch = {"status": status}
        await bench.client.patch(SERVERLESSSERVICES, *KEY, patch, subresource="status")
        await until(lambda: bench.want("Proxy")["serviceName"] == "r")
        assert bench.want("Proxy")["metricsServiceName"] == "r-private"


async def test_any_revision_is_measured() -> None:
    async with running() as bench:
        found = bench.services.exposure(KEY, "u", ready=1, now_s=0)
        assert isinstance(found, Metered)
        assert found.is_measured
