"""An end that callers do not notice; test_company.py has the rest."""

import asyncio

from activator.leaving import wind_down
from tests.activator.world import eventually, serving


async def test_who_is_alone_leaves_likewise() -> None:
    async with serving() as (it, replica, client):
        replica.auto = False
        idle = await it.connect()
        await eventually(lambda: it.activator.statistics().connections == 2)
        client.send()
        await eventually(lambda: bool(replica.calls))
        end = asyncio.ensure_future(it.activator.leave(linger_s=0.05, end_s=10))
        assert await idle.reader.read() == b""
        idle.leave()
        assert not end.done()
        replica.calls[0].answer()
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        client.leave()
        await asyncio.wait_for(end, 10)
        assert not it.activator.is_ready


async def test_while_it_lingers_each_answer_is_the_last_of_its_connection() -> None:
    async with serving() as (it, _, client):
        end = asyncio.ensure_future(it.activator.leave(linger_s=60.0, end_s=0.0))
        await eventually(lambda: not it.activator.is_ready)
        late = await it.connect()
        for each in (client, late):
            each.send()
            answer = await each.answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
        late.leave()
        end.cancel()
        await asyncio.wait([end])


async def test_a_tunnel_goes_on_until_the_bound() -> None:
    async with serving() as (it, replica, client):
        replica.auto = False
        client.send(headers="Connection: Upgrade\r\nUpgrade: echo\r\n")
        await eventually(lambda: bool(replica.calls))
        call = replica.calls[0]
        call.writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"
        )
        await client.reader.readuntil(b"\r\n\r\n")
        end = asyncio.ensure_future(it.activator.leave(linger_s=0.0, end_s=1.0))
        server = it.activator._server
        assert server is not None
        await eventually(lambda: not server.is_serving())
        call.writer.write(b"still here")
        assert await client.reader.readexactly(10) == b"still here"
        await asyncio.wait_for(end, 10)


async def test_without_connections_it_takes_the_linger_only() -> None:
    async with serving() as (it, _, client):
        client.leave()
        await eventually(lambda: not it.activator.statistics().connections)
        await asyncio.wait_for(
            wind_down(it.activator._roster, None, linger_s=0.0, end_s=1000.0), 10
        )
