import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from api import keys
from api.kinds import DEPLOYMENTS, PODAUTOSCALERS
from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.meters import OwnCounters
from autoscaler.neighbours import Decider, Meet, Statistics
from autoscaler.paths import InStatus
from autoscaler.server import Autoscaler
from cluster.informer import Informer
from tests.autoscaler.world import EPOCH_S, World

pytestmark = pytest.mark.looptime


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with World.made() as made:
        yield made


@asynccontextmanager
async def running(world: World, *, meet: Meet | None = None) -> AsyncIterator[Autoscaler]:
    """An autoscaler, and a kubelet that has replicas ready at once."""
    autoscaler = Autoscaler(world.client, Settings(), clock=lambda: EPOCH_S, meet=meet)
    deployments = Informer(world.client, DEPLOYMENTS)
    async with asyncio.TaskGroup() as tasks:

        def follow(_old: object, new: dict[str, dict[str, int]] | None) -> None:
            if new is not None and new.get("status", {}).get("readyReplicas", 0) != (
                wanted := new["spec"]["replicas"]
            ):
                name = str(new["metadata"]["name"]).removesuffix("-deployment")
                tasks.create_task(world.ready(name, wanted))

        deployments.on_change(follow)
        running = [
            tasks.create_task(autoscaler.run()),
            tasks.create_task(deployments.run()),
        ]
        if meet is None:
            await autoscaler.synced()
        yield autoscaler
        for task in running:
            task.cancel()


async def until(is_so: Callable[[], bool], *, within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(0.01)


def stat(load: float = 0.0, *, queued: int = 0, is_poke: bool = False) -> Stat:
    return Stat(
        namespace="default",
        revision="r",
        reporter="a",
        time_s=asyncio.get_running_loop().time(),
        average_concurrency=load,
        requests_per_s=load,
        queued=queued,
        is_poke=is_poke,
    )


async def test_from_zero_and_back_to_zero(world: World) -> None:
    loop = asyncio.get_running_loop()
    await world.revision("r")
    async with running(world) as autoscaler:
        await asyncio.sleep(100)
        assert autoscaler.statistics()[0].turns == 0
        poked_s = loop.time()
        autoscaler.receive([stat(queued=3, is_poke=True)])
        await until(lambda: world.replicas("r") == 3, within_s=0.1)
        await until(lambda: world.conditions("r")["Ready"] == ("True", ""))
        for _ in range(10):
            await asyncio.sleep(1)
            autoscaler.receive([stat(3.0)])
        await until(lambda: world.replicas("r") == 0, within_s=100)
        assert 74 <= loop.time() - poked_s <= 77  # a window and two ticks after the last report
        await until(lambda: world.conditions("r")["Active"] == ("False", "NoTraffic"))
        assert world.status("r")["desiredScale"] == 0
        await until(lambda: autoscaler.statistics()[0].awake == 0)
        numbers = [each.decision.desired for each in autoscaler.journal("default", "r")]
        assert numbers[0] is None  # when it was first seen nothing was known
        assert (numbers[1], numbers[-1], max(numbers[1:], key=int)) == (3, 0, 3)


async def test_the_scale_is_written_in_the_next_turns_of_the_loop(world: World) -> None:
    await world.revision("r")
    async with running(world) as autoscaler:
        await asyncio.sleep(1)
        autoscaler.receive([stat(queued=3, is_poke=True)])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert world.replicas("r") == 3


async def test_a_restart_keeps_what_runs_for_a_stable_window(world: World) -> None:
    await world.revision(
        "r",
        replicas=2,
        status={
            "desiredScale": 2,
            "actualScale": 2,
            "conditions": [
                {"type": "Active", "status": "True"},
                {"type": "ScaleTargetInitialized", "status": "True"},
            ],
        },
    )
    await world.ready("r", 2)
    async with running(world) as autoscaler:
        await asyncio.sleep(59)
        assert world.replicas("r") == 2
        assert autoscaler.statistics()[0].turns > 20
        await until(lambda: world.replicas("r") == 0, within_s=8)


async def test_a_new_revision_becomes_ready_without_traffic(world: World) -> None:
    await world.revision("r", replicas=1, status={})
    async with running(world):
        await until(lambda: world.conditions("r").get("Ready") == ("True", ""))
        await asyncio.sleep(50)
        assert world.replicas("r") == 1
        await until(lambda: world.replicas("r") == 0, within_s=15)


async def test_a_deleted_podautoscaler_is_forgotten(world: World) -> None:
    await world.revision("r")
    async with running(world) as autoscaler:
        await until(lambda: autoscaler.statistics()[0].revisions == 1)
        await world.client.delete(PODAUTOSCALERS, "default", "r")
        await until(lambda: autoscaler.statistics()[0].revisions == 0)
        assert autoscaler.journal("default", "r") == ()


async def test_stats_while_it_does_not_run_are_dropped(world: World) -> None:
    autoscaler = Autoscaler(world.client, Settings(), clock=lambda: EPOCH_S)
    autoscaler.receive([stat(queued=3, is_poke=True)])
    async with running(world):
        pass
    assert autoscaler.statistics()[0].pokes == 0


class Aside:
    """Another system, whose Revisions are decided for here."""

    def __init__(self, decider: Decider) -> None:
        self.decider = decider
        self.can_wake = True
        self.path = InStatus()
        self.meter = OwnCounters(lambda: 0.5)
        self.is_ready = asyncio.Event()

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def ready(self) -> None:
        await self.is_ready.wait()

    def settings(self, settings: Settings) -> Settings:
        classes = (keys.CLASS_RELIGHT,)
        return replace(settings, classes=classes, is_class_named=True, can_wake=self.can_wake)

    def statistics(self) -> Statistics:
        return Statistics(
            can_wake=self.can_wake, activators=0, answers=0, failures=0, written=0, write_failures=0
        )

    def turn(self, *, can_wake: bool) -> None:
        self.can_wake = can_wake
        self.decider.woken()


async def test_who_can_not_be_woken_any_more_is_woken_now(world: World) -> None:
    met: list[Aside] = []

    def meet(decider: Decider) -> Aside:
        met.append(Aside(decider))
        return met[0]

    await world.revision("r", **{"class": keys.CLASS_BESIDE})
    await world.revision("unnamed")
    await world.revision("theirs", **{"class": keys.CLASS_KPA})
    await world.revision("hpas", **{"class": keys.CLASS_HPA})
    async with running(world, meet=meet) as autoscaler:
        [aside] = met
        await asyncio.sleep(10)
        assert autoscaler.revisions() == []  # nothing is decided before it is known what is there
        aside.is_ready.set()
        await until(lambda: autoscaler.revisions() == [("default", "r")])
        await asyncio.sleep(100)
        assert world.replicas("r") == 0
        aside.turn(can_wake=False)
        await until(lambda: world.replicas("r") == 1)
        await asyncio.sleep(200)
        assert world.replicas("r") == 1
        aside.turn(can_wake=True)
        await until(lambda: world.replicas("r") == 0, within_s=100)
        assert autoscaler.neighbour() == aside.statistics()
    for name in ("unnamed", "theirs", "hpas"):
        assert world.replicas(name) == 0
        assert world.conditions(name)["Active"] == ("False", "NoTraffic")
