"""The production activator's queue and reports, with a clock that a test turns.

What runs here is `activator.holding.Holder` and `activator.reporting.Reporter` themselves; only
the event loop, the requests and the replicas under them are made up.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

from activator import holding, reporting
from activator.config import Settings
from activator.targets import RevisionKey
from api.stats import Stat

GRAIN_S = 1e-9  # a timer fires a little late, as real ones do


class Timer:
    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Loop:
    """Time, and calls in the order of their times."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._calls: list[tuple[float, int, Timer, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def time(self) -> float:
        return self.now_s

    def call_later(self, after_s: float, call: Callable[..., None], *args: Any) -> Timer:
        return self.call_at(self.now_s + after_s + GRAIN_S, call, *args)

    def call_at(self, at_s: float, call: Callable[..., None], *args: Any) -> Timer:
        self._count += 1
        timer = Timer()
        heapq.heappush(self._calls, (at_s, self._count, timer, call, args))
        return timer

    def run(self, until_s: float) -> None:
        while self._calls and self._calls[0][0] <= until_s:
            at_s, _, timer, call, args = heapq.heappop(self._calls)
            self.now_s = max(at_s, self.now_s)
            if not timer.is_cancelled:
                call(*args)


class Request:
    size = 0
    deadline_s = float("inf")
    is_over = False

    def __init__(self, world: Any, service_s: float) -> None:
        self.world = world
        self.service_s = service_s
        self.forwarded_s: float | None = None

    def held(self, *_: object) -> None:
        pass

    def forward(self, replica: object) -> None:
        self.forwarded_s = self.world.loop.time()
        self.world.loop.call_at(self.forwarded_s + self.service_s, self.finish)

    def finish(self) -> None:
        self.world.finished_s = self.world.loop.time()
        self.world.holder.finished(self, self.world.loop.time())


@dataclass
class Orders:
    """Replicas by the number of the report that orders them; each is ready `cold_s` later."""

    at: dict[int, int]
    cold_s: float


class World:
    """One Revision without replicas, whose reports are answered by `orders`."""

    ledger: Any = mock.MagicMock()  # what becomes of requests is told elsewhere

    def __init__(self, loop: Loop, orders: Orders, *, capacity: int) -> None:
        self.loop = loop
        self.stats: list[Stat] = []
        self.settings = Settings(timeout_s_max=1e9)
        self._orders = orders
        self._ready: list[int] = []
        self._existing = 0
        self.finished_s = float("-inf")
        self.reporter = reporting.Reporter(self.settings, self._report, self._trim)
        terms = holding.Terms(container_concurrency=capacity, timeout_s=1e9)
        self.holder = holding.Holder(RevisionKey("d", "r"), terms, self)  # type: ignore[arg-type]

    def activate(self, holder: Any, now_s: float) -> None:
        self.reporter.activate(holder, now_s)

    def poke(self, holder: Any, now_s: float) -> None:
        self.reporter.poke(holder, now_s)

    def _report(self, stats: Sequence[Stat]) -> None:
        for stat in stats:
            wanted = self._orders.at.get(len(self.stats), 0)
            self.stats.append(stat)
            for _ in range(wanted - self._existing):
                ready_s = self.loop.time() + self._orders.cold_s
                self.loop.call_at(ready_s, self._ready_now, self._existing)
                self._existing += 1
            self._tell()

    def _ready_now(self, replica: int) -> None:
        self._ready.append(replica)
        self.finished_s = max(self.finished_s, self.loop.time())  # its probe's connection
        self._tell()

    def _tell(self) -> None:
        self.holder.pod_count = self._existing
        self.holder.endpoints_changed(self._ready)  # type: ignore[arg-type]

    def _trim(self, key: RevisionKey, now_s: float) -> bool:
        return bool(self._ready) and self.finished_s >= now_s - self.settings.upstream_idle_s


def played(
    arrivals: Sequence[float],
    services: Sequence[float],
    orders: Orders,
    *,
    capacity: int,
    end_s: float,
) -> tuple[list[float | None], list[Stat]]:
    """When each request was forwarded, and what was reported, up to `end_s`."""
    loop = Loop()
    with mock.patch("asyncio.get_running_loop", return_value=loop):
        world = World(loop, orders, capacity=capacity)
        requests = [Request(world, service_s) for service_s in services]
        for arrival_s, request in zip(arrivals, requests, strict=True):
            loop.call_at(arrival_s, lambda each=request: world.holder.admit(each, loop.time()))
        loop.run(end_s)
    return [request.forwarded_s for request in requests], world.stats
