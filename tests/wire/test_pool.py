"""Idle connections: reuse, age, and their end."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.wire.test_client import ANSWERS, Receiver, ask
from wire.address import Address
from wire.pool import Pool


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Address, list[asyncio.StreamWriter]]]:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while await reader.read(1000):
            pass
        writer.transport.abort()

    server = await asyncio.start_unix_server(serve, folder / "s")
    try:
        yield Address(path=str(folder / "s")), writers
        for writer in writers:
            writer.transport.abort()
        for _ in range(5):
            await asyncio.sleep(0)
    finally:
        server.close()
        shutil.rmtree(folder)


async def until(condition: object) -> None:
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator] # a function
            await asyncio.sleep(0.001)


async def test_the_youngest_is_taken_first_and_the_oldest_closed_first() -> None:
    async with listening() as (address, _):
        pool = Pool(address)
        assert pool.take() is None
        first, second = await pool.connect(), await pool.connect()
        pool.give_back(first, now_s=1)
        pool.give_back(second, now_s=2)
        assert pool.take() is second
        pool.give_back(second, now_s=3)
        pool.close_idle(before_s=3)
        assert len(pool) == 1
        assert pool.take() is second
        assert first.transport.is_closing()
        pool.give_back(second, now_s=4)
        pool.close()
        assert second.transport.is_closing()


async def test_an_end_of_an_idle_connection_is_noticed_and_told() -> None:
    ends: list[int] = []
    async with listening() as (address, writers):
        pool = Pool(address, on_idle_end=lambda: ends.append(1))
        connection = await pool.connect()
        pool.give_back(connection, now_s=0)
        await until(lambda: writers)
        writers[0].transport.abort()
        await until(lambda: ends)
        assert len(pool) == 0
        assert pool.take() is None


async def test_an_end_of_a_busy_connection_is_not_told_to_the_pool() -> None:
    ends: list[int] = []
    async with listening() as (address, writers):
        pool = Pool(address, on_idle_end=lambda: ends.append(1))
        connection = await pool.connect()
        receiver = ask(connection)
        await until(lambda: writers)
        writers[0].transport.abort()
        await until(lambda: receiver.lost)
        pool.give_back(connection, now_s=0)
        assert len(pool) == 0
        assert not ends


async def test_a_full_or_closed_pool_keeps_nothing() -> None:
    async with listening() as (address, _):
        pool = Pool(address, idle_max=1)
        first, second = await pool.connect(), await pool.connect()
        pool.give_back(first, now_s=0)
        pool.give_back(second, now_s=0)
        assert len(pool) == 1
        assert second.transport.is_closing()
        pool.close()
        third = await pool.connect()
        pool.give_back(third, now_s=0)
        assert len(pool) == 0


async def test_nobody_listening_is_an_error_of_the_world() -> None:
    pool = Pool(Address(path="/tmp/relight-nobody-listens-here"))
    with pytest.raises(OSError, match="No such file"):
        await pool.connect()


async def test_tcp() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWERS["length"][0])
        await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        pool = Pool(Address(host="127.0.0.1", port=server.sockets[0].getsockname()[1]))
        connection = await pool.connect()
        receiver: Receiver = ask(connection)
        await until(lambda: receiver.ends)
        assert receiver.body == b"abc"
        pool.give_back(connection, now_s=0)
        pool.close()
        await until(lambda: connection.transport.is_closing())
        for _ in range(5):
            await asyncio.sleep(0)
