"""From zero to the first byte: `python -m benchmarks.cold_start --runs 100`.

What is measured: a client on a connection of its own sends a V2 request to a service at zero,
through the activator, and stops the clock at the first byte of the answer. The services went to
zero by themselves, by the autoscaler's decision, several seconds before; nothing is warm but the
zygote and its spares. Beside each of them, in the same minute, a fresh process
(`python -m predictor`) serves the same model: launch to first byte.

`model`: the session's load and the first run inside the replica, as the replica itself reports
them in `server-timing`. `beyond`: what Relight adds to that.

Machine: 2 cores, 24 GiB, Debian 12, Python 3.11 (Debian's build), onnxruntime CPU.
Result: see docs/performance.md.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from examples import filetype
from examples.running import Platform, send, wait_until

ROOT = Path(__file__).parent.parent
# So many that each service has gone to zero again when its turn comes round.
SERVICES_PER_MODEL = 10
WINDOW = "6s"
MEGABYTE = 1 << 20
ROWS = [[5.0 + x, 3.0 + y, 1.5 + 4 * x, 0.2 + x + y] for x in (0, 0.5, 1) for y in (0, 0.3, 0.6)]
CLASSES = [row[2] > 3 for row in ROWS]
IRIS = {"name": "input-0", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}


@dataclass
class Case:
    """One model: how to ask it, and what was measured."""

    name: str
    path: Path
    body: bytes
    total_ms: list[float] = field(default_factory=list)
    model_ms: list[float] = field(default_factory=list)
    beyond_ms: list[float] = field(default_factory=list)
    fresh_ms: list[float] = field(default_factory=list)

    def service(self, turn: int) -> str:
        """The service whose turn it is."""
        return f"{self.name}-{turn % SERVICES_PER_MODEL}"


def cases(names: Sequence[str]) -> list[Case]:
    """A tiny model and a real one of 3 MB, where none are named."""
    found = onnx_cases(ROOT / ".demo") if not names or set(names) - FORMATS.keys() else []
    made = [
        Case(name, FORMATS[name](ROOT / ".demo"), json.dumps({"inputs": [IRIS]}).encode())
        for name in names
        if name in FORMATS
    ]
    return [case for case in (*found, *made) if not names or case.name in names]


def onnx_cases(folder: Path) -> list[Case]:
    """Those whose library is in every zygote."""
    tensor = {"name": "celsius", "shape": [1, 1], "datatype": "FP32", "data": [100.0]}
    model, _ = filetype.fetch(folder)
    return [
        Case(
            "tiny",
            ROOT / "examples/models/fahrenheit.onnx",
            json.dumps({"inputs": [tensor]}).encode(),
        ),
        Case(
            "magika",
            model,
            json.dumps(filetype.request((ROOT / "Makefile").read_bytes())).encode(),
        ),
    ]


def of_sklearn(folder: Path) -> Path:
    """A scaled support vector machine, as skops keeps it."""
    import skops.io
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    folder.mkdir(exist_ok=True)
    path = folder / "flowers.skops"
    skops.io.dump(make_pipeline(StandardScaler(), SVC()).fit(ROWS, CLASSES), path)
    return path


def of_xgboost(folder: Path) -> Path:
    """A hundred trees."""
    import xgboost

    folder.mkdir(exist_ok=True)
    path = folder / "flowers.ubj"
    data = xgboost.DMatrix(ROWS, label=CLASSES)
    xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 100).save_model(path)
    return path


FORMATS = {"sklearn": of_sklearn, "xgboost": of_xgboost}


def raw_request(host: str, model: str, body: bytes) -> bytes:
    """The bytes of one V2 inference request."""
    head = (
        f"POST /v2/models/{model}/infer HTTP/1.1\r\nhost: {host}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def exchange(connection: socket.socket, request: bytes) -> tuple[float, bytes]:
    """Send; milliseconds from the first byte in to the first byte out, and the whole answer."""
    started = time.perf_counter()
    connection.sendall(request)
    data = connection.recv(MEGABYTE)
    took_ms = (time.perf_counter() - started) * 1000
    while b"\r\n\r\n" not in data or not _is_whole(data):
        more = connection.recv(MEGABYTE)
        if not more:
            break
        data += more
    if not data.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(data[:500].decode(errors="replace"))
    return took_ms, data


def _is_whole(data: bytes) -> bool:
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
    return True


def timing_of(answer: bytes) -> dict[str, float]:
    """The server-timing entries of an answer, in milliseconds."""
    found: dict[str, float] = {}
    for line in answer.partition(b"\r\n\r\n")[0].decode().split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "server-timing":
            for entry in value.split(","):
                key, _, duration = entry.strip().partition(";dur=")
                found[key] = float(duration)
    return found


def from_zero(platform: Platform, case: Case, turn: int) -> None:
    """One cold start through the platform."""
    service = case.service(turn)
    wait_until(lambda: not platform.pods(service), 90, f"{service} to be at zero")
    address = urlsplit(platform.activator)
    request = raw_request(f"{service}.default.localhost", service, case.body)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        took_ms, answer = exchange(connection, request)
    timing = timing_of(answer)
    model_ms = timing["load"] + timing["run"]  # a replica says its load only once: it was cold
    case.total_ms.append(took_ms)
    case.model_ms.append(model_ms)
    case.beyond_ms.append(took_ms - model_ms)


def fresh_process(case: Case, folder: Path) -> None:
    """The same model in a process of its own: launch to first byte."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--model", str(case.path), "--model-name", case.name, "--port", str(port)]
    with (folder / "fresh.log").open("ab") as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "predictor", *arguments], stdout=log, stderr=log, cwd=ROOT
        )
        try:
            with _connect(port, deadline=started + 60) as connection:
                exchange(connection, raw_request("localhost", case.name, case.body))
                case.fresh_ms.append((time.perf_counter() - started) * 1000)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _connect(port: int, *, deadline: float) -> socket.socket:
    while time.perf_counter() < deadline:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except ConnectionRefusedError:
            time.sleep(0.001)
    raise TimeoutError("a fresh predictor did not listen within 60 s")


