"""A head is a record with defaults."""

from wire.head import Head


def test_defaults_are_those_of_a_plain_request() -> None:
    head = Head(b"GET", b"/", [(b"host", b"h")], {b"host": b"h"})
    assert (head.keep_alive, head.is_http_10, head.expects_continue) == (True, False, False)
    assert head.content_length is None
    assert head.memo is None
