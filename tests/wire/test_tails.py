"""Ends of heads that may differ: what is one, and what is left to the parser."""

import pytest

from wire import tails

START = b"POST / HTTP/1.1\r\nhost: h\r\n"
OK = b"HTTP/1.1 200 OK\r\na: 1\r\n"


def test_a_request_ends_in_its_length_and_its_id() -> None:
    head = START + b"content-length: 3\r\nx-request-id: a-1\r\n\r\n"
    assert tails.of_request(head) == len(START)
    tail = tails.REQUEST.match(head + b"abc", len(START))
    assert tail is not None
    assert (tail.groups(), tail.end()) == ((b"3", b"a-1"), len(head))


@pytest.mark.parametrize(
    "lines",
    [
        b"content-length: 3\r\n\r\n",
        b"x-request-id: a\r\n\r\n",
        b"x-request-id: a\r\ncontent-length: 3\r\n\r\n",
        b"content-length: 3\r\nx-request-id: a\r\nb: 1\r\n\r\n",
        b"content-length: 3\r\nb: 1\r\nx-request-id: a\r\n\r\n",
        b"Content-Length: 3\r\nx-request-id: a\r\n\r\n",
        b"content-length:3\r\nx-request-id: a\r\n\r\n",
        b"content-length:  3\r\nx-request-id: a\r\n\r\n",
        b"content-length: +3\r\nx-request-id: a\r\n\r\n",
        b"content-length: 1234567890123456\r\nx-request-id: a\r\n\r\n",
        b"content-length: 3\r\nx-request-id: \r\n\r\n",
        b"content-length: 3\r\nx-request-id: a b\r\n\r\n",
        b"content-length: 3\r\nx-request-id: \xc3\xa4\r\n\r\n",
        b"content-length: 3\r\nx-request-id: " + b"a" * 129 + b"\r\n\r\n",
        b"content-length: 3\nx-request-id: a\r\n\r\n",
    ],
)
def test_anything_else_of_a_request_is_the_parsers(lines: bytes) -> None:
    assert tails.of_request(START + lines) == 0


def test_an_answer_ends_in_its_times_and_its_length() -> None:
    head = OK + b'server-timing: batch;desc="1 / 2", run;dur=0.1\r\ncontent-length: 3\r\n\r\n'
    assert tails.of_answer(head) == len(OK)
    tail = tails.ANSWER.match(head, len(OK))
    assert tail is not None
    assert tail.groups() == (b'server-timing: batch;desc="1 / 2", run;dur=0.1\r\n', b"3")


@pytest.mark.parametrize(
    "lines",
    [
        b"content-length: 3\r\n\r\n",
        b"content-length: 3\r\nserver-timing: a\r\n\r\n",
        b"server-timing: a\r\nb: 1\r\ncontent-length: 3\r\n\r\n",
        b"server-timing:  a\r\ncontent-length: 3\r\n\r\n",
        b"server-timing: a \r\ncontent-length: 3\r\n\r\n",
        b"server-timing: a\tb\r\ncontent-length: 3\r\n\r\n",
        b"server-timing: \r\ncontent-length: 3\r\n\r\n",
        b"Server-Timing: a\r\ncontent-length: 3\r\n\r\n",
        b"server-timing: a\r\ncontent-length: 3, 3\r\n\r\n",
        b"server-timing: a\r\ncontent-length: -3\r\n\r\n",
    ],
)
def test_anything_else_of_an_answer_is_the_parsers(lines: bytes) -> None:
    assert tails.of_answer(OK + lines) == 0
