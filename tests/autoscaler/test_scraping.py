"""Replicas are small HTTP servers; the loop is a list of what it was told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from api.kinds import PODS, Resource
from autoscaler.bursting import PROXY, SERVE
from autoscaler.idling import Life, Phase
from autoscaler.pilot import Pilot, Scale
from autoscaler.sampling import Measured
from autoscaler.scaler import Key
from autoscaler.scraping import Scraper, Statistics
from cluster.errors import NotFoundError
from tests.autoscaler.specs import spec
from tests.autoscaler.world import World

KEY = ("default", "r")


class Replica:
    """Answers like a predictor, one second of its own a question."""

    def __init__(self, load: float = 2.0) -> None:
        self.load = load
        self.asked = 0
        self.body: bytes | None = None

    async def stats(self, _: web.Request) -> web.Response:
        self.asked += 1
        totals = {
            "time_s": self.asked,
            "requests": 12 * self.asked,
            "proxied_requests": 2 * self.asked,
            "concurrency_seconds": (self.load + 1) * self.asked,
            "proxied_concurrency_seconds": self.asked,
        }
        return web.Response(body=self.body or orjson.dumps(totals))


class Revisions:
    """The autoscaler's loop."""

    def __init__(self) -> None:
        life = Life(phase=Phase.ACTIVE, since_s=0, is_initialized=True, proxy_since_s=None)
        scale = Scale(replicas=1, ready=1)
        now_s = asyncio.get_running_loop().time()
        self.pilot = Pilot(spec(is_direct=True), life, scale=scale, wanted=1, now_s=now_s)
        self.pilot.exposure.follow(SERVE, is_direct=True, ready=1, now_s=now_s)
        self.loads: list[Measured] = []

    def exposed(self, *, now_s: float) -> list[tuple[Key, Pilot]]:
        return [(KEY, self.pilot)] if self.pilot.exposure.wants_look(now_s=now_s) else []

    def measured(self, key: Key, load: Measured, *, now_s: float) -> None:
        assert key == KEY
        self.pilot.measured(load, now_s=now_s)
        self.loads.append(load)

    def step_in(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self.pilot.exposure.follow(PROXY, is_direct=True, ready=1, now_s=now_s)


class Cluster:
    """A client of a real API server, but for Services: what is behind one is here."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.service: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.client, name)

    async def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        assert (resource.plural, namespace, name) == ("services", *KEY)
        if self.service is None:
            raise NotFoundError("no Service")
        return self.service


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.01)


def pod(name: str, port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"serving.knative.dev/revision": "r"},
        },
        "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": port}]}]},
    }


READY = {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}


@asynccontextmanager
async def listening(handler: Any) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    async with TestServer(app) as server:
        assert server.port is not None
        yield server.port


@asynccontextmanager
async def scraping(
    revisions: Revisions, *replicas: Replica, service: Any = None, service_port: int = 80
) -> AsyncIterator[Scraper]:
    with World.made() as world:
        cluster = Cluster(world)
        cluster.service = service
        async with asyncio.TaskGroup() as tasks:
            stop = asyncio.Event()
            for index, replica in enumerate(replicas):
                port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                tasks.create_task(serve(replica, port, stop))
                await world.client.create(PODS, pod(f"p{index}", await port))
                await world.client.patch(
                    PODS, "default", f"p{index}", {"status": READY}, subresource="status"
                )
            scraper = Scraper(
                cluster,
                revisions,
                draw=lambda: 0.5,
                service_port=service_port,
                period_s=0.02,
            )
            task = tasks.create_task(scraper.run())
            yield scraper
            task.cancel()
            stop.set()


async def serve(replica: Replica, port: "asyncio.Future[int]", stop: asyncio.Event) -> None:
    async with listening(replica.stats) as found:
        port.set_result(found)
        await stop.wait()


async def test_what_ready_replicas_count_becomes_a_load() -> None:
    revisions = Revisions()
    async with scraping(revisions, Replica(2.0), Replica(3.0)):
        await until(lambda: len(revisions.loads) > 0)
    assert revisions.loads[0] == Measured(concurrency=5.0, requests_per_s=20.0)


@pytest.mark.parametrize("body", [b"no json", b"[]", b'{"time_s": 1}'])
async def test_an_answer_that_is_none_is_no_zero(body: bytes) -> None:
    revisions, replica = Revisions(), Replica()
    replica.body = body
    async with scraping(revisions, replica) as scraper:
        await until(lambda: scraper.statistics().unknown >= 2)
    assert revisions.loads == []


async def test_an_activator_that_answers_for_the_service_closes_it() -> None:
    revisions = Revisions()
    answers = [web.Response(text="a replica"), web.Response(text="activator")]
    seen: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.headers["K-Network-Probe"], request.headers["User-Agent"]))
        return answers[min(len(seen), 2) - 1]

    async with listening(answer) as port:
        service = {"spec": {"clusterIP": "127.0.0.1"}}
        async with scraping(revisions, service=service, service_port=port) as scraper:
            revisions.step_in()
            await until(lambda: scraper.statistics().closed == 1)
            assert scraper.statistics() == Statistics(measured=0, unknown=0, probes=2, closed=1)
    assert seen[0] == ("activator", "Knative-Autoscaling-Probe")


async def test_without_a_service_nobody_is_led_past_the_activators() -> None:
    revisions = Revisions()
    async with scraping(revisions) as scraper:
        revisions.step_in()
        await until(lambda: scraper.statistics().closed >= 1)


@pytest.mark.parametrize("ip", ["", "None", "127.0.0.1"])
async def test_a_service_where_nobody_answers_is_not_closed(ip: str) -> None:
    revisions = Revisions()

    async def busy(_: web.Request) -> web.Response:
        return web.Response(status=503)

    async with listening(busy) as port:
        service = {"spec": {"clusterIP": ip}}
        async with scraping(revisions, service=service, service_port=port) as scraper:
            revisions.step_in()
            await until(lambda: scraper.statistics().probes >= 2)
            assert scraper.statistics().closed == 0
    assert revisions.pilot.exposure.is_open
