"""The zygote of a warm Pod, seen by the Pod's first process.

For: starting it, having it start the Pod's one replica, hearing how that fares and how it ends.
Must not know: claims, HTTP, or when a replica is wanted.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

_LOG = logging.getLogger(__name__)

_MESSAGE_BYTES_MAX = 256 * 1024  # as predictor.spares has it
_FACTS_BYTES_MAX = 64 * 1024
_STOP_S = 10.0
_REPLICA = "replica"
# Set before its imports: one BLAS thread and no telemetry thread, so that what forks has one.
_SINGLE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
_EXIT_UNKNOWN = 1


class ZygoteError(Exception):
    """It did not get warm; what it said is on standard error."""


class Listener(Protocol):
    """Who is told of the replica."""

    def replica_said(self, fact: Mapping[str, Any]) -> None:
        """`{"ready": True, ...}` or `{"failed": why}`."""

    def replica_ended(self, code: int) -> None:
        """As a shell has it: 128 and the signal's number for what a signal ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the one replica is to be."""

    args: Sequence[str]
    env: Mapping[str, str]
    cwd: str


class PodZygote:
    """One zygote process, and at most one replica of it."""

    def __init__(self, listener: Listener, *, env: Mapping[str, str]) -> None:
        self._listener = listener
        self._env = {**env, **_SINGLE}
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._warm: asyncio.Future[None] | None = None
        self._has_ended = False
        self._status_fd = -1
        self._facts = b""

    async def start(self, packages: Sequence[str]) -> None:
        """Return once it is warm; ZygoteError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _MESSAGE_BYTES_MAX)
        ahead = ("--packages", ",".join(packages)) if packages else ()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "predictor.zygote", "--spares", "1"),
                *("--control-fd", str(theirs.fileno()), *ahead),
                env=self._env,
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
            )
        loop = asyncio.get_running_loop()
        self._warm = loop.create_future()
        self._control = ours
        loop.add_reader(ours.fileno(), self._readable)
        await self._warm

    def launch(self, order: Order, listener: socket.socket) -> None:
        """Have the replica started on a bound socket. ValueError: it is too much to say."""
        message = {
            "op": "start",
            "id": _REPLICA,
            "kind": "predictor",
            "args": list(order.args),
            "env": dict(order.env),
            "cwd": order.cwd,
        }
        data = orjson.dumps(message)
        if len(data) > _MESSAGE_BYTES_MAX:
            raise ValueError(f"args and env take {len(data)} bytes, at most {_MESSAGE_BYTES_MAX}")
        self._status_fd, writing = os.pipe()
        os.set_blocking(self._status_fd, False)
        asyncio.get_running_loop().add_reader(self._status_fd, self._told)
        try:
            self._send(data, [listener.fileno(), 1, writing])
            self._send(orjson.dumps({"op": "spares", "wanted": 0}), [])  # one replica is all
        finally:
            os.close(writing)

    def terminate(self) -> None:
        """Ask the replica to leave, as Kubernetes does."""
        self._send(
            orjson.dumps({"op": "signal", "id": _REPLICA, "signal": int(signal.SIGTERM)}), []
        )

    async def stop(self) -> None:
        """End the process and all that it started."""
        self._close()  # at the end of this socket it ends by itself
        if self._process is None:
            return
        try:
            async with asyncio.timeout(_STOP_S):
                await self._process.wait()
        except TimeoutError:
            _LOG.warning("the zygote did not end within %s s and is killed", _STOP_S)
            self._process.kill()
            await self._process.wait()

    def _send(self, data: bytes, fds: list[int]) -> None:
        assert self._control is not None
        try:
            socket.send_fds(self._control, [data], fds)
        except OSError as error:  # two short messages never fill the buffer: it is gone
            _LOG.warning("the zygote does not listen: %s", error)

    def _readable(self) -> None:
        assert self._control is not None
        while self._control is not None:
            try:
                data = self._control.recv(_MESSAGE_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._close()
                self._gone()
                return
            self._heard(orjson.loads(data))

    def _heard(self, message: Mapping[str, Any]) -> None:
        match message["event"]:
            case "zygote-ready":
                assert self._warm is not None
                if not self._warm.done():  # nobody waits for it who was told to leave
                    self._warm.set_result(None)
            case "exited":
                code, number = message.get("code"), message.get("signal")
                self._told()  # its last words came before
                self._end(128 + number if number else code or 0)
            case _:
                pass  # "started": it is one

    def _told(self) -> None:
        """Facts of the replica, a line each."""
        if self._status_fd < 0:
            return
        try:
            while data := os.read(self._status_fd, _FACTS_BYTES_MAX):
                self._facts += data
        except BlockingIOError:
            pass
        else:  # its end of the pipe is closed
            asyncio.get_running_loop().remove_reader(self._status_fd)
            os.close(self._status_fd)
            self._status_fd = -1
        *lines, self._facts = self._facts.split(b"\n")
        for line in lines:
            with suppress(orjson.JSONDecodeError):
                self._listener.replica_said(orjson.loads(line))

    def _gone(self) -> None:
        """The zygote ended, and all that it forked with it."""
        if self._warm is not None and not self._warm.done():
            self._warm.set_exception(ZygoteError("the zygote ended before it was warm"))
            return
        self._end(_EXIT_UNKNOWN)

    def _end(self, code: int) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._listener.replica_ended(code)

    def _close(self) -> None:
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._control.close()
            self._control = None
