"""Frames in every bad order and shape, floods of good ones, and the windows we give."""

import pytest
from hyperframe import frame as their
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.h2peer import (
    GET,
    POST,
    SETTINGS,
    App,
    Client,
    Notes,
    body,
    encoded,
    ends,
    frame,
    head,
)
from wire import h2frames as ours
from wire.exchange import Exchange
from wire.h2inflow import CONNECTION_WINDOW, FRAME_BYTES_MAX
from wire.h2server import H2ServerProtocol
from wire.limits import Limits

H, D, END, ACK = ours.HEADERS, ours.DATA, ours.END_STREAM, ours.ACK
ALL = ours.END_HEADERS
WORD = (1).to_bytes(4, "big")
OPEN = head(1, POST, is_end=False)
DONE = head(1)  # half-closed: the request is whole, the answer not begun

# What breaks a connection: name → (what is sent behind the settings, the code of the GOAWAY).
BAD_CONNECTIONS = {
    "DATA on stream 0": (frame(D, 0, 0, b"a"), ours.PROTOCOL_ERROR),
    "HEADERS on stream 0": (frame(H, ALL | END, 0, encoded(GET)), ours.PROTOCOL_ERROR),
    "PRIORITY on stream 0": (frame(ours.PRIORITY, 0, 0, bytes(5)), ours.PROTOCOL_ERROR),
    "RST_STREAM on stream 0": (frame(ours.RST_STREAM, 0, 0, WORD), ours.PROTOCOL_ERROR),
    "RST_STREAM on an idle stream": (frame(ours.RST_STREAM, 0, 1, WORD), ours.PROTOCOL_ERROR),
    "RST_STREAM on a stream of ours": (frame(ours.RST_STREAM, 0, 2, WORD), ours.PROTOCOL_ERROR),
    "RST_STREAM of 5 bytes": (OPEN + frame(ours.RST_STREAM, 0, 1, bytes(5)), ours.FRAME_SIZE_ERROR),
    "SETTINGS on a stream": (OPEN + frame(ours.SETTINGS, 0, 1), ours.PROTOCOL_ERROR),
    "SETTINGS of 5 bytes": (frame(ours.SETTINGS, 0, 0, bytes(5)), ours.FRAME_SIZE_ERROR),
    "SETTINGS ACK with a payload": (frame(ours.SETTINGS, ACK, 0, bytes(6)), ours.FRAME_SIZE_ERROR),
    "ENABLE_PUSH 2": (ours.settings({ours.ENABLE_PUSH: 2}), ours.PROTOCOL_ERROR),
    "a window of 2**31": (
        ours.settings({ours.INITIAL_WINDOW_SIZE: 2**31}),
        ours.FLOW_CONTROL_ERROR,
    ),
    "frames of 16383": (ours.settings({ours.MAX_FRAME_SIZE: 16_383}), ours.PROTOCOL_ERROR),
    "frames of 2**24": (ours.settings({ours.MAX_FRAME_SIZE: 2**24}), ours.PROTOCOL_ERROR),
    "PUSH_PROMISE": (OPEN + frame(ours.PUSH_PROMISE, ALL, 1, WORD), ours.PROTOCOL_ERROR),
    "PING on a stream": (OPEN + frame(ours.PING, 0, 1, bytes(8)), ours.PROTOCOL_ERROR),
    "PING of 7 bytes": (frame(ours.PING, 0, 0, bytes(7)), ours.FRAME_SIZE_ERROR),
    "GOAWAY on a stream": (OPEN + frame(ours.GOAWAY, 0, 1, bytes(8)), ours.PROTOCOL_ERROR),
    "GOAWAY of 7 bytes": (frame(ours.GOAWAY, 0, 0, bytes(7)), ours.FRAME_SIZE_ERROR),
    "WINDOW_UPDATE by 0": (frame(ours.WINDOW_UPDATE, 0, 0, bytes(4)), ours.PROTOCOL_ERROR),
    "WINDOW_UPDATE of 3 bytes": (frame(ours.WINDOW_UPDATE, 0, 0, bytes(3)), ours.FRAME_SIZE_ERROR),
    "WINDOW_UPDATE on an idle stream": (ours.window_update(1, 1), ours.PROTOCOL_ERROR),
    "a window over 2**31-1": (ours.window_update(0, 2**31 - 1), ours.FLOW_CONTROL_ERROR),
    "CONTINUATION of nothing": (frame(ours.CONTINUATION, ALL, 1), ours.PROTOCOL_ERROR),
    "CONTINUATION behind a block": (OPEN + frame(ours.CONTINUATION, ALL, 1), ours.PROTOCOL_ERROR),
    "CONTINUATION of another stream": (
        frame(H, END, 1, encoded(GET)) + frame(ours.CONTINUATION, ALL, 3),
        ours.PROTOCOL_ERROR,
    ),
    "DATA within a block": (
        frame(H, END, 1, encoded(GET)) + frame(D, 0, 1, b"a"),
        ours.PROTOCOL_ERROR,
    ),
    "an unknown frame within a block": (
        frame(H, END, 1, encoded(GET)) + frame(0x16, 0, 1, b"a"),
        ours.PROTOCOL_ERROR,
    ),
    "HEADERS within a block": (frame(H, 0, 1) + head(3), ours.PROTOCOL_ERROR),
    "DATA on an idle stream": (frame(D, END, 1, b"a"), ours.PROTOCOL_ERROR),
    "an even stream": (head(2), ours.PROTOCOL_ERROR),
    "a stream number that goes back": (head(5) + head(3), ours.PROTOCOL_ERROR),
    "padding as long as its frame": (
        OPEN + frame(D, ours.PADDED, 1, b"\4abc"),
        ours.PROTOCOL_ERROR,
    ),
    "padded, and empty": (OPEN + frame(D, ours.PADDED, 1), ours.PROTOCOL_ERROR),
    "padding as long as its head": (
        frame(H, ALL | END | ours.PADDED, 1, b"\5abcd"),
        ours.PROTOCOL_ERROR,
    ),
    "a priority cut": (frame(H, ALL | END | ours.PRIORITISED, 1, b"ab"), ours.FRAME_SIZE_ERROR),
    "a frame too large": (
        (FRAME_BYTES_MAX + 1).to_bytes(3, "big") + b"\0\0\0\0\0\1",
        ours.FRAME_SIZE_ERROR,
    ),
    "a block that can not be decoded": (frame(H, ALL | END, 1, b"\x80"), ours.COMPRESSION_ERROR),
    "a block cut": (frame(H, ALL | END, 1, b"\0\4a"), ours.COMPRESSION_ERROR),
    "far too many fields": (frame(H, ALL | END, 1, b"\x82" * 5000), ours.ENHANCE_YOUR_CALM),
    "a bomb": (
        frame(H, ALL | END, 1, b"\x40\x01a\x7f\x81\x1e" + b"x" * 3968 + b"\xbe" * 90),
        ours.ENHANCE_YOUR_CALM,
    ),
}

