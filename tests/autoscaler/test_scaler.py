import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from api.kinds import DEPLOYMENTS, PODAUTOSCALERS, Resource
from autoscaler.config import Settings
from autoscaler.scaler import Scaler
from cluster.errors import ApiError, NotFoundError, UnavailableError
from embedded.apiserver import ApiServer
from tests.autoscaler.world import World

KEY = ("default", "r")
STATUS = {"desiredScale": 3, "actualScale": 0}


class Faulty:
    """A client whose patches are noted, may be held up, and fail as `faults` says."""

    def __init__(self, world: World) -> None:
        self.inner = world.client
        self.patches: list[tuple[str, Any]] = []
        self.faults: list[ApiError] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def patch(
        self, resource: Resource, namespace: str, name: str, patch: Any, *, subresource: str
    ) -> dict[str, Any]:
        self.patches.append((subresource, patch))
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        return await self.inner.patch(resource, namespace, name, patch, subresource=subresource)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with World.made() as made:
        await made.revision("r")
        yield made


async def written(
    world: World, act: Callable[[Scaler, Faulty], Any], **settings: Any
) -> tuple[Faulty, Scaler]:
    """Let `act` order things, and wait until nothing is left to write."""
    client = Faulty(world)
    async with asyncio.TaskGroup() as tasks:
        scaler = Scaler(
            client,  # type: ignore[arg-type]  # a scaler only patches
            Settings(write_back_off_s=0.001, **settings),
            spawn=tasks.create_task,
        )
        result = act(scaler, client)
        if result is not None:
            await result
    return client, scaler


def replicas(server: ApiServer) -> int:
    return int(server.get(DEPLOYMENTS, "default", "r-deployment")["spec"]["replicas"])


async def test_the_scale_is_written_before_the_status(world: World) -> None:
    client, scaler = await written(
        world, lambda s, _: s.order(KEY, "r-deployment", replicas=3, status=STATUS)
    )
    assert [part for part, _ in client.patches] == ["scale", "status"]
    assert replicas(world.server) == 3
    stored = world.server.get(PODAUTOSCALERS, "default", "r")["status"]
    assert (stored["desiredScale"], stored["actualScale"]) == (3, 0)
    counts = scaler.statistics()
    assert (counts.scales_written, counts.statuses_written, counts.failures) == (1, 1, 0)


async def test_only_the_newest_is_written_after_a_slow_write(world: World) -> None:
    async def act(scaler: Scaler, client: Faulty) -> None:
        client.gate.clear()
        scaler.order(KEY, "r-deployment", replicas=1, status=None)
        await asyncio.sleep(0)
        for number in range(2, 50):
            scaler.order(KEY, "r-deployment", replicas=number, status={"desiredScale": number})
        client.gate.set()

    client, _ = await written(world, act)
    assert client.patches == [
        ("scale", {"spec": {"replicas": 1}}),
        ("scale", {"spec": {"replicas": 49}}),
        ("status", {"status": {"desiredScale": 49}}),
    ]


async def test_a_refused_write_is_tried_again(world: World) -> None:
    def act(scaler: Scaler, client: Faulty) -> None:
        client.faults = [UnavailableError("away"), UnavailableError("away")]
        scaler.order(KEY, "r-deployment", replicas=3, status=None)

    client, scaler = await written(world, act)
    assert len(client.patches) == 3
    assert (replicas(world.server), scaler.statistics().failures) == (3, 0)


async def test_attempts_are_limited_and_the_status_follows(world: World) -> None:
    def act(scaler: Scaler, client: Faulty) -> None:
        client.faults = [UnavailableError("away")] * 2
        scaler.order(KEY, "r-deployment", replicas=3, status=STATUS)

    client, scaler = await written(world, act, write_attempts_max=2)
    assert [part for part, _ in client.patches] == ["scale", "scale", "status"]
    assert (replicas(world.server), scaler.statistics().failures) == (0, 1)


