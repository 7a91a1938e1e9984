"""Collecting bodies: whole, over the limit, and from clients that leave."""

from wire.buffering import BufferedReceiver
from wire.exchange import Exchange
from wire.limits import Limits
from wire.server import ServerProtocol


class Wire:
    def __init__(self) -> None:
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent += data

    def get_extra_info(self, name: str) -> None: ...
    def is_closing(self) -> bool:
        return False

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None: ...


class App:
    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bodies: list[bytes] = []
        self.gone = 0
        self.overflows = 0
        self.writable: list[bool] = []

    def on_request(self, exchange: Exchange) -> None:
        BufferedReceiver(
            self.complete,
            bytes_max=self.bytes_max,
            on_overflow=self.overflow,
            on_gone=self.leave,
            on_writable=self.writable.append,
        ).attach(exchange)

    def complete(self, exchange: Exchange, body: bytes) -> None:
        self.bodies.append(body)
        if body != b"slow":
            exchange.respond(200, b"", body)

    def overflow(self, exchange: Exchange) -> None:
        self.overflows += 1
        exchange.respond(413, b"", b"too large")

    def leave(self) -> None:
        self.gone += 1


def connect(app: App) -> tuple[ServerProtocol, Wire]:
    protocol = ServerProtocol(app, Limits())
    wire = Wire()
    protocol.connection_made(wire)  # type: ignore[arg-type] # only what is used
    return protocol, wire


HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_body_is_handed_over_once_however_it_is_cut() -> None:
    for request_ in (HEAD + b"abcdef", CHUNKED + b"2\r\nab\r\n4\r\ncdef\r\n0\r\n\r\n"):
        for size in (1, 7, 60, 1000):
            app = App(6)
            protocol, wire = connect(app)
            for start in range(0, len(request_), size):
                protocol.data_received(request_[start : start + size])
            assert app.bodies == [b"abcdef"]
            assert wire.sent.endswith(b"\r\n\r\nabcdef")
            protocol.connection_lost(None)
            assert app.gone == 0


async def test_no_body_is_an_empty_body() -> None:
    app = App(6)
    protocol, _ = connect(app)
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert app.bodies == [b""]
    protocol.connection_lost(None)


async def test_a_body_over_the_limit_is_refused_once() -> None:
    for request_ in (HEAD + b"abcdef", CHUNKED + b"4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"):
        for size in (1, 70, 1000):
            app = App(5)
            protocol, wire = connect(app)
            for start in range(0, len(request_), size):
                protocol.data_received(request_[start : start + size])
            assert app.overflows == 1
            assert app.bodies == []
            assert wire.sent.count(b"HTTP/1.1 413 ") == 1
            protocol.connection_lost(None)


async def test_a_client_that_leaves_is_told_before_and_after_the_body() -> None:
    app = App(6)
    protocol, _ = connect(app)
    protocol.data_received(HEAD + b"abc")
    protocol.eof_received()
    assert (app.bodies, app.gone) == ([], 1)
    protocol.connection_lost(None)
    assert app.gone == 1
    protocol, _ = connect(app)
    protocol.data_received(HEAD.replace(b"6", b"4") + b"slow")
    protocol.connection_lost(None)
    assert (app.bodies, app.gone) == ([b"slow"], 2)


async def test_back_pressure_is_passed_on() -> None:
    app = App(6)
    protocol, _ = connect(app)
    protocol.data_received(HEAD.replace(b"6", b"4") + b"slow")
    protocol.pause_writing()
    protocol.resume_writing()
    assert app.writable == [False, True]
    protocol.connection_lost(None)
