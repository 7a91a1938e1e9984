"""What a handler can do with an exchange over HTTP/2, beside what HTTP/1.1 makes of the same."""

from collections.abc import Callable

import pytest
from hyperframe import frame as their

from tests.wire.h2peer import GET, POST, App, Client, body, ends, head
from wire import h2frames as ours
from wire.exchange import Exchange

Act = Callable[[Exchange], None]


def run(
    act: Act, fields: list[tuple[bytes, bytes]] | None = None
) -> tuple[dict[str, str], bytes, dict[str, str]]:
    """Head, body and trailers of an answer that is whole."""
    client = Client(App(lambda exchange, notes: act(exchange)))
    frames = client.feed(head(1, fields))
    fields_of = [client.fields(one) for one in frames if isinstance(one, their.HeadersFrame)]
    content = b"".join(one.data for one in frames if isinstance(one, their.DataFrame))
    flags = [flag for one in frames for flag in one.flags]
    assert flags.count("END_STREAM") == 1
    assert "END_STREAM" in frames[-1].flags
    assert ends(frames) == []
    assert client.app.seen[0].exchange.is_done
    client.close()
    return fields_of[0], content, fields_of[1] if len(fields_of) > 1 else {}


async def test_respond() -> None:
    lines = b"Content-Type: a/b\r\nConnection: close\r\n"
    answer, content, trailers = run(lambda exchange: exchange.respond(200, lines, b"abc"))
    assert answer == {":status": "200", "content-type": "a/b", "content-length": "3"}
    assert (content, trailers) == (b"abc", {})


async def test_respond_with_trailers() -> None:
    answer, content, trailers = run(
        lambda exchange: exchange.respond(200, b"a: b\r\n", b"abc", b"grpc-status: 0\r\n")
    )
    assert answer == {":status": "200", "a": "b"}
    assert (content, trailers) == (b"abc", {"grpc-status": "0"})


@pytest.mark.parametrize(
    ("status", "method", "length"),
    [(200, b"HEAD", "3"), (304, b"GET", "3"), (204, b"GET", None), (200, b"GET", None)],
)
async def test_answers_without_a_body(status: int, method: bytes, length: str | None) -> None:
    fields = [(b":method", method), *GET[1:]]
    sent = b"" if (status, method) == (200, b"GET") else b"abc"
    answer, content, _ = run(lambda exchange: exchange.respond(status, b"", sent), fields)
    assert answer.get("content-length") == length
    assert content == b""


async def test_a_streamed_answer() -> None:
    def act(exchange: Exchange) -> None:
        exchange.start(200, b"a: b\r\n", content_length=None)
        assert exchange.is_started
        exchange.write(b"")
        exchange.write(b"abc")
        exchange.write(b"def")
        exchange.end(b"x: y\r\n")

    answer, content, trailers = run(act)
    assert answer == {":status": "200", "a": "b"}
    assert (content, trailers) == (b"abcdef", {"x": "y"})


async def test_a_streamed_answer_of_known_length_that_ends_without_trailers() -> None:
    def act(exchange: Exchange) -> None:
        exchange.start(200, b"", content_length=3)
        exchange.write(b"abc")
        exchange.end()

    answer, content, trailers = run(act)
    assert answer == {":status": "200", "content-length": "3"}
    assert (content, trailers) == (b"abc", {})


async def test_the_head_alone_for_head() -> None:
    def act(exchange: Exchange) -> None:
        exchange.start(200, b"", content_length=3)
        exchange.write(b"abc")
        exchange.end()

    answer, content, _ = run(act, [(b":method", b"HEAD"), *GET[1:]])
    assert (answer["content-length"], content) == ("3", b"")


async def test_what_comes_after_the_end_does_nothing() -> None:
    client = Client(App())
    client.feed(head(1))
    exchange = client.app.seen[0].exchange
    exchange.respond(200, b"", b"")
    client.wire.frames()
    exchange.respond(500, b"", b"")
    exchange.start(500, b"", content_length=None)
    exchange.write(b"x")
    exchange.end()
    exchange.abort()
    exchange.lost()
    exchange.pause()
    exchange.resume()
    exchange.again(b"")
    assert client.wire.frames() == []
    client.close()


async def test_errors_of_the_caller() -> None:
    client = Client(App())
    client.feed(head(1))
    exchange = client.app.seen[0].exchange
    exchange.start(200, b"", content_length=2)
    with pytest.raises(AssertionError):
        exchange.start(200, b"", content_length=None)
    with pytest.raises(AssertionError):
        exchange.respond(200, b"", b"")
    with pytest.raises(AssertionError):
        exchange.write(b"abc")
    client.close()


