"""CPU the activator takes for a proxied request: `python -m benchmarks.proxy_overhead`.

What is measured: user + system time of the proxy process (from /proc) over the requests that wrk
counts, for POSTs with a body of 1 KB over 64 kept-alive connections. The activator runs with all
its features: routing by Host, limits, queue, load reports, request ids, forwarding headers,
deadlines. Both proxies speak HTTP/1.1 with keep-alive to the same upstream on the same Unix
socket (an nginx that answers by `return`), and add the same headers. Each is one process pinned
to the first processor; wrk and the upstream share the second. Rounds are interleaved.

Needs nginx and wrk; as root they are installed when missing.

A connection whose client repeats its head is parsed, routed and rewritten once: `--vary` gives each
request another head, so that all of it is done every time.

Machine: 2 cores (EPYC, no SMT) shared with other work, Debian 12, Python 3.11 (Debian's build),
uvloop 0.23, nginx 1.22. Result on a quiet machine: ratio 1.10 to 1.37 in five runs, median
1.17 (16 us beside nginx's 13.5), up to 1.49 beside other work; with `--vary` 1.71 to 2.43.
Budget: 1.5.
"""

import argparse
import asyncio
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from activator.config import Settings
from activator.server import Activator
from api import keys, kinds
from api.kinds import Resource
from cluster.client import ObjectList, WatchEvent

PROXY_CPU, LOAD_CPU = 0, 1
CONNECTIONS = 64
HOST = "bench.default.localhost"
BODY_BYTES = 1024
TOOLS = {"nginx": "nginx-light", "wrk": "wrk"}
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

