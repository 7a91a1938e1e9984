import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from autoscaler.keeping import StoreError
from embedded.windows import SqliteWindows
from tests.autoscaler.stores import ANY_BYTES, keeps_what_it_is_given

ROOT = Path(__file__).parent.parent.parent
KEY = ("default", "r")


async def test_it_is_a_store_of_windows(tmp_path: Path) -> None:
    store = SqliteWindows(tmp_path / "windows.db")
    await keeps_what_it_is_given(store)
    await store.close()


async def test_another_finds_what_the_first_kept(tmp_path: Path) -> None:
    first = SqliteWindows(tmp_path / "windows.db")
    await first.save({KEY: ANY_BYTES}, ())
    await first.close()
    second = SqliteWindows(tmp_path / "windows.db")
    assert dict(await second.load()) == {KEY: ANY_BYTES}
    await second.close()


async def test_nothing_is_made_before_it_is_used(tmp_path: Path) -> None:
    store = SqliteWindows(tmp_path / "windows.db")
    await store.close()
    assert list(tmp_path.iterdir()) == []


def killed_after_saving(path: Path) -> int:
    """Exit code of a process that saved, and then was killed."""
    program = (
        "import asyncio, os, pathlib, signal\n"
        "from embedded.windows import SqliteWindows\n"
        "async def main():\n"
        f"    store = SqliteWindows(pathlib.Path({str(path)!r}))\n"
        "    await store.save({('default', 'r'): b'kept'}, ())\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode


async def test_what_was_saved_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "windows.db"
    assert killed_after_saving(path) == -signal.SIGKILL
    store = SqliteWindows(path)
    assert dict(await store.load()) == {KEY: b"kept"}
    await store.close()


def text(path: Path) -> None:
    path.write_text("windows? " * 500)


def of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE mine (x)")
    database.close()


def of_another_version(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 2")
    database.close()


def torn(path: Path) -> None:
    held = bytearray(path.read_bytes())
    held[4096:] = b"\x5a" * (len(held) - 4096)
    path.write_bytes(held)


@pytest.mark.parametrize("spoil", [text, of_another_program, of_another_version, torn])
async def test_an_unreadable_file_is_put_aside_and_begun_anew(
    tmp_path: Path, spoil: object, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "windows.db"
    first = SqliteWindows(path)
    if spoil is not of_another_program:
        await first.save({KEY: ANY_BYTES * 100}, ())
    await first.close()
    assert callable(spoil)
    spoil(path)
    spoilt = path.read_bytes()
    second = SqliteWindows(path)
    assert dict(await second.load()) == {}
    await second.save({KEY: b"new"}, ())
    assert dict(await second.load()) == {KEY: b"new"}
    await second.close()
    assert (tmp_path / "windows.db.damaged").read_bytes()[:64] == spoilt[:64]
    assert "windows.db is unreadable" in caplog.text


async def test_a_file_that_can_not_be_is_an_error_of_the_store(tmp_path: Path) -> None:
    store = SqliteWindows(tmp_path / "nowhere" / "windows.db")
    for _ in range(2):
        with pytest.raises(StoreError, match=r"nowhere/windows\.db: unable to open"):
            await store.load()
    (tmp_path / "nowhere").mkdir()
    assert dict(await store.load()) == {}  # whoever makes it right need not restart anything
    await store.close()


async def test_a_locked_file_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.windows._BUSY_TIMEOUT_S", 0.01)
    path = tmp_path / "windows.db"
    store = SqliteWindows(path)
    await store.save({KEY: b"1"}, ())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        await store.save({KEY: b"2"}, ())
    other.execute("ROLLBACK")
    other.close()
    assert dict(await store.load()) == {KEY: b"1"}
    await store.save({KEY: b"2"}, ())
    assert dict(await store.load()) == {KEY: b"2"}
    await store.close()


async def test_behind_a_disk_that_hangs_no_requests_pile_up(tmp_path: Path) -> None:
    store = SqliteWindows(tmp_path / "windows.db")
    disk = threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await store._run(disk.wait)
    for _ in range(3):
        with pytest.raises(StoreError, match="has not done with the last request"):
            await store.save({KEY: b"1"}, ())
    disk.set()
    async with asyncio.timeout(5):
        while not (store._last and store._last.done()):
            await asyncio.sleep(0.001)
    assert dict(await store.load()) == {}
    await store.close()
