"""What ten thousand Revisions cost one autoscaler: time of a tick, and memory of the process.

Claims: the cost of a tick is linear in the Revisions that are active, at most 50 µs each whatever
the class or the kind of average; one that sleeps at zero adds nothing; and the memory of each is
bounded, whatever it has been through.

    python -m benchmarks.autoscaler_tick --revisions 10000 --active 500

us_per_active: processor time of one report and one tick of the real `Loop`, a Revision under load,
the worst of four kinds. Nothing changes, so nothing is written. us_per_idle: (a tick with all
others asleep beside the active ones, less a tick with the active ones alone) / those asleep,
the median of pairs: nothing but noise, so it may be below zero.

rss_kib_per_revision: a fresh process runs the whole `Autoscaler` (both watches and their caches,
pilots, journals, status writer, Events) against a stand-in for an API server that answers in JSON,
as it comes off the wire; resident memory from /proc/self/statm with N Revisions, less that with
none, by N. `never` had no request yet; `worn` have been to zero and back until their journals were
full, and sleep: the most that one at zero can have, which is the number in the last line; `active`
are under load with full windows. The stand-in keeps nothing itself.
"""

import argparse
import asyncio
import copy
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from typing_extensions import override

from api import conditions, keys
from api.autoscaling import PodAutoscaler
from api.kinds import DEPLOYMENTS, PODAUTOSCALERS, Resource
from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.idling import Life, Phase
from autoscaler.loop import Loop
from autoscaler.memory import Memory
from autoscaler.pilot import Pilot, Scale, first_life
from autoscaler.scaler import Key
from autoscaler.server import Autoscaler
from autoscaler.spec import build
from autoscaler.status import conditions as conditions_of
from cluster.client import ALL, ObjectList, Page, WatchEvent
from cluster.events import EventRecorder
from embedded.windows import SqliteWindows

ROUNDS = 30
AWAKE_MAX = 500  # at once, while they are worn
BURSTS = 40  # more than a sleeping Revision's journal has entries
KINDS = {
    "relight": {},
    "kpa": {keys.SCALING_CLASS: keys.CLASS_KPA},
    "kpa weighted": {
        keys.SCALING_CLASS: keys.CLASS_KPA,
        keys.METRIC_AGGREGATION: "weighted-exponential",
    },
    "relight delayed": {keys.SCALE_DOWN_DELAY: "1h"},
}
EPOCH_S = 1_800_000_000.0
_NOW = "2027-01-15T08:00:00Z"
_HEX = "0123456789abcdef"


