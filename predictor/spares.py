"""Children forked ahead, and how one is told what to be.

For: taking the fork itself out of a cold start.
Must not know: the control socket's messages, who wants a replica, models.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from predictor import forking, replica
from predictor.replica import Assignment
from predictor.warming import Rehearsal, new_loop
from predictor.worker import Worker

MESSAGE_BYTES_MAX = 256 * 1024
FDS_MAX = 8
_HEAD = struct.Struct("<q")  # when the zygote was asked, time.monotonic_ns()


@dataclass(slots=True, kw_only=True)
class Spare:
    """A child that waits, and our end of the pair over which it is told."""

    pid: int
    channel: socket.socket
    _is_warm: bool = False

    @property
    def is_warm(self) -> bool:
        """Whether it has warmed up and waits; one that has not is slower than a fork."""
        if not self._is_warm:
            # Read, not peeked at: closing over unread bytes would reset the job away.
            with contextlib.suppress(OSError):
                self._is_warm = bool(self.channel.recv(1, socket.MSG_DONTWAIT))
        return self._is_warm


class Spares:
    """Up to `wanted` children in waiting. `close`: descriptors a child must not keep."""

    def __init__(self, wanted: int, rehearsal: Rehearsal, *, close: Sequence[int]) -> None:
        assert wanted >= 0
        self._wanted = wanted
        self._rehearsal = rehearsal
        self._close = tuple(close)
        self._waiting: list[Spare] = []

    @property
    def is_short(self) -> bool:
        """Whether fewer wait than are wanted."""
        return len(self._waiting) < self._wanted

    @property
    def pids(self) -> tuple[int, ...]:
        """Who waits."""
        return tuple(one.pid for one in self._waiting)

    @property
    def warm_pids(self) -> tuple[int, ...]:
        """Who could take a job now."""
        return tuple(one.pid for one in self._waiting if one.is_warm)

    def add(self) -> None:
        """Fork one more. Its warming up happens in the child."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = self._fork(lambda: _wait(theirs, self._rehearsal), close=ours.fileno())
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._waiting.append(Spare(pid=pid, channel=ours))

    def fork(self, main: Callable[[], int]) -> int:
        """Fork a child that holds none of the zygote's own descriptors, and does not rehearse."""
        return self._fork(main, close=self._rehearsal.descriptor)

    def _fork(self, main: Callable[[], int], *, close: int) -> int:
        ours = (one.channel.fileno() for one in self._waiting)
        return forking.fork(main, close=(*self._close, *ours, close))

    def assign(self, message: bytes, fds: Sequence[int], *, received_ns: int) -> int | None:
        """Give the job to one that waits: its pid, or None when nobody can take it now."""
        for spare in [one for one in self._waiting if one.is_warm]:
            self._waiting.remove(spare)
            with spare.channel as channel:
                try:
                    socket.send_fds(channel, [_HEAD.pack(received_ns) + message], list(fds))
                except OSError:
                    continue  # it died; the reaper will see
                return spare.pid
        return None

    def died(self, pid: int) -> bool:
        """A child is gone; whether it was waiting here."""
        for spare in self._waiting:
            if spare.pid == pid:
                spare.channel.close()
                self._waiting.remove(spare)
                return True
        return False

    def want(self, wanted: int) -> None:
        """Keep so many from now on; with none, those that wait are let go."""
        if wanted < 0:
            raise ValueError(f"{wanted} spares")
        self._wanted = wanted
        if not wanted:
            self.dismiss()

    def dismiss(self) -> None:
        """Let all that wait go: they see the end of their channel."""
        for spare in self._waiting:
            spare.channel.close()
        self._waiting.clear()


def start_now(message: bytes, fds: Sequence[int], *, received_ns: int) -> int:
    """Be a replica in a child that was forked for it: no spare was left."""
    assignment = _assignment(message, fds, received_ns)
    # Before the loop's thread: a namespace is entered by one thread alone.
    if not replica.is_confined(orjson.loads(message).get("confinement", ""), assignment.status_fd):
        return 1
    loop = new_loop()
    return replica.live(assignment, loop, Worker(loop))


def _wait(channel: socket.socket, rehearsal: Rehearsal) -> int:
    """A spare's life: warm up, wait for a job, do it. No job before the end is a good end."""
    loop = new_loop()
    worker = Worker(loop)
    rehearsal.in_spare(loop, worker)
    rehearsal.close()
    try:
        channel.send(b"w")
        data, fds, _flags, _address = socket.recv_fds(channel, MESSAGE_BYTES_MAX, FDS_MAX)
    except (BrokenPipeError, ConnectionResetError):
        return 0  # dismissed before our word was read
    if not data:
        return 0
    channel.close()
    (received_ns,) = _HEAD.unpack_from(data)
    return replica.live(_assignment(data[_HEAD.size :], fds, received_ns), loop, worker)


def _assignment(message: bytes, fds: Sequence[int], received_ns: int) -> Assignment:
    raw = orjson.loads(message)
    listen_fd, log_fd, status_fd = fds
    for descriptor in fds:
        os.set_inheritable(descriptor, False)  # not for what a user's model starts
    return Assignment(
        id=raw["id"],
        received_ns=received_ns,
        args=tuple(raw["args"]),
        env=raw["env"],
        cwd=raw["cwd"],
        listen_fd=listen_fd,
        log_fd=log_fd,
        status_fd=status_fd,
    )
