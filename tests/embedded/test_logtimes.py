from collections.abc import AsyncIterator

import pytest

from embedded.logtimes import LogTimes, stamped


def times() -> LogTimes:
    found = LogTimes()
    for size, now_s in ((10, 1.0), (10, 2.0), (30, 3.0), (40, 4.0)):
        found.note(size, now_s)
    return found


@pytest.mark.parametrize(
    ("offset", "time_s"), [(0, 1.0), (9, 1.0), (10, 3.0), (29, 3.0), (30, 4.0), (40, 99.0)]
)
def test_a_byte_has_the_time_its_file_was_first_seen_larger(offset: int, time_s: float) -> None:
    assert times().at(offset, 99.0) == time_s


@pytest.mark.parametrize(
    ("start_s", "offset"), [(0.5, 0), (1.0, 10), (2.5, 10), (3.0, 30), (9, 40)]
)
def test_since_begins_after_what_was_there_by_then(start_s: float, offset: int) -> None:
    assert times().since(start_s) == offset


def test_notes_are_bounded_and_stay_in_order() -> None:
    found = LogTimes()
    for at in range(1, 10_000):
        found.note(at, float(at))
    assert found.at(9_998, 0.0) == 9_999.0
    assert found.at(5, 0.0) >= 6.0
    assert found.since(5_000.0) <= 5_000


@pytest.mark.parametrize(
    ("pieces", "wanted"),
    [
        ([b"a\nb\n"], b"T0 a\nT2 b\n"),
        ([b"a", b"b\nc"], b"T0 ab\nT3 c"),
        ([b"a\n", b"\n", b"b"], b"T0 a\nT2 \nT3 b"),
        ([b""], b""),
    ],
)
async def test_each_line_is_stamped_once(
    pieces: list[bytes], wanted: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def come() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    monkeypatch.setattr("embedded.logtimes._stamp", lambda at: b"T%d " % at)
    assert b"".join([piece async for piece in stamped(come(), 0, float)]) == wanted


async def test_a_stamp_is_a_time_of_rfc_3339() -> None:
    async def come() -> AsyncIterator[bytes]:
        yield b"a"

    found = [piece async for piece in stamped(come(), 0, lambda _: 1.5)]
    assert found == [b"1970-01-01T00:00:01.500000000Z a"]
