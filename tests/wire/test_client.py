"""The connection to an upstream: answers whole, byte by byte, and broken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.memory import Memory
from wire.client import Connection


class Receiver:
    def __init__(self) -> None:
        self.status = 0
        self.lines = b""
        self.length: int | None = None
        self.body = b""
        self.ends = 0
        self.lost: str | None = None
        self.writable: list[bool] = []

    def on_answer(self, connection: Connection) -> None:
        assert self.status == 0
        self.status = connection.status
        self.lines = connection.head_lines()
        self.length = connection.content_length
        self.body = connection.early
        self.ends += connection.is_answer_complete

    def on_answer_body(self, data: bytes) -> None:
        self.body += data

    def on_answer_end(self) -> None:
        self.ends += 1

    def on_answer_lost(self, why: str) -> None:
        assert self.lost is None
        self.lost = why

    def on_upstream_writable(self, is_writable: bool) -> None:
        self.writable.append(is_writable)


def connect(**more: Any) -> tuple[Connection, Memory]:
    connection, wire = Connection(**more), Memory()
    connection.connection_made(wire)
    return connection, wire


def ask(connection: Connection, *, is_head: bool = False) -> Receiver:
    receiver = Receiver()
    connection.send(receiver, b"GET / HTTP/1.1\r\n\r\n", is_head)
    return receiver


ANSWERS = {
    "length": (
        b"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 3\r\n\r\nabc",
        200,
        b"A: 1\r\n",
        b"abc",
    ),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", b""),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\na\r\n2\r\nbc\r\n0\r\nT: 1\r\n\r\n",
        200,
        b"",
        b"abc",
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", b""),
    "interim": (
        b"HTTP/1.1 103 Early Hints\r\nL: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
        200,
        b"",
        b"a",
    ),
    "hop by hop": (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, B\r\nKeep-Alive: 5\r\nB: 1\r\nC: 2\r\n"
        b"Content-Length: 0\r\n\r\n",
        200,
        b"C: 2\r\n",
        b"",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_reads_the_same_however_it_is_cut_and_again_on_the_same_connection(
    name: str,
) -> None:
    raw, status, lines, body = ANSWERS[name]
    for size in (len(raw), 1, 7, 30):
        connection, wire = connect()
        for _ in range(3):
            receiver = ask(connection)
            for start in range(0, len(raw), size):
                connection.data_received(raw[start : start + size])
            assert (receiver.status, receiver.lines, receiver.body) == (status, lines, body)
            assert (receiver.ends, receiver.lost) == (1, None)
            assert connection.let_go()
        assert not wire.is_closed


def test_different_answers_on_one_connection_are_told_apart() -> None:
    connection, _ = connect()
    for number in (1, 1, 2, 2, 1, 300, 300):
        receiver = ask(connection)
        body = b"x" * number
        connection.data_received(
            b"HTTP/1.1 200 OK\r\nN: %d\r\nContent-Length: %d\r\n\r\n%b" % (number, number, body)
        )
        assert (receiver.lines, receiver.body) == (b"N: %d\r\n" % number, body)
        assert connection.let_go()


def timed(timing: bytes, body: bytes, more: bytes = b"") -> bytes:
    """As the predictor answers."""
    lines = b"A: 1\r\n%bserver-timing: %b\r\ncontent-length: %d" % (more, timing, len(body))
    return b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (lines, body)


def test_an_answer_that_differs_in_times_and_length_is_not_parsed_again() -> None:
    connection, _ = connect()
    first = ask(connection)
    connection.data_received(timed(b"run;dur=1", b"abc"))
    connection._parser = None  # what is parsed fails
    for timing, body in ((b"server-timing", b"four"), (b"run;dur=0.125", b""), (b"a", b"b" * 9999)):
        assert connection.let_go()
        found = ask(connection)
        connection.data_received(timed(timing, body))
        assert (found.status, found.body, found.length, found.ends) == (200, body, len(body), 1)
        assert found.lines == b"A: 1\r\nserver-timing: %b\r\n" % timing
    assert first.lines == b"A: 1\r\nserver-timing: run;dur=1\r\n"


@pytest.mark.parametrize(
    ("answer", "lines", "body"),
    [
        (timed(b"b", b"x", b"B: 2\r\n"), b"A: 1\r\nB: 2\r\nserver-timing: b\r\n", b"x"),
        (timed(b"b\tc", b"x"), b"A: 1\r\nserver-timing: b\tc\r\n", b"x"),
        (timed(b"b", b"x").replace(b"content", b"C: 3\r\ncontent"), None, b"x"),
        (timed(b"b", b"x").replace(b"\r\n\r\n", b"\r\nC: 3\r\n\r\n"), None, b"x"),
    ],
)
def test_what_only_looks_like_a_known_answer_is_parsed(
    answer: bytes, lines: bytes | None, body: bytes
) -> None:
    connection, _ = connect()
    ask(connection)
    connection.data_received(timed(b"a", b"abc"))
    assert connection.let_go()
    found = ask(connection)
    connection.data_received(answer)
    assert found.lines == (lines or b"A: 1\r\nserver-timing: b\r\nC: 3\r\n")
    assert (found.body, found.ends) == (body, 1)


def test_a_known_answer_whose_body_is_still_coming_or_too_long() -> None:
    connection, wire = connect()
    ask(connection)
    connection.data_received(timed(b"a", b"abc"))
    assert connection.let_go()
    found, answer = ask(connection), timed(b"b", b"four")
    connection.data_received(answer[:-1])
    assert found.ends == 0
    connection.data_received(answer[-1:])
    assert (found.body, found.ends) == (b"four", 1)
    assert connection.let_go()
    found = ask(connection)
    connection.data_received(answer + b"!")
    assert (found.body, found.ends) == (b"four", 1)
    assert not connection.let_go()
    assert wire.is_aborted


def test_times_that_are_not_passed_on_are_not_remembered() -> None:
    connection, _ = connect(stripped=frozenset({b"server-timing"}))
    for _ in range(2):
        found = ask(connection)
        connection.data_received(timed(b"a", b"abc"))
        assert found.lines == b"A: 1\r\n"
        assert connection.let_go()
    hop, _ = connect()
    nominating = timed(b"a", b"abc", b"connection: server-timing\r\n")
    for _ in range(2):
        found = ask(hop)
        hop.data_received(nominating)
        assert found.lines == b"A: 1\r\n"
        assert hop.let_go()


ODD = st.sampled_from(
    [b" ", b"\t", b"\r", b"\n", b"\0", b"0", b"9", b"x", b"+", b"-", b",", b":", b"\xff"]
)


@given(
    at=st.integers(0, 60),
    cut=st.integers(0, 2),
    odd=ODD,
    timing=st.from_regex(r"[ -~]{1,5}", fullmatch=True),
    body=st.binary(max_size=12),
)
def test_a_known_answer_is_taken_for_what_a_parser_makes_of_it(
    at: int, cut: int, odd: bytes, timing: str, body: bytes
) -> None:
    good = timed(timing.encode(), body)
    place = good.index(b"server-timing") + at
    answer = good[:place] + odd + good[place + cut :]
    told = []
    for is_known in (True, False):
        connection, wire = connect()
        if is_known:
            ask(connection)
            connection.data_received(timed(b"a", b"abc"))
            assert connection.let_go()
        found = ask(connection)
        connection.data_received(answer)
        told.append((vars(found), wire.is_aborted, connection.is_answer_complete))
    assert told[0] == told[1]


def test_an_answer_that_ends_with_the_connection() -> None:
    connection, _ = connect()
    receiver = ask(connection)
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nabc")
    connection.data_received(b"def")
    assert receiver.ends == 0
    connection.eof_received()
    connection.connection_lost(None)
    assert (receiver.body, receiver.ends, receiver.lost) == (b"abcdef", 1, None)
    assert not connection.let_go()


def test_a_reset_is_not_the_end_of_an_answer() -> None:
    connection, _ = connect()
    receiver = ask(connection)
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nabc")
    connection.connection_lost(ConnectionResetError())
    assert receiver.ends == 0
    assert receiver.lost


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nConte",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    ],
)
def test_an_end_in_the_middle_is_a_loss(raw: bytes) -> None:
    connection, _ = connect()
    receiver = ask(connection)
    if raw:
        connection.data_received(raw)
    connection.eof_received()
    connection.connection_lost(None)
    assert receiver.lost == "the replica closed the connection"
    assert receiver.ends == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    ],
)
def test_what_is_not_http_is_a_loss(raw: bytes) -> None:
    connection, wire = connect()
    receiver = ask(connection)
    connection.data_received(raw)
    assert receiver.lost == "the replica's answer is not valid HTTP/1.1"
    assert wire.is_aborted


def test_head_has_no_body_whatever_its_head_says() -> None:
    connection, _ = connect()
    for _ in range(2):
        receiver = ask(connection, is_head=True)
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        assert (receiver.ends, receiver.length, receiver.body) == (1, 3, b"")
        assert connection.let_go()
    receiver = ask(connection)
    connection.data_received(ANSWERS["length"][0])
    assert receiver.body == b"abc"
    connection.let_go()
    receiver = ask(connection, is_head=True)
    connection.data_received(ANSWERS["length"][0])
    assert receiver.body == b""
    assert not connection.let_go()


def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    connection, wire = connect()
    connection.data_received(b"HTTP/1.1 408 Timeout\r\n\r\n")
    assert wire.is_aborted


@pytest.mark.parametrize(
    "surplus", [b"H", b"HTTP/1.1 500 No\r\nX: 1\r\nContent-Length: 1\r\n\r\nb", b"?"]
)
def test_bytes_behind_an_answer_change_nothing_of_it(surplus: bytes) -> None:
    connection, _ = connect()
    receiver = ask(connection)
    connection.data_received(ANSWERS["length"][0] + surplus)
    assert (receiver.status, receiver.lines, receiver.body) == (200, b"A: 1\r\n", b"abc")
    assert (receiver.length, receiver.ends, receiver.lost) == (3, 1, None)
    assert not connection.let_go()


def test_a_connection_that_will_be_closed_is_not_kept() -> None:
    connection, wire = connect()
    ask(connection)
    connection.data_received(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert not connection.let_go()
    assert wire.is_aborted


def test_letting_go_of_an_unfinished_exchange_ends_the_connection() -> None:
    connection, wire = connect()
    ask(connection)
    assert not connection.let_go()
    assert wire.is_aborted
    connection, wire = connect()
    receiver = Receiver()
    connection.send(receiver, b"x", False, False)
    connection.data_received(ANSWERS["empty"][0])
    assert not connection.let_go()


def test_back_pressure() -> None:
    connection, wire = connect()
    receiver = ask(connection)
    connection.pause_writing()
    connection.resume_writing()
    assert receiver.writable == [False, True]
    connection.pause()
    assert wire.is_paused
    connection.resume()
    assert not wire.is_paused
    connection.pause()
    connection.data_received(ANSWERS["empty"][0])
    assert connection.let_go()
    assert not wire.is_paused  # an idle connection must notice its end


def test_an_end_between_exchanges_is_told_once_to_the_pool() -> None:
    ended: list[Connection] = []
    connection, _ = connect(on_idle_end=ended.append)
    connection.eof_received()
    assert ended == [connection]


def test_stripped_headers_are_left_out() -> None:
    connection, _ = connect(stripped=frozenset({b"x-secret"}))
    receiver = ask(connection)
    connection.data_received(b"HTTP/1.1 200 OK\r\nX-Secret: 1\r\nB: 2\r\nContent-Length: 0\r\n\r\n")
    assert receiver.lines == b"B: 2\r\n"


SWITCH = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: ws\r\nA: 1\r\n\r\n"


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_an_upgrade_that_was_asked_for_hands_the_connection_over(step: int) -> None:
    connection, wire = connect()
    receiver = ask(connection)
    rests: list[bytes] = []

    def switched(rest: bytes) -> None:
        rests.append(rest)
        assert connection.hand_over() is wire

    connection.offer_switch(switched)
    data = b"HTTP/1.1 103 Hints\r\nB: 2\r\n\r\n" + SWITCH
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        connection.data_received(piece + b"frames" if start + step >= len(data) else piece)
    assert rests == [b"frames"]
    assert (connection.upgrade, connection.head_lines()) == (b"ws", b"A: 1\r\n")
    assert (receiver.status, receiver.lost, wire.is_closed) == (0, None, False)


@pytest.mark.parametrize(
    "answer", [SWITCH.replace(b"Connection: Upgrade\r\n", b""), b"HTTP/1.1 101 X\r\n\r\n"]
)
def test_an_upgrade_that_names_no_protocol_is_no_answer(answer: bytes) -> None:
    connection, wire = connect()
    receiver = ask(connection)
    connection.offer_switch(lambda _: pytest.fail("switched"))
    connection.data_received(answer + b"x")
    connection.eof_received()
    assert receiver.lost is not None
    assert wire.is_aborted


def test_an_offer_that_was_not_taken_ends_with_its_answer() -> None:
    connection, wire = connect()
    receiver = ask(connection)
    connection.offer_switch(lambda _: pytest.fail("switched"))
    connection.data_received(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno")
    assert (receiver.status, receiver.body, receiver.ends) == (426, b"no", 1)
    assert not connection.let_go()
    assert wire.is_aborted


def test_a_head_that_is_rewritten_is_so_for_one_answer() -> None:
    connection, _ = connect()
    for _ in range(3):
        ask(connection)
        connection.data_received(b"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 0\r\n\r\n")
        assert connection.head_lines() == b"A: 1\r\n"
        connection.rewrite_head(b"")
        assert connection.head_lines() == b""
        connection.let_go()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_trailers_are_told_with_the_end_of_a_chunked_answer(size: int) -> None:
    raw = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
        b"0\r\nT: 1\r\nConnection: x\r\nU: 2\r\n\r\n"
    )
    connection, _ = connect()
    for _ in range(2):
        receiver = ask(connection)
        assert connection.trailer_lines == b""
        for start in range(0, len(raw), size):
            connection.data_received(raw[start : start + size])
        assert (receiver.body, receiver.ends) == (b"a", 1)
        assert connection.trailer_lines == b"T: 1\r\nU: 2\r\n"
        assert connection.let_go()


def test_trailers_without_end_are_a_failure() -> None:
    connection, wire = connect()
    receiver = ask(connection)
    connection.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    for _ in range(300):
        connection.data_received(b"T: " + b"1" * 1000 + b"\r\n")
    assert receiver.lost == "the replica's answer is not valid HTTP/1.1"
    assert wire.is_aborted
