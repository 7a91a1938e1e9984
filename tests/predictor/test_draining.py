"""Nothing is cut short: what is waited for before a predictor leaves or rests."""

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
            emptied = tasks.create_task(draining.empty_backlog(listener))
            done, _ = await asyncio.wait([emptied], timeout=0.05)
            assert not done
            listener.accept()[0].close()
