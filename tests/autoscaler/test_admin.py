"""What the autoscaler can be asked over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from api.stats import Stat
from autoscaler.admin import make_app
from autoscaler.config import Settings
from autoscaler.server import Autoscaler
from tests.autoscaler.world import EPOCH_S, World

Asking = TestClient[web.Request, web.Application]


@pytest.fixture
def world() -> Iterator[World]:
    with World.made() as made:
        yield made


@asynccontextmanager
async def asking(world: World) -> AsyncIterator[tuple[Autoscaler, Asking]]:
    autoscaler = Autoscaler(world.client, Settings(), clock=lambda: EPOCH_S)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(autoscaler.run())
        await autoscaler.synced()
        async with TestClient(TestServer(make_app(autoscaler))) as asks:
            yield autoscaler, asks
        running.cancel()


async def get(asks: Asking, path: str, code: int = 200) -> Any:
    async with asks.get(path) as response:
        assert response.status == code, await response.text()
        return await response.json()


def poke(queued: int) -> Stat:
    return Stat(
        namespace="default",
        revision="r",
        reporter="activator",
        time_s=asyncio.get_running_loop().time(),
        average_concurrency=float(queued),
        requests_per_s=0.0,
        queued=queued,
        is_poke=True,
    )


async def test_a_burst_from_zero_is_told_with_its_numbers(world: World) -> None:
    await world.revision("r", max_scale="5")
    async with asking(world) as (autoscaler, asks):
        asleep = await get(asks, "/revisions/default/r")
        assert (asleep["phase"], asleep["wanted"], asleep["ready"]) == ("inactive", 0, 0)
        assert asleep["set"] == {"autoscaling.knative.dev/max-scale": "5"}
        assert asleep["knobs"]["autoscaling.knative.dev/max-scale"] == 5
        assert asleep["knobs"]["autoscaling.knative.dev/panic-threshold-percentage"] == 200
        assert asleep["knobs"]["relight.dev/keep-alive"] == "balanced"
        assert asleep["asleep"].startswith("It sleeps: it did when the autoscaler started")
        autoscaler.receive([poke(3), poke(8)])
        told = await get(asks, "/revisions/default/r")
        assert (told["wanted"], told["class"]) == (5, "relight.autoscaling.knative.dev")
        assert "asleep" not in told
        now = told["now"]
        assert (now["wanted"], now["reason"], now["is_refusal"]) == (5, "max-scale", True)
        assert "held it back from 8" in now["text"]
        assert told["changed"]["before"] == 0
        assert abs(told["changed"]["first"] - EPOCH_S) < 60
        assert told["changed"]["inputs"]["queued"] == 8
        assert (now["template"], now["next"]) == (now["text"], None)
        listed = (await get(asks, "/revisions"))["revisions"]
        assert [(each["name"], each["wanted"]) for each in listed] == [("r", 5)]
        assert (await get(asks, "/revisions?namespace=other")) == {"revisions": []}


async def test_the_journal_up_to_a_time(world: World) -> None:
    await world.revision("r")
    async with asking(world) as (autoscaler, asks):
        autoscaler.receive([poke(3)])
        autoscaler.receive([poke(8)])
        path = "/revisions/default/r/journal"
        whole = await get(asks, path)
        assert [each["wanted"] for each in whole["entries"]] == [None, 3, 8]
        assert [each["wanted"] for each in (await get(asks, f"{path}?limit=1"))["entries"]] == [8]
        first_s = whole["entries"][1]["first"]
        # The clock of this test stands still, so a moment is told by what is remembered.
        before = await get(asks, f"{path}?at={whole['reaches_back_to'] - 1000}")
        assert before["entries"] == []
        assert before["reaches_back_to"] is not None
        later = await get(asks, f"{path}?at={first_s + 1000}")
        assert [each["wanted"] for each in later["entries"]] == [None, 3, 8]
        same = await get(asks, f"{path}?at=2027-01-15T08:00:00%2B00:00")
        assert same["reaches_back_to"] is not None


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/revisions/default/x", 404, "revision 'x' in namespace 'default' is not scaled here"),
        ("/revisions/default/x/journal", 404, "revision 'x' in namespace 'default' is not"),
        ("/revisions/default/r/journal?at=nan", 400, "at: 'nan': want seconds since the epoch"),
        ("/revisions/default/r/journal?at=noon", 400, "at: 'noon': want seconds since the epoch"),
        ("/revisions/default/r/journal?at=2026-01-01T00:00:00", 400, "RFC 3339 with its zone"),
        ("/revisions/default/r/journal?limit=x", 400, "limit: 'x': want a whole number"),
        ("/revisions?name=r", 400, "name: no such parameter here; there are namespace"),
        ("/nothing", 404, "could not find the requested resource"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    world: World, path: str, code: int, said: str
) -> None:
    await world.revision("r")
    async with asking(world) as (_, asks):
        assert said in (await get(asks, path, code))["message"]
