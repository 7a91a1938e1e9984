"""The production activator and the production autoscaler together, on made-up replicas.

Beside what `activators` runs, this runs `autoscaler.loop.Loop` and all that is under it. Writing
of scales and statuses, Deployments and Pods are made up, and take no time.
"""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any
from unittest import mock

from activator import holding, reporting
from activator.config import Settings
from activator.targets import RevisionKey
from api import keys, kinds
from api.stats import Stat
from autoscaler import config
from autoscaler.loop import Loop as Autoscaler
from tests.rehearsal.activators import Loop, Request

KEY = ("d", "r")
DEPLOYMENT = ("d", "r-deployment")
BEFORE_S = -200.0  # the platform is up so long before the first request
EPOCH_S = 1.7e9
_QUIET = Stat(
    namespace=KEY[0],
    revision=KEY[1],
    reporter="activator",
    time_s=-100.0,
    average_concurrency=0.0,
    requests_per_s=0.0,
)


class Replica:
    def __init__(self) -> None:
        self.is_ready = False


class Platform:
    """One Revision at zero, or at its minimum."""

    ledger: Any = mock.MagicMock()  # what becomes of requests is told elsewhere

    def __init__(
        self, loop: Loop, annotations: Mapping[str, str], *, capacity: int, cold_s: float
    ) -> None:
        self.loop = loop
        self.settings = Settings(timeout_s_max=1e9)
        self.finished_s = float("-inf")
        self.orders: list[tuple[float, int]] = []
        self._cold_s = cold_s
        self._replicas: list[Replica] = []  # oldest first
        self._wanted = int(annotations.get(keys.MIN_SCALE, "0"))
        self._raw = _autoscaler(annotations, capacity, self._wanted)
        self._autoscaler = Autoscaler(
            self,  # type: ignore[arg-type]
            mock.MagicMock(),
            config.Settings(),
            clock=lambda: EPOCH_S + loop.now_s,
        )
        self._reporter = reporting.Reporter(self.settings, self._report, self._trim)
        terms = holding.Terms(container_concurrency=capacity, timeout_s=1e9)
        self.holder = holding.Holder(RevisionKey(*KEY), terms, self)  # type: ignore[arg-type]

    def begin(self) -> None:
        now_s = self.loop.now_s
        self._autoscaler.listen(now_s=now_s)
        for _ in range(self._wanted):
            self._replicas.append(Replica())
            self._replicas[-1].is_ready = True
        self._tell()
        self._autoscaler.autoscaler_changed(self._raw, now_s=now_s)
        self._tick()
        self.loop.call_at(-100.0, self._report, (_QUIET,))  # the end of an earlier use

    # -- as the activator's office -----------------------------------------------------------

    def activate(self, holder: Any, now_s: float) -> None:
        self._reporter.activate(holder, now_s)

    def poke(self, holder: Any, now_s: float) -> None:
        self._reporter.poke(holder, now_s)

    def _report(self, stats: Sequence[Stat]) -> None:
        self._autoscaler.receive(stats, now_s=self.loop.now_s)

    def _trim(self, key: RevisionKey, now_s: float) -> bool:
        is_ready = any(each.is_ready for each in self._replicas)
        return is_ready and self.finished_s >= now_s - self.settings.upstream_idle_s

    # -- as the autoscaler's scaler, and what it writes to ------------------------------------

    def order(
        self, key: object, deployment: str, *, replicas: int | None, status: dict[str, Any] | None
    ) -> None:
        if replicas is not None:
            self.orders.append((self.loop.now_s, replicas))
            self.loop.call_at(self.loop.now_s, self._scale, replicas)
        if status is not None:
            self.loop.call_at(self.loop.now_s, self._store, status)

    def _store(self, status: dict[str, Any]) -> None:
        self._raw = {**self._raw, "status": {**self._raw["status"], **status}}
        self._autoscaler.autoscaler_changed(self._raw, now_s=self.loop.now_s)

    def _scale(self, replicas: int) -> None:
        self._wanted = replicas
        self._tell_autoscaler()
        while len(self._replicas) > replicas:
            starting = [each for each in self._replicas if not each.is_ready]
            self._replicas.remove((starting or self._replicas)[-1])
        while len(self._replicas) < replicas:
            self._replicas.append(Replica())
            self.loop.call_at(self.loop.now_s + self._cold_s, self._prove, self._replicas[-1])
        self._tell()

    def _prove(self, replica: Replica) -> None:
        if replica in self._replicas:
            replica.is_ready = True
            self.finished_s = self.loop.now_s  # its probe's connection
            self._tell()

    def _tell(self) -> None:
        ready = [each for each in self._replicas if each.is_ready]
        self.holder.pod_count = len(self._replicas)
        self.holder.endpoints_changed(ready)  # type: ignore[arg-type]
        self._tell_autoscaler()

    def _tell_autoscaler(self) -> None:
        ready = sum(each.is_ready for each in self._replicas)
        raw = {"spec": {"replicas": self._wanted}, "status": {"readyReplicas": ready}}
        self._autoscaler.deployment_changed(DEPLOYMENT, raw, now_s=self.loop.now_s)

    def _tick(self) -> None:
        _finish(self._autoscaler.tick())
        self.loop.call_at(self.loop.now_s + 2.0, self._tick)


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run what waits for nothing: a tick of one Revision."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("a tick of one Revision waited")


def _autoscaler(annotations: Mapping[str, str], capacity: int, ready: int) -> dict[str, Any]:
    active = {"type": "Active", "status": "True" if ready else "False"}
    return {
        "apiVersion": kinds.PODAUTOSCALERS.api_version,
        "kind": kinds.PODAUTOSCALERS.kind,
        "metadata": {
            "name": KEY[1],
            "namespace": KEY[0],
            "uid": "u",
            "generation": 1,
            "annotations": dict(annotations),
        },
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": DEPLOYMENT[1],
            },
            "containerConcurrency": capacity,
            "reachability": "Reachable",
            "protocolType": "http1",
        },
        "status": {
            "conditions": [active, {"type": "ScaleTargetInitialized", "status": "True"}],
            "desiredScale": ready,
        },
    }


def played(
    arrivals: Sequence[float],
    service_s: float,
    annotations: Mapping[str, str],
    *,
    capacity: int,
    cold_s: float,
    end_s: float,
) -> tuple[list[float | None], list[tuple[float, int]]]:
    """When each request was forwarded, and what was ordered when, from 0 to `end_s`."""
    loop = Loop()
    loop.now_s = BEFORE_S
    with mock.patch("asyncio.get_running_loop", return_value=loop):
        platform = Platform(loop, annotations, capacity=capacity, cold_s=cold_s)
        platform.begin()
        requests = [Request(platform, service_s) for _ in arrivals]
        for arrival_s, request in zip(arrivals, requests, strict=True):
            loop.call_at(arrival_s, lambda each=request: platform.holder.admit(each, loop.time()))
        loop.run(end_s)
    assert platform._autoscaler.statistics().faults == 0
    return [each.forwarded_s for each in requests], [
        each for each in platform.orders if each[0] >= 0
    ]