async def test_a_deployment_that_is_gone_is_not_tried_again(world: World) -> None:
    def act(scaler: Scaler, client: Faulty) -> None:
        client.faults = [NotFoundError("gone")]
        scaler.order(KEY, "r-deployment", replicas=3, status=None)

    client, _ = await written(world, act)
    assert len(client.patches) == 1


async def test_a_refused_status_is_dropped(world: World) -> None:
    def act(scaler: Scaler, client: Faulty) -> None:
        client.faults = [UnavailableError("away")]
        scaler.order(KEY, "r-deployment", replicas=None, status=STATUS)

    client, scaler = await written(world, act)
    assert (len(client.patches), scaler.statistics().failures) == (1, 1)


async def test_what_is_forgotten_is_not_written(world: World) -> None:
    async def act(scaler: Scaler, client: Faulty) -> None:
        client.gate.clear()
        scaler.order(KEY, "r-deployment", replicas=1, status=STATUS)
        await asyncio.sleep(0)
        scaler.order(KEY, "r-deployment", replicas=2, status=None)
        scaler.forget(KEY)
        client.gate.set()

    client, _ = await written(world, act)
    assert client.patches == [("scale", {"spec": {"replicas": 1}})]


async def test_nothing_ordered_is_nothing_done(world: World) -> None:
    client, _ = await written(
        world, lambda s, _: s.order(KEY, "r-deployment", replicas=None, status=None)
    )
    assert client.patches == []


async def test_a_scale_ordered_twice_during_its_write_does_not_hold_up_the_status(
    world: World,
) -> None:
    async def act(scaler: Scaler, client: Faulty) -> None:
        client.gate.clear()
        scaler.order(KEY, "r-deployment", replicas=3, status=STATUS)
        await asyncio.sleep(0)
        scaler.order(KEY, "r-deployment", replicas=3, status=None)
        client.gate.set()

    client, _ = await written(world, act, status_after_s=0.001)
    assert [part for part, _ in client.patches] == ["scale", "status"]


class Claims:
    """Claims that cover so many replicas, and are settled when told."""

    def __init__(self, *, covers: int) -> None:
        self.covers = covers
        self.is_settled = False
        self.asked: list[int] = []
        self.settled: Callable[[], None] = lambda: None

    async def lead(
        self, key: Any, deployment: str, replicas: int, settled: Callable[[], None]
    ) -> bool:
        assert (key, deployment) == (KEY, "r-deployment")
        self.asked.append(replicas)
        self.settled = settled
        return replicas <= self.covers and not self.is_settled


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_claims_go_before_the_scale_and_let_their_replicas_start(world: World) -> None:
    claims = Claims(covers=1)

    async def act(scaler: Scaler, client: Faulty) -> None:
        scaler.claims = claims
        scaler.order(KEY, "r-deployment", replicas=1, status=None)
        await until(lambda: claims.asked == [1])
        scaler.order(KEY, "r-deployment", replicas=1, status=None)  # said again: it waits on
        await until(lambda: claims.asked == [1, 1])
        assert client.patches == []
        claims.is_settled = True
        claims.settled()

    await written(world, act, claims_first_s=60.0)
    assert replicas(world.server) == 1


async def test_a_scale_that_claims_do_not_cover_is_written_at_once(world: World) -> None:
    claims = Claims(covers=1)

    async def act(scaler: Scaler, client: Faulty) -> None:
        scaler.claims = claims
        scaler.order(KEY, "r-deployment", replicas=1, status=None)
        await until(lambda: claims.asked == [1])
        scaler.order(KEY, "r-deployment", replicas=3, status=None)

    await written(world, act, claims_first_s=60.0)
    assert claims.asked == [1, 3]
    assert replicas(world.server) == 3


async def test_a_claim_that_takes_too_long_does_not_hold_the_scale(world: World) -> None:
    async def act(scaler: Scaler, client: Faulty) -> None:
        scaler.claims = Claims(covers=1)
        scaler.order(KEY, "r-deployment", replicas=1, status=None)

    await written(world, act, claims_first_s=0.01)
    assert replicas(world.server) == 1
