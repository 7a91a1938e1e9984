"""The head of a forwarded request."""

from activator.headers import request_start
from wire.exchange import Exchange
from wire.head import Head


def start(peer: str = "10.1.2.3", target: bytes = b"/p?q", **headers: bytes) -> list[bytes]:
    pairs = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    head = Head(b"POST", target, pairs, dict(pairs))
    if "content_length" in headers:
        head.content_length = int(headers["content_length"])
    lines = request_start(Exchange(None, peer, head))  # type: ignore[arg-type] # nothing is sent
    assert lines.endswith(b"\r\n")
    return lines.split(b"\r\n")[:-1]


def test_what_is_added() -> None:
    assert start(host=b"h:80", content_length=b"3") == [
        b"POST /p?q HTTP/1.1",
        b"host: h:80",
        b"k-proxy-request: activator",
        b"x-forwarded-for: 10.1.2.3",
        b"x-forwarded-proto: http",
        b"x-forwarded-host: h:80",
        b'forwarded: for=10.1.2.3;host="h:80";proto=http',
        b"content-length: 3",
    ]


def test_what_proxies_before_us_said_is_kept_and_continued() -> None:
    lines = start(
        host=b"h",
        x_forwarded_for=b"1.1.1.1",
        x_forwarded_proto=b"https",
        x_forwarded_host=b"public",
        forwarded=b"for=1.1.1.1",
    )
    assert b"x-forwarded-for: 1.1.1.1, 10.1.2.3" in lines
    assert b"x-forwarded-proto: https" in lines
    assert b"x-forwarded-host: public" in lines
    assert b'forwarded: for=1.1.1.1, for=10.1.2.3;host="h";proto=http' in lines


def test_addresses_of_version_6_are_quoted() -> None:
    lines = start(peer="::1", host=b"h")
    assert b"x-forwarded-for: ::1" in lines
    assert b'forwarded: for="[::1]";host="h";proto=http' in lines


def test_what_is_left_out() -> None:
    lines = start(
        host=b"h",
        connection=b"keep-alive, X-Mine, host",
        x_mine=b"1",
        upgrade=b"h2c",
        http2_settings=b"x",
        expect=b"100-continue",
        k_proxy_request=b"forged",
        knative_serving_revision=b"forged",
        x_request_id=b"told elsewhere",
        accept=b"*/*",
    )
    names = [line.partition(b":")[0] for line in lines[1:]]
    assert names == [
        b"host",
        b"accept",
        b"k-proxy-request",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"forwarded",
    ]
    assert b"k-proxy-request: activator" in lines
