"""Two joined connections, over real sockets on both loops."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from wire.limits import Limits
from wire.roster import Roster
from wire.tunnel import Tunnel


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


class Joined:
    """A client and a server that see each other through a tunnel."""

    def __init__(self) -> None:
        self.roster = Roster(Limits())
        self.overs = 0
        self.passed = 0
        self.tunnel: Tunnel
        self.sides: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    def over(self) -> None:
        self.overs += 1

    def bytes(self) -> None:
        self.passed += 1


@asynccontextmanager
async def joined() -> AsyncIterator[Joined]:
    it = Joined()
    inner: list[asyncio.Transport] = []
    loop = asyncio.get_running_loop()

    class Catch(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            inner.append(transport)  # type: ignore[arg-type] # uvloop's is none by its type

    server = await loop.create_server(Catch, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for count in (1, 2):
            it.sides.append(await asyncio.open_connection("127.0.0.1", port, limit=1000))
            await eventually(lambda n=count: len(inner) == n)
        inner[0].pause_reading()  # as a client that sent too much before the switch
        it.tunnel = Tunnel(*inner, roster=it.roster, on_over=it.over, on_bytes=it.bytes)
        try:
            yield it
        finally:
            for _, writer in it.sides:
                writer.transport.abort()
            await eventually(lambda: it.overs == 1)
            assert len(it.roster) == 0


LOOPS = pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])


def run(
    factory: Callable[[], asyncio.AbstractEventLoop],
    scenario: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(scenario())


@LOOPS
def test_bytes_pass_both_ways(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def scenario() -> None:
        async with joined() as it:
            (client, to_client), (server, to_server) = it.sides
            assert len(it.roster) == 1
            to_client.write(b"ping")
            assert await asyncio.wait_for(server.readexactly(4), 10) == b"ping"
            to_server.write(b"pong")
            assert await asyncio.wait_for(client.readexactly(4), 10) == b"pong"
            assert it.passed == 2
            it.tunnel.check(0.0)
            assert it.overs == 0

    run(factory, scenario)


@LOOPS
@pytest.mark.parametrize("side", [0, 1])
def test_the_end_of_one_side_ends_the_other_after_what_was_sent(
    factory: Callable[[], asyncio.AbstractEventLoop], side: int
) -> None:
    async def scenario() -> None:
        async with joined() as it:
            size = 300_000
            it.sides[side][1].write(b"a" * size)
            it.sides[side][1].write_eof()
            other = it.sides[1 - side][0]
            assert len(await asyncio.wait_for(other.read(-1), 10)) == size
            assert it.overs == 1

    run(factory, scenario)


@LOOPS
def test_a_side_that_stops_reading_stops_the_other(
    factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> None:
        async with joined() as it:
            to_client = it.sides[0][1]
            size = 50_000_000
            to_client.write(b"a" * size)
            buffered = -1
            while buffered != (buffered := to_client.transport.get_write_buffer_size()):
                for _ in range(200):
                    await asyncio.sleep(0)
            assert buffered > size / 2
            left = size
            while left:
                left -= len(await asyncio.wait_for(it.sides[1][0].read(1_000_000), 10))

    run(factory, scenario)


@LOOPS
@pytest.mark.parametrize("how", ["abort", "close", "retire"])
def test_a_tunnel_can_be_ended(factory: Callable[[], asyncio.AbstractEventLoop], how: str) -> None:
    async def scenario() -> None:
        async with joined() as it:
            getattr(it.tunnel, how)()
            getattr(it.tunnel, how)()
            assert it.overs == 1
            for reader, _ in it.sides:
                try:
                    assert await asyncio.wait_for(reader.read(-1), 10) == b""
                except ConnectionResetError:
                    assert how == "abort"

    run(factory, scenario)
