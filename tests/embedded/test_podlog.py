import asyncio
from pathlib import Path
from typing import Any

import pytest

from embedded import podlog
from embedded.podlog import PodLog


async def collect(path: Path, tail_lines: int | None = None) -> bytes:
    start = podlog.start_of(path, tail_lines)
    return b"".join([c async for c in podlog.read(path, start=start, is_following=lambda: False)])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (None, b"a\nb\nc\n"),
        (0, b""),
        (1, b"c\n"),
        (2, b"b\nc\n"),
        (3, b"a\nb\nc\n"),
        (9, b"a\nb\nc\n"),
    ],
)
async def test_the_last_lines(tmp_path: Path, lines: int | None, expected: bytes) -> None:
    log = PodLog(tmp_path, "p", "c")
    with log.open() as file:
        file.write(b"a\nb\nc\n")
    assert await collect(log.path, lines) == expected


async def test_a_last_line_without_its_newline_counts(tmp_path: Path) -> None:
    log = PodLog(tmp_path, "p", "c")
    log.path.write_bytes(b"a\nb")
    assert await collect(log.path, 1) == b"b"


async def test_a_log_nobody_wrote_is_empty(tmp_path: Path) -> None:
    assert await collect(tmp_path / "none") == b""
    assert PodLog(tmp_path, "p", "c").tail() == ""


async def test_following_ends_with_the_pod(tmp_path: Path) -> None:
    log = PodLog(tmp_path, "p", "c")
    log.path.write_bytes(b"first\n")
    is_alive = True
    seen: list[bytes] = []

    async def follow() -> None:
        async for chunk in podlog.read(log.path, start=0, is_following=lambda: is_alive):
            seen.append(chunk)
            more.set()

    more = asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(follow())
        await more.wait()
        more.clear()
        with log.open() as file:
            file.write(b"second\n")
        await more.wait()
        is_alive = False
    assert b"".join(seen) == b"first\nsecond\n"


def test_rotation_keeps_the_run_before(tmp_path: Path) -> None:
    log = PodLog(tmp_path, "p", "c")
    log.rotate()
    log.path.write_bytes(b"one")
    log.rotate()
    assert log.previous_path.read_bytes() == b"one"
    assert not log.path.exists()


def test_a_log_stays_within_its_bound_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podlog, "BYTES_MAX", 10)
    log = PodLog(tmp_path, "p", "c")
    with log.open() as file:
        file.write(b"x" * 11)
        file.flush()
        log.bound()
        file.write(b"y")
    assert log.path.read_bytes() == b"y"
    assert log.previous_path.read_bytes() == b"x" * 11


def test_the_tail_is_short_enough_for_a_status(tmp_path: Path) -> None:
    log = PodLog(tmp_path, "p", "c")
    log.path.write_bytes(b"\n".join(b"line %d" % i for i in range(1000)))
    lines = log.tail().splitlines()
    assert len(lines) == 80
    assert lines[-1] == "line 999"
    log.remove()
    assert not log.path.exists()


async def wanted(log: PodLog, now_s: float, **how: Any) -> bytes:
    what = podlog.Wanted(**how)
    pieces = log.read(what, is_following=lambda: False, clock=lambda: now_s)
    return b"".join([piece async for piece in pieces])


async def test_lines_have_the_times_they_were_noted_at(tmp_path: Path) -> None:
    log = PodLog(tmp_path, "p", "c")
    for at, text in enumerate((b"a\n", b"b\n"), start=1):
        with log.open() as file:
            file.write(text)
        log.note(float(at))
    first, second = (await wanted(log, 9.0, timestamps=True)).splitlines()
    assert first == b"1970-01-01T00:00:01.000000000Z a"
    assert second == b"1970-01-01T00:00:02.000000000Z b"
    assert await wanted(log, 9.0, since_s=1.5) == b"b\n"
    assert await wanted(log, 9.0, since_s=0.5, tail_lines=1) == b"b\n"
    assert await wanted(log, 9.0, since_s=8.0) == b""
    log.rotate()
    assert await wanted(log, 9.0, previous=True, since_s=1.5) == b"b\n"
    assert await wanted(log, 9.0) == b""


async def test_a_log_of_an_earlier_platform_is_as_old_as_its_file(tmp_path: Path) -> None:
    log = PodLog(tmp_path, "p", "c")
    log.path.write_bytes(b"old\n")
    later_s = log.path.stat().st_mtime + 60
    assert await wanted(log, later_s, since_s=later_s - 5) == b""
    assert await wanted(log, later_s, since_s=later_s - 120) == b"old\n"


def test_the_logs_of_pods_that_are_gone_are_swept(tmp_path: Path) -> None:
    for pod in ("kept", "gone"):
        log = PodLog(tmp_path, pod, "c")
        log.path.write_bytes(b"1")
        log.rotate()
        log.path.write_bytes(b"2")
    PodLog.sweep(tmp_path, {"kept"})
    assert {path.name for path in tmp_path.iterdir()} == {"kept.c.log", "kept.c.previous.log"}
