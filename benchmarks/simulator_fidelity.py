"""How far a simulation is from what happens: `python -m benchmarks.simulator_fidelity`.

A slice of the code trace is replayed against a live platform, four times as fast, with a window
a quarter as long: what takes an hour of a real day is seen in minutes. Requests are sent when
they are due, whether earlier ones were answered or not. Before that, another Service of the same
program is measured as `relight simulate --from` measures: service times and starts from zero.
The same arrivals are then simulated with what was measured, nothing else.

* `replica_seconds`: from a Pod's creation to its deletion, by a watch on Pods; in the simulation
  from the order of a replica to its end.
* `latency_p95`: of the whole request, as its sender sees it: waiting and execution. The p95 of
  waiting alone is printed beside it.
* `error_percent`: the larger of the two differences, in percent of what was observed.

The program (examples/programs/work.py) sleeps 50 ms, four requests at once in a replica. A model
that computes would be slowed by the other replicas of a two-core machine, and then the machine's
scheduler is what is compared; a sleeping one takes as long as it says.

Machine: 2 cores, 24 GiB, Debian 12, Python 3.11 (Debian's build).
Result: see docs/performance.md.
"""

import argparse
import asyncio
import gzip
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp

from api import keys, kinds
from benchmarks.cold_start import is_ready
from examples.running import Platform, send, wait_until
from rehearsal import policies, running, shaping, traces
from rehearsal.runs import Run
from rehearsal.scores import percentile
from rehearsal.terms import Terms
from rehearsal.traces import Trace
from relight import asking, config, ended, measuring
from relight.assumptions import Measured
from relight.connection import Connection, connect
from relight.replicas import at
from relight.watching import View

ROOT = Path(__file__).parent.parent
TRACE = ROOT.parent / "shared/data/traces/azure_llm_2023_code.csv.gz"
SLICE_FROM_S = 500.0  # of the code trace: two bursts, two pauses that are long enough for zero
COMPRESS = 4.0
WINDOW_S = 15  # 60 s, compressed
SERVICE_MS = 50  # 200 ms, compressed
CONCURRENCY = 4
WAKES = 3  # of the Service that is measured
BURST = 6  # requests at once that wake it: two replicas
WARM = 40  # requests that follow
SETTLE_S = 2.0
CLASSES = {"relight": keys.CLASS_RELIGHT, "kpa": keys.CLASS_KPA}


@dataclass
class Life:
    """A Pod, by the loop's time."""

    born_s: float
    ready_s: float | None = None
    leaving_s: float | None = None
    ended_s: float | None = None


@dataclass
class Seen:
    """What happened, from the moment the first request was due."""

    lives: dict[str, Life] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    sent_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    failures: int = 0

    def replica_s(self) -> float:
        """Replica-seconds of Pods that are all gone."""
        return sum((life.ended_s or life.born_s) - life.born_s for life in self.lives.values())


def the_trace(seconds: float, seed: int) -> Trace:
    """The slice that takes so long when it is compressed; a made one where there is no file."""
    if TRACE.exists():
        with gzip.open(TRACE, "rt") as file:
            whole = traces.parse(file, name=TRACE.name)
        part = shaping.cut(whole, SLICE_FROM_S, SLICE_FROM_S + seconds * COMPRESS)
        return shaping.compress(part, COMPRESS)
    return shaping.compress(made_trace(seconds * COMPRESS, random.Random(seed)), COMPRESS)


def made_trace(span_s: float, rng: random.Random) -> Trace:
    """Bursts of a minute or two with pauses between them, as in the code trace."""
    arrivals, now_s = [0.0], 0.0
    while now_s < span_s:
        until_s = now_s + rng.uniform(30, 120)
        rate = rng.lognormvariate(1.6, 0.8)
        while now_s < until_s:
            arrivals.append(now_s)
            now_s += rng.expovariate(rate)
        now_s += rng.lognormvariate(3.6, 0.7)
    return Trace(arrivals=[each for each in arrivals if each < span_s])


