"""The processes a zygote started: who they are, how they are signalled, how they ended.

For: one place that reaps, so that no process outlives its supervisor unseen.
Must not know: what the children do or why they were started.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

_LOOK_S = 0.002
_OF_GROUPS = (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT)


class Children:
    """Replicas by id. Every child leads its own session, hence its own process group."""

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}
        self._ids: dict[int, str] = {}

    def __len__(self) -> int:
        """How many have not been seen to end."""
        return len(self._ids)

    def __contains__(self, identity: str) -> bool:
        """Whether a replica of this id has not been seen to end."""
        return identity in self._pids

    def add(self, identity: str, pid: int) -> None:
        """A replica was started."""
        assert identity not in self._pids
        self._pids[identity] = pid
        self._ids[pid] = identity

    def remove(self, pid: int) -> str | None:
        """Forget a replica that ended: its id; None for a pid that is none of ours."""
        identity = self._ids.pop(pid, None)
        if identity is not None:
            del self._pids[identity]
        return identity

    def signal(self, identity: str, number: int) -> None:
        """Signal one replica, as Kubernetes does: its first process only.

        All of its group are killed, stopped and continued.
        """
        pid = self._pids.get(identity)
        if pid is not None:
            _send(pid, number)

    def signal_all(self, number: int) -> None:
        """Signal every replica; one that is stopped hears it, too."""
        for pid in self._ids:
            _send(pid, number)
            if number == signal.SIGTERM:
                _send(pid, signal.SIGCONT)

    def reap(self) -> list[tuple[int, int | None, int | None]]:
        """Every child that ended since the last call: pid, exit code, signal.

        What a replica started dies with it, as in a container: its group is killed before
        its pid is given back to the system.
        """
        ended: list[tuple[int, int | None, int | None]] = []
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return ended
            if found is None:
                return ended
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(found.si_pid, signal.SIGKILL)
            pid, status = os.waitpid(found.si_pid, 0)
            code = os.waitstatus_to_exitcode(status)
            ended.append((pid, code, None) if code >= 0 else (pid, None, -code))

    def end_all(self, patience_s: float) -> None:
        """Kill and reap every child of this process, known or adopted, until none is left.

        What left its replica's group, as a daemon does, is adopted by this process when its
        parent ends (see `forking.adopt`) and found here. Linux only: elsewhere it is missed.
        """
        end_s = time.monotonic() + patience_s
        while (pids := _own_children()) and time.monotonic() < end_s:
            for pid in pids:
                _send(pid, signal.SIGKILL)
            self.reap()
            time.sleep(_LOOK_S)


def _own_children() -> list[int]:
    ours = str(os.getpid())
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            if stat.read_text(errors="replace").rpartition(")")[2].split()[1] == ours:
                found.append(int(stat.parent.name))
    return found


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
    if number in _OF_GROUPS:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)  # no such group yet when it was forked a moment ago
