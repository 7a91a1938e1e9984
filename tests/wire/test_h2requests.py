"""Requests on streams: heads, bodies in any cut, trailers, and those that are refused."""

import pytest
from hyperframe import frame as their
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.h2peer import GET, POST, App, Client, body, ends, head
from wire import h2frames as ours
from wire.exchange import Exchange
from wire.limits import Limits


def ok(exchange: Exchange, notes: object) -> None:
    exchange.respond(200, b"", b"")


async def test_what_an_exchange_says_of_a_request() -> None:
    client = Client(App())
    fields = [
        (b":method", b"PUT"),
        (b":scheme", b"http"),
        (b":path", b"/a?b=c"),
        (b":authority", b"h:1"),
        (b"x", b"y"),
        (b"content-length", b"3"),
    ]
    client.feed(head(1, fields, is_end=False) + body(1, b"abc"))
    exchange = client.app.seen[0].exchange
    assert exchange.is_http2
    assert (exchange.method, exchange.target) == (b"PUT", b"/a?b=c")
    assert (exchange.path, exchange.query) == (b"/a", b"b=c")
    assert exchange.index == {b"host": b"h:1", b"x": b"y", b"content-length": b"3"}
    assert exchange.header(b"x") == b"y"
    assert (exchange.peer, exchange.content_length, exchange.received) == ("127.0.0.1", 3, 3)
    assert exchange.is_complete
    assert exchange.keep_alive
    assert not exchange.is_http_10
    assert exchange.upgrade == b""
    assert client.app.seen[0].body == b"abc"
    client.close()


async def test_a_whole_request_in_one_read_can_be_taken_whole() -> None:
    taken = []

    def act(exchange: Exchange, notes: object) -> None:
        taken.append((exchange.early, exchange.is_complete, exchange.take()))
        exchange.respond(200, b"", b"")

    client = Client(App(act))
    client.feed(head(1, POST, is_end=False) + body(1, b"ab", is_end=False) + body(1, b"c"))
    assert taken == [(b"abc", True, b"abc")]
    assert client.app.seen[0].pieces == []
    client.close()


async def test_a_taken_body_is_not_given_again() -> None:
    client = Client(App(lambda exchange, notes: exchange.take()))
    client.feed(head(1, POST, is_end=False) + body(1, b"abc"))
    assert client.app.seen[0].body == b""
    assert client.app.seen[0].exchange.is_taken
    client.close()


async def test_the_same_head_is_parsed_once() -> None:
    client = Client(App(ok))
    client.feed(head(1))
    client.feed(head(3))
    client.feed(head(5, [*GET, (b"a", b"b")]))
    first, second, third = (notes.exchange.head for notes in client.app.seen)
    assert first is second
    assert first is not third
    for each in range(100):
        client.feed(head(7 + 2 * each, [*GET, (b"a", b"%d" % each)]))
    assert [notes.exchange.index[b"a"] for notes in client.app.seen[3:]] == [
        b"%d" % each for each in range(100)
    ]
    client.close()


async def test_trailers_end_a_request() -> None:
    client = Client(App())
    client.feed(head(1, POST, is_end=False) + body(1, b"abc", is_end=False))
    assert not client.app.seen[0].has_ended
    client.feed(head(1, [(b"x", b"y")]))
    assert client.app.seen[0].has_ended
    client.close()


async def test_many_at_once_in_any_order() -> None:
    client = Client(App())
    client.feed(b"".join(head(each, POST, is_end=False) for each in (1, 3, 5)))
    client.feed(body(5, b"five") + body(1, b"one"))
    client.app.seen[2].exchange.respond(200, b"", b"5")
    client.app.seen[1].exchange.respond(200, b"", b"3")
    client.app.seen[0].exchange.respond(200, b"", b"1")
    frames = [each for each in client.wire.frames() if isinstance(each, their.DataFrame)]
    assert [(each.stream_id, each.data) for each in frames] == [(5, b"5"), (3, b"3"), (1, b"1")]
    client.close()


