from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from autoscaler.queue_proxies import QueueProxies
from autoscaler.sampling import Measured
from tests.autoscaler.queue_proxy import QueueProxy

KEY = ("default", "r")


@asynccontextmanager
async def replicas(*proxies: QueueProxy) -> AsyncIterator[dict[str, str]]:
    places = {}
    async with AsyncExitStack() as stack:
        for proxy in proxies:
            app = web.Application()
            app.router.add_get("/{path:.*}", proxy.metrics)
            server = await stack.enter_async_context(TestServer(app))
            places[proxy.name] = f"127.0.0.1:{server.port}"
        yield places


async def load(places: dict[str, str], *, is_counted: bool = False) -> Measured | None:
    meter = QueueProxies(lambda: 0.5, is_counted_elsewhere=lambda key: is_counted)
    async with aiohttp.ClientSession() as session:
        return await meter.load(KEY, places, session, window_s=60, now_s=0)


async def test_the_load_of_all_replicas_is_what_their_queue_proxies_count() -> None:
    async with replicas(QueueProxy("a", 3.0, 2.0), QueueProxy("b", 1.0)) as places:
        assert await load(places) == Measured(concurrency=4.0, requests_per_s=0.0)
        counted = await load(places, is_counted=True)
        assert counted == Measured(concurrency=2.0, requests_per_s=0.0)


@pytest.mark.parametrize(("status", "body"), [(503, None), (200, b"not a stat")])
async def test_of_few_replicas_everybody_has_to_answer(status: int, body: bytes | None) -> None:
    silent = QueueProxy("b")
    silent.status, silent.body = status, body
    async with replicas(QueueProxy("a", 1.0), silent) as places:
        assert await load(places) is None


async def test_of_many_the_next_is_asked_in_place_of_one_who_is_silent() -> None:
    proxies = [QueueProxy(f"p{index:02}", 1.0) for index in range(12)]
    for proxy in proxies[:3]:
        proxy.status = 503
    async with replicas(*proxies) as places:
        found = await load(places)
    assert found is not None
    assert found.concurrency == pytest.approx(12.0)
    assert sum(each.asked for each in proxies) < 12


async def test_revisions_that_are_not_measured_any_more_are_forgotten() -> None:
    meter = QueueProxies(lambda: 0.5, is_counted_elsewhere=lambda key: False)
    async with replicas(QueueProxy("a")) as places, aiohttp.ClientSession() as session:
        await meter.load(KEY, places, session, window_s=60, now_s=0)
        meter.retain({KEY})
        assert KEY in meter._seen_s
        meter.retain(set())
        assert not meter._seen_s


def pod(ip: str = "10.0.0.1", *, is_ready: bool = True, **metadata: Any) -> dict[str, Any]:
    labels = {"serving.knative.dev/revision": "r", "app": "r"}
    ready = {"type": "Ready", "status": "True" if is_ready else "False"}
    return {
        "metadata": {"name": "p", "namespace": "default", "labels": labels, **metadata},
        "spec": {"containers": [{"name": "user-container", "ports": [{"containerPort": 8080}]}]},
        "status": {"podIP": ip, "conditions": [ready]},
    }


@pytest.mark.parametrize(
    ("raw", "endpoint"),
    [
        (pod(), "10.0.0.1:9090"),
        (pod("fd00::1"), "[fd00::1]:9090"),
        (pod(is_ready=False), ""),
        (pod(deletionTimestamp="2026-01-01T00:00:00Z"), ""),
    ],
)
def test_a_ready_pod_is_asked_at_the_queue_proxys_port(raw: dict[str, Any], endpoint: str) -> None:
    meter = QueueProxies(lambda: 0.5, is_counted_elsewhere=lambda key: False)
    kept = meter.keep(raw)
    assert kept["status"] == {"endpoint": endpoint}
    assert kept["metadata"]["labels"] == {"serving.knative.dev/revision": "r"}
