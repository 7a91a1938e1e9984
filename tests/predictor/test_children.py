"""Started, signalled, reaped."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from predictor.children import Children
from tests.predictor.talking import wait_until
from tests.predictor.zygotes import children_of, is_alive


def spawn(script: str) -> int:
    """A child in a session of its own, known to nobody but `Children`."""
    return os.posix_spawn("/bin/sh", ["sh", "-c", script], {"PATH": "/bin:/usr/bin"}, setsid=True)


def reap(children: Children) -> tuple[int, int | None, int | None]:
    ended: list[tuple[int, int | None, int | None]] = []

    def has_ended() -> bool:
        ended.extend(children.reap())
        return bool(ended)

    wait_until(has_ended, "a child ended")
    (one,) = ended
    return one


def test_an_exit_code_and_a_signal_are_told_apart() -> None:
    children = Children()
    children.add("a", spawn("exit 3"))
    pid, code, number = reap(children)
    assert (code, number) == (3, None)
    assert children.remove(pid) == "a"
    children.add("b", spawn("sleep 1000"))
    assert "b" in children
    assert len(children) == 1
    children.signal("b", signal.SIGTERM)
    pid, code, number = reap(children)
    assert (code, number) == (None, signal.SIGTERM)
    assert children.remove(pid) == "b"
    assert not children
    assert children.remove(pid) is None


def test_killing_one_kills_its_group() -> None:
    children = Children()
    pid = spawn("sleep 1000 & wait")
    children.add("a", pid)

    def grandchildren() -> list[str]:
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
        )
        return found.stdout.split()

    wait_until(lambda: len(grandchildren()) == 1, "the grandchild runs")
    grandchild = int(grandchildren()[0])
    children.signal_all(signal.SIGKILL)
    assert reap(children)[2] == signal.SIGKILL
    wait_until(lambda: not is_alive(grandchild), "the grandchild is gone")


def test_nobody_and_the_dead_may_be_signalled() -> None:
    children = Children()
    children.signal("nobody", signal.SIGTERM)
    assert children.reap() == []
    pid = spawn("exit 0")
    children.add("a", pid)
    reap(children)
    children.signal("a", signal.SIGKILL)


def test_an_id_is_used_once_at_a_time() -> None:
    children = Children()
    children.add("a", 2**22 + 1)
    with pytest.raises(AssertionError):
        children.add("a", 2**22 + 2)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_one_that_is_stopped_stops_with_its_group_and_hears_an_end_for_all() -> None:
    children = Children()
    pid = spawn("sleep 1000 & wait")
    children.add("a", pid)
    wait_until(lambda: len(children_of(pid)) == 1, "the grandchild runs")
    (grandchild,) = children_of(pid)
    children.signal("a", signal.SIGSTOP)
    wait_until(lambda: state(pid) == state(grandchild) == "T", "both are stopped")
    assert children.reap() == [], "who is stopped has not ended"
    children.signal("a", signal.SIGCONT)
    wait_until(lambda: "T" not in (state(pid), state(grandchild)), "both run again")
    children.signal("a", signal.SIGSTOP)
    children.signal_all(signal.SIGTERM)
    assert reap(children) == (pid, None, signal.SIGTERM)
    wait_until(lambda: not is_alive(grandchild), "the grandchild is gone")
