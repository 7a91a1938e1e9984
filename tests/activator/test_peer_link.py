"""One connection between two activators."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from activator import peer_link
from activator.peer_link import PeerLink
from activator.peer_messages import LINE_BYTES_MAX, Done, Hello, Message, Ping
from tests.activator.world import eventually


class End:
    """One end of a link, and what it heard."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.ends = 0
        self.link = PeerLink(self._on_message, self._on_end)

    def _on_message(self, link: PeerLink, message: Message) -> None:
        self.heard.append(message)

    def _on_end(self, link: PeerLink) -> None:
        self.ends += 1


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[End, End]]:
    loop = asyncio.get_running_loop()
    one, other = End(), End()
    server = await loop.create_server(lambda: other.link, "127.0.0.1", 0)
    async with server:
        await loop.create_connection(lambda: one.link, *server.sockets[0].getsockname()[:2])
        try:
            yield one, other
        finally:
            one.link.end("over")
            await eventually(lambda: bool(one.ends and other.ends))


async def test_what_is_said_arrives_in_order_both_ways() -> None:
    async with linked() as (one, other):
        said = [Hello("a", "life", 1), *(Done(number, "ns", "rev") for number in range(5000))]
        for message in said:
            one.link.send(message)
        other.link.send(Ping())
        await eventually(lambda: len(other.heard) == len(said))
        assert other.heard == said
        await eventually(lambda: one.heard == [Ping()])
        assert other.link.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "can not be read: not JSON"),
        (b'["ping"]\n["shout"]\n["ping"]\n', "can not be read: no message known here"),
        (b"x" * (LINE_BYTES_MAX + 1), "a line without an end"),
    ],
)
async def test_who_speaks_otherwise_is_cut_off(data: bytes, why: str) -> None:
    async with linked() as (one, other):
        transport = one.link._transport
        assert transport is not None
        transport.write(data)
        await eventually(lambda: bool(other.ends))
        assert why in other.link.why
        assert len(other.heard) <= 1


async def test_its_end_is_told_once_and_what_is_said_then_is_lost() -> None:
    async with linked() as (one, other):
        one.link.send(Ping())
        one.link.close()
        await eventually(lambda: bool(one.ends and other.ends))
        assert other.heard == [Ping()]
        one.link.send(Ping())
        one.link.end("again")
        await asyncio.sleep(0)
        assert (one.ends, other.ends) == (1, 1)
        assert one.link.ended.done()
        assert one.link.greeted.cancelled()


async def test_who_does_not_read_what_it_is_told_is_no_peer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peer_link, "UNSENT_BYTES_MAX", 100_000)
    async with linked() as (one, other):
        assert other.link._transport is not None
        other.link._transport.pause_reading()
        while not one.ends:
            for number in range(1000):
                one.link.send(Done(number, "ns", "rev"))
            await asyncio.sleep(0)
        assert one.link.why == "it reads too slowly"
        other.link.end("over")
