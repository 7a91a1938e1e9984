"""What one decision costs: observe, decide, settle, compare the status, for a Revision under load.

Claim: at most 50 µs a Revision, whatever the class or the kind of average; and nothing for
Revisions at zero, because no tick visits them. No IO is measured: nothing changes, so nothing
is written.

    python -m benchmarks.decision_tick

On 2 cores shared with other work, Python 3.11: us_per_decision=24.4 to 47.3 from run to run (the
worst of four kinds), and kib_asleep=6.5 for a sleeping Revision that has often been awake.
"""

import asyncio
import statistics
import time
import tracemalloc
from typing import Any

from api import conditions, keys
from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.idling import Life, Phase
from autoscaler.loop import Loop
from autoscaler.scaler import Scaler
from autoscaler.status import conditions as conditions_of
from cluster.events import EventRecorder

REVISIONS = 500
ROUNDS = 40
ASLEEP = 300
CYCLES = 20  # from zero and back, so that the journal is full


class Nowhere:
    """A client that nothing is asked of."""


def _raw(name: str, annotations: dict[str, str]) -> dict[str, Any]:
    life = Life(phase=Phase.ACTIVE, since_s=0, is_initialized=True, proxy_since_s=0)
    return {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {
            "name": name,
            "namespace": "default",
            "annotations": annotations,
            "generation": 1,
        },
        "spec": {
            "containerConcurrency": 10,
            "reachability": "Reachable",
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        },
        "status": {
            "desiredScale": 3,
            "actualScale": 3,
            "observedGeneration": 1,
            "conditions": conditions.merge((), conditions_of(life, ""), now="x"),
        },
    }


def _deployment(replicas: int) -> dict[str, Any]:
    return {"spec": {"replicas": replicas}, "status": {"readyReplicas": replicas}}


def _stat(name: str, now_s: float, load: float, **changes: Any) -> Stat:
    return Stat(
        namespace="default",
        revision=name,
        reporter="a",
        time_s=now_s,
        average_concurrency=load,
        requests_per_s=load,
        **changes,
    )


def _loop() -> Loop:
    def drop(work: Any) -> None:
        work.close()

    nowhere: Any = Nowhere()
    settings = Settings()
    recorder = EventRecorder(nowhere, "autoscaler", clock=lambda: 0.0)
    return Loop(Scaler(nowhere, settings, spawn=drop), recorder, settings, clock=lambda: 0.0)


async def us_per_decision(annotations: dict[str, str]) -> float:
    """Median of processor time over ticks; before each, every Revision was reported on once."""
    loop, now_s = _loop(), asyncio.get_running_loop().time()
    names = [f"r{number}" for number in range(REVISIONS)]
    for name in names:
        loop.deployment_changed(("default", name), _deployment(3), now_s=now_s)
        loop.autoscaler_changed(_raw(name, annotations), now_s=now_s)
    loop.listen(now_s=now_s - 1000)
    ticks = []
    for number in range(ROUNDS):
        now_s = asyncio.get_running_loop().time()
        stats = [_stat(name, now_s, 15 + number % 5) for name in names]
        started = time.process_time()
        loop.receive(stats, now_s=now_s - ROUNDS + number)
        await loop.tick()
        ticks.append((time.process_time() - started) / REVISIONS * 1e6)
    counts = loop.statistics()
    assert counts.turns == REVISIONS * ROUNDS
    assert counts.faults == 0
    return statistics.median(ticks)


def kib_asleep() -> float:
    """The autoscaler's own memory of a Revision that has often been awake."""
    raws = [_raw(f"r{number}", {}) for number in range(ASLEEP)]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    loop = _loop()
    loop.listen(now_s=-1000)
    for raw in raws:
        name = raw["metadata"]["name"]
        key = ("default", name)
        loop.deployment_changed(key, _deployment(0), now_s=0)
        loop.autoscaler_changed(raw, now_s=0)
        for cycle in range(CYCLES):
            now_s = cycle * 100.0
            loop.receive([_stat(name, now_s, 0, queued=3, is_poke=True)], now_s=now_s)
            loop.deployment_changed(key, _deployment(1), now_s=now_s + 0.1)
            loop.receive([_stat(name, now_s + 1, 0.5)], now_s=now_s + 1)
            # An idle window later the next request, and with it a decision, has come.
            loop.deployment_changed(key, _deployment(0), now_s=now_s + 90)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / ASLEEP / 1024


async def main() -> None:
    """Print one line for each kind, then the worst as the result."""
    kinds = {
        "relight": {},
        "kpa": {keys.SCALING_CLASS: keys.CLASS_KPA},
        "kpa weighted": {
            keys.SCALING_CLASS: keys.CLASS_KPA,
            keys.METRIC_AGGREGATION: "weighted-exponential",
        },
        "relight delayed": {keys.SCALE_DOWN_DELAY: "1h"},
    }
    costs = {name: await us_per_decision(annotations) for name, annotations in kinds.items()}
    for name, cost in costs.items():
        print(f"{name:<18} {cost:6.1f} us")
    print(f"kib_asleep={kib_asleep():.1f}")
    print(f"us_per_decision={max(costs.values()):.1f}")


if __name__ == "__main__":
    asyncio.run(main())
