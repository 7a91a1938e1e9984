"""A head is a record with defaults."""

from wire.head import Head


def test_defaults_are_those_of_a_plain_request() -> None:
    head = Head(b"GET", b"/", [(b"host", b"h")], {b"host": b"h"})
    assert (head.keep_alive, head.is_http_10, head.expects_continue) == (True, False, False)
    assert head.content_length is None
    assert head.memo is None


def test_one_that_is_read_after_another_differs_in_length_and_id() -> None:
    headers = [(b"host", b"h"), (b"content-length", b"3"), (b"x-request-id", b"a")]
    head = Head(b"POST", b"/x", headers, dict(headers))
    head.content_length = 3
    head.memo = 1
    twin = head.again(b"12", b"b").again(b"10", b"c")
    assert twin.headers == [(b"host", b"h"), (b"content-length", b"10"), (b"x-request-id", b"c")]
    assert list(twin.index.items()) == twin.headers
    assert (twin.method, twin.target, twin.content_length) == (b"POST", b"/x", 10)
    assert twin.memo is None
    assert twin.origin is head.origin is head
    assert head.index[b"x-request-id"] == b"a"
