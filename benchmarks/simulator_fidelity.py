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

The program (benchmarks/sleeper.py) sleeps: 100 ms a request, four requests at once in a
replica, and 400 ms before it listens, as if it read a model. A model that computes would be slowed
by the other replicas of a two-core machine, and then the machine's scheduler is what is compared.

When the autoscaler ticks in relation to the first request is chance, there and here: the
simulation is run for eight phases of the tick, and their mean is the prediction. `by_chance` is
their standard deviation: what an observation differs by for no other reason.

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
from statistics import mean, median, pstdev

import aiohttp

from api import keys, kinds
from benchmarks.cold_start import is_ready
from examples.running import Platform, send, wait_until
from rehearsal import policies, running, shaping, traces
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
SLICE_FROM_S = 1500.0  # of the code trace: bursts and pauses take turns, and chance decides little
COMPRESS = 4.0
WINDOW_S = 15  # 60 s, compressed
SERVICE_S = 0.1
LOAD_S = 0.4  # before the program listens
CONCURRENCY = 4
WAKES = (3, 12, 24)  # requests at once that wake the Service that is measured
WARM = 40  # requests that follow
SETTLE_S = 2.0
PHASES = 8
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
    program = [sys.executable, "-I", "-S", "benchmarks/sleeper.py", str(LOAD_S), str(SERVICE_S)]
    container = {"image": "sleeper", "command": program}
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
        self._url = activator
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
    for burst in WAKES:
        await gone(platform, "probe", 60)
        async with asyncio.TaskGroup() as group:
            for _ in range(burst):
                group.create_task(client.ask("probe"))
        for _ in range(WARM):
            await client.ask("probe")
        print(f"woken by {burst} at once", flush=True)
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


@dataclass(frozen=True)
class Numbers:
    """What is compared."""

    replica_s: float
    latency_p95_s: float
    wait_p95_s: float
    starts: float


def predict(arrivals: Sequence[float], class_: str, told: Measured) -> list[Numbers]:
    """The same arrivals with what was measured, once for each phase of the tick."""
    terms = Terms(
        service_s=told.service_s,
        cold_starts_s=told.cold_starts_s,
        concurrency=told.concurrency,
        tail_s=8.0 * WINDOW_S,
    )
    policy = policies.parse(f"{class_},window={WINDOW_S}s")
    found = []
    for phase in range(PHASES):
        shift_s = terms.settings.tick_s * (phase + 0.5) / PHASES
        shifted = Trace(arrivals=[each + shift_s for each in arrivals])
        run = running.run_of(shifted, policy, terms)
        latencies = [wait + service for wait, service in zip(run.waits, run.services, strict=True)]
        found.append(
            Numbers(
                replica_s=sum(life.ended_s - life.born_s for life in run.lives),
                latency_p95_s=p95(latencies),
                wait_p95_s=p95(run.waits),
                starts=len(run.lives),
            )
        )
    return found


def compare(class_: str, told: Measured, seen: Seen, phases: Sequence[Numbers]) -> float:
    """Print both sides; the larger error in percent."""
    print(
        f"class={class_} requests={len(seen.latencies_s)} failures={seen.failures} "
        f"sent_late_p99_ms={percentile(sorted(seen.late_s), 0.99) * 1000:.1f} "
        f"service_ms={median(told.service_s) * 1000:.1f} "
        f"cold_start_ms={median(told.cold_starts_s) * 1000:.0f} "
        f"({min(told.cold_starts_s) * 1000:.0f} to {max(told.cold_starts_s) * 1000:.0f}, "
        f"of {len(told.cold_starts_s)})"
    )
    starts = [life.ready_s - life.born_s for life in seen.lives.values() if life.ready_s]
    ends = [
        life.ended_s - life.leaving_s
        for life in seen.lives.values()
        if life.ended_s and life.leaving_s
    ]
    print(
        f"Pod to ready p50 {median(starts) * 1000:.0f} max {max(starts) * 1000:.0f} ms, "
        f"leaving to gone p50 {median(ends) * 1000:.0f} max {max(ends) * 1000:.0f} ms"
    )
    rows = (
        ("replica_seconds", "replica_s", 1, seen.replica_s()),
        ("latency_p95_ms", "latency_p95_s", 1000, p95(seen.latencies_s)),
        ("wait_p95_ms", "wait_p95_s", 1000, p95(seen.waits_s)),
        ("starts", "starts", 1, len(seen.lives)),
    )
    errors: dict[str, float] = {}
    print(f"{'':16} {'predicted':>10} {'by_chance':>10} {'observed':>10} {'error':>8}")
    for title, name, scale, observed in rows:
        values = [getattr(each, name) for each in phases]
        errors[name] = 100 * abs(mean(values) - observed) / observed
        print(
            f"{title:16} {mean(values) * scale:10.1f} {pstdev(values) * scale:10.1f} "
            f"{observed * scale:10.1f} {errors[name]:7.1f}%"
        )
    return max(errors["replica_s"], errors["latency_p95_s"])


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, nearest rank."""
    return percentile(sorted(values), 0.95)


def main() -> int:
    """Measure and print; exit 0 when no request failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=150, help="how long the replay takes")
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
