"""Input: remembered heads must read exactly as parsed ones do, and memory stays bounded."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.memory import Memory
from wire.exchange import Exchange
from wire.limits import Limits
from wire.server import ServerProtocol


class App:
    """Answers at once; the body of a request that is not complete comes later."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, bytes]] = []
        self.heads: list[object] = []

    def on_request(self, exchange: Exchange) -> None:
        self.heads.append(exchange.head)
        exchange.receiver = Collector(exchange, self.seen)


def connect() -> tuple[ServerProtocol, Memory, App]:
    app, wire = App(), Memory()
    protocol = ServerProtocol(app, Limits())
    protocol.connection_made(wire)
    return protocol, wire, app


def post(path: bytes, body: bytes, extra: bytes = b"") -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: h\r\n%bContent-Length: %d\r\n\r\n"
    return head % (path, extra, len(body)) + body


async def test_a_head_that_comes_again_is_not_parsed_again() -> None:
    protocol, wire, app = connect()
    for body in (b"one", b"two", b"six"):
        protocol.data_received(post(b"/a", body))
    assert app.seen == [(b"/a", b"one"), (b"/a", b"two"), (b"/a", b"six")]
    assert app.heads[0] is app.heads[1] is app.heads[2]
    assert wire.sent.count(b"200 OK") == 3
    protocol.connection_lost(None)


async def test_anything_else_is_parsed() -> None:
    protocol, _, app = connect()
    protocol.data_received(post(b"/a", b"one"))
    protocol.data_received(post(b"/b", b"one"))
    protocol.data_received(post(b"/b", b"four"))
    protocol.data_received(post(b"/b", b"four") + post(b"/c", b"five"))
    protocol.data_received(post(b"/b", b"four")[:-1])
    protocol.data_received(b"!")
    assert app.seen == [
        (b"/a", b"one"),
        (b"/b", b"one"),
        (b"/b", b"four"),
        (b"/b", b"four"),
        (b"/c", b"five"),
        (b"/b", b"fou!"),
    ]
    protocol.connection_lost(None)


async def test_a_known_head_in_the_middle_of_another_message_is_not_one() -> None:
    protocol, wire, app = connect()
    request = post(b"/a", b"one")
    protocol.data_received(request)
    protocol.data_received(b"PO")
    protocol.data_received(request)
    assert len(app.seen) == 1
    assert b"HTTP/1.1 400 " in wire.sent
    protocol.connection_lost(None)


async def test_a_known_head_as_the_body_of_another_message_is_a_body() -> None:
    protocol, _, app = connect()
    request = post(b"/a", b"one")
    protocol.data_received(request)
    other = post(b"/b", request)
    head = other[: -len(request)]
    app.on_request = lambda exchange: None  # type: ignore[method-assign] # an answer that never comes
    protocol._on_request = lambda exchange: seen.append(exchange)
    seen: list[Exchange] = []
    protocol.data_received(head)
    protocol.data_received(request)
    assert len(seen) == 1
    assert seen[0].received == len(request)
    protocol.connection_lost(None)


async def test_heads_that_always_differ_are_soon_not_remembered() -> None:
    protocol, _, app = connect()
    for number in range(100):
        protocol.data_received(post(b"/%d" % number, b"x"))
    assert len(app.seen) == 100
    assert protocol._memo_bytes.startswith(b"POST /7 ")
    protocol.connection_lost(None)


@pytest.mark.parametrize(
    "request_",
    [
        post(b"/a", b"x", b"Expect: 100-continue\r\n"),
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        post(b"/" + b"a" * 5000, b"x"),
    ],
    ids=["expect", "upgrade", "chunked", "long"],
)
async def test_unusual_heads_are_never_remembered(request_: bytes) -> None:
    protocol, _, app = connect()
    for _ in range(3):
        protocol.data_received(request_)
    assert len(app.seen) == 3
    assert protocol._memo is None
    protocol.connection_lost(None)


def forwarded(path: bytes, identity: bytes, body: bytes) -> bytes:
    """As the activator sends it."""
    tail = b"content-length: %d\r\nx-request-id: %b\r\n\r\n" % (len(body), identity)
    return b"POST %b HTTP/1.1\r\nhost: h\r\na: 1\r\n%b%b" % (path, tail, body)


