"""Events on their way, to sinks that take them, are slow, or away."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from activator.config import Settings
from activator.events import Event
from activator.sending import EventSender
from tests.activator.world import eventually


class Sink:
    """A server that takes events; `gate` holds its answers."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.heads: list[dict[str, str]] = []
        self.status = 202
        self.at_once = self.at_once_max = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        self.bodies.append(await request.read())
        self.heads.append({name.lower(): value for name, value in request.headers.items()})
        await self.gate.wait()
        self.at_once -= 1
        return web.Response(status=self.status)


@asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    it = Sink()
    app = web.Application()
    app.router.add_post("/in", it.take)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    it.url = f"http://{host}:{port}/in"
    try:
        yield it
    finally:
        it.gate.set()
        await runner.cleanup()


@asynccontextmanager
async def sending(**settings: Any) -> AsyncIterator[EventSender]:
    async with asyncio.TaskGroup() as group:

        def spawn(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            return group.create_task(coroutine)

        sender = EventSender(Settings(**settings), spawn)
        try:
            yield sender
        finally:
            await sender.close()


def event(url: str, body: bytes = b"x", **headers: str) -> Event:
    return Event(
        url=url, headers={"ce-id": "1", "content-type": "text/plain", **headers}, body=body
    )


async def test_events_arrive_as_they_are() -> None:
    async with sink() as there, sending() as sender:
        sender.offer(event(there.url, b"abc", **{"ce-truncated": "true"}))
        await eventually(lambda: sender.statistics().sent == 1)
        assert there.bodies == [b"abc"]
        assert there.heads[0]["ce-id"] == "1"
        assert there.heads[0]["content-type"] == "text/plain"
        assert sender.statistics().truncated == 1
        assert not sender._queues  # nothing runs, and nothing is kept
        sender.offer(event(there.url))
        await eventually(lambda: sender.statistics().sent == 2)


async def test_so_many_are_on_their_way_at_once_and_so_many_wait() -> None:
    async with sink() as there, sending(event_senders=2, event_depth_max=3) as sender:
        there.gate.clear()
        for _ in range(2):
            sender.offer(event(there.url))
        await eventually(lambda: there.at_once == 2)
        for _ in range(5):
            sender.offer(event(there.url, b"1234"))
        now = sender.statistics()
        assert (now.waiting, now.waiting_bytes, now.dropped) == (3, 12, 2)
        there.gate.set()
        await eventually(lambda: sender.statistics().sent == 5)
        assert there.at_once_max == 2
        assert sender.statistics().waiting_bytes == 0


async def test_what_waits_is_limited_in_bytes() -> None:
    async with sink() as there, sending(event_senders=1, event_queue_bytes_max=10) as sender:
        there.gate.clear()
        sender.offer(event(there.url))
        await eventually(lambda: there.at_once == 1)
        for _ in range(3):
            sender.offer(event(there.url, b"12345"))
        assert sender.statistics().dropped == 1
        there.gate.set()
        await eventually(lambda: sender.statistics().sent == 3)


async def test_a_sink_that_refuses_or_is_away_has_lost_it_and_another_has_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with sink() as there, sink() as other, sending() as sender:
        there.status = 500
        sender.offer(event(there.url))
        await eventually(lambda: sender.statistics().failed == 1)
        there.status = 302
        sender.offer(event(there.url))
        sender.offer(event("http://127.0.0.1:1/nobody"))
        await eventually(lambda: sender.statistics().failed == 3)
        sender.offer(event(other.url))
        await eventually(lambda: sender.statistics().sent == 1)
    said = [each.message for each in caplog.records if "payload" in each.message]
    assert said == [f"1 payload events were lost: {there.url} answered 500"]  # once a minute


async def test_a_slow_sink_does_not_hold_up_another() -> None:
    async with sink() as slow, sink() as quick, sending(event_senders=1) as sender:
        slow.gate.clear()
        for _ in range(3):
            sender.offer(event(slow.url))
        sender.offer(event(quick.url))
        await eventually(lambda: sender.statistics().sent == 1)
        assert quick.bodies == [b"x"]
        slow.gate.set()


async def test_a_sink_that_takes_too_long_has_failed() -> None:
    async with sink() as there, sending(event_send_s=0.01) as sender:
        there.gate.clear()
        sender.offer(event(there.url))
        await eventually(lambda: sender.statistics().failed == 1)


async def test_what_waits_at_the_end_is_sent() -> None:
    async with sink() as there:
        async with sending(event_senders=1) as sender:
            for _ in range(20):
                sender.offer(event(there.url))
        assert len(there.bodies) == 20
        assert sender.statistics().sent == 20


async def test_the_end_is_not_put_off_for_a_sink_that_hangs() -> None:
    async with sink() as there:
        there.gate.clear()
        async with sending(event_senders=1, event_flush_s=0.01, event_send_s=0.5) as sender:
            for _ in range(4):
                sender.offer(event(there.url))
            await eventually(lambda: there.at_once == 1)
            await sender.close()
            assert sender.statistics().dropped == 3
            assert sender.statistics().waiting == 0


async def test_too_late_is_dropped() -> None:
    def never(coroutine: Coroutine[Any, Any, None]) -> None:
        coroutine.close()

    sender = EventSender(Settings(), never)
    sender.offer(event("http://127.0.0.1:1/x"))
    assert sender.statistics().dropped == 1
    assert not sender._queues
    await sender.close()
    sender.offer(event("http://127.0.0.1:1/x"))
    assert sender.statistics().dropped == 2


async def test_closing_that_is_cancelled_closes_all_the_same() -> None:
    async with sink() as there, sending(event_flush_s=60) as sender:
        there.gate.clear()
        sender.offer(event(there.url))
        await eventually(lambda: len(there.bodies) == 1)
        session = sender._session
        assert session is not None
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sender.close(), 0.01)
        assert session.closed
        await eventually(lambda: sender.statistics().failed == 1)