async def test_more_streams_than_allowed_are_refused_and_cost_nothing() -> None:
    client = Client(App(), Limits(streams_max=2, resets_max=3))
    client.feed(head(1) + head(3))
    frames = client.feed(b"".join(head(each) for each in range(5, 25, 2)))
    assert ends(frames) == [("RstStream", each, ours.REFUSED_STREAM) for each in range(5, 25, 2)]
    client.app.seen[0].exchange.respond(200, b"", b"")
    assert len(client.feed(head(25))) == 1
    assert len(client.app.seen) == 3
    client.feed(ours.SETTINGS_ACK)  # from here on the client knows
    frames = client.feed(b"".join(head(each) for each in range(27, 37, 2)))
    assert ends(frames)[-1] == ("GoAway", 0, ours.ENHANCE_YOUR_CALM)
    client.close()


REFUSED = {
    400: head(1, GET[:3]),
    413: head(1, [*POST, (b"content-length", b"100001")], is_end=False),
    414: head(1, [*GET[:2], (b":path", b"/" * 10_000), GET[3]]),
    417: head(1, [*GET, (b"expect", b"a miracle")]),
    431: head(1, [*GET, *[(b"a", b"b")] * 101]),
    501: head(1, [(b":method", b"CONNECT"), (b":authority", b"h:1")]),
}


@pytest.mark.parametrize("status", REFUSED)
async def test_what_is_refused_before_a_handler_sees_it(status: int) -> None:
    client = Client(App(), Limits(body_bytes_max=1000))
    answer, content, *rest = client.feed(REFUSED[status])
    assert client.fields(answer)[":status"] == str(status)
    assert b'"reason":' in content.data
    assert client.app.seen == []
    expected = [("RstStream", 1, ours.NO_ERROR)] if status == 413 else []
    assert ends(rest) == expected
    client.close()


async def test_a_body_that_grows_too_large() -> None:
    client = Client(App(), Limits(body_bytes_max=1000))
    client.feed(head(1, POST, is_end=False))
    answer, *rest = client.feed(body(1, bytes(1001), is_end=False))
    assert client.fields(answer)[":status"] == "413"
    assert client.app.seen[0].is_aborted
    assert ends(rest) == [("RstStream", 1, ours.NO_ERROR)]
    client.feed(head(3, POST, is_end=False) + body(3, b"a", is_end=False))
    client.app.seen[1].exchange.start(200, b"", content_length=None)
    frames = client.feed(body(3, bytes(1001), is_end=False))
    assert ends(frames) == [("RstStream", 3, ours.CANCEL)]  # the answer had begun
    client.close()


async def test_a_request_that_is_reset_before_it_was_shown_is_not_shown() -> None:
    client = Client(App())
    client.feed(head(1) + ours.rst_stream(1, ours.CANCEL) + head(3))
    assert len(client.app.seen) == 1
    client.close()


async def test_a_reset_tells_the_handler_once() -> None:
    client = Client(App())
    client.feed(head(1))
    client.feed(ours.rst_stream(1, ours.CANCEL))
    notes = client.app.seen[0]
    assert notes.is_aborted
    notes.exchange.respond(200, b"", b"late")
    assert client.wire.frames() == []
    client.close()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.binary(max_size=300), st.booleans(), st.integers(0, 5)), min_size=1, max_size=5
    ),
    st.lists(st.integers(1, 200), min_size=1),
)
async def test_bodies_arrive_whole_however_they_are_cut(
    requests: list[tuple[bytes, bool, int]], sizes: list[int]
) -> None:
    client = Client(App())
    data = b""
    for index, (content, has_length, padding) in enumerate(requests):
        stream_id = 2 * index + 1
        length = [(b"content-length", b"%d" % len(content))] if has_length else []
        data += head(stream_id, [*POST, *length], is_end=False)
        half = len(content) // 2
        data += body(stream_id, content[:half], is_end=False)
        padded = bytes((padding,)) + content[half:] + bytes(padding)
        one = ours.pack_head(len(padded) << 8, ours.PADDED | ours.END_STREAM, stream_id)
        data += one + padded
    at = 0
    turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        client.feed(data[at : at + size])
        at += size
        turn += 1
    assert [notes.body for notes in client.app.seen] == [content for content, _, _ in requests]
    assert all(notes.has_ended for notes in client.app.seen)
    client.close()
