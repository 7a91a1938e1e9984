"""One request as its sender sees it, without a connection."""

import hpack

from wire.h2answer import ClientStream, request_block
from wire.h2stream import Stream


class Carrier:
    def __init__(self) -> None:
        self.is_usable = True
        self.sent: list[tuple[bytes, bool]] = []
        self.released = 0
        self.resumed = 0

    def send(
        self, stream: Stream, block: bytes, data: bytes, *, is_end: bool, trailers: bytes = b""
    ) -> None:
        self.sent.append((data, is_end))
        stream.is_ending = is_end

    def release(self, stream: ClientStream) -> None:
        self.released += 1

    def resume_stream(self, stream: ClientStream) -> None:
        self.resumed += 1


class Notes:
    def __init__(self) -> None:
        self.told: list[object] = []

    def on_answer(self, connection: ClientStream) -> None:
        self.told.append((connection.status, connection.early, connection.is_answer_complete))

    def on_answer_body(self, data: bytes) -> None:
        self.told.append(data)

    def on_answer_end(self) -> None:
        self.told.append("end")

    def on_answer_lost(self, why: str) -> None:
        self.told.append(why)

    def on_upstream_writable(self, is_writable: bool) -> None:
        self.told.append(is_writable)


def make() -> tuple[ClientStream, Carrier, Notes]:
    carrier, notes = Carrier(), Notes()
    return ClientStream(carrier, 1, notes, 65_535), carrier, notes


def test_a_request_block() -> None:
    lines = b"TE: trailers\r\nconnection: close\r\n"
    block = request_block(b"POST", b"h:1", b"/a", lines, content_length=3)
    assert hpack.Decoder().decode(block + request_block(b"GET", b"h", b"/", b"")[:1]) == [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "h:1"),
        (":path", "/a"),
        ("te", "trailers"),
        ("content-length", "3"),
        (":method", "GET"),
    ]


def test_an_answer_in_one_read_is_told_once() -> None:
    stream, _, notes = make()
    stream.begin(200, b"a: b\r\n", 3)
    stream.take(b"ab")
    stream.take(b"c")
    stream.complete()
    stream.tell()
    assert notes.told == [(200, b"abc", True)]
    assert stream.head_lines() == b"a: b\r\n"
    stream.rewrite_head(b"c: d\r\n")
    assert stream.head_lines() == b"c: d\r\n"
    stream.lose("too late", is_unprocessed=True)
    assert len(notes.told) == 1


def test_an_answer_in_several_reads() -> None:
    stream, _, notes = make()
    stream.begin(200, b"", None)
    stream.tell()
    stream.take(b"abc")
    stream.complete()
    assert notes.told == [(200, b"", False), b"abc", "end"]


def test_a_lost_answer_is_told_once() -> None:
    stream, _, notes = make()
    stream.lose("gone", is_unprocessed=True)
    assert stream.is_unprocessed
    stream.lose("gone", is_unprocessed=False)
    stream.tell()
    assert notes.told == ["gone"]


def test_nothing_is_sent_behind_the_end() -> None:
    stream, carrier, notes = make()
    assert not stream.is_request_complete
    stream.write(b"")
    stream.write(b"a")
    stream.finish_request()
    assert stream.is_request_complete
    stream.write(b"b")
    stream.finish_request()
    assert carrier.sent == [(b"a", False), (b"", True)]
    stream.on_writable(False)
    assert notes.told == [False]


def test_letting_go_ends_all_callbacks() -> None:
    stream, carrier, notes = make()
    stream.pause()
    assert stream.is_paused
    stream.resume()
    assert carrier.resumed == 1
    assert stream.let_go()
    carrier.is_usable = False
    assert not stream.let_go()
    stream.begin(200, b"", None)
    stream.tell()
    stream.take(b"a")
    stream.complete()
    stream.on_writable(True)
    stream.lose("gone", is_unprocessed=False)
    assert notes.told == []
    assert carrier.released == 2


def test_the_length_counts_only_where_a_body_comes() -> None:
    for status, is_head, left in ((200, False, 5), (304, False, None), (200, True, None)):
        stream, _, _ = make()
        stream.is_head = is_head
        stream.begin(status, b"", 5)
        assert (stream.left, stream.content_length) == (left, 5)
