import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest
from aiohttp import ClientError, ClientSession, web
from aiohttp.test_utils import TestServer

from api.kinds import PODS
from cluster.client import WatchEvent
from cluster.options import Selection
from embedded import streams
from embedded.history import Change
from embedded.selection import parse
from embedded.watching import Hub, Watcher, bookmark

DEADLINE_S = 10.0
HUB_LIMIT = 3


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    hub = Hub(queue_max=HUB_LIMIT)
    yield hub.open(PODS, parse(PODS, Selection()))
    assert hub.statistics().watchers == 0, "every stream closes its watcher"


def publish(watcher: Watcher, name: str = "p") -> None:
    obj = {"metadata": {"name": name, "resourceVersion": "7"}}
    watcher._hub.publish(Change(version=7, type="ADDED", resource=PODS, object=obj, old=None))


def serving(
    watcher: Watcher, *, has_bookmarks: bool = True, timeout_s: int = 60
) -> web.Application:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await streams.send_watch(
            request,
            watcher,
            render=lambda event: event.object,
            bookmark=(lambda: bookmark(PODS, 9)) if has_bookmarks else None,
            timeout_s=timeout_s,
        )

    app = web.Application()
    app.router.add_get("/", handle)
    return app


async def test_a_client_that_left_before_the_head_leaves_no_watcher_and_no_error(
    watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    done = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        try:
            return await streams.send_watch(
                request, watcher, render=lambda event: event.object, bookmark=None, timeout_s=60
            )
        finally:
            done.set()

    app = web.Application()
    app.router.add_get("/", handle)
    async with asyncio.timeout(DEADLINE_S), TestServer(app) as server, ClientSession() as session:
        with pytest.raises(ClientError):
            await session.get(server.make_url("/"))
        await done.wait()
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == []


async def lines(app: web.Application, count: int | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with (
        asyncio.timeout(DEADLINE_S),
        TestServer(app) as server,
        ClientSession() as session,
        session.get(server.make_url("/")) as response,
    ):
        async for line in response.content:
            found.append(orjson.loads(line))
            if len(found) == count:
                break
    return found


async def test_what_waits_is_sent_in_order(watcher: Watcher) -> None:
    for name in "abc":
        publish(watcher, name)
    found = await lines(serving(watcher, timeout_s=1), 3)
    assert [each["object"]["metadata"]["name"] for each in found] == ["a", "b", "c"]


async def test_it_ends_when_the_watcher_is_closed(watcher: Watcher) -> None:
    asyncio.get_running_loop().call_later(0.01, watcher.close)
    found = await lines(serving(watcher))
    assert [each["type"] for each in found] == ["BOOKMARK"]


async def test_who_wants_no_bookmarks_gets_none(watcher: Watcher) -> None:
    assert await lines(serving(watcher, has_bookmarks=False, timeout_s=0)) == []


async def test_a_quiet_watch_gets_bookmarks(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BOOKMARK_PERIOD_S", 0.0)
    monkeypatch.setattr(streams, "_LOOK_PERIOD_S", 0.001)
    found = await lines(serving(watcher), 3)
    assert [each["type"] for each in found] == ["BOOKMARK"] * 3
    watcher.close()


async def test_a_reader_too_slow_is_told_why(watcher: Watcher) -> None:
    for at in range(HUB_LIMIT + 1):
        publish(watcher, f"p{at}")
    (last,) = await lines(serving(watcher))
    assert last["type"] == "ERROR"
    assert (last["object"]["code"], last["object"]["reason"]) == (410, "Expired")


async def test_a_client_that_left_is_noticed(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_LOOK_PERIOD_S", 0.005)
    publish(watcher)
    async with TestServer(serving(watcher, has_bookmarks=False)) as server:
        async with ClientSession() as session:
            response = await session.get(server.make_url("/"))
            await response.content.readline()
            response.close()
        async with asyncio.timeout(DEADLINE_S):
            while watcher._hub.statistics().watchers:
                await asyncio.sleep(0.001)


async def test_large_batches_are_cut(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_BATCH_BYTES", 1)
    watcher.start([WatchEvent(type="ADDED", object={"n": at}) for at in range(50)])
    found = await lines(serving(watcher), 50)
    assert [each["object"]["n"] for each in found] == list(range(50))
    watcher.close()


async def test_a_silent_log_ends_when_its_reader_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_LOOK_PERIOD_S", 0.005)
    ended = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        try:
            yield b"first\n"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await streams.send_log(request, silent(), bytes_max=None)

    app = web.Application()
    app.router.add_get("/", handle)
    async with asyncio.timeout(DEADLINE_S), TestServer(app) as server, ClientSession() as session:
        response = await session.get(server.make_url("/"))
        assert await response.content.readline() == b"first\n"
        response.close()
        await ended.wait()


@pytest.mark.parametrize(
    ("limit", "wanted"), [(None, b"abcdef"), (4, b"abcd"), (3, b"abc"), (0, b"")]
)
async def test_a_log_is_cut_at_its_limit(limit: int | None, wanted: bytes) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"def"

    async def handle(request: web.Request) -> web.StreamResponse:
        return await streams.send_log(request, pieces(), bytes_max=limit)

    app = web.Application()
    app.router.add_get("/", handle)
    async with (
        asyncio.timeout(DEADLINE_S),
        TestServer(app) as server,
        ClientSession() as session,
        session.get(server.make_url("/")) as response,
    ):
        assert await response.read() == wanted
