"""Speak with the zygote process: start, signal, hear of exits.

For: the kubelet's end of the control socket that `predictor.zygote` reads.
Must not know: Pods, models, or what the started processes do.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

log = logging.getLogger(__name__)

_MESSAGE_BYTES_MAX = 256 * 1024
_STOP_S = 10.0
# Set before its imports: performance.md A1. One BLAS thread, no telemetry thread, so that the
# process that forks has one thread.
_ENV = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}

StartCallback = Callable[[int], None]  # process id
ExitCallback = Callable[[int | None, int | None], None]  # exit code, signal


class ZygoteError(Exception):
    """The zygote did not start; what it said is on standard error."""


def control_sockets() -> tuple[socket.socket, socket.socket]:
    """Our end and a zygote's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _MESSAGE_BYTES_MAX)
    return ours, theirs


class Zygote:
    """One zygote process and the control socket to it."""

    def __init__(self, *, env: Mapping[str, str], spares: int) -> None:
        self._env = {**env, **_ENV}
        self._spares = spares
        self._process: asyncio.subprocess.Process | None = None
        self._socket: socket.socket | None = None
        self._outbox: deque[tuple[bytes, list[int]]] = deque()
        self.inherited_bytes = 0  # what its forks share that is not theirs to answer for
        self._starts: dict[str, StartCallback] = {}
        self._exits: dict[str, ExitCallback] = {}
        self._is_ready: asyncio.Future[dict[str, Any]] | None = None
        self._is_stopped = False

    async def start(self) -> dict[str, Any]:
        """Start the process; return what it said of itself once it is warm.

        What was asked for while there was none is asked for now. Raises `ZygoteError`.
        """
        ours, theirs = control_sockets()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "predictor.zygote"),
                *("--control-fd", str(theirs.fileno()), "--spares", str(self._spares)),
                env=self._env,
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is ours to pass on
            )
        return await self._speak(ours)

    async def _speak(self, ours: socket.socket) -> dict[str, Any]:
        """Listen to what is at the other end, and send what waits; what it said of itself."""
        self._socket = ours
        loop = asyncio.get_running_loop()
        self._is_ready = loop.create_future()
        loop.add_reader(ours.fileno(), self._readable)
        self._flush()
        return await self._is_ready

    async def wait(self) -> int:
        """Return the exit code once the process has ended, having told every waiting exit."""
        assert self._process is not None
        code = await self._process.wait()
        self._close()
        for name in list(self._exits):
            self._exited(name, None, signal.SIGKILL)
        return code

    def _fail(self, why: str) -> None:
        if self._is_ready is not None and not self._is_ready.done():
            self._is_ready.set_exception(ZygoteError(why))

    def launch(
        self,
        name: str,
        request: Mapping[str, Any],
        fds: Sequence[int],
        *,
        on_start: StartCallback,
        on_exit: ExitCallback,
    ) -> None:
        """Ask for a process; the descriptors are duplicated and closed here once sent."""
        self._starts[name] = on_start
        self._exits[name] = on_exit
        self._send({"op": "start", "id": name, **request}, [os.dup(fd) for fd in fds])

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a started process, if it still runs."""
        if name in self._exits:
            self._send({"op": "signal", "id": name, "signal": number}, [])

    async def stop(self) -> None:
        """End the process and all it started."""
        self._is_stopped = True
        if self._process is None or self._process.returncode is not None:
            self._close()
            return
        self._send({"op": "stop"}, [])
        try:
            async with asyncio.timeout(_STOP_S):
                await self._process.wait()
        except TimeoutError:
            log.warning("the zygote did not stop in %s s: killing it", _STOP_S)
            self._process.kill()
            await self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            asyncio.get_running_loop().remove_writer(self._socket.fileno())
            self._socket.close()
            self._socket = None
        while self._outbox:
            _close_all(self._outbox.popleft()[1])

    def _send(self, message: Mapping[str, Any], fds: list[int]) -> None:
        data = orjson.dumps(message)
        is_late = self._is_stopped and message["op"] == "start"
        if is_late or len(data) > _MESSAGE_BYTES_MAX:
            log.error("a start request of %s bytes is refused", len(data))
            if not is_late:
                _tell(fds[-1], len(data))
            _close_all(fds)
            self._exited(str(message.get("id", "")), 1, None)
            return
        self._outbox.append((data, fds))
        if len(self._outbox) == 1:
            self._flush()

    def _flush(self) -> None:
        if self._socket is None:
            return  # the next one gets it
        loop = asyncio.get_running_loop()
        while self._outbox:
            data, fds = self._outbox[0]
            try:
                socket.send_fds(self._socket, [data], fds)
            except BlockingIOError:
                loop.add_writer(self._socket.fileno(), self._flush)
                return
            except OSError as error:
                log.warning("the zygote does not listen: %s", error)
                return  # its end of the socket closes too, and `wait` tells everyone
            self._outbox.popleft()
            _close_all(fds)
        loop.remove_writer(self._socket.fileno())

    def _readable(self) -> None:
        assert self._socket is not None
        while True:
            try:
                data = self._socket.recv(_MESSAGE_BYTES_MAX)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            if not data:
                asyncio.get_running_loop().remove_reader(self._socket.fileno())
                self._fail("the zygote ended before it was warm; it said why above")
                return
            self._heard(orjson.loads(data))

    def _heard(self, message: dict[str, Any]) -> None:
        match message["event"]:
            case "zygote-ready":
                assert self._is_ready is not None
                self._is_ready.set_result(message)
            case "exited":
                self._exited(message["id"], message.get("code"), message.get("signal"))
            case "started":
                self._starts.pop(message["id"])(message["pid"])
            case other:
                log.error("the zygote said %r, which is not known", other)

    def _exited(self, name: str, code: int | None, number: int | None) -> None:
        self._starts.pop(name, None)
        callback = self._exits.pop(name, None)
        if callback is not None:
            callback(code, number)


def _tell(status_fd: int, size: int) -> None:
    """Say why in the words of the replica that will not be: its status pipe comes last."""
    failed = (
        f"its command, args and env take {size} bytes as JSON, "
        f"and a replica here is started with at most {_MESSAGE_BYTES_MAX}"
    )
    with suppress(OSError):  # nobody reads it any more
        os.write(status_fd, orjson.dumps({"failed": failed}) + b"\n")


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
