"""What a handler can do with an exchange, without a connection."""

import pytest

from tests.wire.memory import Memory
from wire.exchange import Exchange
from wire.head import Head
from wire.limits import Limits
from wire.roster import Roster

ROSTER = Roster(Limits())


class Link:
    def __init__(self) -> None:
        self.transport = Memory()
        self.ended = 0
        self.broken: list[bool] = []

    def finished(self, exchange: Exchange) -> None:
        self.ended += 1

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def break_off(self, *, is_reset: bool) -> None:
        self.broken.append(is_reset)

    def ask_again(self, exchange: Exchange) -> None:
        self.again = exchange

    def hand_over(self) -> tuple[bytes, Roster]:
        return b"behind", ROSTER


def make(
    method: bytes = b"GET", target: bytes = b"/p/%20?a=1&b=?", **headers: bytes
) -> tuple[Exchange, Link]:
    pairs = [(name.encode(), value) for name, value in headers.items()]
    link = Link()
    exchange = Exchange(link, "1.2.3.4", Head(method, target, pairs, dict(pairs)))
    exchange.is_complete = True
    return exchange, link


def test_what_it_says_of_the_request() -> None:
    exchange, _ = make(accept=b"x")
    assert (exchange.path, exchange.query) == (b"/p/%20", b"a=1&b=?")
    assert exchange.header(b"accept") == b"x"
    assert exchange.header(b"none") is None
    assert exchange.peer == "1.2.3.4"


def test_taking_the_body() -> None:
    exchange, _ = make()
    exchange.early = b"abc"
    assert not exchange.is_taken
    assert exchange.take() == b"abc"
    assert exchange.take() == b""
    assert exchange.is_taken


def test_an_answer_is_one_write_unless_it_is_large() -> None:
    exchange, link = make()
    exchange.respond(200, b"a: b\r\n", b"xyz")
    assert link.transport.sent == b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 3\r\n\r\nxyz"
    assert (link.transport.writes, link.ended, exchange.is_done) == (1, 1, True)
    exchange, link = make()
    exchange.respond(200, b"", b"x" * 100_000)
    assert link.transport.writes == 2
    assert link.transport.sent.endswith(b"\r\n\r\n" + b"x" * 100_000)


def test_what_comes_after_the_end_does_nothing() -> None:
    exchange, link = make()
    exchange.respond(200, b"", b"")
    sent = link.transport.sent
    exchange.respond(500, b"", b"")
    exchange.start(500, b"", content_length=None)
    exchange.write(b"x")
    exchange.end()
    exchange.abort()
    exchange.lost()
    assert (link.transport.sent, link.ended, link.broken) == (sent, 1, [])


def test_starting_twice_is_an_error_of_the_caller() -> None:
    exchange, _ = make()
    exchange.start(200, b"", content_length=None)
    assert exchange.is_started
    with pytest.raises(AssertionError):
        exchange.start(200, b"", content_length=None)
    with pytest.raises(AssertionError):
        exchange.respond(200, b"", b"")


def test_more_body_than_announced_is_an_error_of_the_caller() -> None:
    exchange, _ = make()
    exchange.start(200, b"", content_length=2)
    with pytest.raises(AssertionError):
        exchange.write(b"abc")


def test_less_body_than_announced_breaks_the_connection() -> None:
    exchange, link = make()
    exchange.start(200, b"", content_length=2)
    exchange.write(b"a")
    exchange.end()
    assert link.broken == [False]
    assert link.ended == 0


def test_an_unframed_answer_breaks_with_a_reset() -> None:
    exchange, link = make()
    exchange.is_http_10 = True
    exchange.start(200, b"", content_length=None)
    assert not exchange.keep_alive
    exchange.abort()
    assert link.broken == [True]


def test_an_answer_before_the_end_of_the_request_ends_the_connection() -> None:
    exchange, link = make()
    exchange.is_complete = False
    exchange.respond(200, b"", b"")
    assert b"connection: close\r\n" in link.transport.sent
    assert not exchange.keep_alive


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({"connection": b"Upgrade", "upgrade": b"websocket"}, b"websocket"),
        ({"connection": b"keep-alive, upgrade", "upgrade": b"other/1"}, b"other/1"),
        ({"connection": b"keep-alive", "upgrade": b"websocket"}, b""),
        ({"upgrade": b"websocket"}, b""),
        ({"connection": b"upgrade"}, b""),
        ({"connection": b"Upgrade, HTTP2-Settings", "upgrade": b"h2c"}, b""),
        ({"connection": b"upgrade", "upgrade": b"HTTP/2.0"}, b""),
        ({"connection": b"upgrade", "upgrade": b"TLS/1.0, HTTP/1.1"}, b""),
    ],
)
def test_the_upgrade_a_request_asks_for(headers: dict[str, bytes], asked: bytes) -> None:
    assert make(**headers)[0].upgrade == asked


def test_a_request_with_a_body_or_of_http_10_asks_for_no_upgrade() -> None:
    asking = {"connection": b"upgrade", "upgrade": b"websocket"}
    for name, value in (("content_length", 3), ("is_http_10", True), ("is_complete", False)):
        exchange, _ = make(**asking)
        setattr(exchange, name, value)
        assert exchange.upgrade == b""


def test_switching_answers_101_and_gives_the_connection_away_once() -> None:
    exchange, link = make()
    assert exchange.switch(b"upgrade: ws\r\n") == (link.transport, b"behind", ROSTER)
    assert link.transport.sent == b"HTTP/1.1 101 Switching Protocols\r\nupgrade: ws\r\n\r\n"
    assert exchange.is_done
    assert exchange.switch(b"") is None
    exchange.respond(200, b"", b"late")
    assert b"late" not in link.transport.sent


def test_asking_again_gives_the_body_back() -> None:
    exchange, link = make()
    exchange.early = b"abc"
    body = exchange.take()
    exchange.again(body)
    assert link.again is exchange
    assert (exchange.early, exchange.is_taken, exchange.receiver) == (b"abc", False, None)
    exchange.respond(200, b"", b"")
    exchange.again(b"late")
    assert exchange.early == b"abc"


@pytest.mark.parametrize("is_streamed", [False, True])
def test_trailers_follow_a_chunked_body(is_streamed: bool) -> None:
    exchange, link = make()
    if is_streamed:
        exchange.start(200, b"", content_length=None)
        exchange.write(b"abc")
        exchange.end(b"x: y\r\n")
    else:
        exchange.respond(200, b"", b"abc", b"x: y\r\n")
    assert link.transport.sent == (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n"
    )
    assert (link.ended, exchange.is_http2) == (1, False)


@pytest.mark.parametrize(("status", "method"), [(204, b"GET"), (304, b"GET"), (200, b"HEAD")])
def test_trailers_follow_a_body_or_nothing(status: int, method: bytes) -> None:
    exchange, link = make(method)
    exchange.respond(status, b"", b"abc", b"x: y\r\n")
    assert link.transport.sent.endswith(b"\r\n\r\n")
    assert b"x: y" not in link.transport.sent
    assert link.ended == 1


def test_trailers_have_no_place_in_http_10() -> None:
    exchange, link = make()
    exchange.is_http_10 = True
    exchange.respond(200, b"", b"abc", b"x: y\r\n")
    assert link.transport.sent.endswith(b"content-length: 3\r\n\r\nabc")
