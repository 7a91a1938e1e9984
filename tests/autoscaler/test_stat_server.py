import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from api import stats
from api.stats import Stat
from autoscaler import reporters, stat_server
from autoscaler.stat_server import StatServer

DEADLINE_S = 10.0
ROW = ["n", "r", 1.0, 2.0, 3, 4, 1, None, None]


class World:
    def __init__(self) -> None:
        self.heard: list[Stat] = []
        self.listens = 0
        self.server = StatServer("me", receive=self.receive, listen=self.listen)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]

    def receive(self, stats: Sequence[Stat]) -> None:
        self.heard += stats

    def listen(self) -> None:
        self.listens += 1

    async def connect(self) -> "Caller":
        return Caller(*await asyncio.open_connection("127.0.0.1", self.port))


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, message: Any) -> None:
        self.writer.write(orjson.dumps(message) + b"\n")

    async def hear(self) -> Any:
        line = await self.reader.readline()
        return orjson.loads(line) if line else None


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(stat_server, "PERIOD_S", 0.05)
    monkeypatch.setattr(reporters, "PERIOD_S", 0.05)
    world = World()
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        running = group.create_task(world.server.run(world.listener))
        yield world
        running.cancel()


@asynccontextmanager
async def calling(world: World) -> AsyncIterator[Caller]:
    caller = await world.connect()
    try:
        yield caller
    finally:
        caller.writer.close()
        await asyncio.gather(caller.writer.wait_closed(), return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.005)


async def test_reports_are_passed_on_with_the_time_of_their_arrival(world: World) -> None:
    async with calling(world) as caller:
        caller.say(stats.hello("a"))
        assert await caller.hear() == stats.hello("me")
        before_s = asyncio.get_running_loop().time()
        caller.say({"stats": [ROW, ROW]})
        await until(lambda: len(world.heard) == 2)
        assert world.heard[0].reporter == "a"
        assert world.heard[0].is_poke
        assert before_s <= world.heard[0].time_s <= asyncio.get_running_loop().time()
        assert world.server.statistics().here == 1


async def test_a_beat_is_answered(world: World) -> None:
    async with calling(world) as caller:
        caller.say(stats.hello("a"))
        await caller.hear()
        caller.say(stats.BEAT)
        assert await caller.hear() == stats.BEAT


async def test_silence_means_nothing_until_somebody_reports(world: World) -> None:
    await until(lambda: world.listens >= 1)
    async with calling(world) as caller:
        caller.say(stats.hello("a"))
        await caller.hear()
        seen = world.listens
        caller.say({"stats": [ROW], **stats.LEAVING})
        await until(lambda: not world.server.statistics().here)
        assert world.server.statistics().lost == 0
        assert world.heard
        await until(lambda: world.listens > seen)


async def test_a_connection_that_breaks_is_a_lost_reporter(world: World) -> None:
    async with calling(world) as caller:
        caller.say(stats.hello("a"))
        await caller.hear()
        caller.say({"stats": [ROW]})
        caller.writer.write(b'{"stats": [[')
    await until(lambda: world.server.statistics().missing == 1)
    assert world.server.statistics().lost == 1
    await until(lambda: len(world.heard) >= 2)  # what it carried goes on
    assert world.heard[1].queued == 0


async def test_one_that_falls_silent_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "SILENCE_S", 0.05)
    async with calling(world) as caller:
        caller.say(stats.hello("a"))
        await caller.hear()
        assert await caller.hear() is None
        assert world.server.statistics().missing == 1


@pytest.mark.parametrize(
    "said",
    [
        b'{"hello": "a", "format": 99}\n',
        b"GET / HTTP/1.1\r\n",
        b'{"hello": "a", "format": 1}\n{"stats": 3}\n',
    ],
)
async def test_what_can_not_be_read_ends_the_connection_with_a_sentence(
    world: World, said: bytes
) -> None:
    async with calling(world) as caller:
        caller.writer.write(said)
        answers = [await caller.hear(), await caller.hear(), await caller.hear()]
        refusals = [each for each in answers if each and "refused" in each]
        assert len(refusals) == 1
        assert answers[-1] is None
        assert not world.heard


async def test_a_line_without_an_end_is_not_kept(world: World) -> None:
    async with calling(world) as caller:
        caller.say(stats.hello("a"))
        await caller.hear()
        caller.writer.write(b"x" * (3 * stats.LINE_BYTES_MAX))
        with contextlib.suppress(ConnectionError):  # it was closed while more was on its way
            assert await caller.hear() is None
        await until(lambda: world.server.statistics().missing == 1)


async def test_another_connection_of_the_same_name_replaces_the_first(world: World) -> None:
    async with calling(world) as one, calling(world) as two:
        for each in (one, two):
            each.say(stats.hello("a"))
            await each.hear()
        one.say({"stats": [ROW]})
        two.say({"stats": [ROW]})
        await until(lambda: bool(world.heard))
        one.writer.close()
        two.say(stats.BEAT)
        await two.hear()
        assert world.server.statistics().lost == 0
        assert len(world.heard) == 1


async def test_one_that_speaks_is_not_silent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = asyncio.get_running_loop().time
    monkeypatch.setattr(stats, "SILENCE_S", 0.3)
    async with calling(world) as caller:
        caller.say(stats.hello("a"))
        assert await caller.hear() == stats.hello("me")
        since_s = now_s()
        while now_s() < since_s + 2 * stats.SILENCE_S:
            caller.say(stats.BEAT)
            assert await caller.hear() == stats.BEAT


async def test_nobody_is_blamed_for_our_own_standstill(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "SILENCE_S", 0.3)
    async with calling(world) as caller:
        caller.say(stats.hello("a"))
        await caller.hear()
        for _ in range(3):
            caller.say(stats.BEAT)
            time.sleep(2 * stats.SILENCE_S)  # noqa: ASYNC251 - this whole process stands still
            assert await caller.hear() == stats.BEAT
        assert world.server.statistics().lost == 0


async def test_who_does_not_say_who_it_is_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stat_server, "_HELLO_S", 0.05)
    async with calling(world) as caller:
        assert await caller.hear() is None


async def test_one_too_many_is_told_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporters, "REPORTERS_MAX", 1)
    async with calling(world) as one, calling(world) as two:
        one.say(stats.hello("a"))
        await one.hear()
        two.say(stats.hello("b"))
        assert await two.hear() == {"refused": "too many report here already"}
        assert await two.hear() is None
        assert world.server.statistics().here == 1


async def test_one_that_does_not_read_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stat_server, "_WRITE_BYTES_MAX", -1)  # as if nothing were taken from us
    async with calling(world) as caller:
        caller.say(stats.hello("a"))
        with contextlib.suppress(ConnectionError):
            assert await caller.hear() is None
        await until(lambda: world.server.statistics().missing == 1)
