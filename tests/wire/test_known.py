"""Known heads: what comes again, whole, and what does not."""

import pytest

from wire.known import Again, Known

PARTS = (b"a", b": ", b"1", b"\r\n")
TIMES = (b"server-timing", b": ", b"run;dur=1", b"\r\n")


def timed(timing: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\na: 1\r\nserver-timing: %b\r\ncontent-length: %d\r\n\r\n"
    return head % (timing, len(body)) + body


def plain(body: bytes) -> bytes:
    return b"HTTP/1.1 404 Not Found\r\na: 1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def test_a_head_of_the_same_bytes() -> None:
    known = Known.of(plain(b"one"), 404, PARTS, 3)
    assert known is not None
    assert known.again(plain(b"two")) == Again(404, b"a: 1\r\n", 3, b"two")
    for other in (plain(b"four"), plain(b"two") + b"!", plain(b"two")[:-1], timed(b"x", b"two")):
        assert known.again(other) is None


def test_a_head_with_other_times_and_another_length() -> None:
    known = Known.of(timed(b"run;dur=1", b"one"), 200, (*PARTS, *TIMES), 3)
    assert known is not None
    lines = b"a: 1\r\nserver-timing: run;dur=22\r\n"
    assert known.again(timed(b"run;dur=22", b"four")) == Again(200, lines, 4, b"four")
    whole = timed(b"x", b"four")
    for other in (whole + b"!", whole[:-1], whole.replace(b"a: 1", b"a: 2"), plain(b"one")):
        assert known.again(other) is None


def test_times_of_what_may_have_no_body_are_not_a_tail() -> None:
    data = timed(b"run;dur=1", b"").replace(b"200 OK", b"304 Not Modified")
    known = Known.of(data, 304, (*PARTS, *TIMES), 0)
    assert known is not None
    assert known.again(data) == Again(304, b"a: 1\r\nserver-timing: run;dur=1\r\n", 0, b"")
    assert known.again(data.replace(b"dur=1", b"dur=2")) is None


def test_times_that_are_not_passed_on_are_not_a_tail() -> None:
    known = Known.of(timed(b"run;dur=1", b"one"), 200, PARTS, 3)
    assert known is not None
    assert known.again(timed(b"run;dur=1", b"two")) == Again(200, b"a: 1\r\n", 3, b"two")
    assert known.again(timed(b"run;dur=2", b"two")) is None


@pytest.mark.parametrize("data", [plain(b"one") + b"!", plain(b"one")[:-1], b"x"])
def test_what_is_not_one_answer_is_not_remembered(data: bytes) -> None:
    assert Known.of(data, 404, PARTS, 3) is None


def test_a_long_head_is_not_remembered() -> None:
    data = plain(b"one").replace(b"a: 1", b"a: " + b"1" * 5000)
    assert Known.of(data, 404, PARTS, 3) is None
