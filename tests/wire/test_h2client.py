"""Connections to upstreams: many answers at once, every way to fail, servers of others."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import h2.config
import h2.connection
import h2.events
import hpack
import pytest
from hyperframe import frame as their
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.h2peer import SETTINGS, Wire, body, encoded, ends, frame, head
from wire import h2frames as ours
from wire.address import Address
from wire.exchange import Exchange
from wire.h2answer import ClientStream, request_block
from wire.h2client import H2Connection, connect
from wire.limits import Limits
from wire.roster import Roster
from wire.server import ServerProtocol

OK = [(b":status", b"200")]
BLOCK = request_block(b"GET", b"h", b"/", b"")


class Notes:
    """A receiver that notes what becomes of one request."""

    def __init__(self) -> None:
        self.stream: ClientStream | None = None
        self.body = b""
        self.heads = 0
        self.is_over = asyncio.Event()
        self.lost: str | None = None
        self.writable: list[bool] = []

    def on_answer(self, connection: ClientStream) -> None:
        self.stream = connection
        self.heads += 1
        self.body += connection.early
        if connection.is_answer_complete:
            self.is_over.set()

    def on_answer_body(self, data: bytes) -> None:
        self.body += data

    def on_answer_end(self) -> None:
        assert not self.is_over.is_set()
        self.is_over.set()

    def on_answer_lost(self, why: str) -> None:
        assert not self.is_over.is_set()
        self.lost = why
        self.is_over.set()

    def on_upstream_writable(self, is_writable: bool) -> None:
        self.writable.append(is_writable)


class Upstream:
    """A server in memory that sends what it is told."""

    def __init__(self, values: dict[int, int] | None = None, **options: object) -> None:
        self.retired = 0
        self.wire = Wire()
        self.connection = H2Connection(on_retired=self._retire, **options)  # type: ignore[arg-type]
        self.connection.connection_made(self.wire)
        assert self.wire.sent.startswith(ours.PREFACE)
        self.wire.read = len(ours.PREFACE)
        self.greeting = self.wire.frames()
        self.feed(ours.settings(values or {}))

    def _retire(self, connection: H2Connection) -> None:
        assert connection is self.connection
        self.retired += 1

    def feed(self, data: bytes) -> list[their.Frame]:
        self.connection.data_received(data)
        return self.wire.frames()

    def ask(self, content: bytes = b"", **options: bool) -> tuple[Notes, ClientStream]:
        notes = Notes()
        return notes, self.connection.request(notes, BLOCK, content, **options)


def answer(stream_id: int, *, is_end: bool = False, **lines: bytes) -> bytes:
    pairs = [(name.replace("_", "-").encode(), value) for name, value in lines.items()]
    return head(stream_id, [*OK, *pairs], is_end=is_end)


async def test_the_greeting() -> None:
    upstream = Upstream()
    values = upstream.greeting[0].settings
    assert values[ours.ENABLE_PUSH] == 0
    assert upstream.greeting[1].window_increment > 1_000_000


async def test_a_request_and_its_answer() -> None:
    upstream = Upstream(stripped=frozenset({b"server"}))
    notes, stream = upstream.ask(b"abc")
    first, second = upstream.wire.frames()
    assert dict(hpack.Decoder().decode(first.data))[":path"] == "/"
    assert (second.data, set(second.flags)) == (b"abc", {"END_STREAM"})
    upstream.feed(
        answer(1, a=b"b", server=b"x", content_length=b"3")
        + body(1, b"xyz", is_end=False)
        + head(1, [(b"grpc-status", b"0")])
    )
    assert notes.stream is stream
    assert (stream.status, stream.head_lines(), stream.content_length) == (200, b"a: b\r\n", 3)
    assert (notes.body, stream.trailer_lines) == (b"xyz", b"grpc-status: 0\r\n")
    assert stream.is_answer_complete
    assert stream.is_request_complete
    assert stream.let_go()
    assert upstream.connection.running == 0
    assert upstream.wire.frames() == []


async def test_an_answer_in_pieces_with_interim_answers_before() -> None:
    upstream = Upstream()
    notes, stream = upstream.ask()
    upstream.feed(head(1, [(b":status", b"103"), (b"link", b"x")], is_end=False))
    assert notes.heads == 0
    upstream.feed(answer(1))
    assert (notes.heads, stream.is_answer_complete) == (1, False)
    upstream.feed(body(1, b"ab", is_end=False))
    upstream.feed(body(1, b"c"))
    assert (notes.body, notes.is_over.is_set(), stream.trailer_lines) == (b"abc", True, b"")


@pytest.mark.parametrize("is_head", [False, True])
async def test_answers_to_head_have_a_length_and_no_body(is_head: bool) -> None:
    upstream = Upstream()
    notes, stream = upstream.ask(is_head=is_head)
    upstream.feed(answer(1, is_end=True, content_length=b"5"))
    if is_head:
        assert (stream.content_length, notes.lost) == (5, None)
    else:
        assert notes.lost == "the replica's answer is not valid HTTP/2"


async def test_many_at_once_in_any_order() -> None:
    upstream = Upstream()
    asked = [upstream.ask()[0] for _ in range(3)]
    upstream.feed(answer(5) + answer(1) + body(5, b"five") + answer(3) + body(1, b"one"))
    upstream.feed(body(3, b"three"))
    assert [notes.body for notes in asked] == [b"one", b"three", b"five"]
    assert upstream.connection.running == 0


async def test_a_full_connection_says_so() -> None:
    upstream = Upstream({ours.MAX_CONCURRENT_STREAMS: 2})
    upstream.ask()
    assert not upstream.connection.is_full
    upstream.ask()
    assert upstream.connection.is_full
    assert upstream.connection.is_usable
    with pytest.raises(AssertionError):
        upstream.ask()
    upstream.feed(answer(1, is_end=True))
    assert not upstream.connection.is_full
    upstream.feed(ours.settings({ours.MAX_CONCURRENT_STREAMS: 0}))
    assert upstream.connection.is_full


@pytest.mark.parametrize(
    ("code", "is_unprocessed"), [(ours.REFUSED_STREAM, True), (ours.INTERNAL_ERROR, False)]
)
async def test_a_reset_is_told_with_its_reason(code: int, is_unprocessed: bool) -> None:
    upstream = Upstream()
    notes, stream = upstream.ask()
    upstream.feed(ours.rst_stream(1, code))
    assert notes.lost == f"the replica reset the stream: {ours.error_name(code)}"
    assert stream.is_unprocessed is is_unprocessed
    assert upstream.connection.is_usable
    assert stream.let_go()


async def test_an_answer_that_overtakes_its_request() -> None:
    upstream = Upstream()
    notes, stream = upstream.ask(b"a", is_complete=False)
    upstream.feed(answer(1) + body(1, b"xyz") + ours.rst_stream(1, ours.NO_ERROR))
    assert (notes.body, notes.lost) == (b"xyz", None)
    upstream.wire.frames()
    stream.write(b"b")
    stream.finish_request()
    assert stream.let_go()
    assert upstream.wire.frames() == []


async def test_letting_go_of_what_runs_resets_it() -> None:
    upstream = Upstream()
    notes, stream = upstream.ask()
    upstream.wire.frames()
    assert stream.let_go()
    assert ends(upstream.wire.frames()) == [("RstStream", 1, ours.CANCEL)]
    upstream.feed(answer(1) + body(1, b"late"))
    assert (notes.heads, notes.lost) == (0, None)


async def test_a_server_that_goes_away() -> None:
    upstream = Upstream()
    asked = [upstream.ask() for _ in range(3)]
    upstream.feed(ours.goaway(2**31 - 1, ours.NO_ERROR))
    assert (upstream.retired, upstream.connection.is_usable) == (1, False)
    assert [notes.lost for notes, _ in asked] == [None, None, None]
    upstream.feed(ours.goaway(3, ours.NO_ERROR))
    assert [stream.is_unprocessed for _, stream in asked] == [False, False, True]
    assert asked[2][0].lost == "the replica goes away, and has not looked at the request"
    upstream.feed(answer(1, is_end=True))
    assert not upstream.wire.is_closed
    upstream.feed(answer(3, is_end=True))
    assert upstream.wire.is_closed
    upstream.connection.connection_lost(None)
    assert [notes.lost for notes, _ in asked[:2]] == [None, None]
    assert upstream.retired == 1


async def test_a_server_that_ends_the_connection_in_anger_is_quoted() -> None:
    upstream = Upstream()
    notes, stream = upstream.ask()
    upstream.feed(ours.goaway(1, ours.ENHANCE_YOUR_CALM, "too many pings"))
    upstream.connection.connection_lost(None)
    why = "the replica closed the connection: ENHANCE_YOUR_CALM too many pings"
    assert (notes.lost, stream.is_unprocessed) == (why, False)


async def test_a_connection_that_is_lost() -> None:
    upstream = Upstream()
    asked = [upstream.ask()[0] for _ in range(2)]
    assert upstream.connection.eof_received() is False
    upstream.connection.connection_lost(None)
    assert [notes.lost for notes in asked] == ["the replica closed the connection"] * 2
    assert upstream.retired == 1
    assert upstream.connection.is_full


async def test_closing_says_goodbye() -> None:
    upstream = Upstream()
    upstream.wire.frames()
    upstream.connection.close()
    assert ends(upstream.wire.frames()) == [("GoAway", 0, ours.NO_ERROR)]
    assert upstream.wire.is_closed
    upstream.connection.close()


BAD_CONNECTIONS = {
    "a push": frame(ours.PUSH_PROMISE, ours.END_HEADERS, 1, bytes(4)),
    "push enabled": ours.settings({ours.ENABLE_PUSH: 1}),
    "an answer to nothing": answer(3),
    "a stream of the server's": answer(2),
    "a block that can not be decoded": frame(ours.HEADERS, 4, 1, b"\x80"),
    "too many pings": frame(ours.PING, 0, 0, bytes(8)) * 5100,
}
BAD_STREAMS = {
    "no status": head(1, [(b"a", b"b")]),
    "a switch": head(1, [(b":status", b"101")], is_end=False),
    "an interim answer that ends": head(1, [(b":status", b"100")]),
    "data before the head": body(1, b"a", is_end=False),
    "an end before the head": body(1, b""),
    "a second head": answer(1) + answer(1),
    "a body too short": answer(1, content_length=b"3") + body(1, b"a"),
    "a body too long": answer(1, content_length=b"3") + body(1, b"abcd"),
    "a connection header": answer(1, connection=b"close"),
    "pseudo-headers in trailers": answer(1) + head(1, OK),
}


@pytest.mark.parametrize("name", BAD_CONNECTIONS)
async def test_a_server_that_breaks_the_protocol(name: str) -> None:
    upstream = Upstream()
    notes, _ = upstream.ask()
    frames = upstream.feed(BAD_CONNECTIONS[name])
    assert ends(frames)[0][0] == "GoAway"
    assert notes.lost == "the replica's answer is not valid HTTP/2"
    assert upstream.wire.is_closed
    assert upstream.retired == 1


@pytest.mark.parametrize("is_slow", [False, True])
@pytest.mark.parametrize("name", BAD_STREAMS)
async def test_a_server_that_breaks_one_answer(name: str, is_slow: bool) -> None:
    upstream = Upstream()
    notes, stream = upstream.ask()
    data = BAD_STREAMS[name]
    upstream.wire.frames()
    frames = []
    for at in range(0, len(data), 1 if is_slow else len(data)):
        frames += upstream.feed(data[at : at + (1 if is_slow else len(data))])
    assert ends(frames) == [("RstStream", 1, ours.PROTOCOL_ERROR)]
    assert notes.lost == "the replica's answer is not valid HTTP/2"
    assert not stream.is_unprocessed
    assert upstream.connection.is_usable
    good, _ = upstream.ask()
    upstream.feed(answer(3, is_end=True))
    assert good.is_over.is_set()


async def test_an_answer_that_was_whole_before_the_fault_is_told() -> None:
    upstream = Upstream()
    notes, _ = upstream.ask()
    upstream.feed(answer(1) + body(1, b"abc") + frame(ours.PING, 0, 0, b""))
    assert (notes.body, notes.lost) == (b"abc", None)


async def test_back_pressure_both_ways() -> None:
    upstream = Upstream()
    notes, stream = upstream.ask(is_complete=False)
    stream.write(bytes(65_535))
    stream.write(bytes(65_537))
    assert notes.writable == [False]
    upstream.feed(ours.window_update(0, 1_000_000) + ours.window_update(1, 100_000))
    assert notes.writable == [False, True]
    upstream.connection.pause_writing()
    upstream.connection.resume_writing()
    assert notes.writable == [False, True, False, True]
    upstream.feed(answer(1))
    stream.pause()
    frames = upstream.feed(body(1, bytes(60_000), is_end=False) * 3)
    assert [one for one in frames if one.stream_id == 1] == []
    stream.resume()
    (update,) = upstream.wire.frames()
    assert (update.stream_id, update.window_increment > 180_000) == (1, True)


# -- servers ------------------------------------------------------------------------------------


def message(data: bytes) -> bytes:
    return b"\0" + struct.pack(">I", len(data)) + data


class Mirror(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method == "/t/Unary":
            return grpc.unary_unary_rpc_method_handler(self._unary)
        if details.method == "/t/Stream":
            return grpc.stream_stream_rpc_method_handler(lambda messages, context: messages)
        return None

    def _unary(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("x-length", str(len(data))),))
        return data


@contextmanager
def grpc_server(address: str) -> Iterator[int]:
    sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(2), handlers=[Mirror()], options=sizes)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


async def call(connection: H2Connection, path: bytes, data: bytes) -> tuple[Notes, ClientStream]:
    notes = Notes()
    lines = b"content-type: application/grpc\r\nte: trailers\r\n"
    stream = connection.request(notes, request_block(b"POST", b"h", path, lines), data)
    async with asyncio.timeout(10):
        await notes.is_over.wait()
    return notes, stream


@pytest.mark.parametrize("is_unix", [False, True])
async def test_a_server_of_grpc(is_unix: bool, tmp_path: Path) -> None:
    path = f"{tmp_path}/s"
    with grpc_server(f"unix:{path}" if is_unix else "127.0.0.1:0") as port:
        address = Address(path=path) if is_unix else Address(host="127.0.0.1", port=port)
        connection = await connect(address)
        for size in (0, 5, 2_000_000):
            notes, stream = await call(connection, b"/t/Unary", message(bytes(size)))
            assert (stream.status, notes.body) == (200, message(bytes(size)))
            assert b"grpc-status: 0\r\n" in stream.trailer_lines
            assert b"x-length: %d\r\n" % size in stream.trailer_lines
        _, stream = await call(connection, b"/t/None", message(b""))
        assert b"grpc-status: 12\r\n" in stream.head_lines()
        calls = [call(connection, b"/t/Unary", message(b"%d" % each)) for each in range(50)]
        for each, (notes, _) in enumerate(await asyncio.gather(*calls)):
            assert notes.body == message(b"%d" % each)
        notes = Notes()
        lines = b"content-type: application/grpc\r\nte: trailers\r\n"
        block = request_block(b"POST", b"h", b"/t/Stream", lines)
        stream = connection.request(notes, block, message(b"a"), is_complete=False)
        stream.write(message(b"b"))
        stream.finish_request()
        async with asyncio.timeout(10):
            await notes.is_over.wait()
        assert notes.body == message(b"a") + message(b"b")
        assert connection.running == 0
        connection.close()
        await asyncio.sleep(0)  # the transport closes in the next tick


async def test_nobody_there() -> None:
    with pytest.raises(OSError, match="No such file"):
        await connect(Address(path="/nonexistent/s"))


class Theirs:
    """The h2 package as the server of a connection in memory: sends back what it gets."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.connection = H2Connection()
        self.connection.connection_made(self.wire)
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.link = h2.connection.H2Connection(config)
        self.link.initiate_connection()
        self.queues: dict[int, bytes] = {}
        self.ended: set[int] = set()

    def run(self, cut: Callable[[], int]) -> None:
        """Pass bytes to and fro until both have nothing to say."""
        while True:
            data = self.wire.sent[self.wire.read :]
            self.wire.read = len(self.wire.sent)
            while data:
                size = cut()
                self._take(self.link.receive_data(data[:size]))
                data = data[size:]
            self._echo()
            answered = self.link.data_to_send()
            if not answered:
                return
            while answered:
                size = cut()
                self.connection.data_received(answered[:size])
                answered = answered[size:]

    def _take(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.RequestReceived):
                self.link.send_headers(event.stream_id, [*OK, (b"x", b"y" * event.stream_id)])
                self.queues[event.stream_id] = b""
            elif isinstance(event, h2.events.DataReceived):
                self.queues[event.stream_id] += event.data
                self.link.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)

    def _echo(self) -> None:
        for stream_id, queue in tuple(self.queues.items()):
            window = self.link.local_flow_control_window(stream_id)
            size = min(window, len(queue), self.link.max_outbound_frame_size)
            if size:
                self.link.send_data(stream_id, queue[:size])
                self.queues[stream_id] = queue = queue[size:]
            if not queue and stream_id in self.ended:
                self.link.send_headers(stream_id, [(b"z", b"1")], end_stream=True)
                del self.queues[stream_id]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 200_000) | st.integers(0, 100), min_size=1, max_size=4),
    st.lists(st.integers(1, 70_000) | st.integers(1, 100), min_size=1, max_size=10),
)
async def test_a_server_of_others_sends_back_what_it_got(
    lengths: list[int], cuts: list[int]
) -> None:
    server = Theirs()
    turn = 0

    def cut() -> int:
        nonlocal turn
        turn += 1
        return max(cuts[turn % len(cuts)], sum(lengths) // 200)

    asked = []
    for length in lengths:
        content = bytes(range(256)) * (length // 256) + bytes(length % 256)
        notes = Notes()
        stream = server.connection.request(notes, BLOCK, content[:100], is_complete=False)
        stream.write(content[100:])
        stream.finish_request()
        asked.append((content, notes, stream))
    server.run(cut)
    for content, notes, stream in asked:
        assert (notes.body, notes.lost, notes.is_over.is_set()) == (content, None, True)
        assert stream.head_lines() == b"x: %b\r\n" % (b"y" * stream.id)
        assert stream.trailer_lines == b"z: 1\r\n"


# -- both ends of ours --------------------------------------------------------------------------


class Back:
    """Sends back what it gets, as fast as the client takes it."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        exchange.receiver = self
        exchange.start(200, b"", content_length=None)

    def on_body(self, data: bytes) -> None:
        self.exchange.write(data)

    def on_end(self) -> None:
        self.exchange.end(b"x: y\r\n")

    def on_abort(self) -> None: ...

    def on_writable(self, is_writable: bool) -> None:
        if is_writable:
            self.exchange.resume()
        else:
            self.exchange.pause()


class Handler:
    def on_request(self, exchange: Exchange) -> None:
        Back(exchange)


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[Address]:
    limits = Limits()
    roster = Roster(limits)
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(
        lambda: ServerProtocol(Handler(), limits, roster), f"{tmp_path}/s"
    )
    async with server:
        yield Address(path=f"{tmp_path}/s")
        async with asyncio.timeout(10):
            while len(roster):
                await asyncio.sleep(0.001)


async def test_both_ends_of_ours(address: Address) -> None:
    connection = await connect(address)
    content = bytes(range(256)) * 8000
    calls = [call(connection, b"/", content[each:]) for each in range(4)]
    for each, (notes, stream) in enumerate(await asyncio.gather(*calls)):
        assert notes.body == content[each:]
        assert stream.trailer_lines == b"x: y\r\n"
    connection.close()


async def test_a_block_of_heads_is_joined_from_parts(address: Address) -> None:
    connection = await connect(address)
    notes = Notes()
    connection.request(notes, BLOCK + encoded([(b"x-request-id", b"7")]))
    async with asyncio.timeout(10):
        await notes.is_over.wait()
    assert notes.lost is None
    connection.close()
    assert SETTINGS


FRAMES = st.tuples(
    st.sampled_from([0, 0, 1, 1, 1, 3, 4, 5, 6, 7, 8, 9, 22]),
    st.sampled_from([0, 1, 4, 4, 5, 5, 8, 13, 37]),
    st.sampled_from([0, 1, 1, 3, 3, 5, 2]),
    st.sampled_from([b"", bytes(4), bytes(5), bytes(8), encoded(OK), encoded([(b"a", b"b")])])
    | st.binary(max_size=30),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, max_size=12))
async def test_whatever_a_server_sends_every_request_has_one_end(
    sent: list[tuple[int, int, int, bytes]],
) -> None:
    upstream = Upstream()
    asked = [upstream.ask(b"a", is_complete=each != 1) for each in range(3)]
    for kind, flags, stream_id, payload in sent:
        upstream.feed(frame(kind, flags, stream_id, payload))
    for _, stream in asked:
        stream.write(b"b")
        stream.finish_request()
    upstream.connection.connection_lost(None)
    for notes, stream in asked:
        assert notes.is_over.is_set()
        assert (notes.lost is None) == stream.is_answer_complete
    assert upstream.retired == 1


async def test_a_connection_whose_numbers_are_used_up_takes_no_more() -> None:
    upstream = Upstream()
    upstream.connection._next_id = ours.STREAM_ID_MAX
    notes, stream = upstream.ask()
    assert stream.id == ours.STREAM_ID_MAX
    assert (upstream.retired, upstream.connection.is_full) == (1, True)
    upstream.feed(answer(stream.id, is_end=True))
    assert notes.lost is None
    assert upstream.wire.is_closed
