"""From zero to the first byte on a cluster, from a warm Pod and by a plain Deployment, in turn.

    python -m benchmarks.cluster_cold_start [--runs 30]

It brings a cluster up, builds images, installs and takes all down again by hack/cluster.sh, which
says why if there is none to be had; `RUN=` of that script runs it on a cluster given. With
--kubeconfig FILE it works on one that stands: through the --activator installed there, or else
with the three components started here, for one namespace.

What is measured: a client on a connection of its own sends a V2 request to a Service at zero,
through an activator, and stops the clock at the first byte of the answer. Both kinds of Service
have one model and differ in one line: the plain ones have a liveness probe, which no warm Pod can
stand in for. Before each request its Service is at zero, no Pod of it is left, and the pool is
full. `model_load` is what replicas say of the session's load and the first run, in `server-timing`.

The split of a claimed start: `claim` until the Pod is the Revision's, `start` until its replica
has its job, `load`, `first_run`; `probe` is all else: the poke, the replica's address and proof.

With --netns all runs in that network namespace, as for ../shared/k8s. The model is served over
HTTP from --host, or named by --model-uri. Plain starts need their image on the node: nothing is
pulled.
"""

import argparse
import asyncio
import functools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api import keys
from api.kinds import DEPLOYMENTS, NAMESPACES, PODS, SERVICES
from benchmarks.cold_start import exchange, raw_request, timing_of
from benchmarks.predictor import free_port
from cluster import connecting
from cluster.errors import AlreadyExistsError, NotFoundError
from cluster.http import HttpClient
from tests.k8s import models
from tests.k8s.cluster import SYSTEM, Cluster

ROOT = Path(__file__).parent.parent
SERVICES_OF_A_KIND = 3
PATIENCE_S = 120.0
NODE = "10.99.0.1"  # of ../shared/k8s, within its network namespace
WINDOW = "6s"
TENSOR = {"name": "celsius", "shape": [1, 1], "datatype": "FP32", "data": [100.0]}


