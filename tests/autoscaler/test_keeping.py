import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from typing_extensions import override

from api.kinds import PODAUTOSCALERS
from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.keeping import Statistics, Timing
from autoscaler.reasons import Reason
from autoscaler.scaler import Key
from autoscaler.server import Autoscaler
from tests.autoscaler.stores import MemoryStore, keeps_what_it_is_given
from tests.autoscaler.world import EPOCH_S, World

pytestmark = pytest.mark.looptime

ACTIVE = {
    "desiredScale": 3,
    "actualScale": 3,
    "conditions": [
        {"type": "Active", "status": "True"},
        {"type": "ScaleTargetInitialized", "status": "True"},
    ],
}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with World.made() as made:
        yield made


def epoch_s() -> float:
    return EPOCH_S + asyncio.get_running_loop().time()


@asynccontextmanager
async def flying(
    world: World, store: MemoryStore | None, **timing: float
) -> AsyncIterator[Autoscaler]:
    """An autoscaler that runs until the end of the block, and then says goodbye."""
    autoscaler = Autoscaler(
        world.client, Settings(), clock=epoch_s, store=store, timing=Timing(**timing)
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(autoscaler.run())
        async with asyncio.timeout(30):
            await autoscaler.synced()
        yield autoscaler
        running.cancel()


@asynccontextmanager
async def killed(world: World, store: MemoryStore) -> AsyncIterator[Autoscaler]:
    """An autoscaler that dies at the end of the block: nothing it says then is heard."""
    store.is_cut_off = False
    async with flying(world, store) as autoscaler:
        yield autoscaler
        store.is_cut_off = True
    store.is_cut_off = False


def stat(load: float, reporter: str = "a", revision: str = "r", **changes: Any) -> Stat:
    return Stat(
        namespace="default",
        revision=revision,
        reporter=reporter,
        time_s=asyncio.get_running_loop().time(),
        average_concurrency=load,
        requests_per_s=load,
        **changes,
    )


async def report(autoscaler: Autoscaler, load: float, *, seconds: int) -> None:
    """One report a second."""
    for _ in range(seconds):
        autoscaler.receive([stat(load)])
        await asyncio.sleep(1)


def decided(autoscaler: Autoscaler) -> tuple[int | None, Reason, float | None]:
    """The last decision: its number, its reason, and the stable average it was made from."""
    last = autoscaler._loop._watched["default", "r"].pilot._decision
    assert last is not None
    return last.desired, last.reason, last.seen.stable


def counts(autoscaler: Autoscaler) -> Statistics:
    counted = autoscaler.keeping()
    assert counted is not None
    return counted


async def test_the_store_of_these_tests_is_one() -> None:
    await keeps_what_it_is_given(MemoryStore())


@pytest.mark.parametrize("words", [{}, {"class": "kpa.autoscaling.knative.dev"}])
@pytest.mark.parametrize("load", [3.0, 12.0, 25.0])
async def test_a_restart_under_load_decides_as_if_it_had_not_been(
    words: dict[str, str], load: float
) -> None:
    """Beside a twin that never stops; both are told the same, at the same times."""
    finals = []
    for is_restarted in (False, True):
        with World.made() as world:
            await world.revision("r", replicas=3, status=ACTIVE, concurrency=10, **words)
            await world.ready("r", 3)
            store = MemoryStore()
            began_s = asyncio.get_running_loop().time()
            async with flying(world, store) as autoscaler:
                await report(autoscaler, load, seconds=70)
                if not is_restarted:
                    await report(autoscaler, load / 2, seconds=4)
                    finals.append((decided(autoscaler), world))
            if is_restarted:
                async with flying(world, store) as autoscaler:
                    await report(autoscaler, load / 2, seconds=4)
                    finals.append((decided(autoscaler), world))
                    assert counts(autoscaler).restored == 1
            assert asyncio.get_running_loop().time() - began_s == pytest.approx(74, abs=0.2)
    (numbers, twin), (restarted, world) = finals
    assert restarted == numbers
    assert world.replicas("r") == twin.replicas("r")


async def test_whoever_takes_over_goes_on_with_averages_of_five_seconds_ago(world: World) -> None:
    await world.revision("r", replicas=3, status=ACTIVE, concurrency=10)
    await world.ready("r", 3)
    store = MemoryStore()
    async with killed(world, store) as first:
        await report(first, 20.0, seconds=43)
        before = decided(first)
    await asyncio.sleep(8)
    async with flying(world, store) as second:
        await asyncio.sleep(3)  # nobody has spoken: nothing is known of now, nothing is changed
        assert decided(second) == (before[0], Reason.NO_DATA, None)
        assert world.replicas("r") == 3
        assert world.status("r")["desiredScale"] == 3
        await report(second, 20.0, seconds=3)
        assert decided(second) == (3, Reason.STABLE, 20.0)  # the gap is not in it as zeros
    assert store.closes == 2


async def test_what_was_decided_after_the_last_save_is_not_undone(world: World) -> None:
    await world.revision("r", replicas=1, status=ACTIVE | {"desiredScale": 1}, concurrency=1)
    await world.ready("r", 1)
    store = MemoryStore()
    async with killed(world, store) as first:
        await report(first, 0.5, seconds=21)
        store.is_cut_off = True
        first.receive([stat(9.0, queued=8, is_poke=True)])
        await asyncio.sleep(0.1)
        assert world.replicas("r") == 8
    async with flying(world, store) as second:
        await asyncio.sleep(30)
        assert world.replicas("r") == 8
        assert decided(second)[:2] == (8, Reason.NO_DATA)


async def test_a_burst_over_a_restart_is_decided_at_once(world: World) -> None:
    await world.revision("r")
    store = MemoryStore()
    store.is_hanging = True
    async with flying(world, store, wait_s=1.0) as autoscaler:
        autoscaler.receive([stat(0, queued=4, is_poke=True)])
        await asyncio.sleep(0.01)
        assert world.replicas("r") == 4


def garbled(blobs: dict[Key, bytes]) -> None:
    for key in blobs:
        blobs[key] = b'{"version": 1, "uid": 3'


def of_another_version(blobs: dict[Key, bytes]) -> None:
    for key, blob in blobs.items():
        blobs[key] = blob.replace(b'"version":1', b'"version":7')


def of_another_shape(blobs: dict[Key, bytes]) -> None:
    for key, blob in blobs.items():
        blobs[key] = blob.replace(b'"recommended":3', b'"recommended":"3"')


def of_another_uid(blobs: dict[Key, bytes]) -> None:
    for key, blob in blobs.items():
        blobs[key] = blob.replace(b'"uid":"', b'"uid":"x')


def missing(blobs: dict[Key, bytes]) -> None:
    blobs.clear()


@pytest.mark.parametrize(
    "spoil", [missing, garbled, of_another_version, of_another_shape, of_another_uid, None]
)
async def test_without_anything_to_go_on_from_it_listens_first(
    world: World, spoil: Callable[[dict[Key, bytes]], None] | None
) -> None:
    await world.revision("r", replicas=3, status=ACTIVE, concurrency=10)
    await world.ready("r", 3)
    store = MemoryStore()
    async with flying(world, store) as first:
        await report(first, 20.0, seconds=30)
    assert store.blobs
    if spoil is None:
        await asyncio.sleep(61)  # too old
    else:
        before = dict(store.blobs)
        spoil(store.blobs)
        assert store.blobs != before
    began_s = asyncio.get_running_loop().time()
    async with flying(world, store) as second:
        await asyncio.sleep(58)
        assert counts(second).restored == 0
        assert counts(second).unreadable == (
            spoil in (garbled, of_another_version, of_another_shape)
        )
        assert decided(second)[:2] == (None, Reason.NO_DATA)
        assert world.replicas("r") == 3
        while world.replicas("r") == 3:
            await asyncio.sleep(0.5)
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(61, abs=2)


async def test_a_store_that_hangs_holds_nothing_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    await world.revision("r")
    store = MemoryStore()
    store.is_hanging = True
    began_s = loop.time()
    async with flying(world, store) as autoscaler:
        assert loop.time() - began_s == pytest.approx(1.0, abs=0.1)
        autoscaler.receive([stat(0.0, queued=3, is_poke=True)])
        await asyncio.sleep(0.1)
        assert world.replicas("r") == 3
        await world.ready("r", 3)
        await report(autoscaler, 3.0, seconds=100)
        assert world.replicas("r") == 3
        assert autoscaler.statistics()[0].turns >= 48
        assert (counts(autoscaler).is_loaded, counts(autoscaler).saves) == (False, 0)
        assert counts(autoscaler).failures > 3
        ended_s = loop.time()
    assert loop.time() - ended_s <= 2.1
    said = [each.message for each in caplog.records if "state" in each.message]
    assert len(said) == 2, said  # the start that went on without it, and the first failure


async def test_a_store_that_fails_is_said_once_and_tried_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await world.revision("r", replicas=3, status=ACTIVE, concurrency=10)
    await world.ready("r", 3)
    store = MemoryStore()
    async with flying(world, store) as autoscaler:
        store.is_failing = True
        await report(autoscaler, 20.0, seconds=31)
        assert store.blobs == {}
        assert counts(autoscaler).failures == 6
        assert world.replicas("r") == 3
        store.is_failing = False
        await report(autoscaler, 20.0, seconds=6)
        assert list(store.blobs) == [("default", "r")]
    said = [each.message for each in caplog.records if "state" in each.message]
    assert said == [
        "saving the state failed: out of order; decisions go on, and it is tried again",
        "the state store works again after 6 failures",
    ]


async def test_a_store_that_answers_late_is_still_heard(world: World) -> None:
    for name in ("r", "quiet"):
        await world.revision(name, replicas=3, status=ACTIVE, concurrency=10)
        await world.ready(name, 3)
    store = MemoryStore()
    async with flying(world, store) as first:
        for _ in range(30):
            first.receive([stat(20.0), stat(20.0, revision="quiet")])
            await asyncio.sleep(1)
    store.is_failing = True
    async with flying(world, store) as second:
        before = dict(store.blobs)
        await report(second, 10.0, seconds=6)
        assert store.blobs == before  # nothing is overwritten before it was read
        store.is_failing = False
        await report(second, 10.0, seconds=20)
        assert counts(second).is_loaded
        assert counts(second).restored == 1  # of the other there is news, and it knows better
        assert decided(second)[2] == 10.0


async def test_what_is_gone_is_kept_no_longer(world: World) -> None:
    store = MemoryStore()
    for name in ("r", "away"):
        await world.revision(name, replicas=3, status=ACTIVE, concurrency=10)
        await world.ready(name, 3)
    async with flying(world, store) as first:
        for _ in range(11):
            first.receive([stat(20.0), stat(20.0, revision="away")])
            await asyncio.sleep(1)
        assert sorted(store.blobs) == [("default", "away"), ("default", "r")]
        await world.client.delete(PODAUTOSCALERS, "default", "r")
        await asyncio.sleep(5.5)
        assert list(store.blobs) == [("default", "away")]
    await world.client.delete(PODAUTOSCALERS, "default", "away")
    async with flying(world, store):
        await asyncio.sleep(5.5)
        assert store.blobs == {}


async def test_of_a_revision_that_never_had_a_request_nothing_is_kept(world: World) -> None:
    for number in range(50):
        await world.revision(f"r{number}")
    store = MemoryStore()
    async with flying(world, store) as autoscaler:
        await asyncio.sleep(11)
        assert store.blobs == {}
        assert store.saves == 0
        autoscaler.receive([stat(1.0, revision="r7")])
        await asyncio.sleep(5.5)
        assert list(store.blobs) == [("default", "r7")]


async def test_what_is_wanted_is_known_again_though_its_status_was_lost(world: World) -> None:
    """After kill -9 between a scale and its status there is no desiredScale; now there is."""
    await world.revision("r", replicas=1, status={}, concurrency=1)
    await world.ready("r", 1)
    store = MemoryStore()
    async with killed(world, store) as first:
        await report(first, 0.5, seconds=11)
    await world.client.patch(
        PODAUTOSCALERS, "default", "r", {"status": {"desiredScale": None}}, subresource="status"
    )
    assert "desiredScale" not in world.status("r")
    async with flying(world, store):
        await asyncio.sleep(0.1)
        assert world.status("r")["desiredScale"] == 1


async def test_ten_thousand_blobs_are_saved_in_batches_with_turns_in_between(world: World) -> None:
    sizes: list[int] = []

    class Counting(MemoryStore):
        @override
        async def save(self, changed: Mapping[Key, bytes], gone: Collection[Key]) -> None:
            sizes.append(len(changed) + len(gone))
            await super().save(changed, gone)

    stale = {("default", f"gone{number}"): b"?" for number in range(10_000)}
    async with flying(world, Counting(stale)):
        await asyncio.sleep(6)
        assert stale == {}
    assert max(sizes) == 512
    assert sum(sizes) == 10_000


async def test_without_a_store_nothing_is_kept(world: World) -> None:
    async with flying(world, None) as autoscaler:
        assert autoscaler.keeping() is None
        assert autoscaler.dump(("default", "r")) is None