# What breaks a stream: name → (what is sent, the stream, the code of its RST_STREAM).
BAD_STREAMS = {
    "DATA behind the end": (DONE + body(1, b"a"), 1, ours.STREAM_CLOSED),
    "HEADERS behind the end": (DONE + head(1), 1, ours.STREAM_CLOSED),
    "a second head": (OPEN + head(1, [(b"a", b"b")], is_end=False), 1, ours.PROTOCOL_ERROR),
    "pseudo-headers in trailers": (OPEN + head(1, [(b":path", b"/")]), 1, ours.PROTOCOL_ERROR),
    "capitals in trailers": (OPEN + head(1, [(b"A", b"b")]), 1, ours.PROTOCOL_ERROR),
    "a malformed head": (head(1, [*GET, (b"connection", b"close")]), 1, ours.PROTOCOL_ERROR),
    "PRIORITY of 4 bytes": (OPEN + frame(ours.PRIORITY, 0, 1, WORD), 1, ours.FRAME_SIZE_ERROR),
    "WINDOW_UPDATE by 0": (OPEN + ours.window_update(1, 0), 1, ours.PROTOCOL_ERROR),
    "a window over 2**31-1": (
        OPEN + ours.window_update(1, 2**31 - 1),
        1,
        ours.FLOW_CONTROL_ERROR,
    ),
    "more data than the window": (
        OPEN + frame(D, 0, 1, bytes(60_000)) * 2,
        1,
        ours.FLOW_CONTROL_ERROR,
    ),
    "a body longer than announced": (
        head(1, [*POST, (b"content-length", b"2")], is_end=False) + body(1, b"abc"),
        1,
        ours.PROTOCOL_ERROR,
    ),
    "a body shorter than announced": (
        head(1, [*POST, (b"content-length", b"2")], is_end=False) + body(1, b"a"),
        1,
        ours.PROTOCOL_ERROR,
    ),
    "no body though one was announced": (
        head(1, [*POST, (b"content-length", b"2")]),
        1,
        ours.PROTOCOL_ERROR,
    ),
    "trailers before the announced body": (
        head(1, [*POST, (b"content-length", b"2")], is_end=False) + head(1, [(b"a", b"b")]),
        1,
        ours.PROTOCOL_ERROR,
    ),
}


