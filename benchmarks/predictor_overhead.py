"""What the predictor costs beyond the model: CPU per request, and time from zero.

Command: python -m benchmarks.predictor_overhead [--rounds 20] [--seconds 3]
Prints, for a tiny model asked in V2 JSON over a Unix socket:
* the replica's CPU per request with 1, 8 and 32 connections in a closed loop;
* from the zygote's "start" to the last byte of the first answer, from a spare and without one;
* the private memory of the replica after its first answer.
The client shares the machine's cores with the replica and checks every answer.

Result: see docs/performance.md. Budget of the memory: 6 MiB.
"""

import argparse
import contextlib
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson

from predictor import config
from predictor.warming import MODEL

ROOT = Path(__file__).parent.parent
ROWS = np.array([[1.0, -2.0], [3.0, 4.0]], np.float32)
EXPECTED = (np.maximum(ROWS, -1) + 1).ravel().tolist()
BODY = orjson.dumps(
    {
        "inputs": [
            {
                "name": "x",
                "shape": list(ROWS.shape),
                "datatype": "FP32",
                "data": ROWS.ravel().tolist(),
            }
        ]
    }
)
REQUEST = (
    b"POST /v2/models/m/infer HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b"
) % (len(BODY), BODY)
SINGLE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Zygote:
    """A zygote and the replicas it was asked for."""

    def __init__(self, folder: Path, spares: int) -> None:
        self.folder = folder
        self.model = folder / "tiny.onnx"
        self.model.write_bytes(MODEL)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        flags = ["--control-fd", str(theirs.fileno()), "--spares", str(spares)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "predictor.zygote", *flags],
            cwd=ROOT,
            env={**config.inherited(), **SINGLE},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self.control.recv(65536)
        self.count = 0

    def start(self) -> tuple[str, socket.socket, int, float]:
        """Ask for a replica and send it a request at once: id, connection, pid, ms."""
        self.count += 1
        identity = str(self.count)
        path = str(self.folder / f"{identity}.s")
        message = orjson.dumps(
            {
                "op": "start",
                "id": identity,
                "kind": "predictor",
                "args": ["--model", str(self.model), "--model-name", "m"],
                "env": {"K_REVISION": "m-00001", "RELIGHT_MODEL_DIGEST": "sha256:" + "0" * 64},
                "cwd": "/",
            }
        )
        log_fd = os.open(os.devnull, os.O_WRONLY)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1024)
            client = socket.socket(socket.AF_UNIX)
            started_s = time.perf_counter()
            socket.send_fds(self.control, [message], [listener.fileno(), log_fd, log_fd])
            client.connect(path)
            client.sendall(REQUEST)
        check(client.recv(65536))
        elapsed_ms = (time.perf_counter() - started_s) * 1000
        os.close(log_fd)
        return identity, client, orjson.loads(self.control.recv(65536))["pid"], elapsed_ms

    def stop(self, identity: str) -> None:
        """Stop one replica and wait for its end."""
        self.control.send(orjson.dumps({"op": "signal", "id": identity, "signal": 15}))
        assert orjson.loads(self.control.recv(65536))["code"] == 0


@contextlib.contextmanager
def zygote(spares: int) -> Iterator[Zygote]:
    """A zygote whose spares, if any, are warm."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="rl-") as folder:
        it = Zygote(Path(folder), spares)
        time.sleep(1)
        try:
            yield it
        finally:
            it.control.close()
            it.process.wait()


def check(answer: bytes) -> None:
    """Every answer is verified."""
    assert answer.startswith(b"HTTP/1.1 200"), answer
    outputs = orjson.loads(answer.split(b"\r\n\r\n", 1)[1])["outputs"]
    assert outputs[0]["data"] == EXPECTED, answer


def cold(it: Zygote, rounds: int) -> list[float]:
    """Milliseconds to the first answer; spares are given time to come back."""
    found = []
    for _ in range(rounds):
        identity, client, _pid, elapsed_ms = it.start()
        found.append(elapsed_ms)
        client.close()
        it.stop(identity)
        time.sleep(0.3)
    return found


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def closed_loop(path: Path, pid: int, connections: int, seconds: float) -> tuple[float, float]:
    """Requests per second, and CPU microseconds of the replica per request."""
    poll = select.epoll()
    clients = {}
    for _ in range(connections):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        clients[client.fileno()] = client
        poll.register(client, select.EPOLLIN)
        client.send(REQUEST)
    count, cpu_before_s, started_s = 0, cpu_s(pid), time.perf_counter()
    answers = []
    while time.perf_counter() - started_s < seconds:
        for descriptor, _ in poll.poll():
            answer = clients[descriptor].recv(65536)
            clients[descriptor].send(REQUEST)
            count += 1
            if count % 100 == 0:
                answers.append(answer)
    elapsed_s = time.perf_counter() - started_s
    spent_s = cpu_s(pid) - cpu_before_s
    for client in clients.values():
        client.close()
    for answer in answers:
        check(answer)
    return count / elapsed_s, spent_s / count * 1e6


def private_kib(pid: int) -> int:
    """Memory that is this process's alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(one.split()[1]) for one in lines if one.startswith(("Private_C", "Private_D")))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What the predictor costs beyond the model.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3.0)
    flags = parser.parse_args()
    for spares, name in ((4, "from a spare"), (0, "fork on demand")):
        with zygote(spares) as it:
            found = sorted(cold(it, flags.rounds))
            p95 = found[int(len(found) * 0.95)]
            print(f"cold, {name}: p50 {statistics.median(found):.2f} ms, p95 {p95:.2f} ms")
    with zygote(1) as it:
        _identity, client, pid, _elapsed_ms = it.start()
        print(f"private memory after the first answer: {private_kib(pid) / 1024:.1f} MiB")
        for connections in (1, 8, 32):
            path = it.folder / "1.s"
            rps, cpu_us = closed_loop(path, pid, connections, flags.seconds)
            print(f"hot, {connections:2} connections: {rps:7.0f} rps, {cpu_us:5.1f} us CPU/request")
        client.close()


if __name__ == "__main__":
    main()
