"""Who is connected with whom, and who is no peer. What they share: test_company.py."""

import asyncio

import pytest

from activator.peer_messages import Hello, decode, encode
from activator.peers import PeerSettings
from api import kinds
from tests.activator.fleet import fleet
from tests.activator.world import eventually


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="name: must be that of this Pod"):
        PeerSettings(name="", namespace="ns")
    with pytest.raises(ValueError, match="redial_s: must be over 0"):
        PeerSettings(name="a", namespace="ns", redial_s=0)


async def test_there_is_one_connection_a_pair_and_all_find_the_same_ring() -> None:
    async with fleet("a", "b", "c", "d") as it:
        for name, each in it.serving.items():
            assert sorted(each.ring.peers) == sorted(set("abcd") - {name})
            assert each.ring.eligible == ["a", "b", "c", "d"]
            assert each.activator.is_ready
        accepted = [len(each.activator.peers._accepted) for each in it.serving.values()]  # type: ignore[union-attr]
        assert accepted == [0, 1, 2, 3]


async def test_one_that_can_not_be_reached_is_waited_for_a_while_only() -> None:
    async with fleet() as it:
        it.cluster.activator("nobody", 1)
        it.cluster.activator("one-that-ends", 1, deletionTimestamp="2026-01-01T00:00:00Z")
        late = await it.start("a", join_s=0.2)
        assert late.activator.is_ready
        assert late.ring.eligible == ["a"]


async def test_one_whose_pod_is_new_is_found_by_those_that_run() -> None:
    async with fleet("b") as it:
        await it.start("a")
        await it.agreed()
        await it.start("c")
        await it.agreed()


@pytest.mark.parametrize(
    "said",
    [
        b'["ping"]\n',
        encode(Hello("stranger", "life", 1)),
        encode(Hello("a", "life", 1)),  # itself
        encode(Hello("b", "life", 99)),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_who_is_no_peer_is_shown_the_door(said: bytes) -> None:
    async with fleet("a") as it:
        it.cluster.activator("b", 1)
        peers = it.serving["a"].activator.peers
        assert peers is not None
        await eventually(lambda: "b" in peers._facts)
        reader, writer = await asyncio.open_connection(*peers.address)
        writer.write(said)
        assert await _rest(reader) == b""
        writer.close()
        assert it.serving["a"].ring.peers == []


async def test_who_says_nothing_is_not_waited_for() -> None:
    async with fleet("a") as it:
        peers = it.serving["a"].activator.peers
        assert peers is not None
        reader, writer = await asyncio.open_connection(*peers.address)
        assert await _rest(reader) == b""
        writer.close()


async def test_a_peer_that_falls_silent_is_gone() -> None:
    async with fleet("b", beat_s=0.02, silence_s=0.2) as it:
        it.cluster.activator("a", 1)
        peers = it.serving["b"].activator.peers
        assert peers is not None
        await eventually(lambda: "a" in peers._facts)
        reader, writer = await asyncio.open_connection(*peers.address)
        writer.write(encode(Hello("a", "life", 1)))
        assert isinstance(decode(await reader.readline()), Hello)
        writer.write(b'["standing","member",["b"]]\n')
        ring = it.serving["b"].ring
        await eventually(lambda: ring.eligible == ["a", "b"])
        await _rest(reader)
        await eventually(lambda: ring.eligible == ["b"])
        writer.close()


async def test_a_process_started_anew_under_a_name_is_another_life() -> None:
    async with fleet("a", "b") as it:
        await it.serving.pop("b").kill()
        it.cluster.remove(kinds.PODS, "b")
        await it.start("b")
        await it.agreed()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end."""
    try:
        async with asyncio.timeout(10):
            return (await reader.read()).replace(b'["ping"]\n', b"")
    except ConnectionError:
        return b""


async def test_one_whose_pod_goes_while_it_is_called_again_is_gone() -> None:
    calls: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(lambda *call: calls.put_nowait(call), "127.0.0.1", 0)
    async with server, fleet("a") as it:
        it.cluster.activator("b", server.sockets[0].getsockname()[1])
        reader, writer = await calls.get()
        assert isinstance(decode(await reader.readline()), Hello)
        writer.write(encode(Hello("b", "life", 1)) + b'["standing","member",["a"]]\n')
        ring = it.serving["a"].ring
        await eventually(lambda: ring.eligible == ["a", "b"])
        writer.close()
        reader, writer = await calls.get()  # it connects anew, and is not answered
        assert isinstance(decode(await reader.readline()), Hello)
        it.cluster.remove(kinds.PODS, "b")
        assert await _rest(reader) == b""
        await eventually(lambda: ring.eligible == ["a"])
        writer.close()


async def test_what_one_did_before_it_listened_is_not_taken_for_standing_still(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked: list[float] = []

    def clock() -> float:
        """Ten seconds pass while it gets to know the objects there are."""
        asked.append(0.0)
        return 0.0 if len(asked) == 1 else 10.0

    async with fleet("a") as it:
        await it.start("b", clock=clock)
        await it.agreed()
        await eventually(lambda: len(asked) > 5)
    assert "stood still" not in caplog.text


async def test_who_calls_from_elsewhere_than_its_pod_is_no_peer() -> None:
    async with fleet("a") as it:
        it.cluster.activator("b", 1, host="127.0.0.2")
        peers = it.serving["a"].activator.peers
        assert peers is not None
        await eventually(lambda: "b" in peers._facts)
        reader, writer = await asyncio.open_connection(*peers.address)
        writer.write(encode(Hello("b", "life", 1)))
        assert await _rest(reader) == b""
        writer.close()
        assert not peers.ring.reaches("b")


async def test_a_connection_anew_ends_the_one_before() -> None:
    async with fleet("b", silence_s=1000.0) as it:
        it.cluster.activator("a", 1)
        peers = it.serving["b"].activator.peers
        assert peers is not None
        await eventually(lambda: "a" in peers._facts)
        first, one = await asyncio.open_connection(*peers.address)
        one.write(encode(Hello("a", "life", 1)))
        await eventually(lambda: peers.ring.reaches("a"))
        second, other = await asyncio.open_connection(*peers.address)
        other.write(encode(Hello("a", "life", 1)))
        assert isinstance(decode(await second.readline()), Hello)
        await _rest(first)  # it ends, and not by silence
        assert peers.ring.reaches("a")
        one.close()
        other.close()


async def test_one_at_the_address_of_another_is_not_taken_for_it() -> None:
    calls: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(lambda *call: calls.put_nowait(call), "127.0.0.1", 0)
    async with server, fleet("a") as it:
        it.cluster.activator("b", server.sockets[0].getsockname()[1])
        reader, writer = await calls.get()
        assert isinstance(decode(await reader.readline()), Hello)
        writer.write(encode(Hello("c", "life", 1)))
        assert await _rest(reader) == b""
        writer.close()
        assert not it.serving["a"].ring.reaches("b")
        assert not it.serving["a"].ring.reaches("c")
