"""Server connections over real sockets: order, limits, deadlines, bad input, departures."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from wire.exchange import Exchange
from wire.limits import Limits
from wire.roster import Roster
from wire.server import ServerProtocol


class Recording:
    """A receiver that notes what happens to one exchange."""

    def __init__(
        self, exchange: Exchange, answer: Callable[[Exchange, bytes], None] | None
    ) -> None:
        self.exchange = exchange
        self.answer = answer
        self.body = b""
        self.has_ended = False
        self.is_aborted = False
        self.writable: list[bool] = []
        self.changed = asyncio.Event()

    def on_body(self, data: bytes) -> None:
        self.body += data
        self.changed.set()

    def on_end(self) -> None:
        self.has_ended = True
        self.changed.set()
        if self.answer is not None:
            self.answer(self.exchange, self.body)

    def on_abort(self) -> None:
        self.is_aborted = True
        self.changed.set()

    def on_writable(self, is_writable: bool) -> None:
        self.writable.append(is_writable)
        self.changed.set()


def echo(exchange: Exchange, body: bytes) -> None:
    exchange.respond(200, b"", exchange.method + b" " + exchange.target + b" " + body)


class App:
    """A handler that records exchanges and echoes them, now or when told."""

    def __init__(self, answer: Callable[[Exchange, bytes], None] | None = echo) -> None:
        self.answer = answer
        self.seen: list[Recording] = []
        self.arrived = asyncio.Event()

    def on_request(self, exchange: Exchange) -> None:
        recording = Recording(exchange, self.answer)
        exchange.receiver = recording
        self.seen.append(recording)
        self.arrived.set()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self, size: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(size), 5)

    async def until(self, mark: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(mark), 5)

    async def rest(self) -> bytes:
        """All bytes up to the end of the connection."""
        return await asyncio.wait_for(self.reader.read(-1), 5)

    async def answer(self) -> tuple[bytes, bytes]:
        head = await self.until(b"\r\n\r\n")
        size = 0
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length: "):
                size = int(line[16:])
        return head, await self.read(size)


@asynccontextmanager
async def serving(app: App, limits: Limits | None = None) -> AsyncIterator[tuple[int, Roster]]:
    limits = limits or Limits()
    roster = Roster(limits)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ServerProtocol(app, limits, roster), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], roster
        await eventually(lambda: len(roster) == 0)


@asynccontextmanager
async def connected(app: App, limits: Limits | None = None) -> AsyncIterator[Client]:
    async with serving(app, limits) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def test_one_request() -> None:
    async with connected(App()) as client:
        client.send(GET)
        assert await client.answer() == (
            b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n",
            b"GET /a ",
        )


async def test_a_connection_is_kept_alive_and_bodies_of_both_framings_arrive() -> None:
    async with connected(App()) as client:
        client.send(b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz")
        assert (await client.answer())[1] == b"POST /b xyz"
        client.send(b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"2\r\nxy\r\n1;ext=1\r\nz\r\n0\r\nTrailer: 1\r\n\r\n")
        assert (await client.answer())[1] == b"POST /c xyz"
        client.send(GET)
        assert (await client.answer())[1] == b"GET /a "


REQUESTS = [
    GET,
    b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz",
    b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nxy\r\n1\r\nz\r\n0\r\nT: 1\r\n\r\n",
    b"GET http://other/abs?q=1 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"POST /h2c HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Length: 3\r\n\r\nxyz",
    b"POST /h2d HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
]
ANSWERS = [
    b"GET /a ",
    b"POST /b xyz",
    b"POST /c xyz",
    b"GET /abs?q=1 ",
    b"GET /up ",
    b"POST /h2c xyz",
    b"POST /h2d xyz",
    b"OPTIONS * ",
]


class Wire(asyncio.Transport):
    """A transport in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.is_closed = False
        self.is_paused = False

    def write(self, data) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None: ...

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


async def replay(pieces: list[bytes]) -> bytes:
    protocol = ServerProtocol(App(), Limits())
    wire = Wire()
    protocol.connection_made(wire)
    for piece in pieces:
        protocol.data_received(piece)
    protocol.connection_lost(None)
    return wire.sent


