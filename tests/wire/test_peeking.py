"""The first bytes of a body, however they come."""

import asyncio
from typing import Any

import pytest

from wire.peeking import Peek

BODY = b"5:abcde and more"
BYTES_MAX = 64


def look(body: bytes, is_enough: bool) -> bytes | None:
    """What stands behind a length and a colon."""
    size, colon, rest = body.partition(b":")
    if colon and len(rest) >= int(size):
        return rest[: int(size)]
    if is_enough:
        raise ValueError("it is too short")
    return None


class Asked:
    """An exchange of which some has come."""

    def __init__(self, early: bytes, *, is_complete: bool) -> None:
        self.early = early
        self.is_complete = is_complete
        self.receiver: Any = None

    def take(self) -> bytes:
        data, self.early = self.early, b""
        return data


class Seen:
    """What a peek told."""

    def __init__(
        self, early: bytes = b"", *, is_complete: bool = False, wait_s: float = 20
    ) -> None:
        self.found: list[tuple[bytes, bytes]] = []
        self.failed: list[str] = []
        exchange: Any = Asked(early, is_complete=is_complete)
        self.peek = Peek(
            exchange,
            look,
            lambda _, what, body: self.found.append((what, body)),
            lambda _, why: self.failed.append(why),
            bytes_max=BYTES_MAX,
            wait_s=wait_s,
        )
        self.peek.begin()
        assert exchange.receiver is self.peek


@pytest.mark.parametrize("is_complete", [True, False])
async def test_all_at_once(is_complete: bool) -> None:
    assert Seen(BODY, is_complete=is_complete).found == [(b"abcde", BODY)]


@pytest.mark.parametrize("cut", range(len(BODY)))
async def test_in_two_pieces(cut: int) -> None:
    seen = Seen(BODY[:cut])
    seen.peek.on_body(BODY[cut:])
    seen.peek.on_end()
    ((what, body),) = seen.found
    assert what == b"abcde"
    assert BODY.startswith(body)


async def test_a_body_that_ends_too_soon() -> None:
    seen = Seen(BODY[:4])
    seen.peek.on_end()
    assert (seen.found, seen.failed) == ([], ["it is too short"])


async def test_no_more_is_kept_than_it_takes() -> None:
    seen = Seen(b"9999:")
    seen.peek.on_body(b"m" * BYTES_MAX)
    assert seen.failed == ["it is too short"]
    seen.peek.on_body(b"m")
    assert len(seen.failed) == 1


async def test_a_caller_that_leaves() -> None:
    seen = Seen(BODY[:4])
    seen.peek.on_abort()
    seen.peek.on_writable(True)
    seen.peek.on_body(BODY[4:])
    assert (seen.found, seen.failed) == ([], [])


async def test_a_body_of_which_too_little_comes() -> None:
    seen = Seen(BODY[:4], wait_s=0.001)
    async with asyncio.timeout(10):
        while not seen.failed:
            await asyncio.sleep(0.001)
    seen.peek.on_body(BODY[4:])
    assert (seen.found, seen.failed) == ([], ["too little of it came in time"])