UPSTREAM_CONF = """
daemon off; master_process off; worker_processes 1; pid {folder}/upstream.pid;
error_log {folder}/upstream.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen unix:{folder}/up.sock;
    location / {{
      default_type application/json;
      return 200 '{{"model_name":"bench","outputs":[{{"name":"y","shape":[1],"data":[1.5]}}]}}';
    }}
  }}
}}
"""
PROXY_CONF = """
daemon off; master_process off; worker_processes 1; pid {folder}/proxy.pid;
error_log {folder}/proxy.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/p1; proxy_temp_path {folder}/p2; fastcgi_temp_path {folder}/p3;
  uwsgi_temp_path {folder}/p4; scgi_temp_path {folder}/p5;
  upstream replica {{
    server unix:{folder}/up.sock; keepalive 128; keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://replica;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto http;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header Knative-Serving-Default-Route true;
      proxy_set_header X-Request-Id $request_id;
      add_header X-Request-Id $request_id;
    }}
  }}
}}
"""
WRK_SCRIPT = f"""
wrk.method = "POST"
wrk.body = string.rep("x", {BODY_BYTES})
wrk.headers["Host"] = "{HOST}"
wrk.headers["Content-Type"] = "application/json"
"""
# No two heads are alike: neither proxy can profit from having seen one before.
VARY_SCRIPT = (
    WRK_SCRIPT
    + """
local number = 0
function request()
  number = number + 1
  wrk.headers["X-Request-Id"] = string.format("%016x", number)
  return wrk.format()
end
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One load on one proxy."""

    requests: int
    errors: int
    cpu_us: float  # per request
    p99_ms: float


class StaticClient:
    """A `cluster.client.Client` over objects that never change."""

    def __init__(self, objects: dict[Resource, list[dict[str, Any]]]) -> None:
        self._objects = objects

    async def list(self, resource: Resource, *_: object, **__: object) -> ObjectList:
        return ObjectList(items=self._objects.get(resource, []), resource_version="1")

    async def watch(self, *_: object, **__: object) -> AsyncIterator[WatchEvent]:
        await asyncio.Event().wait()
        yield WatchEvent(type="BOOKMARK", object={})


def objects(socket_path: Path) -> dict[Resource, list[dict[str, Any]]]:
    """A Route with all its traffic on one Revision with one Pod, as the platform would have it."""

    def meta(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1", **more}

    route = {
        "metadata": meta("bench"),
        "status": {"traffic": [{"revisionName": "bench-00001", "percent": 100}]},
    }
    revision = {
        "metadata": meta("bench-00001", labels={keys.SERVICE: "bench"}),
        "spec": {"containerConcurrency": 100, "timeoutSeconds": 300},
    }
    pod = {
        "metadata": meta(
            "bench-00001-pod",
            labels={keys.REVISION: "bench-00001"},
            annotations={keys.ENDPOINT: f"unix:{socket_path}"},
        ),
        "spec": {"containers": [{"image": keys.PREDICTOR_IMAGE}]},
    }
    return {kinds.ROUTES: [route], kinds.REVISIONS: [revision], kinds.PODS: [pod]}


async def serve(folder: Path) -> None:
    """The activator's process. Writes its port to a file, then serves until it is killed."""
    activator = Activator(
        StaticClient(objects(folder / "up.sock")),  # type: ignore[arg-type] # it only reads
        Settings(port=0),
        report=lambda stats: None,
        rng=random.Random(1),
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(activator.run())
        await activator.started()
        port_file = folder / "port"
        port_file.with_suffix(".new").write_text(str(activator.address[1]))
        port_file.with_suffix(".new").rename(port_file)


def check_tools() -> None:
    """Find or install what is needed; else say so and leave."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [TOOLS[tool] for tool in missing]
        for command in (["update"], ["install", "-y", *packages]):
            subprocess.run(["apt-get", *command], stdout=subprocess.DEVNULL, check=False)
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print(
            f"missing: {', '.join(missing)}; apt-get install {' '.join(TOOLS[t] for t in missing)}"
        )
        sys.exit(1)
    if (os.cpu_count() or 1) < 2:
        print("two processors are needed: one for the proxy, one for load and upstream")
        sys.exit(1)


@contextmanager
def running(command: list[str], cpu: int) -> Iterator[int]:
    """A process pinned to a processor, ended by its id at the end."""
    process = subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(path: Path) -> None:
    """Wait until a file or socket exists."""
    deadline_s = time.monotonic() + 10
    while not path.exists():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{path} did not appear")
        time.sleep(0.01)


def cpu_s(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def load(port: int, pid: int, folder: Path, seconds: int) -> Round:
    """One round of load."""
    before_s = cpu_s(pid)
    command = ["taskset", "-c", str(LOAD_CPU), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    command += ["--latency", "-s", str(folder / "post.lua"), f"http://127.0.0.1:{port}/v2/x/infer"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent_s = cpu_s(pid) - before_s
    requests = int(re.search(r"(\d+) requests in", output)[1])  # type: ignore[index] # wrk's form
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output
    )
    p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", output).groups()  # type: ignore[union-attr] # wrk always prints it
    return Round(
        requests=requests,
        errors=(int(bad[1]) if bad else 0) + (sum(map(int, broken.groups())) if broken else 0),
        cpu_us=spent_s / requests * 1e6,
        p99_ms=float(p99) * {"us": 0.001, "ms": 1, "s": 1000}[unit],
    )


def free_port() -> int:
    """A port that was free a moment ago; nginx cannot choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(rounds: int, seconds: int, script: str) -> dict[str, list[Round]]:
    """Interleaved rounds on both proxies."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        port = free_port()
        (folder / "upstream.conf").write_text(UPSTREAM_CONF.format(folder=folder))
        (folder / "proxy.conf").write_text(PROXY_CONF.format(folder=folder, port=port))
        (folder / "post.lua").write_text(script)
        nginx = ["nginx", "-p", name, "-c"]
        activator = [sys.executable, "-m", "benchmarks.proxy_overhead", "--serve", name]
        with running([*nginx, str(folder / "upstream.conf")], LOAD_CPU):
            wait_for(folder / "up.sock")
            with (
                running([*nginx, str(folder / "proxy.conf")], PROXY_CPU) as nginx_pid,
                running(activator, PROXY_CPU) as activator_pid,
            ):
                wait_for(folder / "port")
                targets = {
                    "nginx": (port, nginx_pid),
                    "activator": (int((folder / "port").read_text()), activator_pid),
                }
                for target in targets.values():
                    load(*target, folder, 1)
                found: dict[str, list[Round]] = {each: [] for each in targets}
                for _ in range(rounds):
                    for each, target in targets.items():
                        found[each].append(load(*target, folder, seconds))
                return found


def main() -> None:
    """Measure, print, and say the ratio on the last line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--vary", action="store_true", help="give each request another head")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        uvloop.run(serve(arguments.serve))
        return
    check_tools()
    script = VARY_SCRIPT if arguments.vary else WRK_SCRIPT
    found = measure(arguments.rounds, arguments.seconds, script)
    print("proxy      us/request     min     max  requests  errors  p99 ms")
    medians: dict[str, float] = {}
    for name, each in found.items():
        costs = [one.cpu_us for one in each]
        medians[name] = statistics.median(costs)
        p99_ms = statistics.median(one.p99_ms for one in each)
        requests, errors = sum(one.requests for one in each), sum(one.errors for one in each)
        numbers = f"{medians[name]:10.1f} {min(costs):7.1f} {max(costs):7.1f}"
        print(f"{name:10} {numbers} {requests:9} {errors:7} {p99_ms:7.1f}")
    ratio = statistics.median(
        ours.cpu_us / theirs.cpu_us
        for ours, theirs in zip(found["activator"], found["nginx"], strict=True)
    )
    print(
        f"activator_us={medians['activator']:.1f} nginx_us={medians['nginx']:.1f} ratio={ratio:.2f}"
    )


if __name__ == "__main__":
    main()
