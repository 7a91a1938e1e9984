"""Woken from the frozen tier beside a fork: `python -m benchmarks.frozen --runs 40`.

What is measured: a client on a connection of its own sends a V2 request to a service at zero,
through the activator, and stops the clock at the first byte of the answer; as in cold_start.py,
but of two platforms in turn, one that freezes what it scales away and one that does not
(`--frozen-memory 0`). Each answer says itself which of the two it was: `resume` or `load` in its
`server-timing`.

`resume_signal_to_answer_ms`: a predictor alone, stopped with a request waiting in its socket, from
SIGCONT to the first byte; `hot`: the same predictor, running. What is between that and
`resumed_p50_ms` is the way through the platform: the decision, a Pod, its address, the probe.
`frozen_mib`: what a frozen replica holds, its part of what it shares.

Machine: 2 cores, 24 GiB, Debian 12, Python 3.11 (Debian's build), onnxruntime CPU.
Result: see docs/performance.md.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import cold_start
from benchmarks.cold_start import ROOT, Case, deploy, exchange, p, raw_request, timing_of
from examples.running import Platform, wait_until

WAITS_S = 90


@dataclass
class Waking:
    """One model on both platforms."""

    case: Case
    resumed_ms: list[float] = field(default_factory=list)
    cold_ms: list[float] = field(default_factory=list)
    signal_ms: list[float] = field(default_factory=list)
    hot_ms: list[float] = field(default_factory=list)
    mib: float = 0.0


def wake(platform: Platform, case: Case, turn: int, part: str) -> float:
    """One request to a service at zero; milliseconds. `part` is what its start must consist of."""
    service = case.service(turn)
    wait_until(lambda: not platform.pods(service), WAITS_S, f"{service} to be at zero")
    address = urlsplit(platform.activator)
    request = raw_request(f"{service}.default.localhost", service, case.body)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        took_ms, answer = exchange(connection, request)
    timing = timing_of(answer)
    if part not in timing:
        raise RuntimeError(f"{service} was expected to start with {part}, and took {timing}")
    return took_ms


def signalled(waking: Waking, folder: Path, rounds: int) -> None:
    """A predictor alone: hot, and from SIGCONT."""
    case = waking.case
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--model", str(case.path), "--model-name", case.name, "--port", str(port)]
    request = raw_request("localhost", case.name, case.body)
    with (folder / "alone.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "predictor", *arguments], stdout=log, stderr=log, cwd=ROOT
        )
        try:
            wait_until(lambda: is_listening(port), 60, "a predictor to listen")
            for _ in range(rounds):
                with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    waking.hot_ms.append(exchange(connection, request)[0])
                    waking.signal_ms.append(from_signal(process.pid, connection, request))
        finally:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def is_listening(port: int) -> bool:
    """Whether a connection is accepted."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True


def from_signal(pid: int, connection: socket.socket, request: bytes) -> float:
    """Milliseconds from SIGCONT to the first byte of an answer to what waits."""
    os.kill(pid, signal.SIGSTOP)
    stat = Path(f"/proc/{pid}/stat")
    wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T", 10, "it to stop")
    connection.sendall(request)
    started = time.perf_counter()
    os.kill(pid, signal.SIGCONT)
    data = connection.recv(1 << 20)
    took_ms = (time.perf_counter() - started) * 1000
    if not data.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(data[:500].decode(errors="replace"))
    return took_ms


def frozen_mib(platform: Platform) -> float:
    """Of one replica, the mean of all that are frozen now."""
    annotations = platform.get("/api/v1/nodes/localhost")["metadata"].get("annotations") or {}
    found = json.loads(annotations.get("relight.dev/frozen", "{}"))
    return float(found["mebibytes"] / found["replicas"]) if found.get("replicas") else 0.0


def measure(found: list[Waking], folder: Path, runs: int) -> None:
    """Both platforms in turn; all services went to zero by themselves before."""
    cases = [each.case for each in found]
    with (
        Platform(folder / "f", cwd=ROOT) as freezing,
        Platform(folder / "c", cwd=ROOT, args=("--frozen-memory", "0")) as plain,
    ):
        for each in found:  # one model at a time, for what one of it holds
            deploy(freezing, [each.case])
            for turn in range(cold_start.SERVICES_PER_MODEL):
                name = each.case.service(turn)
                wait_until(lambda n=name: not freezing.pods(n), WAITS_S, f"{name} to be at zero")
            if not each.mib:
                time.sleep(2)  # the Node is told once a second
                each.mib = frozen_mib(freezing)
                freezing_others = [one for one in found if one is not each and one.mib]
                each.mib = alone(each.mib, freezing_others)
        deploy(plain, cases)
        for turn in range(runs):
            for each in found:
                each.resumed_ms.append(wake(freezing, each.case, turn, "resume"))
                each.cold_ms.append(wake(plain, each.case, turn, "load"))
            if (turn + 1) % 10 == 0:
                print(f"{turn + 1} of {runs}", flush=True)


def alone(mean_mib: float, others: list[Waking]) -> float:
    """One's own size, where as many of each of the others are part of the mean."""
    return mean_mib * (len(others) + 1) - sum(each.mib for each in others)


def report(found: list[Waking]) -> None:
    """A line a model; the last is the tiny model's."""
    for each in reversed(found):
        print(
            f"model={each.case.name} "
            f"resumed_p50_ms={p(each.resumed_ms, 50):.1f} cold_p50_ms={p(each.cold_ms, 50):.1f} "
            f"resumed_p95_ms={p(each.resumed_ms, 95):.1f} cold_p95_ms={p(each.cold_ms, 95):.1f} "
            f"resume_signal_to_answer_ms={p(each.signal_ms, 50):.2f} "
            f"hot_ms={p(each.hot_ms, 50):.2f} frozen_mib={each.mib:.1f} n={len(each.cold_ms)}"
        )


def main() -> int:
    """Measure and print; exit 0 when every request was answered as expected."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=40, help="wakings of each model and kind")
    runs = parser.parse_args().runs
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="relight-", dir="/tmp") as name:
        folder = Path(name)
        found = [Waking(case) for case in cold_start.onnx_cases(ROOT / ".demo")]
        for each in found:
            signalled(each, folder, runs)
        measure(found, folder, runs)
    report(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
