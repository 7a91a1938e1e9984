"""Prebuilt bytes."""

import json

import pytest

from wire import messages


def test_status_lines() -> None:
    assert messages.status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert messages.status_line(299) == b"HTTP/1.1 299 \r\n"


@pytest.mark.parametrize("status", messages.REFUSALS)
def test_a_refusal_is_one_whole_answer_in_json(status: int) -> None:
    head, _, body = messages.REFUSALS[status].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-length: %d" % len(body) in head
    assert b"connection: close" in head
    assert set(json.loads(body)) == {"error", "reason", "revision", "requestId"}
