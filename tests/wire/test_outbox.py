"""What is sent together, what by itself, and when, with literal times."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.memory import Memory
from wire.exchange import Exchange
from wire.limits import Limits
from wire.outbox import GAP_MAX_S, TOGETHER_MAX, Outbox
from wire.roster import Roster
from wire.server import ServerProtocol

QUICK_S, LATE_S = GAP_MAX_S / 2, GAP_MAX_S * 2


class Loop:
    """Keeps what is to run at the end of a turn."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Turn:
    """An outbox at literal times; senders are their numbers."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.now_s = 10.0
        loop: Any = self.loop
        self.outbox = Outbox(loop, clock=lambda: self.now_s)
        self.sent: list[int] = []

    def put(self, number: int, after_s: float) -> None:
        self.now_s += after_s
        sender = type("Sender", (), {"flush": lambda _: self.sent.append(number)})()
        if not self.outbox.takes(sender):
            self.sent.append(number)


def test_the_first_goes_by_itself_and_quick_ones_behind_it_together() -> None:
    turn = Turn()
    turn.put(0, after_s=1)
    assert (turn.sent, turn.loop.soon) == ([0], [])
    turn.put(1, after_s=QUICK_S)
    turn.put(2, after_s=QUICK_S)
    assert turn.sent == [0]
    assert len(turn.loop.soon) == 1
    turn.loop.turn()
    assert turn.sent == [0, 1, 2]


def test_one_that_took_its_time_is_not_held_back_and_holds_nobody_back() -> None:
    turn = Turn()
    turn.put(0, after_s=1)
    turn.put(1, after_s=QUICK_S)
    turn.put(2, after_s=LATE_S)
    assert turn.sent == [0, 1, 2]
    turn.put(3, after_s=LATE_S)
    assert turn.sent == [0, 1, 2, 3]
    turn.loop.turn()
    assert turn.sent == [0, 1, 2, 3]


def test_a_long_turn_is_cut() -> None:
    turn = Turn()
    turn.put(0, after_s=1)
    for number in range(1, TOGETHER_MAX):
        turn.put(number, after_s=0)
    assert turn.sent == [0]
    turn.put(TOGETHER_MAX, after_s=0)
    assert len(turn.sent) == TOGETHER_MAX + 1
    turn.put(99, after_s=0)
    assert turn.sent[-1] == TOGETHER_MAX
    turn.loop.turn()
    assert turn.sent[-1] == 99


@given(st.lists(st.tuples(st.sampled_from([0.0, QUICK_S, LATE_S]), st.booleans())))
def test_all_go_once_in_their_order_by_the_end_of_their_turn(steps: list[Any]) -> None:
    turn = Turn()
    for number, (after_s, is_last) in enumerate(steps):
        turn.put(number, after_s=after_s)
        assert len(turn.sent) > number - TOGETHER_MAX
        if is_last:
            turn.loop.turn()
            assert turn.sent == list(range(number + 1))
    turn.loop.turn()
    assert turn.sent == list(range(len(steps)))


# -- connections that send by way of it --------------------------------------------------------

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


class App:
    def __init__(self, answer: Callable[[Exchange], None]) -> None:
        self.on_request = answer


def small(exchange: Exchange) -> None:
    exchange.respond(200, b"", exchange.target)


async def connection(answer: Callable[[Exchange], None]) -> tuple[ServerProtocol, Memory]:
    outbox = Outbox(asyncio.get_running_loop(), clock=lambda: 0.0)
    limits = Limits()
    protocol = ServerProtocol(App(answer), limits, Roster(limits, outbox=outbox))
    transport = Memory()
    protocol.connection_made(transport)
    protocol.data_received(GET)
    await asyncio.sleep(0)  # the first one is gone; the clock stands still from here on
    return protocol, transport


async def test_an_answer_is_written_at_the_end_of_the_turn() -> None:
    protocol, transport = await connection(small)
    transport.sent = b""
    protocol.data_received(GET)
    assert protocol.has_unsent
    assert transport.sent == b""
    await asyncio.sleep(0)
    assert not protocol.has_unsent
    assert transport.sent.endswith(b"\r\n\r\n/a")
    protocol.connection_lost(None)


async def test_two_answers_of_a_turn_are_one_write_in_their_order() -> None:
    protocol, transport = await connection(small)
    transport.sent, transport.writes = b"", 0
    protocol.data_received(GET + GET.replace(b"/a", b"/b"))
    await asyncio.sleep(0)
    assert [transport.sent.index(mark) for mark in (b"\r\n/a", b"\r\n/b")] == sorted(
        transport.sent.index(mark) for mark in (b"\r\n/a", b"\r\n/b")
    )
    assert transport.writes == 1
    protocol.connection_lost(None)


async def test_a_started_answer_does_not_overtake() -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.target == b"/a":
            small(exchange)
            return
        exchange.start(200, b"", content_length=2)
        exchange.write(b"xy")
        exchange.end()

    protocol, transport = await connection(answer)
    transport.sent = b""
    protocol.data_received(GET + GET.replace(b"/a", b"/b"))
    assert transport.sent.index(b"\r\n/a") < transport.sent.index(b"\r\nxy")
    protocol.connection_lost(None)


async def test_a_long_answer_waits_for_nobody() -> None:
    body = b"x" * 100_000
    protocol, transport = await connection(lambda one: one.respond(200, b"", body))
    transport.sent = b""
    protocol.data_received(GET)
    assert transport.sent.endswith(body)
    protocol.connection_lost(None)


@pytest.mark.parametrize("how", ["close", "eof", "bad", "abort", "retire"])
async def test_whatever_ends_a_connection_sends_what_waited(how: str) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.target == b"/abort":
            exchange.abort()
        else:
            small(exchange)

    protocol, transport = await connection(answer)
    transport.sent = b""
    if how == "close":
        protocol.data_received(GET.replace(b"Host", b"Connection: close\r\nHost"))
    elif how == "bad":
        protocol.data_received(GET + b"nonsense\r\n\r\n")
    elif how == "abort":
        protocol.data_received(GET + GET.replace(b"/a", b"/abort"))
    else:
        protocol.data_received(GET)
        if how == "eof":
            protocol.eof_received()
        else:
            protocol.retire()
    assert b"\r\n/a" in transport.sent
    assert transport.is_closed or transport.has_eof or how == "eof"
    protocol.connection_lost(None)


async def test_what_waits_for_a_client_that_is_gone_is_dropped() -> None:
    protocol, transport = await connection(small)
    transport.sent = b""
    protocol.data_received(GET)
    protocol.connection_lost(ConnectionResetError())
    await asyncio.sleep(0)
    assert transport.sent == b""
