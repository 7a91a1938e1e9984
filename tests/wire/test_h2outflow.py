"""Answers against windows: what is sent, what waits, whose turn it is, who is told to stop."""

from hyperframe import frame as their

from tests.wire.h2peer import SETTINGS, App, Client, ends, head
from wire import h2frames as ours
from wire.exchange import Exchange


def data(frames: list[their.Frame], stream_id: int | None = None) -> bytes:
    return b"".join(
        one.data
        for one in frames
        if isinstance(one, their.DataFrame) and stream_id in {None, one.stream_id}
    )


def client(answer: bytes, **settings: int) -> Client:
    def act(exchange: Exchange, notes: object) -> None:
        exchange.respond(200, b"", answer, b"x: y\r\n")

    made = Client(App(act))
    made.feed(ours.settings({getattr(ours, name): value for name, value in settings.items()}))
    return made


async def test_a_small_answer_is_one_write() -> None:
    one = client(b"abc")
    writes = one.wire.writes
    frames = one.feed(head(1))
    assert one.wire.writes == writes + 1
    assert [type(each).__name__ for each in frames] == ["HeadersFrame", "DataFrame", "HeadersFrame"]
    assert [set(each.flags) for each in frames] == [
        {"END_HEADERS"},
        set(),
        {"END_HEADERS", "END_STREAM"},
    ]
    one.close()


async def test_a_large_answer_waits_for_both_windows() -> None:
    answer = bytes(range(256)) * 1000
    one = client(answer)
    frames = one.feed(head(1))
    assert len(data(frames)) == 65_535
    assert one.feed(ours.window_update(1, 1000)) == []  # that of the connection is closed
    got = data(frames) + data(one.feed(ours.window_update(0, 400)))
    assert len(got) == 65_935
    got += data(one.feed(ours.window_update(0, 1_000_000)))
    assert len(got) == 66_535  # now that of the stream is
    frames = one.feed(ours.window_update(1, 1_000_000))
    assert got + data(frames) == answer
    assert max(len(each.data) for each in frames if isinstance(each, their.DataFrame)) == 16_384
    assert "END_STREAM" in frames[-1].flags
    assert one.fields(frames[-1]) == {"x": "y"}
    assert ends(frames) == []
    one.close()


async def test_larger_frames_where_the_client_takes_them() -> None:
    one = client(bytes(60_000), MAX_FRAME_SIZE=65_536)
    sizes = [len(each.data) for each in one.feed(head(1)) if isinstance(each, their.DataFrame)]
    assert sizes == [60_000]
    one.close()


async def test_long_heads_take_several_frames() -> None:
    lines = b"".join(b"x-%d: %b\r\n" % (each, b"a" * 1000) for each in range(40))
    one = Client(App(lambda exchange, notes: exchange.respond(200, lines, b"")))
    frames = one.feed(head(1))
    kinds = [type(each).__name__ for each in frames]
    assert kinds == ["HeadersFrame", "ContinuationFrame", "ContinuationFrame"]
    block = b"".join(each.data for each in frames)
    assert len(one.decoder.decode(block)) == 41
    one.close()


async def test_settings_change_the_windows_of_open_streams_even_below_nothing() -> None:
    one = client(bytes(100_000), INITIAL_WINDOW_SIZE=50_000)
    assert len(data(one.feed(ours.window_update(0, 1_000_000) + head(1)))) == 50_000
    assert data(one.feed(ours.settings({ours.INITIAL_WINDOW_SIZE: 10_000}))) == b""
    assert data(one.feed(ours.window_update(1, 40_000))) == b""
    assert len(data(one.feed(ours.window_update(1, 1)))) == 1
    assert len(data(one.feed(ours.settings({ours.INITIAL_WINDOW_SIZE: 1_000_000})))) == 49_999
    one.close()


async def test_streams_take_turns() -> None:
    one = client(bytes(100_000), INITIAL_WINDOW_SIZE=1_000_000)
    first = one.feed(head(1) + head(3))
    assert len(data(first, 1)) == 65_535
    frames = one.feed(ours.window_update(0, 6 * 16_384))
    order = [each.stream_id for each in frames]
    assert sorted(order[:4]) == [1, 1, 3, 3]
    assert order[0] != order[1]
    one.close()


