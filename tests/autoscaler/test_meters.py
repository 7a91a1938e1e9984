"""Asking over sockets is tested with who asks, in test_scraping.py."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from autoscaler.meters import OwnCounters
from autoscaler.sampling import Measured

KEY = ("default", "r")


@asynccontextmanager
async def replica(load: float) -> AsyncIterator[str]:
    asked = 0

    async def stats(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        totals = {"time_s": asked, "requests": asked, "proxied_requests": 0}
        integrals = {"concurrency_seconds": load * asked, "proxied_concurrency_seconds": 0}
        return web.json_response({**totals, **integrals})

    app = web.Application()
    app.router.add_get("/relight/stats", stats)
    async with TestServer(app) as server:
        yield f"127.0.0.1:{server.port}"


async def test_the_second_question_has_an_answer() -> None:
    meter = OwnCounters(lambda: 0.5)
    async with replica(2.0) as place, aiohttp.ClientSession() as session:
        for now_s, expected in ((0.0, None), (1.0, Measured(concurrency=2.0, requests_per_s=1.0))):
            load = await meter.load(KEY, {"p": place}, session, window_s=60, now_s=now_s)
            assert load == expected


async def test_a_revision_that_was_forgotten_begins_anew() -> None:
    meter = OwnCounters(lambda: 0.5)
    async with replica(2.0) as place, aiohttp.ClientSession() as session:
        await meter.load(KEY, {"p": place}, session, window_s=60, now_s=0)
        meter.retain({("default", "other")})
        assert await meter.load(KEY, {"p": place}, session, window_s=60, now_s=1) is None
        meter.retain({KEY})
        assert await meter.load(KEY, {"p": place}, session, window_s=60, now_s=2) is not None


async def test_who_does_not_answer_says_nothing() -> None:
    meter = OwnCounters(lambda: 0.5)
    async with replica(2.0) as place:
        pass
    async with aiohttp.ClientSession() as session:
        for now_s in (0, 1):
            load = await meter.load(KEY, {"p": place}, session, window_s=60, now_s=now_s)
            assert load is None


def test_where_a_predictor_is_asked_is_its_own_port() -> None:
    raw = {
        "metadata": {
            "name": "p",
            "namespace": "a",
            "labels": {"serving.knative.dev/revision": "r"},
        },
        "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 9000}]}]},
        "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert OwnCounters(lambda: 0.5).keep(raw)["status"] == {"endpoint": "10.0.0.1:9000"}