def _metadata(number: int, name: str, version: int) -> dict[str, Any]:
    """As the controller and an API server leave it."""
    revision = f"model-{number:05}"
    uid = f"{number:08x}-2059-48f8-b509-3dda1c56dc05"
    service = f"model-{number:05}"[:-6] or revision
    return {
        "name": name,
        "namespace": "default",
        "uid": uid,
        "creationTimestamp": _NOW,
        "generation": 1,
        "resourceVersion": str(version),
        "labels": {
            keys.APP: revision,
            keys.CONFIGURATION: service,
            keys.CONFIGURATION_UID: f"{number:08x}-43dc-4217-8304-dad04618b467",
            keys.CONFIGURATION_GENERATION: "1",
            keys.SERVICE: service,
            keys.SERVICE_UID: f"{number:08x}-bacd-4888-810e-055f7855d8fa",
            keys.REVISION: revision,
            keys.REVISION_UID: f"{number:08x}-7f1e-4556-aff9-f0e48285f2f7",
        },
        "ownerReferences": [
            {
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Revision",
                "name": revision,
                "uid": f"{number:08x}-7f1e-4556-aff9-f0e48285f2f7",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
        "managedFields": [
            {
                "manager": manager,
                "operation": "Update",
                "apiVersion": "v1",
                "time": _NOW,
                "fieldsType": "FieldsV1",
                "fieldsV1": {
                    f"f:{part}": {f"f:field{each}": {} for each in range(12)}
                    for part in ("metadata", "spec", "status")
                },
            }
            for manager in ("relight-controller", "relight-autoscaler")
        ],
    }


def _name(number: int) -> str:
    return f"model-{number:05}"


def _number(name: str) -> int:
    return int(name.split("-")[1])


def podautoscaler(
    number: int, status: Mapping[str, Any], annotations: Mapping[str, str], version: int = 1
) -> dict[str, Any]:
    """One PodAutoscaler, as an API server would send it."""
    metadata = _metadata(number, _name(number), version)
    metadata["annotations"] = {
        "serving.knative.dev/creator": "kubernetes-admin",
        "relight.dev/model-digest": f"sha256:{number:032x}{_HEX * 2}",
        **annotations,
    }
    return {
        "apiVersion": PODAUTOSCALERS.api_version,
        "kind": PODAUTOSCALERS.kind,
        "metadata": metadata,
        "spec": {
            "containerConcurrency": 10,
            "protocolType": "http1",
            "reachability": "Reachable",
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": f"{_name(number)}-deployment",
            },
        },
        "status": dict(status),
    }


def deployment(number: int, replicas: int, version: int = 1) -> dict[str, Any]:
    """Its Deployment; all replicas are ready at once."""
    name = f"{_name(number)}-deployment"
    metadata = _metadata(number, name, version)
    template = {key: copy.copy(metadata[key]) for key in ("labels",)}
    container = {
        "name": "user-container",
        "image": "relight/predictor",
        "args": ["--model", f"/models/{_name(number)}.onnx"],
        "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 8080}},
        "ports": [{"name": "user-port", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"VARIABLE_{each}", "value": _name(number)} for each in range(7)],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {keys.REVISION_UID: metadata["uid"]}},
            "progressDeadlineSeconds": 600,
            "template": {"metadata": template, "spec": {"containers": [container]}},
        },
        "status": {
            "observedGeneration": 1,
            "replicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
            "conditions": [
                {
                    "type": each,
                    "status": "True",
                    "reason": "MinimumReplicasAvailable",
                    "message": f"{replicas} of {replicas} replicas are ready.",
                    "lastTransitionTime": _NOW,
                }
                for each in ("Available", "Progressing")
            ],
        },
    }


def _status(phase: Phase, replicas: int) -> dict[str, Any]:
    life = Life(phase=phase, since_s=0, is_initialized=True, proxy_since_s=0)
    reason = "NoTraffic" if phase is Phase.INACTIVE else ""
    return {
        "desiredScale": replicas,
        "actualScale": replicas,
        "observedGeneration": 1,
        "conditions": conditions.merge((), conditions_of(life, reason), now=_NOW),
    }


