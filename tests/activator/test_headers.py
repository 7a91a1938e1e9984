"""The head of a forwarded request."""

from typing import Any

from activator.headers import request_start
from wire.exchange import Exchange
from wire.head import Head


def start(
    peer: str = "10.1.2.3",
    target: bytes = b"/p?q",
    told: dict[str, Any] | None = None,
    **headers: bytes,
) -> list[bytes]:
    pairs = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    head = Head(b"POST", target, pairs, dict(pairs))
    if "content_length" in headers:
        head.content_length = int(headers["content_length"])
    lines = request_start(
        Exchange(None, peer, head),  # type: ignore[arg-type] # nothing is sent
        **(told or {}),
    )
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
        knative_serving_default_route=b"forged",
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


def test_what_the_way_says_stands_for_what_the_client_says() -> None:
    told = {"lines": b"tag: ours\r\n", "replaced": frozenset({b"tag"})}
    lines = start(host=b"h", tag=b"theirs", told=told)
    assert [line for line in lines if line.startswith(b"tag")] == [b"tag: ours"]
    assert b"tag: theirs" in start(host=b"h", tag=b"theirs")


def test_an_upgrade_that_is_passed_on_is_asked_for_anew() -> None:
    lines = start(
        host=b"h",
        connection=b"keep-alive, Upgrade, X-Mine",
        upgrade=b"websocket",
        x_mine=b"1",
        sec_websocket_version=b"13",
        told={"upgrade": b"websocket"},
    )
    assert b"connection: upgrade" in lines
    assert b"upgrade: websocket" in lines
    assert b"sec-websocket-version: 13" in lines
    assert not any(line.startswith(b"x-mine") for line in lines)