async def test_a_stream_that_may_not_send_holds_up_no_other() -> None:
    one = client(b"abc", INITIAL_WINDOW_SIZE=0)
    assert data(one.feed(head(1) + head(3))) == b""
    assert data(one.feed(ours.window_update(3, 3)), 3) == b"abc"
    assert data(one.feed(ours.window_update(1, 2)), 1) == b"ab"
    assert data(one.feed(ours.window_update(1, 2)), 1) == b"c"
    one.close()


async def test_ends_need_no_window() -> None:
    one = Client(App(lambda exchange, notes: exchange.start(200, b"", content_length=None)))
    one.feed(ours.settings({ours.INITIAL_WINDOW_SIZE: 0}) + head(1))
    one.app.seen[0].exchange.end(b"x: y\r\n")
    (trailers,) = one.wire.frames()
    assert one.decoder.decode(trailers.data) == [("x", "y")]
    one.close()


async def test_a_reset_forgets_what_waits() -> None:
    one = client(bytes(100_000))
    one.feed(head(1))
    one.feed(ours.rst_stream(1, ours.CANCEL))
    assert data(one.feed(ours.window_update(0, 1_000_000))) == b""
    one.close()


async def test_a_writer_is_told_to_stop_and_to_go_on() -> None:
    one = Client(App(lambda exchange, notes: exchange.start(200, b"", content_length=None)))
    one.feed(head(1) + ours.window_update(0, 10_000_000))
    notes = one.app.seen[0]
    notes.exchange.write(bytes(65_535 + 65_536))
    assert notes.writable == []
    notes.exchange.write(b"a")
    assert notes.writable == [False]
    one.feed(ours.window_update(1, 40_000))
    assert notes.writable == [False]
    one.feed(ours.window_update(1, 10_000))
    assert notes.writable == [False, True]
    notes.exchange.end()
    one.feed(ours.window_update(1, 1_000_000))
    assert notes.writable == [False, True]
    one.close()


async def test_a_transport_that_takes_no_more_stops_all_writers_and_the_reading() -> None:
    one = Client(App(lambda exchange, notes: exchange.start(200, b"", content_length=None)))
    one.feed(head(1) + head(3))
    one.wire.protocol.pause_writing()  # type: ignore[attr-defined] # a Protocol
    assert one.wire.is_paused
    assert [notes.writable for notes in one.app.seen] == [[False], [False]]
    for notes in one.app.seen:
        notes.exchange.write(b"abc")
    assert one.wire.frames() == []
    one.app.seen[0].exchange.end(b"x: y\r\n")
    one.wire.protocol.resume_writing()  # type: ignore[attr-defined] # a Protocol
    assert not one.wire.is_paused
    frames = one.wire.frames()
    assert (data(frames, 1), data(frames, 3)) == (b"abc", b"abc")
    assert [notes.writable for notes in one.app.seen] == [[False], [False, True]]
    one.close()


async def test_the_table_of_the_far_side_is_not_used_and_that_is_said_once() -> None:
    one = client(b"", HEADER_TABLE_SIZE=0)
    first, second = one.feed(head(1))
    assert first.data[:1] == b"\x20"
    assert second.data[:1] != b"\x20"
    again = one.feed(head(3))[0]
    assert again.data == first.data[1:]
    assert SETTINGS
    one.close()


async def test_heads_and_ends_do_not_wait_for_the_transport() -> None:
    one = Client(App())
    one.feed(head(1) + head(3))
    one.wire.protocol.pause_writing()  # type: ignore[attr-defined] # a Protocol
    one.app.seen[0].exchange.respond(204, b"", b"")
    assert "END_STREAM" in one.wire.frames()[0].flags
    one.app.seen[1].exchange.start(200, b"", content_length=None)
    assert len(one.wire.frames()) == 1
    one.app.seen[1].exchange.end()
    assert one.wire.frames() == []
    one.wire.protocol.resume_writing()  # type: ignore[attr-defined] # a Protocol
    (end,) = one.wire.frames()
    assert (end.data, set(end.flags)) == (b"", {"END_STREAM"})
    one.close()


async def test_settings_that_make_a_window_too_large() -> None:
    one = Client(App())
    one.feed(head(1) + ours.window_update(1, 2**31 - 1 - 65_535))
    frames = one.feed(ours.settings({ours.INITIAL_WINDOW_SIZE: 65_536}))
    assert ends(frames) == [("GoAway", 0, ours.FLOW_CONTROL_ERROR)]
    one.close()
