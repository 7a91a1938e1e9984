"""A server of HTTP/2 as a whole: on the port of HTTP/1.1, in time, with clients of others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import h2.config
import h2.connection
import h2.events
import pytest
from hyperframe import frame as their
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.h2peer import POST, SETTINGS, App, Client, body, ends, frame, head
from wire import h2frames as ours
from wire.exchange import Exchange
from wire.limits import Limits
from wire.roster import Roster
from wire.server import ServerProtocol

# -- the preface --------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(1, len(ours.PREFACE) + 1))
async def test_the_preface_may_come_in_pieces(cut: int) -> None:
    client = Client(App(), is_greeted=False)
    data = ours.PREFACE + SETTINGS + head(1)
    first = client.feed(data[:cut])
    if cut < len(ours.PREFACE):
        assert first == []
    frames = first + client.feed(data[cut:])
    values = frames[0].settings
    assert values[ours.MAX_CONCURRENT_STREAMS] == Limits().streams_max
    assert values[ours.MAX_HEADER_LIST_SIZE] == Limits().header_bytes_max
    assert len(client.app.seen) == 1
    client.close()


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_http_1_goes_on_as_ever(size: int) -> None:
    client = Client(App(lambda exchange, notes: exchange.respond(200, b"", b"")), is_greeted=False)
    data = b"PUT / HTTP/1.1\r\nHost: h\r\n\r\n" * 2
    for at in range(0, len(data), size):
        client.wire.protocol.data_received(data[at : at + size])  # type: ignore[attr-defined]
    assert client.wire.sent.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert not client.app.seen[0].exchange.is_http2
    client.close()


async def test_a_preface_that_does_not_end_is_refused_in_time() -> None:
    client = Client(App(), is_greeted=False)
    client.feed(ours.PREFACE[:10])
    client.roster.now_s += 20
    client.wire.protocol.check(client.roster.now_s)  # type: ignore[attr-defined]
    assert client.wire.sent.startswith(b"HTTP/1.1 408 ")
    client.close()


# -- ends ---------------------------------------------------------------------------------------


async def test_retiring_finishes_what_runs_and_closes() -> None:
    client = Client(App())
    client.feed(head(1))
    client.roster.retire()
    assert [(one.last_stream_id, one.error_code) for one in client.wire.frames()] == [(1, 0)]
    client.feed(head(3))
    client.app.seen[0].exchange.respond(200, b"", b"abc")
    assert len(client.wire.frames()) == 2
    assert client.wire.has_eof
    assert len(client.app.seen) == 1
    assert not client.wire.is_closed
    client.later(10)
    assert client.wire.is_aborted
    client.close()


async def test_retiring_an_idle_connection_closes_it() -> None:
    client = Client(App())
    client.roster.retire()
    assert ends(client.wire.frames()) == [("GoAway", 0, ours.NO_ERROR)]
    assert client.wire.has_eof
    client.close()


async def test_a_client_that_goes_away_gets_its_answers() -> None:
    client = Client(App())
    client.feed(head(1) + ours.goaway(0, ours.NO_ERROR))
    client.app.seen[0].exchange.respond(200, b"", b"abc")
    assert client.wire.has_eof
    client.close()


@pytest.mark.parametrize("is_eof", [False, True])
async def test_a_client_that_leaves_is_told_to_every_handler(is_eof: bool) -> None:
    client = Client(App())
    client.feed(head(1) + head(3, POST, is_end=False))
    if is_eof:
        assert client.wire.protocol.eof_received() is False  # type: ignore[attr-defined]
    client.close()
    assert [notes.is_aborted for notes in client.app.seen] == [True, True]
    client.app.seen[0].exchange.respond(200, b"", b"")
    assert client.wire.frames() == []


async def test_whoever_made_the_connection_hears_of_its_end() -> None:
    lost = []

    class Origin(ServerProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.append(exc)
            super().connection_lost(exc)

    client = Client(App(), is_greeted=False)
    origin = Origin(client.app, Limits(), client.roster)
    client.wire.protocol = origin
    origin.connection_made(client.wire)
    client.feed(ours.PREFACE + SETTINGS)
    assert client.wire.protocol is not origin
    client.close()
    assert lost == [None]


# -- deadlines ----------------------------------------------------------------------------------


async def test_an_idle_connection_ends() -> None:
    client = Client(App(lambda exchange, notes: exchange.respond(200, b"", b"")))
    client.feed(head(1))
    assert ends(client.later(70)) == []
    assert ends(client.later(10)) == [("GoAway", 0, ours.NO_ERROR)]
    assert client.wire.has_eof
    client.close()


async def test_a_running_request_is_not_idle() -> None:
    client = Client(App())
    client.feed(head(1))
    pings = 0
    for _ in range(10):
        for ping in client.later(50):
            assert isinstance(ping, their.PingFrame)
            assert client.feed(frame(ours.PING, ours.ACK, 0, ping.opaque_data)) == []
            pings += 1
    assert pings == 3  # each time that nothing was heard for more than 75 s
    assert not client.app.seen[0].is_aborted
    client.close()


async def test_a_client_that_is_gone_is_found_out() -> None:
    client = Client(App())
    client.feed(head(1))
    assert len([one for _ in range(4) for one in client.later(50)]) == 1
    assert not client.wire.is_aborted
    client.later(50)
    assert client.wire.is_aborted
    client.close()
    assert client.app.seen[0].is_aborted


@pytest.mark.parametrize("is_grpc", [False, True])
async def test_who_talks_both_ways_may_rest(is_grpc: bool) -> None:
    client = Client(App(), Limits(idle_s=1000))
    lines = [(b"content-type", b"application/grpc+proto")] if is_grpc else []
    client.feed(head(1, [*POST, *lines], is_end=False))
    if not is_grpc:
        client.app.seen[0].exchange.start(200, b"", content_length=None)
    client.wire.frames()
    for _ in range(10):
        assert client.later(50) == []
    client.feed(body(1, b"a"))
    assert client.app.seen[0].has_ended
    client.close()


async def test_what_waits_for_the_client_is_told() -> None:
    client = Client(App())
    protocol = client.wire.protocol
    client.feed(head(1) + head(3))
    assert not protocol.has_unsent  # type: ignore[attr-defined] # of ours
    client.app.seen[0].exchange.respond(200, b"", bytes(100_000))
    assert protocol.has_unsent  # type: ignore[attr-defined] # of ours
    client.feed(ours.window_update(0, 100_000) + ours.window_update(1, 100_000))
    assert not protocol.has_unsent  # type: ignore[attr-defined] # of ours
    client.close()


async def test_a_body_that_stalls() -> None:
    client = Client(App())
    client.feed(head(1, POST, is_end=False) + head(3, POST, is_end=False))
    client.app.seen[1].exchange.pause()  # this one waits for us
    client.later(1)
    client.feed(body(1, b"a", is_end=False))
    assert client.later(59) == []
    answer, *rest = client.later(70)
    assert (answer.stream_id, client.fields(answer)[":status"]) == (1, "408")
    assert ends(rest) == [("RstStream", 1, ours.NO_ERROR)]
    assert [notes.is_aborted for notes in client.app.seen] == [True, False]
    client.close()


async def test_an_answer_that_nobody_takes() -> None:
    client = Client(App(lambda exchange, notes: exchange.respond(200, b"", bytes(100_000))))
    client.feed(head(1))
    client.later(1)
    assert client.later(70) == []
    assert ends(client.later(80)) == [("RstStream", 1, ours.CANCEL)]
    client.close()


@pytest.mark.parametrize(
    "data",
    [head(1)[:20], ours.pack_head(3 << 8 | ours.HEADERS, 0, 1) + b"\x82\x86\x84"],
)
async def test_a_head_that_does_not_end(data: bytes) -> None:
    client = Client(App())
    client.feed(data)
    client.later(1)
    assert client.later(8) == []
    assert ends(client.later(11)) == [("GoAway", 0, ours.PROTOCOL_ERROR)]
    client.close()


# -- a client of others: h2 -----------------------------------------------------------------------


class Theirs:
    """The h2 package as the client of a server in memory."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.link = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self.link.initiate_connection()
        self.bodies: dict[int, bytes] = {}
        self.heads: dict[int, dict[bytes, bytes]] = {}
        self.trailers: dict[int, dict[bytes, bytes]] = {}
        self.ended: set[int] = set()

    def exchange_bytes(self, cut: Callable[[], int]) -> None:
        """Pass bytes to and fro until both have nothing to say."""
        wire = self.client.wire
        while True:
            data = self.link.data_to_send()
            while data:
                size = cut()
                wire.protocol.data_received(data[:size])  # type: ignore[attr-defined]
                data = data[size:]
            answer = wire.sent[wire.read :]
            wire.read = len(wire.sent)
            if not answer:
                return
            while answer:
                size = cut()
                self.take(self.link.receive_data(answer[:size]))
                answer = answer[size:]

    def take(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.ResponseReceived):
                self.heads[event.stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                self.link.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.TrailersReceived):
                self.trailers[event.stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)