@pytest.mark.parametrize("is_slow", [False, True])
@pytest.mark.parametrize("name", BAD_CONNECTIONS)
async def test_what_breaks_a_connection(name: str, is_slow: bool) -> None:
    data, code = BAD_CONNECTIONS[name]
    client = Client(App())
    if is_slow:
        for at in range(len(data)):
            client.wire.protocol.data_received(data[at : at + 1])  # type: ignore[attr-defined]
        frames = client.wire.frames()
    else:
        frames = client.feed(data)
    assert [end for end in ends(frames) if end[0] == "GoAway"] == [("GoAway", 0, code)]
    assert client.wire.has_eof
    assert all(notes.is_aborted for notes in client.app.seen)
    assert client.feed(head(101)) == []
    client.close()


@pytest.mark.parametrize("name", BAD_STREAMS)
async def test_what_breaks_a_stream_only(name: str) -> None:
    data, stream_id, code = BAD_STREAMS[name]

    def leave(exchange: object, notes: object) -> None:
        """Take neither body nor request: windows stay as they are."""

    client = Client(App(leave))
    pause = name == "more data than the window"
    if pause:
        client.app.act = lambda exchange, notes: exchange.pause()
        client.feed(OPEN)
        data = data[len(OPEN) :]
    frames = client.feed(data)
    assert ends(frames) == [("RstStream", stream_id, code)]
    assert all(notes.is_aborted for notes in client.app.seen)
    client.app.act = lambda exchange, notes: exchange.respond(200, b"", b"")
    (answer,) = client.feed(head(101))
    assert client.fields(answer)[":status"] == "200"
    client.close()


@pytest.mark.parametrize("kind", ["nothing", "ack", "ping", "headers"])
async def test_the_first_frame_is_settings(kind: str) -> None:
    first = {
        "nothing": SETTINGS,
        "ack": ours.SETTINGS_ACK,
        "ping": frame(ours.PING, 0, 0, bytes(8)),
        "headers": head(1),
    }[kind]
    client = Client(App(), is_greeted=False)
    frames = client.feed(ours.PREFACE + first)
    expected = [] if kind == "nothing" else [("GoAway", 0, ours.PROTOCOL_ERROR)]
    assert ends(frames) == expected
    client.close()


async def test_frames_that_mean_nothing_to_us_are_passed_over() -> None:
    client = Client(App(lambda exchange, notes: exchange.respond(200, b"", b"")))
    frames = client.feed(
        frame(0x16, 0xFF, 7, b"an extension")
        + frame(ours.PRIORITY, 0, 9, WORD + b"\x10")
        + ours.settings({0x99: 7})
        + frame(
            H,
            ALL | END | ours.PADDED | ours.PRIORITISED,
            1,
            b"\2" + bytes(5) + encoded(GET) + bytes(2),
        )
        + ours.window_update(1, 5)
        + frame(ours.RST_STREAM, 0, 1, WORD)
    )
    assert ends(frames) == []
    client.close()


async def test_a_ping_is_answered_and_an_answer_is_not() -> None:
    client = Client(App())
    (pong,) = client.feed(frame(ours.PING, 0, 0, b"abcdefgh") + frame(ours.PING, ACK, 0, bytes(8)))
    assert (pong.opaque_data, set(pong.flags)) == (b"abcdefgh", {"ACK"})
    client.close()


async def test_what_crosses_a_reset_of_ours_is_no_fault() -> None:
    client = Client(App(lambda exchange, notes: exchange.abort()))
    assert ends(client.feed(OPEN)) == [("RstStream", 1, ours.INTERNAL_ERROR)]
    late = body(1, b"a", is_end=False) + head(1, [(b"a", b"b")]) + ours.window_update(1, 5)
    assert client.feed(late) == []
    client.close()


