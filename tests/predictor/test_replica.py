"""What a forked child does with its assignment; whole lives are in test_zygote.py."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import orjson

from predictor import replica
from tests.predictor.test_main import ROOT

LIVE = """
import os, sys, uvloop
from predictor.replica import Assignment, live
from predictor.worker import Worker
listen_fd, log_fd, status_fd, cwd = *map(int, sys.argv[1:4]), sys.argv[4]
loop = uvloop.new_event_loop()
sys.exit(live(Assignment(id="a", received_ns=0, args=tuple(sys.argv[5:]), env={"A": "b"}, cwd=cwd,
    listen_fd=listen_fd, log_fd=log_fd, status_fd=status_fd), loop, Worker(loop)))
"""


def live(folder: Path, cwd: str, *args: str) -> tuple[int, list[dict[str, object]], str]:
    log = folder / "log"
    log_fd = os.open(log, os.O_CREAT | os.O_WRONLY)
    status_read, status_write = os.pipe()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
        fds = [listener.fileno(), log_fd, status_write]
        command = [sys.executable, "-c", LIVE, *map(str, fds), cwd, *args]
        code = subprocess.run(command, cwd=ROOT, pass_fds=fds, timeout=20, check=False).returncode
    os.close(log_fd)
    os.close(status_write)
    with os.fdopen(status_read, "rb") as status:
        return code, [orjson.loads(line) for line in status], log.read_text()


def test_wrong_arguments_and_a_missing_folder_are_told(short_path: Path) -> None:
    code, facts, log = live(short_path, "/", "--threads", "0", "--model", "x")
    assert (code, facts) == (1, [{"failed": "--threads: expected 1 to 1024, got 0"}])
    assert "--threads: expected 1 to 1024" in log
    (short_path / "s").unlink()
    code, facts, log = live(short_path, "/no/such/folder", "--model", "x")
    assert code == 1
    assert "/no/such/folder" in str(facts[0]["failed"])


def test_a_reader_that_is_gone_harms_nobody() -> None:
    read, write = os.pipe()
    os.close(read)
    replica.tell(write, {"ready": True})
    os.close(write)


def test_a_fact_is_one_line() -> None:
    read, write = os.pipe()
    replica.tell(write, {"failed": "a\nb"})
    os.close(write)
    with os.fdopen(read, "rb") as lines:
        assert list(lines) == [b'{"failed":"a\\nb"}\n']
