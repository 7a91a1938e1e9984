"""What the activator can be asked over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from activator.admin import make_app
from tests.activator.world import Client, Replica, World, eventually, serving

Asking = TestClient[web.Request, web.Application]


@asynccontextmanager
async def asking(**settings: Any) -> AsyncIterator[tuple[World, Replica, Client, Asking]]:
    async with (
        serving(**settings) as (it, replica, client),
        TestClient(TestServer(make_app(it.activator))) as asks,
    ):
        yield it, replica, client, asks


async def lines(asks: Asking, query: str = "") -> list[dict[str, Any]]:
    async with asks.get(f"/requests?{query}") as response:
        assert response.status == 200
        return [orjson.loads(line) for line in (await response.read()).splitlines()]


async def test_one_request_by_its_id() -> None:
    async with asking() as (_, replica, client, asks):
        replica.auto = False
        client.send(headers="X-Request-Id: mine\r\n")
        await eventually(lambda: len(replica.calls) == 1)
        async with asks.get("/requests/mine") as response:
            (running,) = (await response.json())["requests"]
        assert (running["state"], running["ending"]) == ("executing", "running")
        assert running["executing_s"] >= 0
        replica.calls[0].answer()
        await client.answer()
        async with asks.get("/requests/mine") as response:
            (ended,) = (await response.json())["requests"]
        assert (ended["state"], ended["status"], ended["replica"]) == ("ended", 200, "p1")
        assert ended["replica_ready_s"] < 0  # before the request came


async def test_a_request_that_is_held_says_how_many_wait_before_it() -> None:
    async with asking() as (it, replica, client, asks):
        it.revision(containerConcurrency=1)
        await eventually(lambda: it.activator.statistics().requests == 0)
        replica.auto = False
        clients = [client, await it.connect(), await it.connect()]
        it.cluster.remove(*next(key[:1] + key[2:] for key in it.cluster.objects if key[2] == "p1"))
        await eventually(lambda: it.now().pods == 0)
        for number, each in enumerate(clients):
            each.send(headers=f"X-Request-Id: r{number}\r\n")
            await eventually(lambda number=number: it.now().queued == number + 1)
        async with asks.get("/requests/r2") as response:
            (held,) = (await response.json())["requests"]
        assert (held["state"], held["ahead"], held["cold"]) == ("held", 2, True)


async def test_an_unknown_id_is_a_status_that_says_what_is_remembered() -> None:
    async with asking(ledger_length_max=7) as (_, _, _, asks):
        async with asks.get("/requests/nobody") as response:
            assert response.status == 404
            raw = await response.json()
        assert raw["reason"] == "NotFound"
        assert "'nobody' is not known: the last 7 requests" in raw["message"]


async def test_all_requests_as_lines_with_filters() -> None:
    async with asking() as (_, _, client, asks):
        for number in range(3):
            await client.call(headers=f"X-Request-Id: r{number}\r\n")
        await client.call(host="nobody.localhost", headers="X-Request-Id: stray\r\n")
        found = await lines(asks)
        assert [each["id"] for each in found] == ["r0", "r1", "r2", "stray"]
        assert [each["serial"] for each in found] == [1, 2, 3, 4]
        assert [each["id"] for each in await lines(asks, "after=2&revision=app-1")] == ["r2"]
        assert [each["id"] for each in await lines(asks, "limit=1&service=app")] == ["r0"]
        assert await lines(asks, "after=latest") == []


async def test_lines_are_followed_and_a_reader_that_is_too_slow_is_told() -> None:
    async with asking(ledger_length_max=2) as (_, _, client, asks):
        for number in range(4):
            await client.call(headers=f"X-Request-Id: r{number}\r\n")
        async with asyncio.timeout(10), asks.get("/requests?after=1&follow=true") as response:
            assert orjson.loads(await response.content.readline()) == {"lost": 1, "serial": 2}
            assert orjson.loads(await response.content.readline())["id"] == "r2"
            assert orjson.loads(await response.content.readline())["id"] == "r3"
            await client.call(headers="X-Request-Id: later\r\n")
            assert orjson.loads(await response.content.readline())["id"] == "later"
        async with asks.get("/requests?follow=true&limit=2") as response:
            assert len((await response.read()).splitlines()) == 2  # it ends by itself


async def test_what_makes_no_sense_is_refused_by_name() -> None:
    async with asking() as (_, _, _, asks):
        for query, said in {
            "after=x": "after: 'x': want a whole number",
            "limit=-1": "limit: '-1': want a whole number",
            "follow=perhaps": "follow: 'perhaps': want true or false",
            "folow=true": "folow: no such parameter here; there are namespace",
        }.items():
            async with asks.get(f"/requests?{query}") as response:
                assert response.status == 400
                assert said in (await response.json())["message"]
        async with asks.post("/requests") as response:
            assert response.status == 405
