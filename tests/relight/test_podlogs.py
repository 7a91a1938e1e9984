from collections.abc import AsyncIterator
from typing import Any

import pytest

from relight import podlogs


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        ((), []),
        ((b"a\nb\n",), ["a", "b"]),
        ((b"a", b"b\nc"), ["ab", "c"]),
        ((b"\n\n",), ["", ""]),
        ((b"\xc3", b"\xa9\n"), ["é"]),  # a character cut in two
        ((b"\xff\n",), ["\ufffd"]),
    ],
)
async def test_lines_of_a_stream(parts: tuple[bytes, ...], lines: list[str]) -> None:
    assert [line async for line in podlogs.split_lines(chunks(*parts))] == lines


async def test_a_line_without_end_comes_in_pieces() -> None:
    lines = [line async for line in podlogs.split_lines(chunks(b"x" * 70_000, b"x" * 70_000))]
    assert [len(line) for line in lines] == [65_536, 65_536, 8_928]


@pytest.mark.parametrize(
    ("status", "has_started"),
    [
        ({}, False),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, False),
        ({"state": {"running": {}}}, True),
        ({"state": {"terminated": {"exitCode": 1}}}, True),
        ({"state": {"waiting": {}}, "lastState": {"terminated": {"exitCode": 1}}}, True),
    ],
)
def test_a_pod_that_never_ran_has_no_log(status: dict[str, Any], has_started: bool) -> None:
    assert podlogs.has_started({"status": {"containerStatuses": [status]}}) is has_started