@pytest.mark.parametrize("length", [None, 2])
async def test_an_answer_that_can_not_be_finished_is_reset(length: int | None) -> None:
    client = Client(App())
    client.feed(head(1))
    exchange = client.app.seen[0].exchange
    exchange.start(200, b"", content_length=length)
    exchange.write(b"a")
    if length is None:
        exchange.abort()
    else:
        exchange.end()
    assert ends(client.wire.frames()) == [("RstStream", 1, ours.INTERNAL_ERROR)]
    assert not client.app.seen[0].is_aborted
    client.close()


async def test_an_answer_that_overtakes_its_request_tells_the_client_to_stop() -> None:
    client = Client(App())
    client.feed(head(1, POST, is_end=False))
    client.app.seen[0].exchange.respond(200, b"", b"abc")
    *_, last = client.wire.frames()
    assert ends([last]) == [("RstStream", 1, ours.NO_ERROR)]
    assert client.feed(body(1, b"late")) == []
    client.close()


@pytest.mark.parametrize(("length", "pieces"), [(3, [b"abc", b""]), (65_535, [b"a" * 65_535])])
async def test_an_answer_that_overtakes_what_the_client_may_send_resets_nothing(
    length: int, pieces: list[bytes]
) -> None:
    """Clients such as curl and httpx lose the answer if a reset comes while they send."""
    client = Client(App())
    post = [*POST, (b"content-length", b"%d" % length)]
    *early, last = pieces
    client.feed(head(1, post, is_end=False) + b"".join(body(1, x, is_end=False) for x in early))
    client.app.seen[0].exchange.respond(200, b"", b"abc")
    assert ends(client.wire.frames()) == []
    assert ends(client.feed(body(1, last))) == []
    assert client.feed(head(3)) == []
    client.app.seen[1].exchange.respond(200, b"", b"")
    assert client.wire.frames()[0].stream_id == 3
    client.close()


async def test_a_body_beyond_the_window_is_told_to_stop() -> None:
    client = Client(App())
    client.feed(head(1, [*POST, (b"content-length", b"65536")], is_end=False))
    client.app.seen[0].exchange.respond(404, b"", b"")
    assert ends(client.wire.frames()) == [("RstStream", 1, ours.NO_ERROR)]
    client.close()


async def test_no_upgrade_is_asked_for_and_none_is_made() -> None:
    client = Client(App())
    client.feed(head(1))
    exchange = client.app.seen[0].exchange
    assert exchange.upgrade == b""
    assert exchange.switch(b"") is None
    exchange.respond(200, b"", b"")
    assert len(client.wire.frames()) == 1
    client.close()


async def test_again_gives_the_request_once_more_with_what_came() -> None:
    client = Client(App())
    client.feed(head(1, POST, is_end=False) + body(1, b"ab", is_end=False))
    first = client.app.seen[0]
    assert first.body == b"ab"
    first.exchange.again(b"ab")
    second = client.app.seen[1]
    assert second.exchange is first.exchange
    client.feed(body(1, b"c"))
    assert (second.body, second.has_ended, first.body) == (b"abc", True, b"ab")
    client.close()


async def test_continue_is_sent_to_who_waits_for_it() -> None:
    client = Client(App())
    (interim,) = client.feed(head(1, [*POST, (b"expect", b"100-continue")], is_end=False))
    assert client.fields(interim) == {":status": "100"}
    assert "END_STREAM" not in interim.flags
    client.app.act = lambda exchange, notes: exchange.respond(200, b"", b"")
    answer, *_ = client.feed(head(3, [*POST, (b"expect", b"100-continue")], is_end=False))
    assert client.fields(answer)[":status"] == "200"
    client.close()


async def test_keep_alive_false_is_the_last_answer_of_the_connection() -> None:
    client = Client(App())
    client.feed(head(1) + head(3))
    first, second = (notes.exchange for notes in client.app.seen)
    first.keep_alive = False
    first.respond(200, b"", b"")
    assert ends(client.wire.frames()) == [("GoAway", 0, ours.NO_ERROR)]
    assert not client.wire.has_eof
    assert client.feed(head(5)) == []  # it was told: this is for another connection
    assert len(client.app.seen) == 2
    second.respond(200, b"", b"abc")
    assert client.wire.has_eof
    client.close()