@pytest.mark.parametrize(("request_", "body"), list(zip(REQUESTS, ANSWERS, strict=True)))
async def test_every_request_reads_the_same_whole_byte_by_byte_and_with_trailing_data(
    request_: bytes, body: bytes
) -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    assert await replay([request_]) == answer
    assert await replay([request_[i : i + 1] for i in range(len(request_))]) == answer
    for split in range(1, len(request_)):
        assert await replay([request_[:split], request_[split:]]) == answer
    trailing = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nGET /a "
    assert await replay([request_ + GET]) == answer + trailing
    assert await replay([request_[:-1], request_[-1:] + GET]) == answer + trailing


async def test_pipelined_requests_are_answered_in_order_when_each_is_answered_later() -> None:
    app = App(answer=None)
    async with connected(app) as client:
        client.send(b"".join(REQUESTS))
        for number, body in enumerate(ANSWERS):
            await eventually(lambda n=number: len(app.seen) == n + 1 and app.seen[n].has_ended)
            echo(app.seen[number].exchange, app.seen[number].body)
            assert (await client.answer())[1] == body
            assert len(app.seen) <= number + 2  # one runs at a time


async def test_thousands_of_pipelined_requests_are_bounded_and_lose_nothing() -> None:
    app = App(answer=None)
    protocol = ServerProtocol(app, Limits())
    wire = Wire()
    protocol.connection_made(wire)
    protocol.data_received(GET * 10_000)
    assert wire.is_paused
    assert len(app.seen) == 1
    assert len(protocol._waiting) < 200
    for number in range(10_000):
        echo(app.seen[number].exchange, b"%d" % number)
    assert wire.sent.count(b"HTTP/1.1 200") == 10_000
    assert wire.sent.endswith(b"GET /a 9999")
    assert not wire.is_paused
    protocol.connection_lost(None)


async def test_pipelined_requests_answered_at_once_do_not_recurse() -> None:
    app = App(answer=None)
    protocol = ServerProtocol(app, Limits())
    protocol.connection_made(Wire())
    protocol.data_received(GET * 5_000)
    app.answer = echo
    echo(app.seen[0].exchange, b"")
    assert len(app.seen) == 5_000
    protocol.connection_lost(None)


