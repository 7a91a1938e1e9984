"""One process of one Pod: start it through the zygote and hear what becomes of it.

For: turning pipes and exit codes into a queue of news.
Must not know: Pods, statuses, restarts, or API objects.
"""

import asyncio
import contextlib
import errno
import logging
import os
import resource
import secrets
import signal
import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from embedded.room import Limits
from embedded.zygote import Zygote

log = logging.getLogger(__name__)

NO_LIMITS = Limits()
_LINE_BYTES_MAX = 64 * 1024
_BACKLOG = 4096  # first requests wait here until the model is loaded
_KERNEL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_QUIET_PORTS_MIN = 1000
_PORT_TRIES = 100
_handed_out: deque[int] = deque(maxlen=500)  # some of which are not bound yet
_PROBE_S = 0.05  # Knative's aggressive probe period (knative.md 3.4)


@dataclass(frozen=True, slots=True)
class Ended:
    """The process is gone; exactly one of the two is set unless the zygote itself died."""

    code: int | None
    signal: int | None


@dataclass(frozen=True, slots=True)
class Said:
    """What the replica reported of itself: {"ready": true, …} or {"failed": "…"}."""

    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stop:
    """The Pod's life is to end."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What probes say of it changed."""

    is_ready: bool
    is_started: bool


@dataclass(frozen=True, slots=True)
class Condemned:
    """A probe failed for good: it is to end, and to start again."""

    kind: str
    grace_s: float | None  # None: the Pod's


News = Ended | Said | Stop | Probed | Condemned


class Sink(Protocol):
    """Who hears the news: a queue, as a rule."""

    def put_nowait(self, news: News, /) -> None:
        """Take one more."""


def listen(path: Path) -> socket.socket:
    """A Unix socket that queues connections from now on, whether or not anyone accepts."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        path.unlink()  # left by a platform that was killed
        listener.bind(str(path))
    listener.listen(_BACKLOG)
    return listener


def move(path: Path, target: Path) -> None:
    """Give a socket another name: under the old one nobody finds it any more."""
    path.rename(target)


def free_port() -> int:
    """A TCP port of this machine that is free, and likely to be so until a process binds it.

    Not one that was handed out a while ago, nor, where there are enough others, one that the
    kernel gives to outgoing connections and to whoever asks for any.
    """
    quiet = _quiet_ports()
    for _ in range(_PORT_TRIES):
        with contextlib.suppress(OSError):  # it is taken
            port = _bound(secrets.choice(quiet) if quiet else 0)
            if port not in _handed_out:
                _handed_out.append(port)
                return port
    return _bound(0)


def _bound(port: int) -> int:
    with socket.socket() as probe:
        probe.bind(("", port))  # what listens at any address of ours is in the way
        return int(probe.getsockname()[1])


def _quiet_ports() -> range:
    """Those above the kernel's own, if they are many."""
    try:
        _, last = _KERNEL_PORTS.read_text().split()
        above = range(int(last) + 1, 65536)
    except (OSError, ValueError):  # another system, or another way to tell
        return range(0)
    return above if len(above) >= _QUIET_PORTS_MIN else range(0)


async def until_listening(port: int, news: "asyncio.Queue[News]") -> None:
    """Say ready once a TCP connection to the port is accepted: Knative's default probe."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(_PROBE_S)
            continue
        writer.close()
        news.put_nowait(Said({"ready": True}))
        return


class ReplicaProcess:
    """A process that has been asked for. Its news arrive where it was told, or is told later."""

    def __init__(
        self, name: str, zygote: Zygote, news: Sink, *, limits: Limits = NO_LIMITS
    ) -> None:
        self.name = name
        self.pid = 0  # once it has started
        self.is_over = False
        self._limits = limits
        self._zygote = zygote
        self._news = news
        self._report_fd = -1
        self._partial = b""

    def born_of(self, zygote: Zygote) -> None:
        """Another zygote forks it; before it is launched."""
        self._zygote = zygote

    def launch(self, request: Mapping[str, Any], fds: tuple[int, ...]) -> None:
        """Ask the zygote for it. `fds` go before the write end of our status pipe.

        A predictor gets a channel instead, on which it also takes orders.
        """
        is_ordered = request.get("kind") == "predictor"
        self._report_fd, theirs = _channel() if is_ordered else _pipe()
        asyncio.get_running_loop().add_reader(self._report_fd, self._readable)
        try:
            self._zygote.launch(
                self.name, request, (*fds, theirs), on_start=self._bound, on_exit=self._exited
            )
        finally:
            os.close(theirs)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._zygote.signal(self.name, number)

    # -- rest: a predictor's only ------------------------------------------------------------

    def hear(self, news: Sink) -> None:
        """Somebody else hears its news from now on."""
        self._news = news

    def settle(self) -> None:
        """Ask it to end what runs and to let go of its connections: it says `settled` then."""
        self._order({"op": "settle"})

    def freeze(self) -> None:
        """Stop it where it stands."""
        self.signal(signal.SIGSTOP)

    def resume(self, log_fd: int) -> None:
        """Let it run again, and write to another log: it says `ready` then."""
        self.signal(signal.SIGCONT)
        self._order({"op": "resume", "asked_ns": time.monotonic_ns()}, log_fd)

    def _order(self, order: Mapping[str, Any], *fds: int) -> None:
        if self._report_fd < 0:
            return  # its end is told, or will be
        with socket.socket(fileno=os.dup(self._report_fd)) as channel:
            try:
                socket.send_fds(channel, [orjson.dumps(order)], fds)
            except OSError as error:
                log.warning("%s takes no orders: %s", self.name, error)

    # -- what becomes of it --------------------------------------------------------------------

    def _bound(self, pid: int) -> None:
        """Set the Pod's limits on its process, as far as the system lets us without cgroups.

        Memory bounds private writable memory (RLIMIT_DATA): an allocation beyond it fails. What
        a zygote of its own kind had before the fork counts there too, and is added.
        CPU bounds the number of cores the process may run on.
        """
        self.pid = pid
        try:
            if self._limits.memory_bytes is not None:
                bound = self._limits.memory_bytes + self._zygote.inherited_bytes
                resource.prlimit(pid, resource.RLIMIT_DATA, (bound, bound))
            if self._limits.cores is not None:
                allowed = sorted(os.sched_getaffinity(0))
                os.sched_setaffinity(pid, allowed[: self._limits.cores])
        except (ProcessLookupError, PermissionError, AttributeError) as error:
            log.warning("%s runs without its limits: %s", self.name, error)

    def _exited(self, code: int | None, number: int | None) -> None:
        self._readable()  # what it said last comes before the news of its end
        self._close()
        self.is_over = True
        self._news.put_nowait(Ended(code, number))

    def _readable(self) -> None:
        while self._report_fd >= 0:
            try:
                data = os.read(self._report_fd, _LINE_BYTES_MAX)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""  # it ended with an order unread
            if not data:
                self._close()
                return
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                self._news.put_nowait(Said(orjson.loads(line)))
            if len(self._partial) > _LINE_BYTES_MAX:
                self._partial = b""

    def _close(self) -> None:
        if self._report_fd >= 0:
            asyncio.get_running_loop().remove_reader(self._report_fd)
            os.close(self._report_fd)
            self._report_fd = -1


def _pipe() -> tuple[int, int]:
    ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    os.set_blocking(theirs, True)  # the replica writes whole lines and may wait
    return ours, theirs


def _channel() -> tuple[int, int]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours.detach(), theirs.detach()