def manifest(case: Case, turn: int) -> dict[str, Any]:
    """The Service of one turn."""
    annotations = {"autoscaling.knative.dev/window": WINDOW}
    container = {"image": "relight/predictor", "args": ["--model", str(case.path)]}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": case.service(turn), "namespace": "default"},
        "spec": {
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"containers": [container]},
            }
        },
    }


def deploy(platform: Platform, found: list[Case]) -> None:
    """Create every service and wait until each is ready."""
    path = "/apis/serving.knative.dev/v1/namespaces/default/services"
    for case in found:
        for turn in range(SERVICES_PER_MODEL):
            answer = send(platform.api, "localhost", path, manifest(case, turn))
            if answer.status != 201:
                raise RuntimeError(answer.body.decode())
    for case in found:
        for turn in range(SERVICES_PER_MODEL):
            name = case.service(turn)
            wait_until(lambda name=name: is_ready(platform.service(name)), 120, f"{name} ready")


def is_ready(service: dict[str, Any]) -> bool:
    """Whether its Ready condition is True."""
    conditions = service.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def report(found: list[Case]) -> None:
    """A table for people, then a line a model for machines; the last line is the tiny model's."""
    print(
        f"\n{'model':8} {'p50':>8} {'p95':>8} {'model p50':>10} {'beyond p50/p95':>16} {'fresh':>8}"
    )
    for case in found:
        print(
            f"{case.name:8} {p(case.total_ms, 50):8.1f} {p(case.total_ms, 95):8.1f} "
            f"{p(case.model_ms, 50):10.1f} "
            f"{p(case.beyond_ms, 50):8.1f} /{p(case.beyond_ms, 95):6.1f} "
            f"{p(case.fresh_ms, 50):8.1f}   ms, n={len(case.total_ms)}"
        )
    for case in reversed(found):
        print(
            f"model={case.name} "
            f"p50_ms={p(case.total_ms, 50):.1f} p95_ms={p(case.total_ms, 95):.1f} "
            f"model_p50_ms={p(case.model_ms, 50):.1f} beyond_p50_ms={p(case.beyond_ms, 50):.1f} "
            f"beyond_p95_ms={p(case.beyond_ms, 95):.1f} "
            f"fresh_process_p50_ms={p(case.fresh_ms, 50):.1f}"
        )


def p(values: list[float], percent: int) -> float:
    """A percentile, by linear interpolation."""
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def main() -> int:
    """Measure and print; exit 0 when every request was answered."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=100, help="cold starts of each model")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        choices=("tiny", "magika", *FORMATS),
        help="may be repeated; tiny and magika",
    )
    parser.add_argument(
        "--libraries-max",
        default="4",
        metavar="N",
        help="of the platform; 0: each replica imports the library of its format",
    )
    flags = parser.parse_args()
    runs = flags.runs
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="relight-", dir="/tmp") as name:
        folder = Path(name)
        found = cases(flags.model)
        args = ("--frozen-memory", "0", "--libraries-max", flags.libraries_max)
        # A frozen replica is no cold start: benchmarks/frozen.py measures those.
        with Platform(folder / "d", cwd=ROOT, args=args) as platform:
            deploy(platform, found)
            for turn in range(runs):
                for case in found:
                    from_zero(platform, case, turn)
                    fresh_process(case, folder)
                if (turn + 1) % 10 == 0:
                    print(f"{turn + 1} of {runs}", flush=True)
    report(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