class Echo:
    """Sends back what it gets, piece by piece, and its length behind."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        exchange.receiver = self
        exchange.start(200, b"x-path: %b\r\n" % exchange.target, content_length=None)

    def on_body(self, data: bytes) -> None:
        self.exchange.write(data)

    def on_end(self) -> None:
        self.exchange.end(b"x-length: %d\r\n" % self.exchange.received)

    def on_abort(self) -> None: ...

    def on_writable(self, is_writable: bool) -> None:
        if is_writable:
            self.exchange.resume()
        else:
            self.exchange.pause()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 200_000) | st.integers(0, 100), min_size=1, max_size=4),
    st.lists(st.integers(1, 70_000) | st.integers(1, 100), min_size=1, max_size=10),
)
async def test_a_client_of_others_gets_back_what_it_sent(
    lengths: list[int], cuts: list[int]
) -> None:
    client = Client(App(lambda exchange, notes: Echo(exchange) and None), is_greeted=False)
    theirs = Theirs(client)
    turn = 0

    def cut() -> int:
        nonlocal turn
        turn += 1
        return max(cuts[turn % len(cuts)], sum(lengths) // 200)

    left = {}
    for index, length in enumerate(lengths):
        stream_id = 2 * index + 1
        fields = [*POST[:2], (b":path", b"/%d" % index), POST[3], (b"x-secret", b"s" * index)]
        theirs.link.send_headers(stream_id, fields)
        left[stream_id] = bytes(range(256)) * (length // 256) + bytes(length % 256)
    bodies = dict(left)
    while left:
        for stream_id, rest in tuple(left.items()):
            window = theirs.link.local_flow_control_window(stream_id)
            size = min(len(rest), window, theirs.link.max_outbound_frame_size)
            theirs.link.send_data(stream_id, rest[:size], end_stream=size == len(rest))
            left[stream_id] = rest[size:]
            if size == len(rest):
                del left[stream_id]
        theirs.exchange_bytes(cut)
    assert theirs.ended == set(bodies)
    for index, (stream_id, sent) in enumerate(bodies.items()):
        assert theirs.heads[stream_id] == {b":status": b"200", b"x-path": b"/%d" % index}
        assert theirs.bodies.get(stream_id, b"") == sent
        assert theirs.trailers[stream_id] == {b"x-length": b"%d" % len(sent)}
    client.close()


# -- a client of others: gRPC ---------------------------------------------------------------------


class Calls:
    """Methods of gRPC without messages: what comes goes back."""

    def on_request(self, exchange: Exchange) -> None:
        if exchange.path == b"/t/Refuse":
            exchange.respond(200, b"grpc-status: 5\r\ngrpc-message: no such thing\r\n", b"")
        elif exchange.path == b"/t/Cut":
            exchange.abort()
        else:
            Call(exchange)


class Call(Echo):
    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        exchange.receiver = self
        exchange.start(200, b"content-type: application/grpc\r\n", content_length=None)

    def on_end(self) -> None:
        self.exchange.end(b"grpc-status: 0\r\nx-length: %d\r\n" % self.exchange.received)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    limits = Limits(linger_s=0.05)
    roster = Roster(limits)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: ServerProtocol(Calls(), limits, roster), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with server:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=sizes) as opened:
            yield opened
            roster.retire()  # a channel keeps its connection longer than it lives
        await eventually(lambda: len(roster) == 0)


async def test_a_unary_call() -> None:
    async with channel() as opened:
        call = opened.unary_unary("/t/Echo")
        for message in (b"hello", b"", bytes(3_000_000)):
            assert await call(message, timeout=10) == message
        many = await asyncio.gather(*(call(b"%d" % each, timeout=10) for each in range(300)))
        assert many == [b"%d" % each for each in range(300)]


async def test_streaming_calls() -> None:
    messages = [b"a" * each for each in (1, 100, 10_000, 200_000)]

    async def spoken() -> AsyncIterator[bytes]:
        for message in messages:
            yield message

    async with channel() as opened:
        call = opened.stream_stream("/t/Echo")(spoken(), timeout=10)
        assert [message async for message in call] == messages
        trailers = dict(await call.trailing_metadata())
        assert trailers["x-length"] == str(sum(map(len, messages)) + 5 * len(messages))


async def test_calls_that_fail() -> None:
    async with channel() as opened:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await opened.unary_unary("/t/Refuse")(b"", timeout=10)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        assert refused.value.details() == "no such thing"
        with pytest.raises(grpc.aio.AioRpcError) as cut:
            await opened.unary_unary("/t/Cut")(b"", timeout=10)
        assert cut.value.code() is grpc.StatusCode.INTERNAL


async def test_a_call_that_is_cancelled_leaves_the_connection_as_it_was() -> None:
    async with channel() as opened:
        call = opened.stream_stream("/t/Echo")()
        await call.write(b"a")
        assert await call.read() == b"a"
        call.cancel()
        assert await opened.unary_unary("/t/Echo")(b"b", timeout=10) == b"b"
