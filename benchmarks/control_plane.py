"""What a control plane of one controller and one autoscaler costs with many Services.

    python -m benchmarks.control_plane                      1,000 Services
    python -m benchmarks.control_plane --services 50        a smoke test

An API server of ours (over HTTP, objects in memory) with a kubelet that has every replica ready
at once; controller and autoscaler are the processes that a cluster runs, against that server.
Prints: settle_s (from the first Service written to the last one ready), the two processes'
memory and processor time then, what they use when nothing happens (idle_*, a share of a core),
what the loss of every connection costs (recover_*), and what reports of two activators about
every Revision cost each second (reports_*).

On two cores that eight others used (load 10), 2026-11-23, 1,000 Services: settle_s=202, of which
the API server, one Python process, had most; 17 requests for each Service. Controller 104 MiB and
16 s of a core, autoscaler 61 MiB and 4 s. Idle: 0.001 and 0.02 cores, 1 request in 10 s. Two
activators' reports: 0.15 cores of the autoscaler. Every connection lost: 18 watches, no list and
no write.
"""

import argparse
import asyncio
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import yaml
from aiohttp import web

from api import stats as wire
from api.kinds import DEPLOYMENTS, LEASES, NAMESPACES, REVISIONS, SERVICES
from api.stats import Stat
from cluster.direct import DirectClient
from cluster.errors import NotFoundError
from cluster.informer import Informer
from embedded.apiserver import ApiServer
from embedded.http import make_app
from embedded.store import IN_MEMORY, Store

_DEADLINE_S = 900.0
_SPAN_S = 10.0


class Plane:
    """The API server, and the processes that work with it."""

    def __init__(self, folder: Path) -> None:
        self.server = ApiServer(Store(IN_MEMORY), clock=time.time, rng=random.Random(1))  # noqa: TID251 - it dates objects
        self.client = DirectClient(self.server)
        self.asked: Counter[str] = Counter()
        self._folder = folder
        self._transports: set[asyncio.BaseTransport] = set()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    async def serve(self) -> str:
        app = make_app(self.server)
        app.middlewares.append(self._count)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"

    @web.middleware
    async def _count(self, request: web.Request, handler: Callable[..., Any]) -> Any:
        is_watch = "watch" in request.query
        self.asked["watch" if is_watch else request.method] += "/leases" not in request.path
        if request.transport is not None:
            self._transports.add(request.transport)
        return await handler(request)

    def cut(self) -> None:
        for each in self._transports:
            each.abort()  # type: ignore[attr-defined] # of sockets
        self._transports.clear()

    def start(self, component: str, url: str, *flags: str) -> None:
        path = self._folder / "kubeconfig"
        user = {"name": "x", "user": {}}
        cluster = {"name": "x", "cluster": {"server": url}}
        context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
        kubeconfig = {"clusters": [cluster], "users": [user], "contexts": [context]}
        path.write_text(yaml.safe_dump({**kubeconfig, "current-context": "x"}))
        command = [sys.executable, "-m", component, "--kubeconfig", str(path)]
        common = ["--admin-host=127.0.0.1", "--admin-port=0", "--system-namespace=default"]
        # The server shares a core or two with all of them here: it may be slow to answer.
        common += ["--lease-s=60", "--lease-renew-s=40", f"--pod-name={component}"]
        log = (self._folder / f"{component}.log").open("wb")
        self.processes[component] = subprocess.Popen([*command, *common, *flags], stderr=log)

    def used(self) -> dict[str, tuple[float, float]]:
        """Processor seconds and MiB of each process."""
        found = {}
        for name, process in self.processes.items():
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            mib = pages * resource.getpagesize() / 2**20
            found[name] = (ticks / os.sysconf("SC_CLK_TCK"), mib)
        return found


async def kubelet(client: DirectClient) -> None:
    """Every replica that is wanted is ready."""
    due: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    informer = Informer(client, DEPLOYMENTS)
    informer.on_change(lambda _old, new: due.put_nowait(new) if new is not None else None)
    async with asyncio.TaskGroup() as group:
        group.create_task(informer.run())
        while True:
            raw = await due.get()
            wanted = raw["spec"].get("replicas", 1)
            status = raw.get("status") or {}
            seen = (status.get("readyReplicas", 0), status.get("observedGeneration"))
            if seen != (wanted, raw["metadata"]["generation"]):
                numbers = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")
                new = dict.fromkeys(numbers, wanted)
                condition = {"type": "Available", "status": "True", "reason": "Ready"}
                new |= {"observedGeneration": raw["metadata"]["generation"]}
                patch = {"status": {**new, "conditions": [condition]}}
                try:
                    metadata = raw["metadata"]
                    where = (metadata["namespace"], metadata["name"])
                    await client.patch(DEPLOYMENTS, *where, patch, subresource="status")
                except NotFoundError:
                    continue