def deploy(platform: Platform, name: str, class_: str, window_s: int) -> None:
    """The program that sleeps; waits until it was ready once and is at zero."""
    container = {"image": "work", "command": [sys.executable, "examples/programs/work.py"]}
    annotations = {
        keys.SCALING_CLASS: CLASSES[class_],
        keys.STABLE_WINDOW: f"{window_s}s",
    }
    manifest = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"containerConcurrency": CONCURRENCY, "containers": [container]},
            }
        },
    }
    path = "/apis/serving.knative.dev/v1/namespaces/default/services"
    answer = send(platform.api, "localhost", path, manifest)
    if answer.status != 201:
        raise RuntimeError(answer.body.decode())
    wait_until(lambda: is_ready(platform.service(name)), 60, f"{name} to be ready")


class Client:
    """Sends requests when they are due, and notes how long each took."""

    def __init__(self, activator: str, session: aiohttp.ClientSession) -> None:
        self._url = f"{activator}/?ms={SERVICE_MS}"
        self._session = session

    async def ask(self, name: str) -> tuple[float, bool]:
        """One request: how long it took, and whether it was answered well."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        headers = {"Host": f"{name}.default.localhost"}
        try:
            async with self._session.get(self._url, headers=headers) as response:
                await response.read()
                is_good = response.status == 200
        except aiohttp.ClientError:
            is_good = False
        return loop.time() - started_s, is_good

    async def replay(self, name: str, arrivals: Sequence[float], seen: Seen) -> None:
        """All of them; returns when the last is answered."""
        loop = asyncio.get_running_loop()

        async def one(due_s: float) -> None:
            seen.late_s.append(loop.time() - due_s)
            took_s, is_good = await self.ask(name)
            seen.latencies_s.append(took_s)
            seen.failures += not is_good

        begin_s = loop.time()
        async with asyncio.TaskGroup() as group:
            for arrival_s in arrivals:
                await asyncio.sleep(max(0.0, begin_s + arrival_s - loop.time()))
                group.create_task(one(begin_s + arrival_s))


async def watch_pods(connection: Connection, name: str, lives: dict[str, Life]) -> None:
    """Note each Pod's moments as they are told, until cancelled."""
    loop = asyncio.get_running_loop()
    view = View(connection.client, kinds.PODS, "default", label_selector=f"{keys.SERVICE}={name}")
    async for changes in view.changes():
        now_s = loop.time()
        for change in changes:
            pod = change.object
            life = lives.setdefault(pod["metadata"]["name"], Life(born_s=now_s))
            conditions = at(pod, "status", "conditions") or ()
            if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                life.ready_s = life.ready_s or now_s
            if pod["metadata"].get("deletionTimestamp"):
                life.leaving_s = life.leaving_s or now_s
            if change.type == "DELETED":
                life.ended_s = now_s


async def measured(connection: Connection, client: Client, platform: Platform) -> Measured:
    """Wake the probe several times, keep it busy a little, and ask as `--from` does."""
    for wake in range(WAKES):
        await gone(platform, "probe", 60)
        async with asyncio.TaskGroup() as group:
            for _ in range(BURST):
                group.create_task(client.ask("probe"))
        for _ in range(WARM):
            await client.ask("probe")
        print(f"measured {wake + 1} of {WAKES} wakes", flush=True)
    return await measuring.measure(
        connection, "default", "probe", needs_service=True, needs_cold_start=True
    )


async def gone(platform: Platform, name: str, limit_s: float) -> None:
    """Until no Pod is left."""
    async with asyncio.timeout(limit_s):
        while await asyncio.to_thread(platform.pods, name):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.1)


async def observe(
    platform: Platform, class_: str, trace: Trace
) -> tuple[Measured, Seen, Sequence[float]]:
    """Measure, replay, and wait until the last Pod is gone."""
    location = config.locate(argparse.Namespace(data_dir=platform.folder, kubeconfig=None))
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        connect(location) as connection,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        client = Client(platform.activator, session)
        told = await measured(connection, client, platform)
        await gone(platform, "fidelity", 120)
        seen = Seen()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch_pods(connection, "fidelity", seen.lives))
            await asyncio.sleep(SETTLE_S)
            await client.replay("fidelity", trace.arrivals, seen)
            print("replayed; waiting for zero", flush=True)
            await gone(platform, "fidelity", 180)
            await asyncio.sleep(SETTLE_S)
            watching.cancel()
        arrivals = await ledger(connection, seen)
    return told, seen, arrivals


