import sqlite3
import threading
import time
from pathlib import Path

import pytest

from embedded.checkpointing import Checkpointer

DEADLINE_S = 10.0


@pytest.fixture
def database(tmp_path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE t (x)")
    return connection


def until(condition: object) -> None:
    end_s = time.monotonic() + DEADLINE_S
    while not condition():  # type: ignore[operator] # a callable
        assert time.monotonic() < end_s
        time.sleep(0.001)


def test_enough_bytes_move_the_log_into_the_file(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "x.db"
    checkpointer = Checkpointer(str(file), bytes_between=1000)
    before = file.stat().st_size
    for _ in range(20):
        database.execute("INSERT INTO t VALUES (zeroblob(5000))")
    assert file.stat().st_size == before
    checkpointer.wrote(999)
    checkpointer.wrote(1)
    until(lambda: file.stat().st_size > before + 50_000)
    checkpointer.stop()
    database.close()


def test_a_failure_is_logged_and_outlived(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "x.db").write_text("this is no database, and it is long enough to be read as one")
    checkpointer = Checkpointer(str(tmp_path / "x.db"), bytes_between=1)
    checkpointer.wrote(1)
    until(lambda: "checkpoint of" in caplog.text)
    assert any(thread.name == "store-checkpoint" for thread in threading.enumerate())
    checkpointer.stop()
    assert not checkpointer._thread.is_alive()
