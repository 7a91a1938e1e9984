"""Queue delay in a closed loop: what is decided changes the delay that is decided by next.

A queue for each replica, arrivals at random (one seed), 200 ms a request, 2 s to start a replica.
Decided every 2 s as an HPA decides (replicas × average delay / target, at most twice what is
there), the same traffic had every replica there could be: 2,000, where 3 are enough.
"""

import random

from api import keys
from api.autoscaling import PodAutoscaler
from api.objects import ObjectMeta
from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.pilot import Pilot, Scale, first_life
from autoscaler.spec import build

SERVICE_S, START_S, TARGET_S = 0.2, 2.0, 0.3


class World:
    """One Revision and its replicas, by when each has done all that waits for it."""

    def __init__(self) -> None:
        self.chance = random.Random(1)
        self.free_s = [0.0]
        self.starting: list[float] = []
        self.wanted = 1
        self.running: list[tuple[float, float, float]] = []  # arrived, ends, had waited
        self.waits: list[float] = []
        annotations = {keys.SCALING_METRIC: "queue-delay", keys.SCALING_TARGET: "300"}
        autoscaler = PodAutoscaler(
            metadata=ObjectMeta(name="r", namespace="d", annotations=annotations),
            scale_target_name="r",
            reachability="Reachable",
        )
        self.pilot = Pilot(
            build(autoscaler, Settings()),
            first_life(active="True", is_initialized=True, now_s=0),
            scale=Scale(replicas=1, ready=1),
            wanted=None,
            now_s=0,
        )

    def second(self, start: int, rate: float) -> None:
        now = start + 1
        at = start + self.chance.expovariate(rate)
        while at < now:
            replica = min(range(len(self.free_s)), key=lambda index: self.free_s[index])
            begin_s = max(at, self.free_s[replica])
            self.free_s[replica] = begin_s + SERVICE_S
            self.running.append((at, begin_s + SERVICE_S, begin_s - at))
            self.waits.append(begin_s - at)
            at += self.chance.expovariate(rate)
        held = sum(
            min(ends, now) - max(came, start) for came, ends, _ in self.running if came < now
        )
        told = [waited for _, ends, waited in self.running if ends <= now]
        self.running = [each for each in self.running if each[1] > now]
        is_busy = any(free_s > now for free_s in self.free_s)
        delay_s = max(told, default=None) if is_busy else 0.0
        self.pilot.receive(
            Stat(
                namespace="d",
                revision="r",
                reporter="a",
                time_s=now,
                average_concurrency=held,
                requests_per_s=rate,
                queue_delay_s=delay_s,
            ),
            now_s=now,
        )
        self.free_s += [ready_s for ready_s in self.starting if ready_s <= now]
        self.starting = [ready_s for ready_s in self.starting if ready_s > now]
        if not now % 2:
            self.decide(now)

    def decide(self, now: int) -> None:
        scale = Scale(replicas=self.wanted, ready=len(self.free_s))
        outcome = self.pilot.turn(scale, now_s=now, listening_since_s=-1000)
        if outcome.replicas is None:
            return
        self.wanted = outcome.replicas
        more = self.wanted - len(self.free_s) - len(self.starting)
        self.starting += [now + START_S] * more
        for _ in range(-more):
            if self.starting:
                self.starting.pop()
            else:
                self.free_s.remove(min(self.free_s))

    def fly(self, start: int, end: int, rate: float) -> tuple[float, int, float]:
        """Mean and largest number of replicas, and the 95th percentile of waits, from then on."""
        self.waits = []
        sizes = []
        for second in range(start, end):
            self.second(second, rate)
            sizes.append(len(self.free_s))
        waits = sorted(self.waits)
        return sum(sizes) / len(sizes), max(sizes), waits[int(len(waits) * 0.95)]
