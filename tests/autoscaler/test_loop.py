import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from api.kinds import DEPLOYMENTS, EVENTS, PODAUTOSCALERS
from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.loop import Loop
from autoscaler.pilot import Pilot
from autoscaler.reasons import Reason
from autoscaler.scaler import Scaler
from cluster.events import EventRecorder
from tests.autoscaler.world import EPOCH_S, World, deployment, podautoscaler


def poke(name: str = "r", queued: int = 1, *, time_s: float = 0.0) -> Stat:
    return Stat(
        namespace="default",
        revision=name,
        reporter="a",
        time_s=time_s,
        average_concurrency=0.0,
        requests_per_s=0.0,
        queued=queued,
        is_poke=True,
    )


class Bench:
    """A loop without its clock: objects are shown to it, and its orders carried out, by hand."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.recorder = EventRecorder(world.client, "autoscaler", clock=lambda: EPOCH_S)
        self.pending: list[Coroutine[Any, Any, None]] = []
        settings = Settings()
        self.scaler = Scaler(world.client, settings, spawn=self.pending.append)
        self.loop = Loop(self.scaler, self.recorder, settings, clock=lambda: EPOCH_S)
        self.loop.listen(now_s=-1000)

    def show(self, name: str = "r", *, now_s: float = 0) -> None:
        """What the informers would tell, Deployment first."""
        server = self.world.server
        key = ("default", f"{name}-deployment")
        self.loop.deployment_changed(key, server.get(DEPLOYMENTS, *key), now_s=now_s)
        self.loop.autoscaler_changed(server.get(PODAUTOSCALERS, "default", name), now_s=now_s)

    async def carry_out(self) -> int:
        count = len(self.pending)
        while self.pending:
            await self.pending.pop(0)
        return count


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    with World.made() as world:
        made = Bench(world)
        yield made
        await made.carry_out()


async def test_a_poke_orders_the_scale_before_receive_returns(bench: Bench) -> None:
    await bench.world.revision("r")
    bench.show()
    assert await bench.carry_out() == 0  # its status says it all
    bench.loop.receive([poke(queued=8)], now_s=5)
    assert await bench.carry_out() == 1
    assert bench.world.replicas("r") == 8
    assert bench.world.status("r")["desiredScale"] == 8
    assert bench.world.conditions("r")["Active"] == ("Unknown", "Queued")


async def test_readiness_is_told_at_once(bench: Bench) -> None:
    await bench.world.revision("r")
    bench.show()
    bench.loop.receive([poke(queued=2)], now_s=5)
    await bench.carry_out()
    await bench.world.ready("r", 1)
    bench.show(now_s=5.1)
    await bench.carry_out()
    status = bench.world.status("r")
    assert (status["desiredScale"], status["actualScale"]) == (2, 1)
    assert status["observedGeneration"] == 1
    assert bench.world.conditions("r")["Ready"] == ("True", "")
    stamps = {each["lastTransitionTime"] for each in status["conditions"]}
    assert stamps == {"2027-01-15T08:00:00Z"}


async def test_an_unchanged_status_is_not_written_again(bench: Bench) -> None:
    await bench.world.revision("r")
    bench.show()
    await bench.carry_out()
    bench.show()
    await bench.world.ready("r", 0)
    bench.show(now_s=1)
    assert await bench.carry_out() == 0


async def test_a_status_that_could_not_be_written_is_ordered_again(bench: Bench) -> None:
    inactive = {"conditions": [{"type": "Active", "status": "False"}]}
    await bench.world.revision("r", status=inactive)
    bench.show()
    for refused in bench.pending:
        refused.close()
    bench.pending.clear()
    bench.loop.deployment_changed(("default", "r-deployment"), None, now_s=0)
    assert bench.pending == []  # it may still be on its way
    assert bench.loop.statistics().awake == 1  # so there is something to see to
    ordered: list[dict[str, Any]] = []
    bench.scaler.order = lambda *_, status, **__: ordered.append(status)  # type: ignore[method-assign]  # seen, not written
    await bench.loop.tick()
    assert [each["actualScale"] for each in ordered] == [0]


async def test_a_status_changed_by_someone_else_is_put_right(bench: Bench) -> None:
    await bench.world.revision("r")
    bench.show()
    bench.loop.receive([poke(queued=2)], now_s=asyncio.get_running_loop().time())
    await bench.carry_out()
    bench.show()
    await bench.loop.tick()
    await bench.loop.tick()
    assert await bench.carry_out() == 0
    await bench.world.client.patch(
        PODAUTOSCALERS, "default", "r", {"status": {"desiredScale": 7}}, subresource="status"
    )
    bench.show()
    await bench.loop.tick()
    await bench.carry_out()
    assert bench.world.status("r")["desiredScale"] == 2


async def test_idle_revisions_are_asleep(bench: Bench) -> None:
    await bench.world.revision("r")
    raw = bench.world.server.get(PODAUTOSCALERS, "default", "r")
    dep = bench.world.server.get(DEPLOYMENTS, "default", "r-deployment")
    for number in range(100):
        name = f"idle-{number}"
        key = ("default", "r-deployment")
        bench.loop.deployment_changed(key, dep, now_s=0)
        bench.loop.autoscaler_changed(
            {**raw, "metadata": {**raw["metadata"], "name": name}}, now_s=0
        )
    counts = bench.loop.statistics()
    assert (counts.revisions, counts.awake, counts.turns) == (100, 0, 0)


async def test_a_revision_sleeps_until_a_report_wakes_it(bench: Bench) -> None:
    await bench.world.revision("r")
    bench.show()
    assert bench.loop.statistics().awake == 0
    bench.loop.receive([poke()], now_s=5)
    counts = bench.loop.statistics()
    assert (counts.awake, counts.pokes, counts.turns) == (1, 1, 1)


async def test_a_poke_before_its_deployment_is_carried_out_when_it_appears(bench: Bench) -> None:
    await bench.world.client.create(PODAUTOSCALERS, podautoscaler("r"))
    bench.loop.autoscaler_changed(bench.world.server.get(PODAUTOSCALERS, "default", "r"), now_s=0)
    bench.loop.receive([poke(queued=3)], now_s=1)
    await bench.carry_out()
    await bench.world.client.create(DEPLOYMENTS, deployment("r"))
    bench.show(now_s=2)
    await bench.carry_out()
    assert bench.world.replicas("r") == 3


@pytest.mark.parametrize("class_", ["example.com/mine"])
async def test_foreign_classes_are_left_alone(bench: Bench, class_: str) -> None:
    await bench.world.revision("r", status={}, **{"class": class_})
    bench.show()
    bench.loop.receive([poke()], now_s=1)
    assert await bench.carry_out() == 0
    assert bench.loop.statistics().revisions == 0


async def test_a_class_that_becomes_foreign_is_let_go(bench: Bench) -> None:
    await bench.world.revision("r")
    bench.show()
    await bench.carry_out()
    raw = bench.world.server.get(PODAUTOSCALERS, "default", "r")
    annotations = {"autoscaling.knative.dev/class": "example.com/mine"}
    bench.loop.autoscaler_changed(
        {**raw, "metadata": {**raw["metadata"], "annotations": annotations}}, now_s=1
    )
    assert bench.loop.statistics().revisions == 0


async def test_wrong_annotations_are_refused_by_name_and_taken_up_once_right(
    bench: Bench,
) -> None:
    await bench.world.revision("r")
    raw = bench.world.server.get(PODAUTOSCALERS, "default", "r")
    wrong = {"autoscaling.knative.dev/window": "1s"}
    bench.loop.autoscaler_changed(
        {**raw, "metadata": {**raw["metadata"], "annotations": wrong}}, now_s=0
    )
    counts = bench.loop.statistics()
    assert (counts.revisions, counts.refused) == (0, 1)
    assert bench.recorder.statistics().waiting == 1
    bench.show()
    counts = bench.loop.statistics()
    assert (counts.revisions, counts.refused) == (1, 0)


async def test_new_annotations_apply_at_once(bench: Bench) -> None:
    await bench.world.revision("r")
    bench.show()
    await bench.world.client.patch(
        PODAUTOSCALERS,
        "default",
        "r",
        {"metadata": {"annotations": {"autoscaling.knative.dev/min-scale": "2"}}},
    )
    bench.loop.receive([poke()], now_s=1)
    bench.show(now_s=2)
    await bench.carry_out()
    assert bench.world.replicas("r") == 2


async def test_another_scale_target_is_followed(bench: Bench) -> None:
    await bench.world.revision("r")
    await bench.world.client.create(DEPLOYMENTS, deployment("other", 4))
    bench.show()
    await bench.carry_out()
    raw = bench.world.server.get(PODAUTOSCALERS, "default", "r")
    target = {**raw["spec"]["scaleTargetRef"], "name": "other-deployment"}
    moved = {**raw, "spec": {**raw["spec"], "scaleTargetRef": target}}
    bench.loop.autoscaler_changed(moved, now_s=1)
    bench.loop.receive([poke(queued=9)], now_s=2)
    key = ("default", "other-deployment")
    bench.loop.deployment_changed(key, bench.world.server.get(DEPLOYMENTS, *key), now_s=3)
    await bench.carry_out()
    assert (bench.world.replicas("other"), bench.world.replicas("r")) == (9, 0)


async def test_what_is_deleted_is_forgotten(bench: Bench) -> None:
    await bench.world.revision("r")
    bench.show()
    bench.loop.receive([poke()], now_s=1)
    bench.loop.autoscaler_gone(bench.world.server.get(PODAUTOSCALERS, "default", "r"))
    bench.loop.deployment_changed(("default", "r-deployment"), None, now_s=2)
    bench.loop.receive([poke()], now_s=3)
    await bench.carry_out()
    counts = bench.loop.statistics()
    assert (counts.revisions, counts.awake) == (0, 0)
    assert bench.world.replicas("r") == 0


async def test_a_deployment_that_is_gone_counts_as_nothing_ready(bench: Bench) -> None:
    await bench.world.revision("r", replicas=1)
    await bench.world.ready("r", 1)
    bench.show()
    bench.loop.deployment_changed(("default", "r-deployment"), None, now_s=1)
    await bench.carry_out()
    assert bench.world.status("r")["actualScale"] == 0


async def test_a_change_of_scale_is_an_event_with_its_reason(bench: Bench) -> None:
    await bench.world.revision("r")
    bench.show()
    bench.loop.receive([poke(queued=5)], now_s=1)
    writer = asyncio.ensure_future(bench.recorder.run())
    try:
        async with asyncio.timeout(5):
            while not bench.recorder.statistics().written:
                await asyncio.sleep(0)
    finally:
        writer.cancel()
    (event,) = (await bench.world.client.list(EVENTS, "default")).items
    assert (event["reason"], event["involvedObject"]["kind"]) == ("Queue", "PodAutoscaler")
    assert event["message"].startswith("r went from 0 to 5 replicas: 5 requests were waiting")


async def test_an_error_of_ours_costs_one_look(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.world.revision("r")
    bench.show()
    with monkeypatch.context() as patched:

        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        patched.setattr(Pilot, "turn", broken)
        bench.loop.receive([poke()], now_s=1)
    assert bench.loop.statistics().faults == 1
    assert "deciding for default/r" in caplog.text
    bench.loop.receive([poke(queued=2)], now_s=2)
    await bench.carry_out()
    assert bench.world.replicas("r") == 2


async def test_the_journal_of_a_revision(bench: Bench) -> None:
    await bench.world.revision("r")
    bench.show()
    bench.loop.receive([poke(queued=5)], now_s=1)
    entries = bench.loop.journal(("default", "r"))
    assert entries[-1].decision.reason is Reason.QUEUE
    assert bench.loop.journal(("default", "unknown")) == ()


async def test_stats_of_strangers_are_dropped(bench: Bench) -> None:
    bench.loop.receive([poke("unknown")], now_s=1)
    assert bench.loop.statistics().pokes == 0


@pytest.mark.looptime
async def test_ticks_visit_the_awake_every_two_seconds(bench: Bench) -> None:
    await bench.world.revision("r", replicas=1)
    await bench.world.revision("idle")
    bench.show()
    bench.show("idle")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(9):
            await bench.loop.run()
    counts = bench.loop.statistics()
    # At 0, 2, 4, 6 and 8 s, and once when it was first seen.
    assert (counts.awake, counts.turns) == (1, 5)