async def test_what_comes_behind_the_end_of_both_is_a_fault() -> None:
    client = Client(App(lambda exchange, notes: exchange.respond(200, b"", b"")))
    client.feed(head(1))
    assert ends(client.feed(body(1, b"a"))) == [("RstStream", 1, ours.STREAM_CLOSED)]
    client.feed(head(3))
    assert ends(client.feed(head(3))) == [("GoAway", 0, ours.STREAM_CLOSED)]
    client.close()


FLOODS = {
    "pings": frame(ours.PING, 0, 0, bytes(8)),
    "settings": SETTINGS,
    "acknowledgements": ours.SETTINGS_ACK,
    "priorities": frame(ours.PRIORITY, 0, 9, bytes(5)),
    "empty data": body(1, b"", is_end=False),
    "padding": frame(D, ours.PADDED, 1, b"\1\0"),
    "extensions": frame(0x20, 0, 0),
}


@pytest.mark.parametrize("name", FLOODS)
async def test_floods_end_the_connection(name: str) -> None:
    client = Client(App(), Limits(nuisances_max=100))
    client.feed(OPEN)
    assert ends(client.feed(FLOODS[name] * 90)) == []
    assert ends(client.feed(FLOODS[name] * 20)) == [("GoAway", 0, ours.ENHANCE_YOUR_CALM)]
    client.close()


async def test_time_makes_up_for_nuisances() -> None:
    client = Client(App(), Limits(nuisances_max=100))
    for _ in range(20):
        assert ends(client.feed(FLOODS["pings"] * 10)) == []
        client.later(1.0)
    client.close()


async def test_settings_with_many_values_cost_more() -> None:
    client = Client(App(), Limits(nuisances_max=100))
    many = frame(ours.SETTINGS, 0, 0, bytes(6) * 160)
    assert ends(client.feed(many * 8)) == []
    assert ends(client.feed(many * 3)) == [("GoAway", 0, ours.ENHANCE_YOUR_CALM)]
    client.close()


async def test_rapid_resets_end_the_connection() -> None:
    client = Client(App(), Limits(resets_max=50))
    for stream_id in range(1, 101, 2):
        assert ends(client.feed(head(stream_id) + ours.rst_stream(stream_id, ours.CANCEL))) == []
    frames = client.feed(head(101) + ours.rst_stream(101, ours.CANCEL))
    assert ends(frames) == [("GoAway", 0, ours.ENHANCE_YOUR_CALM)]
    assert all(notes.is_aborted for notes in client.app.seen)
    client.close()


async def test_resets_that_we_are_made_to_send_count_too() -> None:
    client = Client(App(), Limits(resets_max=50))
    frames = []
    for stream_id in range(1, 111, 2):
        frames += client.feed(
            head(stream_id, POST, is_end=False) + ours.window_update(stream_id, 0)
        )
    assert len([end for end in ends(frames) if end[0] == "RstStream"]) == 50
    assert ends(frames)[-1] == ("GoAway", 0, ours.ENHANCE_YOUR_CALM)
    client.close()


@pytest.mark.parametrize("piece", [b"", b"x" * 5000])
async def test_a_header_block_without_end(piece: bytes) -> None:
    client = Client(App())
    frames = client.feed(
        frame(H, END, 1, encoded(GET)) + frame(ours.CONTINUATION, 0, 1, piece) * 70
    )
    assert ends(frames) == [("GoAway", 0, ours.ENHANCE_YOUR_CALM)]
    client.close()


async def test_a_head_in_many_frames() -> None:
    client = Client(App(lambda exchange, notes: exchange.respond(200, b"", exchange.headers[1][1])))
    block = encoded([*GET, (b"x", b"abc" * 20)])
    parts = [block[at : at + 9] for at in range(0, len(block), 9)]
    data = frame(H, END, 1, parts[0])
    data += b"".join(frame(ours.CONTINUATION, 0, 1, part) for part in parts[1:])
    answer, content = client.feed(data + frame(ours.CONTINUATION, ALL, 1))
    assert client.fields(answer)[":status"] == "200"
    assert content.data == b"abc" * 20
    client.close()


def windows(frames: list[their.Frame], stream_id: int) -> int:
    return sum(
        one.window_increment
        for one in frames
        if isinstance(one, their.WindowUpdateFrame) and one.stream_id == stream_id
    )


