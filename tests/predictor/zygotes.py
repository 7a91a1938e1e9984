"""A zygote as the kubelet sees it: messages, descriptors, facts."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from tests.predictor.talking import PATIENCE_S, wait_until

ROOT = Path(__file__).parents[2]


def is_alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid: int) -> set[int]:
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


class Replica:
    """What the kubelet keeps of one replica."""

    def __init__(self, identity: str, path: Path, status_fd: int, log: Path) -> None:
        self.id = identity
        self.path = path  # of its socket
        self.log = log
        self._status = os.fdopen(status_fd, "rb")
        self.pid = 0

    def fact(self) -> Any:
        """The next fact it reports; None at the end."""
        line = self._status.readline()
        return orjson.loads(line) if line else None

    def close(self) -> None:
        self._status.close()


class Platform:
    """The other end of the control socket."""

    def __init__(self, folder: Path, spares: int, packages: str = "") -> None:
        self.folder = folder
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(PATIENCE_S)
        single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
        flags = ["--control-fd", str(theirs.fileno()), "--spares", str(spares)]
        flags += ["--packages", packages] if packages else []
        with (folder / "zygote.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "predictor.zygote", *flags],
                cwd=ROOT,
                env={**os.environ, **single},
                pass_fds=[theirs.fileno()],
                stderr=log,
            )
        theirs.close()
        self.replicas: list[Replica] = []
        self.spares = spares

    def event(self) -> Any:
        data = self.control.recv(65536)
        assert data, "the zygote is gone: " + (self.folder / "zygote.log").read_text()
        return orjson.loads(data)

    def say(self, fds: list[int] | None = None, **message: Any) -> None:
        socket.send_fds(self.control, [orjson.dumps(message)], fds or [])

    def wait_for_spares(self) -> set[int]:
        """All children that wait, once there are as many as wanted."""
        running = {one.pid for one in self.replicas}

        def waiting() -> set[int]:
            return children_of(self.process.pid) - running

        wait_until(lambda: len(waiting()) == self.spares, "the spares are there")
        return waiting()

    def start(self, *args: str, **env: str) -> Replica:
        """Start a predictor, without waiting for anything but the zygote's word."""
        identity = f"r{len(self.replicas)}"
        path = self.folder / f"{identity}.s"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(128)
            message = {"kind": "predictor", "args": list(args)}
            return self._start(identity, path, [listener.fileno()], env, message)

    def execute(self, *argv: str, **env: str) -> Replica:
        identity = f"r{len(self.replicas)}"
        message = {"kind": "exec", "argv": list(argv)}
        return self._start(identity, self.folder / "none", [], env, message)

    def _start(
        self, identity: str, path: Path, fds: list[int], env: dict[str, str], message: Any
    ) -> Replica:
        log = self.folder / f"{identity}.log"
        log_fd = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        status_read, status_write = os.pipe()
        common = {"op": "start", "id": identity, "env": env, "cwd": str(self.folder)}
        self.say([*fds, log_fd, status_write], **common, **message)
        os.close(log_fd)
        os.close(status_write)
        replica = Replica(identity, path, status_read, log)
        self.replicas.append(replica)
        return replica

    def started(self, replica: Replica) -> int:
        event = self.event()
        assert (event["event"], event["id"]) == ("started", replica.id), event
        replica.pid = event["pid"]
        return replica.pid

    def close(self) -> None:
        self.control.close()
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stderr is None
            for replica in self.replicas:
                replica.close()


@contextlib.contextmanager
def platform(folder: Path, *, spares: int = 1, packages: str = "") -> Iterator[Platform]:
    """A zygote that is ready, and nothing of it left afterwards."""
    found = Platform(folder, spares, packages)
    try:
        ready = found.event()
        assert ready["event"] == "zygote-ready", ready
        yield found
        pids = children_of(found.process.pid) if found.process.poll() is None else set()
    finally:
        started_s = time.monotonic()
        found.close()
    assert time.monotonic() - started_s < PATIENCE_S
    wait_until(lambda: not any(map(is_alive, pids)), "every process is gone")
