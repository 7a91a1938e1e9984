"""What comes over a status channel."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from predictor import forking, orders
from predictor.orders import Order, Orders


@pytest.fixture
def channel() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


async def next_of(told: Orders) -> Order:
    async with asyncio.timeout(20):
        return await told.coming()


async def test_orders_come_in_order_with_their_descriptors(
    channel: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    ours, theirs = channel
    told = Orders(theirs.fileno())
    ours.send(b'{"op": "settle"}')
    with (tmp_path / "log").open("wb") as log:
        socket.send_fds(ours, [b'{"op": "resume", "asked_ns": 7}'], [log.fileno()])
    assert await next_of(told) == Order(op="settle")
    order = await next_of(told)
    assert (order.op, order.asked_ns) == ("resume", 7)
    assert str(Path(f"/proc/self/fd/{order.log_fd}").readlink()) == str(tmp_path / "log")
    os.close(order.log_fd)
    told.close()


async def test_the_same_order_is_awaited_until_it_came(
    channel: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = channel
    told = Orders(theirs.fileno())
    first = told.coming()
    assert told.coming() is first
    ours.send(b'{"op": "settle"}')
    async with asyncio.timeout(20):
        await first
    assert told.coming() is not first
    told.close()


@pytest.mark.parametrize(
    "message", [b"{", b"[]", b'{"op": "dance"}', b'{"op": "resume"}', b'{"no": "op"}']
)
async def test_nonsense_is_dropped(
    channel: tuple[socket.socket, socket.socket],
    message: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ours, theirs = channel
    told = Orders(theirs.fileno())
    ours.send(message)
    ours.send(b'{"op": "settle"}')
    assert (await next_of(told)).op == "settle"
    assert "makes no sense" in caplog.text
    told.close()


async def test_descriptors_that_were_not_expected_are_closed(
    channel: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = channel
    told = Orders(theirs.fileno())
    read, write = os.pipe()
    socket.send_fds(ours, [b'{"op": "settle"}'], [write])
    os.close(write)
    ours.send(b'{"op": "settle"}')
    assert (await next_of(told)).op == "settle"
    assert os.read(read, 1) == b"", "the last writing end is closed"
    os.close(read)
    assert "0 descriptors expected" in caplog.text
    told.close()


async def test_the_end_of_the_platform_and_a_pipe_bring_nothing(
    channel: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = channel
    told = Orders(theirs.fileno())
    ours.close()
    coming = told.coming()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not coming.done()
    told.close()
    read, write = os.pipe()
    told = Orders(write)
    assert not told.coming().done()
    told.close()
    os.close(read)
    os.close(write)


def test_output_goes_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redirected: list[str] = []

    def note(descriptor: int) -> None:
        redirected.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        os.close(descriptor)

    monkeypatch.setattr(forking, "redirect", note)
    orders.fall_silent()
    log_fd = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    assert orders.heed(Order(op="resume", log_fd=log_fd, asked_ns=0)) > 0
    assert redirected == [os.devnull, str(tmp_path / "log")]
