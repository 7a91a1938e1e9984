"""Which header lists are requests, answers and trailers."""

import pytest

from wire.h2frames import StreamFaultError
from wire.h2heads import read_answer, read_request, read_trailers
from wire.h2hpack import Fields
from wire.limits import Limits

LIMITS = Limits(header_count_max=10, header_bytes_max=1000, target_bytes_max=100, body_bytes_max=50)
GET: Fields = [
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":path", b"/a?b=c"),
    (b":authority", b"h:1"),
]


def without(name: bytes) -> Fields:
    return [field for field in GET if field[0] != name]


def replaced(name: bytes, value: bytes) -> Fields:
    return [(name, value) if field[0] == name else field for field in GET]


def test_a_request() -> None:
    fields = [*GET, (b"cookie", b"a=1"), (b"x", b"1"), (b"cookie", b"b=2"), (b"x", b"2")]
    head, status = read_request([*fields, (b"content-length", b"7")], LIMITS)
    assert status == 0
    assert (head.method, head.target) == (b"GET", b"/a?b=c")
    assert head.headers[0] == (b"host", b"h:1")
    assert head.index[b"cookie"] == b"a=1; b=2"
    assert head.index[b"x"] == b"1, 2"
    assert head.content_length == 7
    assert head.keep_alive
    assert not head.is_http_10


GOOD = {
    "host instead of authority": [*without(b":authority"), (b"host", b"h")],
    "both, and the same": [*GET, (b"host", b"h:1")],
    "te: trailers": [*GET, (b"te", b"trailers")],
    "an empty value": [*GET, (b"a", b"")],
    "a value with spaces within": [*GET, (b"a", b"b \t c\xff")],
    "https": replaced(b":scheme", b"https"),
    "OPTIONS *": [(b":method", b"OPTIONS"), (b":path", b"*"), *GET[1:2], *GET[3:]],
    "an address": replaced(b":authority", b"[::1]:80"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_requests(name: str) -> None:
    head, status = read_request(GOOD[name], LIMITS)
    assert status == 0
    assert head.index[b"host"]


MALFORMED = {
    "no method": without(b":method"),
    "no scheme": without(b":scheme"),
    "no path": without(b":path"),
    "an empty path": replaced(b":path", b""),
    "a path that is none": replaced(b":path", b"http://h/a"),
    "a path with a space": replaced(b":path", b"/a b"),
    "a path with a control character": replaced(b":path", b"/a\r\nx: y"),
    "a method that is none": replaced(b":method", b"G ET"),
    "another scheme": replaced(b":scheme", b"ftp"),
    "a user in the authority": replaced(b":authority", b"me@h"),
    "a path in the authority": replaced(b":authority", b"h/a"),
    "a pseudo-header twice": [*GET, (b":path", b"/a")],
    "a pseudo-header behind a header": [*GET[:3], (b"a", b"b"), GET[3]],
    "an unknown pseudo-header": [*GET, (b":protocol", b"x")],
    "one of answers": [*GET, (b":status", b"200")],
    "capitals": [*GET, (b"X-A", b"1")],
    "a name with a space": [*GET, (b"x a", b"1")],
    "an empty name": [*GET, (b"", b"1")],
    "a name with a colon": [*GET, (b"x:a", b"1")],
    "a value with CR LF": [*GET, (b"a", b"b\r\nc: d")],
    "a value with NUL": [*GET, (b"a", b"\0")],
    "a value that begins with a space": [*GET, (b"a", b" b")],
    "a value that ends with a tab": [*GET, (b"a", b"b\t")],
    "connection": [*GET, (b"connection", b"close")],
    "keep-alive": [*GET, (b"keep-alive", b"5")],
    "proxy-connection": [*GET, (b"proxy-connection", b"close")],
    "transfer-encoding": [*GET, (b"transfer-encoding", b"chunked")],
    "upgrade": [*GET, (b"upgrade", b"websocket")],
    "te: gzip": [*GET, (b"te", b"trailers, gzip")],
    "two hosts": [*without(b":authority"), (b"host", b"a"), (b"host", b"b")],
    "a host that is another authority": [*GET, (b"host", b"g")],
    "a length that is no number": [*GET, (b"content-length", b"+1")],
    "two lengths": [*GET, (b"content-length", b"1"), (b"content-length", b"1")],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests(name: str) -> None:
    with pytest.raises(StreamFaultError):
        read_request(MALFORMED[name], LIMITS)


REFUSED = {
    "no host": (without(b":authority"), 400),
    "an empty host": (replaced(b":authority", b""), 400),
    "CONNECT": ([(b":method", b"CONNECT"), (b":authority", b"h:1")], 501),
    "many headers": ([*GET, *[(b"a", b"b")] * 10], 431),
    "large headers": ([*GET, (b"a", b"b" * 1000)], 431),
    "a long target": (replaced(b":path", b"/" * 101), 414),
    "a large body": ([*GET, (b"content-length", b"51")], 413),
    "an unknown expectation": ([*GET, (b"expect", b"200-ok")], 417),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_requests(name: str) -> None:
    fields, status = REFUSED[name]
    assert read_request(fields, LIMITS)[1] == status


def test_an_answer() -> None:
    fields = [(b":status", b"404"), (b"a", b"b"), (b"server", b"x"), (b"content-length", b"3")]
    left_out = frozenset({b"server", b"content-length"})
    assert read_answer(fields, left_out) == (404, b"a: b\r\n", 3)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b":status", b"20")],
        [(b":status", b"101")],
        [(b":status", b"2000")],
        [(b":status", b"200"), (b":status", b"200")],
        [(b":status", b"200"), (b":path", b"/")],
        [(b":status", b"200"), (b"connection", b"close")],
        [(b":status", b"200"), (b"content-length", b"x")],
    ],
)
def test_malformed_answers(fields: Fields) -> None:
    with pytest.raises(StreamFaultError):
        read_answer(fields, frozenset())


def test_trailers() -> None:
    assert read_trailers([(b"grpc-status", b"0"), (b"x", b"")]) == b"grpc-status: 0\r\nx: \r\n"
    with pytest.raises(StreamFaultError):
        read_trailers([(b":status", b"200")])


def test_what_was_good_before_is_good_again_and_nothing_else() -> None:
    for each in range(3000):
        fields = [*GET, (b"x", b"%d" % each), (b"y", b"1")]
        assert read_request(fields, LIMITS)[0].index[b"x"] == b"%d" % each
    with pytest.raises(StreamFaultError):
        read_request([*GET, (b"y", b"1"), (b"Y", b"1")], LIMITS)
