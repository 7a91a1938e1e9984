import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from api.kinds import NAMESPACES, PODS
from api.stats import Stat
from autoscaler import waking
from autoscaler.activators import Activators, _kept
from autoscaler.scaler import Key
from tests.autoscaler.world import World

SYSTEM = "knative-serving"
KEY = ("default", "r")


class Bench:
    """One activator, and who hears of it."""

    def __init__(self) -> None:
        self.queued, self.concurrency = 0, 0.0
        self.status = 200
        self.is_empty = True
        self.heard: list[Stat] = []
        self.judgements = 0

    def receive(self, stats: Sequence[Stat]) -> None:
        self.heard += stats

    def empty(self, key: Key) -> bool:
        assert key == KEY
        return self.is_empty

    def judged(self) -> None:
        self.judgements += 1

    async def metrics(self, _: web.Request) -> web.Response:
        lines = ["go_goroutines 1"]
        labels = '{k8s_namespace_name="default",kn_revision_name="r"}'
        if self.queued or self.concurrency:
            lines.append(f"kn_revision_request_queued{labels} {self.queued}")
            lines.append(f"kn_revision_request_concurrency{labels} {self.concurrency}")
        return web.Response(status=self.status, text="\n".join(lines))


def pod(name: str = "activator-1") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": SYSTEM, "labels": {"app": "activator"}},
        "spec": {"containers": [{"name": "activator", "image": "i"}]},
    }


READY = {
    "phase": "Running",
    "podIP": "127.0.0.1",
    "conditions": [{"type": "Ready", "status": "True"}],
}


@asynccontextmanager
async def running(bench: Bench, *names: str) -> AsyncIterator[tuple[World, Activators]]:
    app = web.Application()
    app.router.add_get("/metrics", bench.metrics)
    with World.made() as world:
        named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}
        await world.client.create(NAMESPACES, named)
        async with TestServer(app) as server, asyncio.TaskGroup() as tasks:
            for name in names:
                await world.client.create(PODS, pod(name))
                status = {"status": READY}
                await world.client.patch(PODS, SYSTEM, name, status, subresource="status")
            activators = Activators(
                world.client,
                SYSTEM,
                receive=bench.receive,
                is_empty=bench.empty,
                judged=bench.judged,
                port=server.port or 0,
            )
            task = tasks.create_task(activators.run(period_s=0.02))
            yield world, activators
            task.cancel()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_what_waits_is_told_and_its_end_too() -> None:
    bench = Bench()
    bench.queued, bench.concurrency = 3, 1.5
    async with running(bench, "activator-1") as (_, activators):
        await until(lambda: bool(bench.heard))
        bench.queued, bench.concurrency = 0, 0.0
        await until(lambda: bench.heard[-1].queued == 0)
        count = len(bench.heard)
        answers = activators.statistics().answers
        await until(lambda: activators.statistics().answers > answers + 2)
        assert len(bench.heard) == count  # silence is not repeated
        assert activators.counts(KEY)
    first = bench.heard[0]
    assert (first.namespace, first.revision) == KEY
    assert (first.reporter, first.queued, first.average_concurrency) == (
        "knative/activator-1",
        3,
        1.5,
    )
    assert bench.heard[-1].average_concurrency == 0


@pytest.mark.parametrize(("is_empty", "queued"), [(True, 3), (False, 0)])
async def test_without_a_replica_all_that_is_there_waits(is_empty: bool, queued: int) -> None:
    bench = Bench()
    bench.concurrency, bench.is_empty = 2.5, is_empty
    async with running(bench, "activator-1"):
        await until(lambda: bool(bench.heard))
    assert bench.heard[0].queued == queued


async def test_each_activator_is_a_reporter_and_one_that_went_holds_nothing() -> None:
    bench = Bench()
    bench.queued = 1
    async with running(bench, "activator-1", "activator-2") as (world, _):
        await until(lambda: len({each.reporter for each in bench.heard}) == 2)
        await world.client.delete(PODS, SYSTEM, "activator-2", grace_period_s=0)

        def last() -> list[int]:
            return [each.queued for each in bench.heard if each.reporter == "knative/activator-2"]

        await until(lambda: last()[-1] == 0)


async def test_metrics_that_are_off_are_loudly_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(waking, "FIRST_S", 0.1)
    bench = Bench()
    bench.status = 404
    async with running(bench, "activator-1") as (_, activators):
        await activators.judged()
        assert not activators.can_wake
        assert not activators.counts(KEY)
        assert "NOTHING SCALES TO ZERO" in caplog.text
        assert "status 404" in caplog.text
        bench.status = 200
        await until(lambda: activators.can_wake)
        assert bench.judgements == 2
        assert activators.statistics().can_wake


async def test_without_an_activator_nobody_would_tell(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(waking, "FIRST_S", 0.05)
    bench = Bench()
    async with running(bench) as (_, activators):
        await activators.judged()
        assert not activators.can_wake
    assert f"none is ready in namespace {SYSTEM}" in caplog.text


def test_one_that_is_about_to_end_is_asked_and_not_needed() -> None:
    def kept(**status: Any) -> Any:
        return _kept({**pod(), "status": {**READY, **status}})["status"]

    leaving = pod()
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert kept() == {"host": "127.0.0.1", "isServing": True}
    assert kept(podIP="fd00::1") == {"host": "[fd00::1]", "isServing": True}
    assert kept(conditions=[]) == {"host": "127.0.0.1", "isServing": False}
    assert kept(phase="Failed")["host"] == ""
    found = _kept({**leaving, "status": READY})["status"]
    assert found == {"host": "127.0.0.1", "isServing": False}