BAD = {
    "both framings": (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
    "both framings, other order": (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400),
    "two lengths": (b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "list of lengths": (b"Content-Length: 3, 3\r\n\r\nabc", 400),
    "signed length": (b"Content-Length: +3\r\n\r\nabc", 400),
    "endless length": (b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
    "folded header": (b"X: a\r\n b\r\n\r\n", 400),
    "NUL": (b"X: a\0b\r\n\r\n", 400),
    "bare CR": (b"X: a\rb\r\n\r\n", 400),
    "bare LF": (b"X: a\nY: b\r\n\r\n", 400),
    "space before the colon": (b"X : a\r\n\r\n", 400),
    "no name": (b": a\r\n\r\n", 400),
    "bad chunk size": (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "endless chunk size": (b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400),
    "chunk without its end": (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n", 400),
    "chunk lines ended by LF": (b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n", 400),
    "chunked twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "unknown coding": (b"Transfer-Encoding: xchunked\r\n\r\n", 501),
    "gzip coding": (b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "two hosts": (b"Host: a\r\n\r\n", 400),
    "two equal hosts": (b"Host: h\r\n\r\n", 400),
    "unknown expectation": (b"Expect: 200-ok\r\n\r\n", 417),
    "many headers": (b"".join(b"X-%d: 1\r\n" % i for i in range(101)) + b"\r\n", 431),
    "large header": (b"X: " + b"a" * 80_000, 431),
    "endless headers": (b"X: a\r\n" * 20_000, 431),
    "body too large": (b"Content-Length: 1001\r\n\r\n", 413),
    "chunked body too large": (b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"a" * 1001, 413),
    "endless chunk extension": (b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 100_000, 400),
}
BAD_STARTS = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "almost HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 400),
    "another version": (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
    "coding in HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "CONNECT": (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501),
    "long target": (b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
    "endless target": (b"GET /" + b"a" * 30_000, 414),
    "target with control characters": (b"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "target that is no path": (b"GET a/b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "lines ended by LF": (b"GET / HTTP/1.1\nHost: h\n\n", 400),
    "unknown method": (b"FROB / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
}
ALL_BAD = {
    **{name: (b"POST / HTTP/1.1\r\nHost: h\r\n" + data, s) for name, (data, s) in BAD.items()},
    **BAD_STARTS,
}


@pytest.mark.parametrize("name", ALL_BAD)
async def test_bad_input_is_refused_and_the_connection_closed(name: str) -> None:
    data, status = ALL_BAD[name]
    app = App()
    async with connected(app, Limits(body_bytes_max=1000, linger_s=0.02)) as client:
        client.send(data)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"connection: close\r\n" in answer
        assert b'"reason":' in answer
        assert not any(recording.has_ended for recording in app.seen)


@pytest.mark.parametrize("name", ALL_BAD)
async def test_bad_input_is_refused_byte_by_byte_and_behind_a_good_request(name: str) -> None:
    data, status = ALL_BAD[name]
    limits = Limits(body_bytes_max=1000)
    for pieces in (
        [data[i : i + 1] for i in range(len(data))]
        if len(data) < 2000
        else [data[:999], data[999:]],
        [GET + data],
    ):
        app = App()
        protocol = ServerProtocol(app, limits)
        wire = Wire()
        protocol.connection_made(wire)
        for piece in pieces:
            protocol.data_received(piece)
        assert b"HTTP/1.1 %d " % status in wire.sent
        assert wire.sent.count(b"HTTP/1.1 ") == len(app.seen[:1]) * wire.sent.count(b" 200 ") + 1
        protocol.connection_lost(None)


async def test_a_refusal_waits_for_the_answers_before_it() -> None:
    app = App(answer=None)
    async with connected(app, Limits(linger_s=0.02)) as client:
        client.send(GET + GET + b"BAD\r\n\r\n")
        for number in range(2):
            await eventually(lambda n=number: len(app.seen) == n + 1)
            echo(app.seen[number].exchange, b"%d" % number)
        answers = await client.rest()
        assert [answers.count(mark) for mark in (b"GET /a 0", b"GET /a 1", b" 400 ")] == [1, 1, 1]
        assert answers.index(b" 400 ") > answers.index(b"GET /a 1")


async def test_a_bad_chunk_behind_a_good_one_aborts_the_exchange() -> None:
    app = App()
    async with connected(app, Limits(linger_s=0.02)) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await eventually(lambda: bool(app.seen) and app.seen[0].body == b"a")
        client.send(b"zz\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
        assert app.seen[0].is_aborted
        assert not app.seen[0].has_ended


async def test_an_answer_that_overtakes_its_request_is_readable_and_ends_the_connection() -> None:
    app = App()
    app.on_request = lambda exchange: exchange.respond(429, b"", b"no")  # type: ignore[method-assign] # for this test
    async with connected(app, Limits(linger_s=0.05)) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n")
        client.send(b"a" * 4_000_000)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"connection: close" in answer


async def test_expect_100_continue() -> None:
    app = App()
    async with connected(app) as client:
        client.send(
            b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"abc")
        assert (await client.answer())[1] == b"POST /e abc"
        # With the body already here nobody waits for a go-ahead.
        client.send(
            b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"
        )
        assert (await client.answer())[1] == b"POST /e abc"


async def test_expect_100_continue_refused_by_the_handler_gets_no_go_ahead() -> None:
    app = App()
    app.on_request = lambda exchange: exchange.respond(404, b"", b"no")  # type: ignore[method-assign] # for this test
    async with connected(app, Limits(linger_s=0.02)) as client:
        client.send(
            b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await client.rest()).startswith(b"HTTP/1.1 404 ")


async def test_http_10_closes_unless_asked_to_keep_alive() -> None:
    async with connected(App()) as client:
        client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"connection: keep-alive\r\n" in (await client.answer())[0]
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert b"connection: close\r\n" in await client.rest()


async def test_connection_close_is_honoured() -> None:
    async with connected(App()) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + GET)
        answer = await client.rest()
        assert answer.count(b"HTTP/1.1 200") == 1
        assert b"connection: close\r\n" in answer


def streamed(content_length: int | None) -> Callable[[Exchange, bytes], None]:
    def answer(exchange: Exchange, body: bytes) -> None:
        exchange.start(200, b"x: y\r\n", content_length=content_length)
        exchange.write(b"abc")
        exchange.write(b"")
        exchange.write(b"de")
        exchange.end()

    return answer


async def test_a_streamed_answer_is_chunked_or_measured_or_ends_the_connection() -> None:
    app = App(streamed(None))
    async with connected(app) as client:
        client.send(GET)
        head = await client.until(b"\r\n\r\n")
        assert b"transfer-encoding: chunked\r\n" in head
        assert await client.until(b"0\r\n\r\n") == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        app.answer = streamed(5)
        client.send(GET)
        assert (await client.answer())[1] == b"abcde"
        app.answer = streamed(None)
        client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert (await client.rest()).endswith(b"connection: close\r\n\r\nabcde")


async def test_a_body_shorter_than_announced_breaks_the_connection() -> None:
    async with connected(App(streamed(6))) as client:
        client.send(GET)
        assert b"content-length: 6\r\n" in await client.until(b"\r\n\r\n")
        assert len(await client.rest()) < 6


async def test_an_unframed_answer_that_breaks_is_reset() -> None:
    app = App(streamed(None))
    exchanges: list[Exchange] = []
    app.answer = lambda exchange, _: (
        exchange.start(200, b"", content_length=None),
        exchanges.append(exchange),
    )  # type: ignore[func-returns-value, assignment] # both, in one line
    async with connected(app) as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        await client.until(b"\r\n\r\n")
        exchanges[0].abort()
        with pytest.raises(ConnectionResetError):
            await client.rest()


@pytest.mark.parametrize(
    ("status", "method"), [(200, b"HEAD"), (204, b"GET"), (304, b"GET")], ids=str
)
async def test_answers_without_a_body(status: int, method: bytes) -> None:
    app = App(lambda exchange, _: exchange.respond(status, b"", b"" if status == 204 else b"abc"))
    async with connected(app) as client:
        client.send(method + b" / HTTP/1.1\r\nHost: h\r\n\r\n")
        head = await client.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert (b"content-length: 3\r\n" in head) == (status != 204)

        def start(exchange: Exchange, _: bytes) -> None:
            exchange.start(status, b"", content_length=None if status == 204 else 3)
            exchange.write(b"" if status != 200 else b"abc")
            exchange.end()

        app.answer = start
        client.send(method + b" / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await client.until(b"\r\n\r\n")) == head
        app.answer = echo
        client.send(GET)
        assert (await client.answer())[1] == b"GET /a "


async def test_a_client_that_leaves_aborts_its_exchange_at_once() -> None:
    app = App(answer=None)
    async with connected(app) as client:
        client.send(GET)
        await eventually(lambda: bool(app.seen))
        client.writer.close()
        await eventually(lambda: app.seen[0].is_aborted)
        echo(app.seen[0].exchange, b"")  # harmless: nobody is there


async def test_a_client_that_leaves_in_the_middle_of_its_body() -> None:
    app = App(answer=None)
    async with connected(app) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
        await eventually(lambda: bool(app.seen) and app.seen[0].body == b"abc")
        client.writer.transport.abort()
        await eventually(lambda: app.seen[0].is_aborted)
        assert not app.seen[0].has_ended


async def test_a_client_that_ends_its_side_counts_as_gone() -> None:
    app = App(answer=None)
    async with connected(app) as client:
        client.send(GET)
        await eventually(lambda: bool(app.seen))
        client.writer.write_eof()
        await eventually(lambda: app.seen[0].is_aborted)
        assert await client.rest() == b""


@pytest.mark.parametrize("leaves_first", [True, False])
async def test_departure_and_answer_in_one_tick(leaves_first: bool) -> None:
    app = App(answer=None)
    protocol = ServerProtocol(app, Limits())
    wire = Wire()
    protocol.connection_made(wire)
    protocol.data_received(GET)
    if leaves_first:
        protocol.eof_received()
        echo(app.seen[0].exchange, b"")
        assert wire.sent == b""
        assert app.seen[0].is_aborted
    else:
        echo(app.seen[0].exchange, b"")
        protocol.eof_received()
        assert b" 200 " in wire.sent
        assert not app.seen[0].is_aborted
    protocol.connection_lost(None)


async def test_a_slow_head_is_refused() -> None:
    async with connected(App(), Limits(head_s=0.02)) as client:
        client.send(b"GET / HTTP/1.1\r\nHo")
        assert (await client.rest()).startswith(b"HTTP/1.1 408 ")


async def test_a_stalled_body_is_refused() -> None:
    app = App()
    async with connected(app, Limits(body_s=0.02)) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
        assert (await client.rest()).startswith(b"HTTP/1.1 408 ")
        assert app.seen[0].is_aborted


@pytest.mark.parametrize(
    "earlier", [b"", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"]
)
@pytest.mark.parametrize("begun", [b"", b"ab"])
async def test_a_body_has_its_whole_time_from_the_first_look(earlier: bytes, begun: bytes) -> None:
    app = App()
    limits = Limits()
    roster = Roster(limits)
    protocol = ServerProtocol(app, limits, roster)
    wire = Wire()
    protocol.connection_made(wire)

    def pass_time(seconds: float) -> None:
        roster.now_s += seconds
        protocol.check(roster.now_s)

    for part in (earlier[:-1], earlier[-1:]):
        if part:
            protocol.data_received(part)
            pass_time(1)
    pass_time(limits.idle_s - 2)
    before = len(wire.sent)
    protocol.data_received(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n" + begun)
    pass_time(1)
    pass_time(limits.body_s)
    assert wire.sent[before:] == b""
    pass_time(roster.period_s * 2)
    assert wire.sent[before:].startswith(b"HTTP/1.1 408 ")
    protocol.connection_lost(None)


async def test_an_idle_connection_is_closed_in_silence() -> None:
    async with connected(App(), Limits(idle_s=0.02)) as client:
        client.send(GET)
        await client.answer()
        with suppress(ConnectionResetError):
            assert await client.rest() == b""


async def test_a_running_exchange_is_not_idle() -> None:
    app = App(answer=None)
    limits = Limits(idle_s=0.01, head_s=0.01, body_s=0.01)
    async with serving(app, limits) as (port, roster):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await eventually(lambda: bool(app.seen))
        began_s = roster.now_s
        await eventually(lambda: roster.now_s > began_s + 0.1)
        echo(app.seen[0].exchange, b"")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        writer.close()


async def test_no_timer_runs_without_connections() -> None:
    async with serving(App()) as (port, roster):
        assert roster._timer is None
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await eventually(lambda: len(roster) == 1)
        assert roster._timer is not None
        writer.close()
        await eventually(lambda: len(roster) == 0)
        assert roster._timer is None


async def test_a_client_that_stops_reading_is_told_to_the_receiver() -> None:
    app = App(answer=None)
    async with connected(app) as client:
        client.send(GET)
        await eventually(lambda: bool(app.seen))
        exchange = app.seen[0].exchange
        exchange.start(200, b"", content_length=40_000_000)
        for _ in range(40):
            exchange.write(b"a" * 1_000_000)
        await eventually(lambda: app.seen[0].writable == [False])
        await client.until(b"\r\n\r\n")
        await asyncio.wait_for(client.reader.readexactly(40_000_000), 10)
        await eventually(lambda: app.seen[0].writable == [False, True])
        exchange.end()
        client.send(GET)
        await eventually(lambda: len(app.seen) == 2)


async def test_a_client_that_reads_no_answers_gets_no_further_requests_parsed() -> None:
    app = App()
    protocol = ServerProtocol(app, Limits())
    wire = Wire()
    protocol.connection_made(wire)
    protocol.data_received(GET)
    protocol.pause_writing()
    assert wire.is_paused
    protocol.data_received(GET * 5_000)
    assert len(app.seen) == 1
    protocol.resume_writing()
    assert len(app.seen) == 5_001
    assert not wire.is_paused
    protocol.connection_lost(None)


async def test_a_handler_that_pauses_stops_the_client() -> None:
    app = App(answer=None)
    async with connected(app) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n")
        await eventually(lambda: bool(app.seen))
        recording = app.seen[0]
        recording.exchange.pause()
        client.send(b"a" * 20_000_000)
        arrived = recording.exchange.received
        for _ in range(20):
            await asyncio.sleep(0)
        assert recording.exchange.received == arrived
        recording.exchange.resume()
        await eventually(lambda: recording.has_ended)
        assert len(recording.body) == 20_000_000


async def test_retiring_closes_idle_connections_and_finishes_running_ones() -> None:
    app = App(answer=None)
    async with serving(app) as (port, roster):
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        busy_reader, busy_writer = await asyncio.open_connection("127.0.0.1", port)
        busy_writer.write(GET)
        await eventually(lambda: bool(app.seen) and len(roster) == 2)
        roster.retire()
        assert await asyncio.wait_for(idle_reader.read(), 5) == b""
        echo(app.seen[0].exchange, b"")
        answer = await asyncio.wait_for(busy_reader.read(), 5)
        assert b"connection: close\r\n" in answer
        assert answer.endswith(b"GET /a ")
        idle_writer.close()
        busy_writer.close()


async def test_a_bug_of_the_handler_closes_the_connection_and_is_reported() -> None:
    app = App(lambda exchange, body: 1 / 0)
    reports: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    async with connected(app) as client:
        client.send(GET)
        with suppress(ConnectionResetError):
            assert await client.rest() == b""
        assert isinstance(reports[0]["exception"], ZeroDivisionError)
        assert app.seen[0].is_aborted


UPGRADE = b"GET /up HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: ws\r\n\r\n"


async def test_a_connection_is_handed_over_with_what_came_behind_the_request() -> None:
    app = App(None)
    async with serving(app) as (port, roster):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        frames = b"frame" * 30_000  # more than is stashed: reading is paused
        writer.write(UPGRADE + frames)
        await eventually(lambda: len(app.seen) == 1)
        exchange = app.seen[0].exchange
        assert exchange.upgrade == b"ws"
        await eventually(lambda: len(exchange._link._stash) > 65_536)  # type: ignore[attr-defined] # of the link that serves it
        taken = exchange.switch(b"upgrade: ws\r\nconnection: upgrade\r\n")
        assert taken is not None
        transport, received, same = taken
        assert same is roster
        assert len(roster) == 0
        more = bytearray(received)

        class Rest(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                more.extend(data)

        transport.set_protocol(Rest())
        transport.resume_reading()
        await eventually(lambda: len(more) == len(frames))
        assert bytes(more) == frames
        transport.write(b"hello")
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 101 ")
        assert not app.seen[0].is_aborted
        transport.abort()
        writer.close()


async def test_much_behind_a_declined_upgrade_is_read_in_order() -> None:
    app = App(None)
    async with connected(app) as client:
        requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in range(400))
        client.send(UPGRADE + requests)
        for number in range(401):
            await eventually(lambda n=number: len(app.seen) > n)
            exchange = app.seen[number].exchange
            assert exchange.target == (b"/up" if not number else b"/%d" % (number - 1))
            exchange.respond(200, b"", b"")
            await client.answer()


async def test_a_request_that_is_asked_again_is_whole() -> None:
    app = App(None)
    async with connected(app) as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc")
        await eventually(lambda: bool(app.seen) and app.seen[0].body == b"abc")
        app.answer = echo
        app.seen[0].exchange.again(app.seen[0].body)
        client.send(b"def")
        assert (await client.answer())[1] == b"POST /a abcdef"
        client.send(GET)
        assert (await client.answer())[1] == b"GET /a "


async def test_a_whole_request_that_is_asked_again_is_answered_at_once() -> None:
    app = App(None)
    async with connected(app) as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + GET)
        await eventually(lambda: bool(app.seen) and app.seen[0].has_ended)
        app.answer = echo
        app.seen[0].exchange.again(app.seen[0].body)
        assert (await client.answer())[1] == b"POST /a abc"
        assert (await client.answer())[1] == b"GET /a "
