"""WebSockets and other protocols that begin with an upgrade."""

import asyncio
import base64
import contextlib
import hashlib

import pytest
import uvloop
from aiohttp import ClientSession, WSMsgType

from tests.activator.world import Client, Replica, World, eventually, serving

ASK = "Connection: keep-alive, Upgrade\r\nUpgrade: chat/1\r\n"
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Connection: Upgrade\r\nUpgrade: chat/1\r\nX-His: 1\r\n\r\n"
)


async def routed_to(it: World, revision: str) -> None:
    """The activator knows that the Route leads there, and the Revision."""
    ways = it.activator._router._routes
    await eventually(lambda: ways[b"app.default"].target.only == ("default", revision))
    await eventually(lambda: f"default/{revision}" in it.activator.statistics().revisions)


async def switched(it: World, replica: Replica, client: Client) -> asyncio.StreamWriter:
    """A tunnel that is open; the replica's end to write to."""
    replica.auto = False
    before = len(replica.calls)
    client.send("/chat", headers=ASK)
    await eventually(lambda: len(replica.calls) == before + 1)
    call = replica.calls[-1]
    assert (call.header("connection"), call.header("upgrade")) == ("upgrade", "chat/1")
    call.writer.write(SWITCH)
    head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 101 ")
    for line in (b"upgrade: chat/1\r\n", b"connection: upgrade\r\n", b"X-His: 1\r\n"):
        assert line in head
    assert b"x-request-id: " in head
    return call.writer


@pytest.mark.parametrize("ender", ["client", "replica"])
async def test_a_tunnel_is_one_request_until_either_side_ends_it(ender: str) -> None:
    async with serving(deadline_grain_s=0.01) as (it, replica, client):
        writer = await switched(it, replica, client)
        writer.write(b"hello")
        assert await client.reader.readexactly(5) == b"hello"
        client.writer.write(b"GET / HTTP/1.1 is not parsed\r\n\r\n")
        assert it.now().executing == 1
        assert it.activator.statistics().connections == 1
        if ender == "client":
            client.leave()
        else:
            writer.transport.abort()
            assert await asyncio.wait_for(client.reader.read(), 10) == b""
        await eventually(lambda: it.now().executing == 0)
        await eventually(lambda: not it.activator.statistics().connections)
        await eventually(lambda: not replica.connections)
        other = await it.connect()
        replica.auto = True
        assert (await other.call()).status == 200


async def test_bytes_that_came_with_the_switch_pass_too() -> None:
    async with serving() as (it, replica, client):
        replica.auto = False
        client.send("/chat", headers=ASK)
        client.writer.write(b"early from client")
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].writer.write(SWITCH + b"early from replica")
        await client.reader.readuntil(b"\r\n\r\n")
        assert await client.reader.readexactly(18) == b"early from replica"
        assert it.now().executing == 1
        # The replica's reader would take this for a request: it has no such line's end.
        client.writer.write(b"\r\n\r\n")
        await eventually(lambda: len(replica.calls) == 2)
        assert replica.calls[1].head == b"early from client\r\n\r\n"


async def test_a_replica_that_declines_is_served_as_ever() -> None:
    async with serving() as (it, replica, client):
        for _ in range(2):
            answer = await client.call("/chat", headers=ASK)
            assert (answer.status, answer.body) == (200, b"/chat ")
        assert (await client.call()).status == 200
        assert it.now().executing == 0
        assert len(replica.calls) == 3


async def test_http_2_is_not_asked_for_on_a_clients_behalf() -> None:
    async with serving() as (_, replica, client):
        headers = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
        assert (await client.call(headers=headers)).status == 200
        assert replica.calls[0].header("upgrade") is None
        assert replica.calls[0].header("connection") is None


async def test_a_switch_nobody_asked_for_is_502() -> None:
    async with serving() as (_, replica, client):
        replica.auto = False
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].writer.write(SWITCH)
        assert (await client.answer()).status == 502


async def test_a_held_upgrade_is_forwarded_when_there_is_a_replica() -> None:
    async with serving() as (it, _, client):
        it.revision("app-2", containerConcurrency=1)
        it.route(("app-2", 100))
        await routed_to(it, "app-2")
        client.send("/chat", headers=ASK)
        await eventually(lambda: it.now("default/app-2").queued == 1)
        second = await it.replica("p2", "app-2")
        await eventually(lambda: bool(second.calls))


@pytest.mark.parametrize("bound", ["timeoutSeconds", "idleTimeoutSeconds"])
async def test_a_tunnel_ends_with_the_bounds_of_its_revision(bound: str) -> None:
    async with serving(deadline_grain_s=0.01) as (it, _, client):
        it.revision("app-2", **{bound: 0.05})
        it.route(("app-2", 100))
        second = await it.replica("p2", "app-2")
        await routed_to(it, "app-2")
        await it.ready(1, "default/app-2")
        await switched(it, second, client)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(client.reader.read(), 10) == b""
        await eventually(lambda: it.now("default/app-2").executing == 0)


async def test_stopping_ends_tunnels() -> None:
    async with serving() as (it, replica, client):
        await switched(it, replica, client)
        it.activator._close()
        assert await asyncio.wait_for(client.reader.read(), 10) == b""
        await eventually(lambda: not it.activator.statistics().connections)


def test_a_websocket_on_the_loop_of_production() -> None:
    async def scenario() -> None:
        async with serving() as (it, replica, _):
            replica.auto = False
            host, port = it.activator.address
            async with ClientSession() as session, asyncio.TaskGroup() as tasks:
                tasks.create_task(accept(replica))
                headers = {"Host": "app.default.localhost"}
                async with session.ws_connect(f"http://{host}:{port}/ws", headers=headers) as ws:
                    message = await ws.receive(10)
                    assert (message.type, message.data) == (WSMsgType.TEXT, "hi")
                    assert it.now().executing == 1
            await eventually(lambda: it.now().executing == 0)

    async def accept(replica: Replica) -> None:
        await eventually(lambda: bool(replica.calls))
        call = replica.calls[0]
        key = (call.header("sec-websocket-key") or "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accepted = base64.b64encode(hashlib.sha1(key.encode()).digest())
        call.writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n\x81\x02hi\x88\x02\x03\xe8" % accepted
        )

    uvloop.run(scenario())
