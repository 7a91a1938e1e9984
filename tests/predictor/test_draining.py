"""Nothing is cut short: what is waited for before a predictor leaves or rests."""

import asyncio
import contextlib
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from predictor import draining
from predictor.draining import Connections
from predictor.lifecycle import Lifecycle, Phase


@dataclass
class Busy:
    is_busy: bool = False
    active_s: float = 0.0


class Transport:
    def __init__(self, unsent: int) -> None:
        self.unsent = unsent
        self.is_closed = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def get_protocol(self) -> asyncio.BaseProtocol:
        return asyncio.Protocol()

    def close(self) -> None:
        self.is_closed = True


def ready() -> Lifecycle:
    life = Lifecycle(quiet_s=0.0, grace_s=60.0)
    life.loaded()
    return life


async def test_it_ends_when_nothing_runs_and_all_is_sent() -> None:
    for rests in (True, False):
        loop = asyncio.get_running_loop()
        life, busy, connections = ready(), Busy(is_busy=True), Connections()
        transport: Any = Transport(5)
        connections.transports.add(transport)
        life.settle(now_s=loop.time()) if rests else life.stop(now_s=loop.time())
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(draining.drain(life, busy, connections))
            done, _ = await asyncio.wait([waiting], timeout=0.05)
            assert not done
            busy.is_busy = False
            done, _ = await asyncio.wait([waiting], timeout=0.05)
            assert not done
            transport.unsent = 0
        assert life.phase is (Phase.SETTLED if rests else Phase.GONE)
        assert transport.is_closed


async def test_it_is_not_waited_for_beyond_a_stop() -> None:
    loop = asyncio.get_running_loop()
    life = ready()
    life.settle(now_s=loop.time())
    stopped = loop.create_future()
    loop.call_soon(stopped.set_result, None)
    async with asyncio.timeout(20):
        await draining.drain(life, Busy(is_busy=True), Connections(), unless=stopped)
    assert life.phase is Phase.SETTLING


async def test_a_backlog_is_empty_once_all_is_accepted(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(short_path / "s"))
        listener.listen()
        client.connect(str(short_path / "s"))
        async with asyncio.TaskGroup() as tasks:
            by_s = asyncio.get_running_loop().time() + 3600
            emptied = tasks.create_task(draining.empty_backlog(listener, by_s=by_s))
            done, _ = await asyncio.wait([emptied], timeout=0.05)
            assert not done
            listener.accept()[0].close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is told to complete no more")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_clients_that_come_anew_for_ever_do_not_hold_it_and_none_is_left(host: str) -> None:
    """Each that was accepted is followed by another, until no more are completed."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, 0), family=family, backlog=100)
    except OSError as error:
        pytest.skip(f"{host}: {error}")
    came: list[socket.socket] = []
    accepted: list[socket.socket] = []

    def come() -> None:
        client = socket.socket(family)
        came.append(client)
        client.setblocking(False)
        client.connect_ex(listener.getsockname())

    async def accept() -> None:
        while True:
            come()
            with contextlib.suppress(BlockingIOError):
                accepted.append(listener.accept()[0])
            await asyncio.sleep(0.001)

    with contextlib.ExitStack() as opened:
        opened.enter_context(listener)
        listener.setblocking(False)
        come()
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            accepting = tasks.create_task(accept())
            await draining.empty_backlog(listener, by_s=loop.time() + 0.05)
            accepting.cancel()
        connected = [each for each in came if is_connected(each)]
        assert {each.getsockname() for each in connected} == {
            each.getpeername() for each in accepted
        }
        assert len(came) > len(connected) > 2
        for each in (*came, *accepted):
            opened.enter_context(each)


def is_connected(client: socket.socket) -> bool:
    try:
        return bool(client.getpeername())
    except OSError:
        return False


async def test_at_a_unix_socket_who_comes_later_stays_with_its_maker(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(short_path / "s"))
        listener.listen()
        client.connect(str(short_path / "s"))
        async with asyncio.timeout(20):
            by_s = asyncio.get_running_loop().time()
            await draining.empty_backlog(listener, by_s=by_s)
        with listener.accept()[0] as theirs:
            client.send(b"x")
            assert theirs.recv(1) == b"x"
