import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from activator import stat_link
from activator.stat_link import StatLink
from api import keys, stats
from api.kinds import LEASES
from api.stats import Stat
from tests.cluster.serving import Served

DEADLINE_S = 10.0


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@dataclass
class Leader:
    """An autoscaler at the other end, as far as the connection goes."""

    name: str
    heard: list[Any] = field(default_factory=list)
    connections: int = 0
    ended: int = 0
    is_mute: bool = False
    first: Any = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        writers: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            self.connections += 1
            while line := await reader.readline():
                message = orjson.loads(line)
                self.heard.append(message)
                if self.is_mute:
                    continue
                if "hello" in message:
                    answer = self.first or stats.hello(self.name)
                    writer.write(orjson.dumps(answer) + b"\n")
                elif "beat" in message:
                    writer.write(line)
            self.ended += 1
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for writer in writers:
                writer.close()

    def said(self, what: str) -> list[Any]:
        return [each for each in self.heard if what in each]


async def lead(served: Served, address: str) -> None:
    """Write the Lease as whoever leads does."""
    metadata = {"name": "autoscaler", "namespace": "default"}
    lease = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata}
    patch = {"metadata": {"annotations": {keys.ADDRESS: address}}}
    try:
        await served.direct.patch(LEASES, "default", "autoscaler", patch)
    except Exception:  # noqa: BLE001 - there is none yet
        await served.direct.create(LEASES, {**lease, "metadata": metadata | patch["metadata"]})


@asynccontextmanager
async def linked(served: Served) -> AsyncIterator[StatLink]:
    link = StatLink(served.direct, "me", namespace="default", rng=random.Random(1))
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        running = group.create_task(link.run())
        yield link
        running.cancel()


async def until(holds: Callable[[], Any]) -> None:
    while not holds():
        await asyncio.sleep(0.005)


def stat(revision: str = "r", **more: Any) -> Stat:
    return Stat(
        namespace="n",
        revision=revision,
        reporter="me",
        time_s=1.0,
        average_concurrency=1.0,
        requests_per_s=0.0,
        **more,
    )


async def test_reports_reach_whom_the_lease_names(served: Served) -> None:
    leader = Leader("one")
    async with leader.listening() as address, linked(served) as link:
        link.report([stat()])  # to nobody
        assert link.statistics().dropped == 1
        await lead(served, address)
        await until(lambda: link.statistics().is_up)
        link.report([stat(queued=3, is_poke=True)])
        await until(lambda: leader.said("stats"))
        (message,) = leader.said("stats")
        (read,) = stats.read_stats(message, reporter="me", time_s=1.0)
        assert read == stat(queued=3, is_poke=True)
        assert leader.heard[0] == stats.hello("me")
        found = link.statistics()
        assert (found.reports, found.pokes, found.connects, found.address) == (1, 1, 1, address)


async def test_everything_that_waits_is_told_to_whoever_leads_next(served: Served) -> None:
    one, two = Leader("one"), Leader("two")
    async with one.listening() as first, two.listening() as second, linked(served) as link:
        link.on_up = lambda: link.report([stat(is_poke=True)])
        await lead(served, first)
        await until(lambda: one.said("stats"))
        await lead(served, second)
        await until(lambda: two.said("stats"))
        await until(lambda: one.ended)
        assert link.statistics().connects == 2


async def test_a_leader_that_died_is_left_and_one_that_came_back_is_found(served: Served) -> None:
    leader = Leader("one")
    async with linked(served) as link:
        async with leader.listening() as address:
            await lead(served, address)
            await until(lambda: link.statistics().is_up)
        await until(lambda: not link.statistics().is_up)
        host, port = address.split(":")
        # It is tried again and again, until somebody listens there.
        with socket.create_server((host, int(port))) as bound:
            bound.setblocking(False)
            connection, _ = await asyncio.get_running_loop().sock_accept(bound)
            connection.close()


async def test_a_leader_that_falls_silent_is_left(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "SILENCE_S", DEADLINE_S)
    monkeypatch.setattr(stats, "BEAT_S", 0.02)
    leader = Leader("one")
    async with leader.listening() as address, linked(served) as link:
        await lead(served, address)
        await until(lambda: link.statistics().is_up)
        await until(lambda: len(leader.said("beat")) > 10)
        assert leader.connections == 1  # whoever answers stays
        monkeypatch.setattr(stats, "SILENCE_S", 0.1)  # only now: this machine may stand still
        leader.is_mute = True
        await until(lambda: leader.ended)
        assert not link.statistics().is_up


async def test_a_leader_is_not_left_for_our_own_standstill(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "SILENCE_S", 0.3)
    monkeypatch.setattr(stats, "BEAT_S", 0.02)
    leader = Leader("one")
    async with leader.listening() as address, linked(served) as link:
        await lead(served, address)
        await until(lambda: link.statistics().is_up)
        for _ in range(3):
            time.sleep(0.4)  # noqa: ASYNC251 - this whole process stands still
            heard = len(leader.said("beat"))
            await until(lambda since=heard: leader.ended or len(leader.said("beat")) > since + 1)
        assert (leader.ended, leader.connections) == (0, 1)


async def test_one_that_takes_no_reports_is_asked_again_later(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    leader = Leader("one", first={"refused": "too many report here already"})
    async with leader.listening() as address, linked(served) as link:
        await lead(served, address)
        await until(lambda: leader.connections > 1)
        assert not link.statistics().is_up
    assert "too many report here already" in caplog.text


async def test_leaving_is_announced(served: Served) -> None:
    leader = Leader("one")
    async with leader.listening() as address:
        async with linked(served) as link:
            await lead(served, address)
            await until(lambda: link.statistics().is_up)
        async with asyncio.timeout(DEADLINE_S):
            await until(lambda: leader.said("leaving"))


def told() -> tuple[stat_link._Peer, list[bytes]]:
    """One side of a connection, and what it sends."""
    sent: list[bytes] = []

    class Transport(asyncio.Transport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            pass

        def write(self, data: Any) -> None:
            sent.append(data)

    peer = stat_link._Peer("me", lambda: None)
    peer.connection_made(Transport())
    return peer, sent


async def test_what_waits_for_a_leader_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stat_link, "_WAITING_MAX", 2)
    peer, sent = told()
    peer.pause_writing()
    assert peer.tell([stat("a"), stat("b"), stat("c"), stat("d"), stat("a", queued=3)]) == 3
    sent.clear()
    peer.resume_writing()
    (line,) = sent
    read = stats.read_stats(orjson.loads(line), reporter="me", time_s=1.0)
    assert read == [stat("a", queued=3), stat("b")]


async def test_to_a_leader_that_reads_slowly_the_newest_is_kept() -> None:
    peer, sent = told()
    sent.clear()
    peer.pause_writing()
    assert peer.tell([stat("a", queued=1), stat("b"), stat("a", queued=1, is_poke=True)]) == 0
    assert peer.tell([stat("a", queued=5), stat("a", queued=4, is_poke=True)]) == 2
    assert sent == []
    peer.resume_writing()
    (line,) = sent
    read = stats.read_stats(orjson.loads(line), reporter="me", time_s=1.0)
    assert read == [stat("a", queued=4, is_poke=True), stat("a", queued=5), stat("b")]


async def test_a_thousand_revisions_are_told_in_lines_of_bounded_length() -> None:
    peer, sent = told()
    peer.tell([stat("x" * 253) for _ in range(2 * stats.ROWS_MAX + 1)])
    assert len(sent) == 4
    assert max(map(len, sent)) < stats.LINE_BYTES_MAX