def service(number: int) -> dict[str, Any]:
    container = {"image": "example/model:1"}
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": {"name": f"s{number}", "namespace": f"n{number % 10}"},
        "spec": {"template": {"spec": {"containers": [container], "containerConcurrency": 1}}},
    }


async def settled(client: DirectClient, count: int) -> None:
    """Until so many Services are ready."""
    ready: set[str] = set()
    is_settled = asyncio.Event()
    informer = Informer(client, SERVICES)

    def note(_old: Any, new: Any) -> None:
        if _is_ready(new):
            ready.add(f"{new['metadata']['namespace']}/{new['metadata']['name']}")
            if len(ready) == count:
                is_settled.set()

    informer.on_change(note)
    async with asyncio.timeout(_DEADLINE_S), asyncio.TaskGroup() as group:
        following = group.create_task(informer.run())
        await is_settled.wait()
        following.cancel()


def _is_ready(raw: dict[str, Any]) -> bool:
    conditions = (raw.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def report(client: DirectClient, seconds: float, reporters: int) -> int:
    """Be so many activators that each carry some of every Revision's requests."""
    lease = await client.get(LEASES, "default", "autoscaler")
    host, port = lease["metadata"]["annotations"]["relight.dev/address"].split(":")
    keys = [
        (each["metadata"]["namespace"], each["metadata"]["name"])
        for each in (await client.list(REVISIONS)).items
    ]
    rows = [
        Stat(
            namespace=namespace,
            revision=name,
            reporter="",
            time_s=0.0,
            average_concurrency=0.1,
            requests_per_s=1.0,
        )
        for namespace, name in keys
    ]
    lines = [
        orjson.dumps(wire.message_of(rows[start : start + wire.ROWS_MAX])) + b"\n"
        for start in range(0, len(rows), wire.ROWS_MAX)
    ]
    writers = []
    for number in range(reporters):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(orjson.dumps(wire.hello(f"activator-{number}")) + b"\n")
        await reader.readline()
        writers.append(writer)
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        for writer in writers:
            writer.writelines(lines)
        await asyncio.sleep(1.0)
    for writer in writers:
        writer.write(orjson.dumps(wire.LEAVING) + b"\n")
        writer.close()
    return len(rows)


async def shares(plane: Plane, name: str, work: Any, seconds: float) -> None:
    """Print which share of a core each process used while something was done."""
    before, asked, began_s = plane.used(), plane.asked.copy(), time.monotonic()
    await work
    took_s = time.monotonic() - began_s
    for component, (used_s, mib) in plane.used().items():
        share = (used_s - before[component][0]) / took_s
        print(f"{name}_{component}_cores={share:.4f} {name}_{component}_mib={mib:.0f}")
    told = {key: count - asked[key] for key, count in plane.asked.items() if count > asked[key]}
    print(f"{name}_seconds={seconds:g} {name}_requests={dict(sorted(told.items()))}", flush=True)


async def run(count: int, folder: Path) -> None:
    plane = Plane(folder)
    url = await plane.serve()
    for number in range(10):
        raw = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"n{number}"}}
        await plane.client.create(NAMESPACES, raw)
    async with asyncio.TaskGroup() as group:
        fake = group.create_task(kubelet(plane.client))
        try:
            plane.start("controller", url, "--webhook=false")
            stats = ("--stats-host=127.0.0.1", "--stats-port=0", "--pod-ip=127.0.0.1")
            plane.start("autoscaler", url, *stats)
            began_s = time.monotonic()
            for number in range(count):
                await plane.client.create(SERVICES, service(number))
                await asyncio.sleep(0)
            await settled(plane.client, count)
            print(f"services={count} settle_s={time.monotonic() - began_s:.1f}")
            print(f"settle_requests={dict(sorted(plane.asked.items()))}")
            for component, (used_s, mib) in plane.used().items():
                print(f"settle_{component}_cpu_s={used_s:.1f} settle_{component}_mib={mib:.0f}")
            await shares(plane, "reports", report(plane.client, _SPAN_S, 2), _SPAN_S)
            await asyncio.sleep(3.0)
            await shares(plane, "idle", asyncio.sleep(_SPAN_S), _SPAN_S)
            plane.cut()
            await shares(plane, "recover", asyncio.sleep(_SPAN_S), _SPAN_S)
        finally:
            fake.cancel()
            for process in plane.processes.values():
                process.terminate()
            for process in plane.processes.values():
                process.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of a control plane.")
    parser.add_argument("--services", type=int, default=1000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(args.services, Path(folder)))


if __name__ == "__main__":
    main()
