"""The first bytes of a call, however they come."""

from typing import Any

import pytest

from activator.naming import BODY_BYTES_MAX, Named
from activator.peeking import Peek

MESSAGE = b"\x0a\x04iris\x2a\x00"
BODY = b"\0\0\0\0\x08" + MESSAGE


class Asked:
    """An exchange of which some has come."""

    def __init__(self, early: bytes, *, is_complete: bool) -> None:
        self.path = b"/inference.GRPCInferenceService/ModelInfer"
        self.index: dict[bytes, bytes] = {}
        self.early = early
        self.is_complete = is_complete
        self.receiver: Any = None

    def take(self) -> bytes:
        data, self.early = self.early, b""
        return data


class Seen:
    """What a peek told."""

    def __init__(self, early: bytes = b"", *, is_complete: bool = False) -> None:
        self.found: list[tuple[Named, bytes]] = []
        self.failed: list[str] = []
        exchange: Any = Asked(early, is_complete=is_complete)
        self.peek = Peek(
            exchange,
            lambda _, named, body: self.found.append((named, body)),
            lambda _, why: self.failed.append(why),
        )
        self.peek.begin()
        assert exchange.receiver is self.peek


@pytest.mark.parametrize("is_complete", [True, False])
def test_all_at_once(is_complete: bool) -> None:
    assert Seen(BODY, is_complete=is_complete).found == [(Named(model=b"iris"), BODY)]


@pytest.mark.parametrize("cut", range(len(BODY)))
def test_in_two_pieces(cut: int) -> None:
    seen = Seen(BODY[:cut])
    seen.peek.on_body(BODY[cut:])
    seen.peek.on_end()
    ((named, body),) = seen.found
    assert (named, body[: len(BODY)]) == (Named(model=b"iris"), BODY[: len(body)])


def test_a_body_that_ends_too_soon() -> None:
    seen = Seen(BODY[:7])
    seen.peek.on_end()
    assert (seen.found, seen.failed) == ([], ["it names no model"])


def test_no_more_is_kept_than_it_takes() -> None:
    seen = Seen(b"\0\xff\xff\xff\xff\x0a\xff\xff\x7f")
    seen.peek.on_body(b"m" * BODY_BYTES_MAX)
    assert seen.failed == ["it names no model"]
    seen.peek.on_body(b"m")
    assert len(seen.failed) == 1


def test_a_caller_that_leaves() -> None:
    seen = Seen(BODY[:7])
    seen.peek.on_abort()
    seen.peek.on_writable(True)
    seen.peek.on_body(BODY[7:])
    assert (seen.found, seen.failed) == ([], [])