async def test_a_head_that_comes_again_with_another_tail_is_not_parsed_again() -> None:
    protocol, _, app = connect()
    protocol.data_received(forwarded(b"/a", b"id-1", b"one"))
    protocol._parser = None  # what is parsed fails
    for identity, body in ((b"id-2", b"three"), (b"x", b""), (b"id-1", b"a" * 9999)):
        protocol.data_received(forwarded(b"/a", identity, body))
        assert app.seen[-1] == (b"/a", body)
        head: Any = app.heads[-1]
        assert head.origin is app.heads[0]
        assert head.headers[2:] == [
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", identity),
        ]
        assert dict(head.headers) == head.index
        assert head.content_length == len(body)
    protocol.connection_lost(None)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (forwarded(b"/a", b"i", b"four") + forwarded(b"/a", b"j", b"x"), b"200"),
        (forwarded(b"/a", b"i", b"four").replace(b"id: i", b"id: i\r\nb: 2"), b"200"),
        (forwarded(b"/a", b"i", b"four").replace(b"id: i", b"id: i\x01"), b"400"),
        (forwarded(b"/a", b"i", b"four").replace(b"length: 4", b"length: 4x"), b"400"),
        (forwarded(b"/a", b"i", b"four").replace(b"length: 4", b"length: 67108865"), b"413"),
        (
            forwarded(b"/a", b"i", b"four")[:-4].replace(b": 4\r", b": 4\r\nb: 2\r") + b"four",
            b"200",
        ),
    ],
    ids=["two", "more lines", "control", "no number", "too large", "between"],
)
async def test_what_only_looks_like_a_known_head_is_parsed(request_: bytes, status: bytes) -> None:
    protocol, wire, app = connect()
    protocol.data_received(forwarded(b"/a", b"i", b"one"))
    wire.sent = b""
    protocol.data_received(request_)
    assert wire.sent.startswith(b"HTTP/1.1 " + status)
    if status == b"200":
        assert app.seen[1] == (b"/a", b"four")
    protocol.connection_lost(None)


async def test_a_known_head_whose_body_is_still_coming_is_parsed() -> None:
    protocol, _, app = connect()
    protocol.data_received(forwarded(b"/a", b"i", b"one"))
    request = forwarded(b"/a", b"j", b"four")
    protocol.data_received(request[:-1])
    assert len(app.seen) == 1
    protocol.data_received(request[-1:])
    assert app.seen == [(b"/a", b"one"), (b"/a", b"four")]
    protocol.connection_lost(None)


# What a tail may be turned into: what is read in two ways by two servers starts like this.
ODD = st.sampled_from(
    [b" ", b"\t", b"\r", b"\n", b"\0", b"0", b"9", b"x", b"+", b"-", b",", b":", b"\xff"]
)


@given(
    at=st.integers(0, 70),
    cut=st.integers(0, 2),
    odd=ODD,
    identity=st.from_regex(r"[!-~]{1,5}", fullmatch=True),
    body=st.binary(max_size=12),
)
async def test_a_remembered_head_is_taken_for_what_a_parser_makes_of_it(
    at: int, cut: int, odd: bytes, identity: str, body: bytes
) -> None:
    good = forwarded(b"/a", identity.encode(), body)
    place = good.index(b"content-length") + at
    request = good[:place] + odd + good[place + cut :]
    found = []
    for is_known in (True, False):
        protocol, wire, app = connect()
        if is_known:
            protocol.data_received(forwarded(b"/a", b"i", b"one"))
            wire.sent = b""
            app.seen.clear()
            app.heads.clear()
        protocol.data_received(request)
        heads: list[Any] = app.heads
        found.append((wire.sent, app.seen, [(head.headers, head.index) for head in heads]))
        protocol.connection_lost(None)
    assert found[0] == found[1]


REQUESTS = [
    forwarded(b"/a", b"i", b"one"),
    forwarded(b"/a", b"j", b"three"),
    forwarded(b"/a", b"jj", b""),
    forwarded(b"/b", b"i", forwarded(b"/a", b"j", b"three")),
    post(b"/a", b"one"),
    post(b"/a", b"two"),
    post(b"/b", b"one"),
    post(b"/a", b""),
    b"GET /g HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /t HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
]


@given(
    chosen=st.lists(st.sampled_from(REQUESTS), max_size=8),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
async def test_however_a_stream_is_cut_the_same_requests_come_out(
    chosen: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(chosen)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    results = []
    for each in (pieces, chosen, [stream] if stream else []):
        seen: list[tuple[bytes, bytes]] = []
        protocol = ServerProtocol(Collecting(seen), Limits())
        protocol.connection_made(Memory())
        for piece in each:
            protocol.data_received(piece)
        protocol.connection_lost(None)
        results.append(seen)
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == len(chosen)


class Collecting:
    def __init__(self, seen: list[tuple[bytes, bytes]]) -> None:
        self.seen = seen

    def on_request(self, exchange: Exchange) -> None:
        exchange.receiver = Collector(exchange, self.seen)


class Collector:
    def __init__(self, exchange: Exchange, seen: list[tuple[bytes, bytes]]) -> None:
        self.exchange, self.seen, self.body = exchange, seen, b""

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_end(self) -> None:
        self.seen.append((self.exchange.target, self.body))
        self.exchange.respond(200, b"", b"")

    def on_abort(self) -> None: ...
    def on_writable(self, is_writable: bool) -> None: ...
