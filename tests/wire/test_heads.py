"""Judging heads."""

import pytest

from wire import heads
from wire.head import Head
from wire.limits import Limits

LIMITS = Limits(header_count_max=3, target_bytes_max=10)


def make(*headers: tuple[bytes, bytes], method: bytes = b"GET", target: bytes = b"/") -> Head:
    return Head(method, target, list(headers), dict(headers))


HOST = (b"host", b"h")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (make(HOST), 0),
        (make(), 400),
        (make(HOST, HOST), 400),
        (make(HOST, (b"a", b"1"), (b"a", b"2")), 0),
        (make(HOST, (b"a", b"1"), (b"b", b"2"), (b"c", b"3")), 431),
        (make(HOST, target=b"/" + b"a" * 10), 414),
        (make(HOST, target=b"x"), 400),
        (make(HOST, target=b"*"), 400),
        (make(HOST, method=b"OPTIONS", target=b"*"), 0),
        (make(HOST, target=b"ftp://a/b"), 400),
        (make(HOST, target=b"http:///b"), 400),
    ],
)
def test_shape(head: Head, status: int) -> None:
    assert heads.judge_shape(head, LIMITS) == status


def test_repeated_headers_are_joined_in_order() -> None:
    head = make(HOST, (b"a", b"1"), (b"a", b"2"))
    heads.judge_shape(head, LIMITS)
    assert head.index == {b"host": b"h", b"a": b"1, 2"}


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"http://x:1/p?q", b"/p?q", b"x:1"),
        (b"HTTP://x", b"/", b"x"),
        (b"http://x?q", b"/?q", b"x"),
        (b"https://x/", b"/", b"x"),
    ],
)
def test_an_absolute_target_names_the_host(target: bytes, path: bytes, host: bytes) -> None:
    head = make(HOST, target=target)
    assert heads.judge_shape(head, Limits()) == 0
    assert (head.target, head.index[b"host"], head.headers) == (path, host, [(b"host", host)])


def test_versions() -> None:
    assert [heads.judge_version(make(), version) for version in ("1.1", "1.0", "2.0", "0.9")] == [
        0,
        0,
        505,
        505,
    ]
    head = make()
    heads.judge_version(head, "1.0")
    assert head.is_http_10
    assert heads.judge_shape(head, LIMITS) == 0  # needs no Host


def test_codings() -> None:
    head = make((b"transfer-encoding", b"Chunked"))
    assert heads.judge_coding(head) == 0
    head.is_http_10 = True
    assert heads.judge_coding(head) == 400
    assert heads.judge_coding(make((b"transfer-encoding", b"gzip, chunked"))) == 501


def test_wishes() -> None:
    assert heads.judge_wishes(make(method=b"CONNECT")) == 501
    assert heads.judge_wishes(make((b"expect", b"tea"))) == 417
    assert heads.judge_wishes(make()) == 0
    head = make((b"expect", b"100-Continue"))
    assert heads.judge_wishes(head) == 0
    assert head.expects_continue
