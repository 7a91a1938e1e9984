"""Start `relight up` on free ports, speak to it, stop it: for the demo, benchmarks and tests.

Everything here goes through real processes and real sockets.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

RELIGHT = [sys.executable, "-m", "relight"]
_START_S = 60.0
_STOP_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]  # names in lower case; repeated ones joined with ", "
    body: bytes
    took_ms: float

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def timing(self) -> dict[str, float]:
        """The `server-timing` header: ms by name (queue, fork, load, resume, wait, run)."""
        entries = [e.strip() for e in self.headers.get("server-timing", "").split(",") if e.strip()]
        parts = (entry.partition(";dur=") for entry in entries if ";dur=" in entry)
        return {name: float(duration) for name, _, duration in parts}


class Platform:
    """A running `relight up` in a folder of its own; use it in a `with`."""

    def __init__(
        self, folder: Path, *, cwd: Path | None = None, args: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self._cwd = cwd
        self._args = args
        self.process: subprocess.Popen[bytes] | None = None
        self.api = ""
        self.activator = ""

    def __enter__(self) -> "Platform":
        """Start it and wait until it answers."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it cleanly."""
        self.stop()

    def start(self) -> None:
        """Start the platform; raises RuntimeError with what it wrote if it ends instead."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [*RELIGHT, "up", "--data-dir", str(self.folder), "--port", "0", "--api-port", "0"]
        with (self.folder / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self._args], cwd=self._cwd, stdout=log, stderr=log
            )
        addresses = self.folder / "relight.json"
        wait_until(lambda: self._is_published(addresses), _START_S, "relight up to answer")
        told = json.loads(addresses.read_text())
        self.api, self.activator = told["api"], told["activator"]

    def _is_published(self, addresses: Path) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            text = (self.folder / "up.log").read_text()[-2000:]
            raise RuntimeError(f"relight up ended with {self.process.returncode}: {text}")
        try:
            return bool(json.loads(addresses.read_text())["pid"] == self.process.pid)
        except (FileNotFoundError, json.JSONDecodeError):
            return False

    def stop(self) -> int:
        """SIGTERM, and wait for its end; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_STOP_S)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(_STOP_S)

    @property
    def kubeconfig(self) -> Path:
        """For `kubectl --kubeconfig`."""
        return self.folder / "kubeconfig"

    def relight(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the command line against this platform."""
        command = [*RELIGHT, args[0], "--data-dir", str(self.folder), *args[1:]]
        return subprocess.run(
            command, cwd=self._cwd, capture_output=True, text=True, check=check, timeout=180
        )

    def request(
        self,
        host: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60,
    ) -> Answer:
        """One request to the activator on a connection of its own; a body means POST."""
        return send(self.activator, host, path, body, headers=headers, timeout_s=timeout_s)

    def get(self, path: str) -> Any:
        """Read from the API server."""
        answer = send(self.api, urlsplit(self.api).netloc, path)
        if answer.status != 200:
            raise LookupError(f"{path}: {answer.status} {answer.body[:300]!r}")
        return answer.json()

    def service(self, name: str) -> Any:
        """One Knative Service of the default namespace."""
        return self.get(f"/apis/serving.knative.dev/v1/namespaces/default/services/{name}")

    def pods(self, service: str) -> list[Any]:
        """The Pods of a Service of the default namespace."""
        found = self.get(
            "/api/v1/namespaces/default/pods"
            f"?labelSelector=serving.knative.dev%2Fservice%3D{service}"
        )
        return list(found["items"])


def send(
    base: str,
    host: str,
    path: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 60,
) -> Answer:
    """One HTTP request on a connection of its own; a body is sent as JSON, or as it is (bytes)."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=timeout_s)
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    started = time.perf_counter()
    try:
        method = "GET" if data is None else "POST"
        connection.request(method, path, data, {"Host": host, **(headers or {})})
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    took_ms = (time.perf_counter() - started) * 1000
    found: dict[str, str] = {}
    for name, value in response.getheaders():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return Answer(response.status, found, content, took_ms)


def wait_until(condition: Callable[[], Any], deadline_s: float, what: str) -> None:
    """Look every 20 ms until the condition holds; raises TimeoutError naming what was awaited."""
    ends = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(f"waited {deadline_s:.0f} s for {what}")
        time.sleep(0.02)


def children_of(pid: int) -> list[int]:
    """Every live process below one, by /proc; empty where there is none."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(entry.parent.name)] = int(fields[1])
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        below = [child for child, parent in parents.items() if parent == current]
        found += below
        todo += below
    return found


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