@dataclass
class Kind:
    """One way from zero."""

    name: str
    is_claimed: bool
    total_ms: list[float] = field(default_factory=list)
    model_ms: list[float] = field(default_factory=list)
    split_ms: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where everything is."""

    client: HttpClient
    namespace: str
    activator: tuple[str, int]
    model: str
    image: str
    pool: int


def manifest(place: Place, name: str, kind: Kind) -> dict[str, Any]:
    """A Service that goes to zero soon."""
    container: dict[str, Any] = {
        "image": place.image,
        "args": ["--model", place.model, "--model-name", "m"],
        "resources": {"requests": {"cpu": "50m", "memory": "100Mi"}},
    }
    if not kind.is_claimed:
        container["livenessProbe"] = {"httpGet": {"path": "/v2/health/live"}, "periodSeconds": 60}
    annotations = {keys.STABLE_WINDOW: WINDOW, keys.KEEP_ALIVE: "cheap"}
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": {"name": name, "namespace": place.namespace},
        "spec": {
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"containers": [container]},
            }
        },
    }


async def prepare(place: Place, kinds: Sequence[Kind]) -> None:
    """The namespace with its pool, and Services that were ready once."""
    metadata = {"name": place.namespace, "annotations": {keys.WARM_POOL: str(place.pool)}}
    try:
        await place.client.create(
            NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        )
    except AlreadyExistsError:
        patch = {"metadata": {"annotations": metadata["annotations"]}}
        await place.client.patch(NAMESPACES, None, place.namespace, patch)
    for kind in kinds:
        for turn in range(SERVICES_OF_A_KIND):
            wanted = manifest(place, f"{kind.name}-{turn}", kind)
            try:
                await place.client.create(SERVICES, wanted)
            except AlreadyExistsError:
                spec = {"spec": wanted["spec"]}
                name = wanted["metadata"]["name"]
                await place.client.patch(SERVICES, place.namespace, name, spec)
    await until(functools.partial(_listens, place.activator), "to listen")
    for kind in kinds:
        for turn in range(SERVICES_OF_A_KIND):
            name = f"{kind.name}-{turn}"
            try:
                await until(functools.partial(_is_ready, place, name), "to be ready")
            except TimeoutError:
                found = await place.client.get(SERVICES, place.namespace, name)
                print(json.dumps(found.get("status"), indent=1), file=sys.stderr)
                raise


async def _is_ready(place: Place, name: str) -> bool:
    found = await place.client.get(SERVICES, place.namespace, name)
    status = found.get("status") or {}
    if status.get("observedGeneration") != found["metadata"]["generation"]:
        return False
    return _says_ready(found)


def _says_ready(found: dict[str, Any]) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def _listens(address: tuple[str, int]) -> bool:
    try:
        _, writer = await asyncio.open_connection(*address)
    except OSError:
        return False
    writer.close()
    return True


async def until(condition: Any, what: str) -> None:
    """Wait for a condition, at most `PATIENCE_S`."""
    end_s = time.monotonic() + PATIENCE_S
    while not await condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"waited {PATIENCE_S:g} s for {condition} {what}")
        await asyncio.sleep(0.2)


async def _pods(place: Place, selector: str) -> list[dict[str, Any]]:
    found = await place.client.list(PODS, place.namespace, label_selector=selector)
    return found.items


async def _is_at_rest(place: Place, name: str) -> bool:
    """At zero, and the pool full of Pods that are warm: nothing else goes on."""
    if await _pods(place, f"{keys.SERVICE}={name}"):
        return False
    deployments = await place.client.list(
        DEPLOYMENTS, place.namespace, label_selector=f"{keys.SERVICE}={name}"
    )
    if any(each["spec"].get("replicas") for each in deployments.items):
        return False
    pool = await _pods(place, keys.POOL)
    ready = [each for each in pool if _says_ready(each)]
    return len(ready) == len(pool) == place.pool


async def run_once(place: Place, kind: Kind, turn: int, domain: str) -> None:
    """One cold start."""
    name = f"{kind.name}-{turn % SERVICES_OF_A_KIND}"
    await until(functools.partial(_is_at_rest, place, name), f"and {name} to be at rest")
    await asyncio.sleep(1.0)  # what was deleted last is over on the node too
    request = raw_request(
        f"{name}.{place.namespace}.{domain}", "m", json.dumps({"inputs": [TENSOR]}).encode()
    )
    total_ms, answer = await asyncio.to_thread(_ask, place.activator, request)
    timing = timing_of(answer)
    model_ms = timing["load"] + timing["run"]
    told = await _start_timing(place, name) if kind.is_claimed else {}
    if kind.is_claimed and not told:
        raise RuntimeError(f"{name} was not started by a claim")
    kind.total_ms.append(total_ms)
    kind.model_ms.append(model_ms)
    parts = {"load": timing["load"], "first_run": timing["run"]}
    if told:
        parts |= {"claim": told["claim_ms"], "start": timing.get("fork", 0.0)}
    parts["probe"] = total_ms - sum(parts.values())
    for part, value in parts.items():
        kind.split_ms.setdefault(part, []).append(value)
    print(f"{kind.name} {turn}: {total_ms:.0f} ms, model {model_ms:.1f} ms {told}", flush=True)


def _ask(address: tuple[str, int], request: bytes) -> tuple[float, bytes]:
    with socket.create_connection(address, timeout=PATIENCE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return exchange(connection, request)


async def _start_timing(place: Place, name: str) -> dict[str, float]:
    """What the claimant wrote to the Pod once its ReplicaSet had it."""
    end_s = time.monotonic() + 10.0
    while time.monotonic() < end_s:
        for pod in await _pods(place, f"{keys.SERVICE}={name}"):
            text = (pod["metadata"].get("annotations") or {}).get(keys.START_TIMING)
            if text:
                return dict(json.loads(text))
        await asyncio.sleep(0.1)
    return {}


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def report(warm: Kind, plain: Kind) -> None:
    """What CI and people read."""
    beyond = [t - m for t, m in zip(warm.total_ms, warm.model_ms, strict=True)]
    print(f"n={len(warm.total_ms)}")
    print(
        f"warm_pool_p50_ms={statistics.median(warm.total_ms):.1f} "
        f"warm_pool_p95_ms={quantile(warm.total_ms, 0.95):.1f} "
        f"deployment_p50_ms={statistics.median(plain.total_ms):.1f} "
        f"model_load_p50_ms={statistics.median(warm.model_ms):.1f}"
    )
    print(f"beyond_model_p50_ms={statistics.median(beyond):.1f} budget_ms=300")
    for part in ("claim", "start", "load", "probe", "first_run"):
        print(f"warm_pool_{part}_p50_ms={statistics.median(warm.split_ms[part]):.1f}")
    print(f"deployment_p95_ms={quantile(plain.total_ms, 0.95):.1f}")


@contextmanager
def components(flags: argparse.Namespace, folder: Path) -> Iterator[tuple[str, int]]:
    """The three mains, for one namespace; where the activator listens."""
    common = ["--kubeconfig", str(flags.kubeconfig), "--namespace", flags.namespace]
    common += ["--admin-host", "127.0.0.1", "--admin-port", "0", "--pod-ip", "127.0.0.1"]
    port, stats = free_port(), free_port()
    cache = ["--node-cache", flags.node_cache] if flags.node_cache else []
    lines = [
        ["controller", "--predictor-image", flags.image, "--domain", flags.domain, *cache],
        ["autoscaler", "--stats-host", "127.0.0.1", "--stats-port", str(stats)],
        ["activator", "--host", "127.0.0.1", "--port", str(port), "--domain", flags.domain],
    ]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name, *more in lines:
            with (folder / f"{name}.log").open("wb") as log:
                command = [
                    sys.executable,
                    "-m",
                    name,
                    *common,
                    "--pod-name",
                    f"bench-{name}",
                    *more,
                ]
                started.append(subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log))
        yield "127.0.0.1", port
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(60)


@asynccontextmanager
async def placed(flags: argparse.Namespace, folder: Path, model: str) -> AsyncIterator[Place]:
    """A client, a namespace and an activator."""
    address = connecting.locate(flags.kubeconfig)
    async with connecting.connect(address) as client:
        made = {"name": flags.namespace}
        with suppress(AlreadyExistsError):
            await client.create(
                NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": made}
            )
        place = functools.partial(
            Place,
            client=client,
            namespace=flags.namespace,
            model=model,
            image=keys.PREDICTOR_IMAGE,
            pool=flags.pool,
        )
        if flags.activator:
            host, _, port = flags.activator.rpartition(":")
            yield place(activator=(host, int(port)))
        else:
            with components(flags, folder) as activator:
                yield place(activator=activator)


async def measure(flags: argparse.Namespace, folder: Path, model: str) -> None:
    """All runs, in turn."""
    kinds = [Kind("warm", is_claimed=True), Kind("plain", is_claimed=False)]
    async with placed(flags, folder, model) as place:
        try:
            await prepare(place, kinds)
            for turn in range(flags.runs):
                for kind in kinds:
                    await run_once(place, kind, turn, flags.domain)
        finally:
            if not flags.keep:
                for kind in kinds:
                    for turn in range(SERVICES_OF_A_KIND):
                        try:
                            await place.client.delete(
                                SERVICES, place.namespace, f"{kind.name}-{turn}"
                            )
                        except NotFoundError:
                            continue
                patch = {"metadata": {"annotations": {keys.WARM_POOL: "0"}}}
                await place.client.patch(NAMESPACES, None, place.namespace, patch)
                await until(functools.partial(_is_pool_empty, place), "to be without warm Pods")
    report(*kinds)


async def _is_pool_empty(place: Place) -> bool:
    return not await _pods(place, keys.POOL)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster_cold_start")
    parser.add_argument("--kubeconfig", type=Path, help="of a cluster that stands")
    parser.add_argument("--netns", default="", help="run in this network namespace")
    parser.add_argument("--namespace", default="relight-cold-start")
    parser.add_argument("--runs", type=int, default=30, help="of each kind")
    parser.add_argument("--pool", type=int, default=1, help="warm Pods")
    parser.add_argument("--image", default=keys.PREDICTOR_IMAGE, help="the predictor's, on nodes")
    parser.add_argument("--node-cache", default="", help="as the controller's")
    parser.add_argument("--activator", default="", help="HOST:PORT of one that is installed")
    parser.add_argument("--domain", default="localhost", help="its domain")
    parser.add_argument("--host", default=NODE, help="how Pods reach this machine")
    parser.add_argument("--model-uri", default="", help="instead of a tiny model of our own")
    parser.add_argument("--logs", type=Path, help="a folder for those of the components")
    parser.add_argument("--keep", action="store_true", help="leave the Services")
    return parser.parse_args(arguments)


def _use_installed(flags: argparse.Namespace) -> None:
    """What hack/cluster.sh made: its platform as it is installed."""
    cluster = Cluster.from_environment()
    settings = cluster.get(f"/api/v1/namespaces/{SYSTEM}/configmaps/relight-settings")
    flags.kubeconfig, flags.activator = cluster.kubeconfig, cluster.entry
    flags.domain, flags.host = settings["data"]["DOMAIN"], cluster.host
    if not (flags.host or flags.model_uri):
        raise SystemExit("say HOST_ADDRESS=, where Pods reach this machine, or --model-uri")


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit code."""
    flags = _arguments(arguments)
    if "RELIGHT_CLUSTER" in os.environ:  # noqa: TID251 - a script
        _use_installed(flags)
    elif flags.kubeconfig is None:
        own = f"{sys.executable} -m benchmarks.cluster_cold_start {' '.join(arguments)}"
        told = {**os.environ, "RUN": own}  # noqa: TID251 - a script
        return subprocess.call([ROOT / "hack/cluster.sh", sys.executable], cwd=ROOT, env=told)
    if flags.netns and not os.environ.get("RELIGHT_BENCH_INSIDE"):  # noqa: TID251 - a script
        inside = {**os.environ, "RELIGHT_BENCH_INSIDE": "1"}  # noqa: TID251 - a script
        command = ["nsenter", f"--net=/run/netns/{flags.netns}", sys.executable, "-m"]
        own = "benchmarks.cluster_cold_start"
        return subprocess.call([*command, own, *arguments], cwd=ROOT, env=inside)
    with tempfile.TemporaryDirectory() as scratch:
        folder = flags.logs or Path(scratch)
        folder.mkdir(exist_ok=True)
        if flags.model_uri:
            asyncio.run(measure(flags, folder, flags.model_uri))
        else:
            with models.served(Path(scratch), flags.host) as address:
                asyncio.run(measure(flags, folder, f"{address}/fahrenheit.onnx"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