async def ledger(connection: Connection, seen: Seen) -> Sequence[float]:
    """The activator's own account: what each request waited; when each came, from the first on."""
    params = {"namespace": "default", "service": "fidelity"}
    async with asking.rows(connection, "activator", "requests", params) as rows:
        found = [ended.parse(raw) async for raw in rows if "lost" not in raw]
    seen.waits_s = [request.held_s for request in found]
    came = sorted(request.time_s for request in found)
    return [each - came[0] for each in came]


def predict(arrivals: Sequence[float], class_: str, told: Measured) -> Run:
    """The simulation of the same arrivals with what was measured."""
    terms = Terms(
        service_s=told.service_s,
        cold_starts_s=told.cold_starts_s,
        concurrency=told.concurrency,
        tail_s=8.0 * WINDOW_S,
    )
    policy = policies.parse(f"{class_},window={WINDOW_S}s")
    return running.run_of(Trace(arrivals=arrivals), policy, terms)


def compare(class_: str, told: Measured, seen: Seen, run: Run) -> float:
    """Print both sides; the larger error in percent."""
    observed = (seen.replica_s(), p95(seen.latencies_s), p95(seen.waits_s))
    latencies = [wait + service for wait, service in zip(run.waits, run.services, strict=True)]
    replica_s = sum(life.ended_s - life.born_s for life in run.lives)
    predicted = (replica_s, p95(latencies), p95(run.waits))
    print(
        f"class={class_} requests={len(run.waits)} failures={seen.failures} "
        f"sent_late_p99_ms={percentile(sorted(seen.late_s), 0.99) * 1000:.1f} "
        f"service_ms={median(told.service_s) * 1000:.1f} "
        f"cold_start_ms={median(told.cold_starts_s) * 1000:.0f} (of {len(told.cold_starts_s)})"
    )
    print(f"{'':16} {'predicted':>10} {'observed':>10}")
    rows = (
        ("replica_seconds", 1, "{:.1f}"),
        ("latency_p95_ms", 1000, "{:.1f}"),
        ("wait_p95_ms", 1000, "{:.1f}"),
    )
    for (name, scale, form), one, other in zip(rows, predicted, observed, strict=True):
        print(f"{name:16} {form.format(one * scale):>10} {form.format(other * scale):>10}")
    starts = [life.ready_s - life.born_s for life in seen.lives.values() if life.ready_s]
    ends = [
        life.ended_s - life.leaving_s
        for life in seen.lives.values()
        if life.ended_s and life.leaving_s
    ]
    print(
        f"{'starts':16} {len(run.lives):>10} {len(seen.lives):>10}   observed: Pod to ready "
        f"p50 {median(starts) * 1000:.0f} max {max(starts) * 1000:.0f} ms, "
        f"leaving to gone p50 {median(ends) * 1000:.0f} ms"
    )
    return max(
        100 * abs(one - other) / other
        for one, other in zip(predicted[:2], observed[:2], strict=True)
    )


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, nearest rank."""
    return percentile(sorted(values), 0.95)


def main() -> int:
    """Measure and print; exit 0 when no request failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120, help="how long the replay takes")
    parser.add_argument("--class", dest="class_", choices=sorted(CLASSES), default="relight")
    parser.add_argument("--seed", type=int, default=1, help="of the trace that is made up")
    args = parser.parse_args()
    os.chdir(ROOT)
    trace = the_trace(args.seconds, args.seed)
    print(shaping.describe(trace).sentence, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="relight-", dir="/tmp") as folder,
        Platform(Path(folder) / "d", cwd=ROOT) as platform,
    ):
        deploy(platform, "probe", args.class_, 6)
        deploy(platform, "fidelity", args.class_, WINDOW_S)
        told, seen, arrivals = asyncio.run(observe(platform, args.class_, trace))
    error = compare(args.class_, told, seen, predict(arrivals, args.class_, told))
    print(f"error_percent={error:.1f}")
    return 1 if seen.failures else 0


if __name__ == "__main__":
    sys.exit(main())