async def test_a_window_grows_as_long_as_the_reader_keeps_up() -> None:
    client = Client(App())
    client.feed(OPEN)
    sent, given = 0, 65_535
    for _ in range(100):
        sent += 16_384
        given += windows(client.feed(body(1, bytes(16_384), is_end=False)), 1)
    assert given - sent > 500_000
    assert given - sent <= 1024 * 1024
    assert len(client.app.seen[0].body) == sent
    client.close()


async def test_a_paused_stream_gets_no_window_and_the_others_do() -> None:
    client = Client(App())
    client.feed(OPEN)
    client.app.seen[0].exchange.pause()
    frames = client.feed(body(1, bytes(60_000), is_end=False))
    assert windows(frames, 1) == 0
    client.feed(head(3, POST, is_end=False))
    assert windows(client.feed(body(3, bytes(60_000), is_end=False)), 3) > 0
    client.app.seen[0].exchange.resume()
    assert windows(client.wire.frames(), 1) > 60_000
    client.close()


async def test_the_window_of_the_connection_is_refilled_whoever_is_paused() -> None:
    client = Client(App(lambda exchange, notes: exchange.pause()))
    given = 0
    for stream_id in range(1, 201, 2):
        client.feed(head(stream_id, POST, is_end=False))
        given += windows(client.feed(body(stream_id, bytes(60_000), is_end=False)), 0)
    assert CONNECTION_WINDOW + given - 100 * 60_000 >= CONNECTION_WINDOW // 2
    client.close()


async def test_data_for_nobody_counts_for_the_connection() -> None:
    client = Client(App(lambda exchange, notes: exchange.abort()), Limits(resets_max=10_000))
    client.feed(OPEN)
    given = 0
    for _ in range(100):
        given += windows(client.feed(frame(D, 0, 1, bytes(60_000))), 0)
    assert given > 3_000_000
    client.close()


FRAMES = st.tuples(
    st.sampled_from([0, 0, 1, 1, 2, 3, 4, 6, 7, 8, 9, 22]),
    st.sampled_from([0, 1, 4, 5, 5, 8, 13, 37]),
    st.sampled_from([0, 1, 1, 3, 3, 5, 2]),
    st.sampled_from([b"", WORD, bytes(4), bytes(5), bytes(8), encoded(GET), encoded(POST)])
    | st.binary(max_size=30),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, max_size=12), st.lists(st.integers(0, 9), min_size=1, max_size=5))
async def test_nothing_that_is_sent_breaks_more_than_its_connection(
    sent: list[tuple[int, int, int, bytes]], turns: list[int]
) -> None:
    def act(exchange: Exchange, notes: Notes) -> None:
        turns.append(turns.pop(0))
        if turns[0] == 0:
            exchange.respond(200, b"", bytes(70_000), b"x: y\r\n")
        elif turns[0] == 1:
            exchange.abort()
        elif turns[0] == 2:
            exchange.start(200, b"", content_length=None)
        elif turns[0] == 3:
            exchange.pause()
        elif turns[0] == 4:
            exchange.keep_alive = False
            exchange.respond(200, b"", b"")

    client = Client(App(act), Limits(streams_max=2))
    for kind, flags, stream_id, payload in sent:
        client.feed(frame(kind, flags, stream_id, payload))
        client.later(5)
    for notes in client.app.seen:
        notes.exchange.resume()
        notes.exchange.write(b"abc")
        notes.exchange.end()
    client.wire.frames()
    client.close()
    assert all(notes.exchange.is_done for notes in client.app.seen)


async def test_more_than_the_window_of_the_connection() -> None:
    class Mean(H2ServerProtocol):
        def _refill_all(self) -> None:
            if self._room < 0:
                super()._refill_all()

    client = Client(App(), Limits(streams_max=1000))
    client.wire.protocol.__class__ = Mean  # it forgets to give windows
    frames = []
    for stream_id in range(1, 2 * (CONNECTION_WINDOW // 60_000 + 2), 2):
        frames += client.feed(head(stream_id, POST, is_end=False))
        frames += client.feed(body(stream_id, bytes(60_000), is_end=False))
    assert ends(frames) == [("GoAway", 0, ours.FLOW_CONTROL_ERROR)]
    client.close()
