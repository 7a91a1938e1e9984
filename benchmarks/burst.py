"""100 requests at once, from zero, at containerConcurrency 1: `python -m benchmarks.burst`.

What is measured: `first_decision`, the first number of replicas the autoscaler asked for (read
from the Deployment, by a watch); `errors`, answers other than 200; `p99_ms`, the 99th percentile
of the time from sending to the whole answer. All connections are open before the first byte.

Machine: 2 cores, 24 GiB, Debian 12, Python 3.11 (Debian's build), onnxruntime CPU.
Result: see docs/performance.md.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.cold_start import is_ready, onnx_cases, raw_request
from examples.running import Platform, send, wait_until

ROOT = Path(__file__).parent.parent
NAME = "burst"


def deploy(platform: Platform) -> bytes:
    """The tiny model at concurrency 1; returns the request to send."""
    case = onnx_cases(ROOT / ".demo")[0]
    container = {"image": "relight/predictor", "args": ["--model", str(case.path)]}
    annotations = {"autoscaling.knative.dev/window": "6s"}
    template = {
        "metadata": {"annotations": annotations},
        "spec": {"containerConcurrency": 1, "containers": [container]},
    }
    manifest = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": "default"},
        "spec": {"template": template},
    }
    path = "/apis/serving.knative.dev/v1/namespaces/default/services"
    answer = send(platform.api, "localhost", path, manifest)
    assert answer.status == 201, answer.body
    wait_until(lambda: is_ready(platform.service(NAME)), 60, "the service")
    wait_until(lambda: not platform.pods(NAME), 90, "scale to zero")
    return raw_request(f"{NAME}.default.localhost", NAME, case.body)


class ReplicaWatch(threading.Thread):
    """Follows a Deployment's spec.replicas; `seen` has each new value."""

    def __init__(self, api: str) -> None:
        super().__init__(daemon=True)
        self._api = api
        self.seen: list[int] = []
        self.is_watching = threading.Event()

    def run(self) -> None:
        """Read watch events until the server closes the stream."""
        path = "/apis/apps/v1/namespaces/default/deployments?watch=true&timeoutSeconds=120"
        try:
            with urllib.request.urlopen(self._api + path, timeout=180) as stream:
                for line in stream:
                    replicas = json.loads(line)["object"]["spec"]["replicas"]
                    self.is_watching.set()
                    if not self.seen or self.seen[-1] != replicas:
                        self.seen.append(replicas)
        except OSError:
            return  # the platform stopped


async def burst(address: str, request: bytes, count: int) -> tuple[list[float], int]:
    """Send on all connections at once; times in ms of the good answers, and the others' number."""
    parts = urlsplit(address)
    connections = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(count)]
    started = time.perf_counter()
    for _, writer in connections:
        writer.write(request)

    async def answer(reader: asyncio.StreamReader) -> float | None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        took_ms = (time.perf_counter() - started) * 1000
        is_right = head.startswith(b"HTTP/1.1 200") and b"212" in body
        return took_ms if is_right else None

    async with asyncio.timeout(120):
        times = await asyncio.gather(*(answer(reader) for reader, _ in connections))
    for _, writer in connections:
        writer.close()
    good = [t for t in times if t is not None]
    return good, count - len(good)


def main() -> int:
    """Measure and print; exit 0 when no request failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=100)
    count = parser.parse_args().requests
    with (
        tempfile.TemporaryDirectory(prefix="relight-", dir="/tmp") as folder,
        Platform(Path(folder) / "d", cwd=ROOT) as platform,
    ):
        request = deploy(platform)
        watch = ReplicaWatch(platform.api)
        watch.start()
        watch.is_watching.wait(30)
        before = len(watch.seen)
        times, errors = asyncio.run(burst(platform.activator, request, count))
        wait_until(lambda: len(watch.seen) > before, 30, "the first decision")
        first_decision = watch.seen[before]
        p99_ms = statistics.quantiles(times, n=100, method="inclusive")[98] if times else 0.0
        p50_ms = statistics.median(times) if times else 0.0
        print(f"requests={count} p50_ms={p50_ms:.1f} decisions={watch.seen[before:]}")
        print(f"first_decision={first_decision} errors={errors} p99_ms={p99_ms:.1f}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
