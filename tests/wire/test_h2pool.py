"""The shared HTTP/2 connections to one address, over a real socket."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from wire.address import Address
from wire.exchange import Exchange
from wire.h2pool import H2Pool
from wire.limits import Limits
from wire.roster import Roster
from wire.server import ServerProtocol

HEAD = b"POST /x?y HTTP/1.1\r\nhost: h\r\nx-a: 1\r\n%bx-request-id: r\r\n\r\n"


class Far:
    """A server that answers when it is told to."""

    def __init__(self, path: Path, streams_max: int) -> None:
        self.path = path
        self.limits = Limits(streams_max=streams_max)
        self.roster = Roster(self.limits)
        self.asked: list[Exchange] = []
        self.connections = 0
        self.pool: H2Pool
        self.ends = 0

    def on_request(self, exchange: Exchange) -> None:
        self.asked.append(exchange)

    def make(self) -> ServerProtocol:
        self.connections += 1
        return ServerProtocol(self, self.limits, self.roster)

    def ended(self) -> None:
        self.ends += 1


class Receiver:
    def __init__(self) -> None:
        self.status = 0
        self.lost = ""

    def on_answer(self, connection: Any) -> None:
        self.status = connection.status

    def on_answer_body(self, data: bytes) -> None:
        pass

    def on_answer_end(self) -> None:
        pass

    def on_answer_lost(self, why: str) -> None:
        self.lost = why

    def on_upstream_writable(self, is_writable: bool) -> None:
        pass


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def far(streams_max: int = 100) -> AsyncIterator[Far]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        it = Far(Path(folder) / "s", streams_max)
        server = await asyncio.get_running_loop().create_unix_server(it.make, str(it.path))
        it.pool = H2Pool(Address(path=str(it.path)), on_idle_end=it.ended)
        yield it
        it.pool.close()
        it.roster.retire()
        server.close()
        await until(lambda: not len(it.roster))


async def test_a_head_is_written_as_http_2_has_it() -> None:
    async with far() as it:
        stream = await it.pool.connect()
        stream.send(Receiver(), HEAD % b"content-length: 2\r\n" + b"ab")  # type: ignore[arg-type]
        await until(lambda: bool(it.asked))
        (asked,) = it.asked
        assert (asked.method, asked.target, asked.take()) == (b"POST", b"/x?y", b"ab")
        assert asked.headers == [
            (b"host", b"h"),
            (b"x-a", b"1"),
            (b"content-length", b"2"),
            (b"x-request-id", b"r"),
        ]
        assert stream.body == b"ab"
        other = it.pool.take()
        assert other is not None
        other.send(Receiver(), HEAD % b"content-type: application/grpc\r\n", is_complete=False)
        await until(lambda: len(it.asked) == 2)
        assert it.asked[1].index[b"te"] == b"trailers"
        assert other.body is None
        assert it.connections == 1
        for each in it.asked:
            each.respond(200, b"", b"")
        await until(lambda: stream.status == 200 and other.status == 200)


async def test_who_comes_at_once_shares_connections_and_no_more_than_each_takes() -> None:
    async with far(streams_max=3) as it:

        async def ask() -> None:
            stream = await it.pool.connect()
            stream.send(Receiver(), HEAD % b"")

        async with asyncio.TaskGroup() as group:
            for _ in range(7):
                group.create_task(ask())
        await until(lambda: len(it.asked) == 7)
        assert it.connections == len(it.pool) == 3
        for each in it.asked:
            each.respond(200, b"", b"")


async def test_what_is_idle_is_closed_and_what_runs_is_not() -> None:
    async with far() as it:
        stream = await it.pool.connect()
        receiver = Receiver()
        stream.send(receiver, HEAD % b"")
        it.pool.close_idle()
        assert len(it.pool) == 1
        await until(lambda: bool(it.asked))
        it.asked[0].respond(200, b"", b"")
        await until(lambda: receiver.status == 200)
        it.pool.give_back(stream, now_s=0.0)
        it.pool.close_idle(before_s=0.0)
        assert len(it.pool) == 1
        it.pool.close_idle()
        assert len(it.pool) == it.ends == 0


async def test_a_closed_pool_lets_what_runs_end() -> None:
    async with far() as it:
        stream = await it.pool.connect()
        receiver = Receiver()
        stream.send(receiver, HEAD % b"")
        await until(lambda: bool(it.asked))
        it.pool.close()
        assert len(it.pool) == 1
        it.asked[0].respond(200, b"", b"")
        await until(lambda: receiver.status == 200)
        assert not stream.let_go()
        await until(lambda: not len(it.pool) and not len(it.roster))


async def test_the_end_of_an_idle_connection_is_told() -> None:
    async with far() as it:
        stream = await it.pool.connect()
        assert not stream.let_go()  # nothing was sent
        it.roster.retire()
        await until(lambda: it.ends == 1)
        assert len(it.pool) == 0


async def test_nothing_listens() -> None:
    with pytest.raises(OSError, match="No such file"):
        await H2Pool(Address(path="/tmp/none")).connect()