def _decoded(raw: Mapping[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = orjson.loads(orjson.dumps(raw))
    return decoded


def _stat(number: int, now_s: float, load: float, **changes: Any) -> Stat:
    return Stat(
        namespace="default",
        revision=_name(number),
        reporter="activator",
        time_s=now_s,
        average_concurrency=load,
        requests_per_s=load,
        **changes,
    )


class Ticking:
    """A loop with so many Revisions under load, and so many asleep."""

    def __init__(self, active: int, idle: int, annotations: Mapping[str, str]) -> None:
        self.active, self.idle, self.annotations = active, idle, annotations
        nowhere: Any = None  # nothing changes, so nothing is written
        ordered: Any = Orders()
        self._statuses: Mapping[int, Mapping[str, Any]] = ordered.statuses
        recorder = EventRecorder(nowhere, "autoscaler", clock=lambda: EPOCH_S)
        self._loop = Loop(ordered, recorder, Settings(), clock=lambda: EPOCH_S)
        self._rounds = 0

    async def settle(self) -> None:
        """Show it everything, and what it said of it, until nothing is left to say."""
        loop, now_s = self._loop, asyncio.get_running_loop().time()
        for number in range(self.active + self.idle):
            replicas = 3 if number < self.active else 0
            raw = _decoded(deployment(number, replicas))
            loop.deployment_changed(("default", raw["metadata"]["name"]), raw, now_s=now_s)
            status = _status(Phase.ACTIVE if replicas else Phase.INACTIVE, replicas)
            self._show(number, status, now_s)
        for number, said in self._statuses.items():
            self._show(number, said, now_s)
        await loop.tick()
        loop.listen(now_s=now_s - 1000)
        assert loop.statistics().awake == self.active, loop.statistics()

    def _show(self, number: int, status: Mapping[str, Any], now_s: float) -> None:
        raw = _decoded(podautoscaler(number, status, self.annotations))
        self._loop.autoscaler_changed(raw, now_s=now_s)

    async def tick_us(self) -> float:
        """Processor time of a report on each active Revision, and a tick of all of them."""
        now_s, turns = asyncio.get_running_loop().time(), self._loop.statistics().turns
        self._rounds += 1
        load = 15 + self._rounds % 5
        stats = [_stat(number, now_s, load) for number in range(self.active)]
        started_s = time.process_time()
        self._loop.receive(stats, now_s=now_s - 1000 + self._rounds)
        await self._loop.tick()
        spent_us = (time.process_time() - started_s) * 1e6
        counts = self._loop.statistics()
        assert counts.turns - turns >= self.active, counts
        assert (counts.faults, counts.revisions) == (0, self.active + self.idle), counts
        return spent_us


async def tick_us(active: int, annotations: Mapping[str, str]) -> float:
    """Median of a tick."""
    ticking = Ticking(active, 0, annotations)
    await ticking.settle()
    return statistics.median([await ticking.tick_us() for _ in range(ROUNDS)])


async def beside_us(active: int, idle: int) -> tuple[float, float]:
    """A tick without those asleep, and what they add: interleaved, for machines drift."""
    alone, beside = Ticking(active, 0, {}), Ticking(active, idle, {})
    await alone.settle()
    await beside.settle()
    gc.freeze()  # what a collection costs is a matter of when it comes
    spent: dict[Ticking, list[float]] = {alone: [], beside: []}
    for number in range(2 * ROUNDS):
        for each in (alone, beside) if number % 2 else (beside, alone):
            spent[each].append(await each.tick_us())
    gc.unfreeze()
    added = (two - one for one, two in zip(spent[alone], spent[beside], strict=True))
    return statistics.median(spent[alone]), statistics.median(added)


class Orders:
    """Where a loop's orders go: the newest status of each Revision."""

    def __init__(self) -> None:
        self.statuses: dict[int, Mapping[str, Any]] = {}

    def order(
        self, key: Key, _: str, *, replicas: int | None, status: Mapping[str, Any] | None
    ) -> None:
        """Remember a status; scales do not change here."""
        del replicas
        if status is not None:
            self.statuses[_number(key[1])] = status


class Clockwork(asyncio.SelectorEventLoop):
    """An event loop whose time is set by hand."""

    now_s = 1000.0

    @override
    def time(self) -> float:
        """What it was set to."""
        return self.now_s


class Serving:
    """As much of an API server as an autoscaler sees; replicas are ready at once."""

    def __init__(self, revisions: int) -> None:
        self.revisions = revisions
        self.version = 1
        self.events: dict[str, asyncio.Queue[bytes]] = {
            each.plural: asyncio.Queue() for each in (DEPLOYMENTS, PODAUTOSCALERS)
        }

    async def list(
        self,
        resource: Resource,
        _namespace: str | None = None,
        *,
        page: Page = ALL,
        **_: str,
    ) -> ObjectList:
        """One page, decoded from its bytes."""
        if resource not in (DEPLOYMENTS, PODAUTOSCALERS):
            return ObjectList(items=[], resource_version="1")
        first = int(page.continue_token or 0)
        last = min(self.revisions, first + (page.limit or self.revisions))
        found = (orjson.dumps(self._first(resource, number)) for number in range(first, last))
        return ObjectList(
            items=orjson.loads(b"[%s]" % b",".join(found)),
            resource_version="1",
            continue_token=str(last) if last < self.revisions else "",
        )

    def _first(self, resource: Resource, number: int) -> dict[str, Any]:
        if resource is DEPLOYMENTS:
            return deployment(number, 0)
        return podautoscaler(number, _status(Phase.INACTIVE, 0), {})

    async def watch(self, resource: Resource, *_: Any, **__: Any) -> AsyncIterator[WatchEvent]:
        """What was written, decoded from its bytes."""
        events = self.events.get(resource.plural) or asyncio.Queue[bytes]()
        while True:
            line = await events.get()
            yield WatchEvent(type="MODIFIED", object=orjson.loads(line))

    async def patch(
        self, resource: Resource, _: str | None, name: str, patch: Any, **__: Any
    ) -> dict[str, Any]:
        """Write a scale, or a status."""
        self.version += 1
        number = _number(name)
        if resource is DEPLOYMENTS:
            obj = deployment(number, patch["spec"]["replicas"], self.version)
        elif resource is PODAUTOSCALERS:
            obj = podautoscaler(number, patch["status"], {}, self.version)
        else:
            return {}
        self.events[resource.plural].put_nowait(orjson.dumps(obj))
        return {}

    async def create(self, _resource: Resource, obj: Any) -> dict[str, Any]:
        """Take an Event, and forget it."""
        return {**obj, "metadata": {**obj["metadata"], "name": "event", "resourceVersion": "1"}}


def _resident_kib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


async def _settle(clock: Clockwork, until_s: float) -> None:
    """Let time pass, and everything that is due happen."""
    while clock.now_s < until_s:
        clock.now_s = min(until_s, clock.now_s + 0.5)
        for _ in range(20):
            await asyncio.sleep(0)


async def _quiet(autoscaler: Autoscaler, clock: Clockwork) -> None:
    """Until nothing is written any more."""
    before = None
    while before != (before := autoscaler.statistics()):
        for _ in range(400):
            await asyncio.sleep(0)
        clock.now_s += 0.1


async def resident_kib(revisions: int, what: str) -> float:
    """Memory of this process with an autoscaler of so many Revisions."""
    clock = asyncio.get_running_loop()
    assert isinstance(clock, Clockwork)
    client: Any = Serving(revisions)
    autoscaler = Autoscaler(client, Settings(), clock=lambda: EPOCH_S + clock.time())
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(autoscaler.run())
        await autoscaler.synced()
        await _quiet(autoscaler, clock)
        await _sleep(autoscaler, clock)
        for first in range(0, revisions if what == "worn" else 0, AWAKE_MAX):
            numbers = range(first, min(revisions, first + AWAKE_MAX))
            await _to_zero_and_back(autoscaler, clock, numbers)
        if what == "active":
            for _ in range(70):
                now_s = clock.now_s
                autoscaler.receive([_stat(n, now_s, 2.5) for n in range(revisions)])
                await _settle(clock, now_s + 1)
            await _quiet(autoscaler, clock)
        counts = autoscaler.statistics()[0]
        expected = revisions if what == "active" else 0
        assert (counts.revisions, counts.awake, counts.faults) == (revisions, expected, 0), counts
        found = _resident_kib()
        running.cancel()
    return found


async def _to_zero_and_back(autoscaler: Autoscaler, clock: Clockwork, numbers: range) -> None:
    """Bursts of which each is decided anew, until journals are full; then nothing, to zero."""
    for burst in range(BURSTS):
        clock.now_s += 0.01
        for number in numbers:
            queued = 10 * burst + number % 5
            autoscaler.receive([_stat(number, clock.now_s, 0, queued=queued, is_poke=True)])
    await _quiet(autoscaler, clock)
    clock.now_s += 1
    autoscaler.receive([_stat(number, clock.now_s, 18.0 + number % 7) for number in numbers])
    await _sleep(autoscaler, clock)


async def _sleep(autoscaler: Autoscaler, clock: Clockwork) -> None:
    """Until nobody is awake."""
    while autoscaler.statistics()[0].awake:
        clock.now_s += 20
        await _quiet(autoscaler, clock)


async def state_line(revisions: int) -> str:
    """How long the state of so many Revisions under load takes to be kept, read and gone on from.

    Wall clock: the first two run beside the event loop, on a thread of their own.
    """
    scale, now_s = Scale(replicas=3, ready=3), 1000.0
    wanted = build(PodAutoscaler.parse(podautoscaler(0, {}, {})), Settings())
    life = first_life(active="True", is_initialized=True, now_s=0)
    pilot = Pilot(wanted, life, scale=scale, wanted=3, now_s=0)
    for second in range(60):
        pilot.receive(_stat(0, 940.0 + second, 15.1 + second / 7), now_s=940.0 + second)
    pilot.turn(scale, now_s=now_s, listening_since_s=0)
    memory, keys_of = Memory(), [("default", _name(number)) for number in range(revisions)]
    started_s = time.perf_counter()
    times = {"now_s": now_s, "epoch_s": EPOCH_S}
    blobs = {key: memory.dump(key, "u", pilot, **times) or b"" for key in keys_of}
    dumped_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteWindows(Path(folder) / "windows.db")
        await store.save(blobs, ())
        saved_s = time.perf_counter()
        memory.learn(await store.load())
        loaded_s = time.perf_counter()
        await store.close()
    pilots = [Pilot(wanted, life, scale=scale, wanted=3, now_s=now_s) for _ in keys_of]
    begun_s = time.perf_counter()
    for key, each in zip(keys_of, pilots, strict=True):
        memory.recall(key, "u", each, scale, **times)
    ended_s = time.perf_counter()
    assert memory.restored == revisions
    spans = (dumped_s - started_s, saved_s - dumped_s, loaded_s - saved_s, ended_s - begun_s)
    dumped, saved, loaded, recalled = (f"{span * 1000:.0f} ms" for span in spans)
    return (
        f"state of {revisions} Revisions, {len(blobs[keys_of[0]])} bytes each: "
        f"dumped {dumped}, saved {saved}, loaded {loaded}, gone on from {recalled}"
    )


def child_kib(revisions: int, what: str) -> float:
    """The same in a fresh process."""
    words = ["--revisions", str(revisions), "--resident", what]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.autoscaler_tick", *words],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return float(done.stdout)


def main() -> None:
    """Print what was measured, then the result."""
    parser = argparse.ArgumentParser(description="what Revisions cost the autoscaler")
    parser.add_argument("--revisions", type=int, default=10_000)
    parser.add_argument("--active", type=int, default=500)
    parser.add_argument("--resident", choices=("never", "worn", "active"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.resident:
        with asyncio.Runner(loop_factory=Clockwork) as runner:
            print(runner.run(resident_kib(args.revisions, args.resident)))
        return
    active, idle = args.active, args.revisions - args.active
    costs = {name: asyncio.run(tick_us(active, words)) / active for name, words in KINDS.items()}
    for name, cost in costs.items():
        print(f"{name:<16} {cost:6.1f} us a Revision and tick")
    for count in (active // 5, active, active * 4):
        total_us = asyncio.run(tick_us(count, {}))
        print(
            f"{count:5} active     {total_us / 1000:8.2f} ms a tick, {total_us / count:.1f} us each"
        )
    alone_us, added_us = asyncio.run(beside_us(active, idle))
    print(f"{active:5} active     {alone_us / 1000:8.2f} ms a tick, interleaved with the next")
    print(f"  and {idle:5} asleep {added_us / 1000:6.2f} ms a tick more")
    kib = {}
    for what, count in (("never", args.revisions), ("worn", args.revisions), ("active", active)):
        kib[what] = (child_kib(count, what) - child_kib(0, what)) / count
        print(f"{what:<7} {count:6} Revisions {kib[what]:6.2f} KiB each")
    print(asyncio.run(state_line(args.revisions)))
    print(
        f"us_per_active={max(costs.values()):.1f} us_per_idle={added_us / idle:.4f} "
        f"rss_kib_per_revision={kib['worn']:.2f}"
    )


if __name__ == "__main__":
    main()
