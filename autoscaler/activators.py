"""Knative's activators, asked each second for the requests that they hold.

For: reports of load by Revision, as our own activators send them, with pokes for those at zero;
     whether all activators can be read at all.
Must not know: what an answer looks like (activator_text.py), or what is decided from a report.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from api import conditions
from api.kinds import PODS
from api.objects import Raw
from api.stats import Stat
from autoscaler import activator_text
from autoscaler.activator_text import Held
from autoscaler.answers import whole
from autoscaler.scaler import Key
from autoscaler.waking import Waking
from cluster.client import Client
from cluster.informer import Informer

_LOG = logging.getLogger(__name__)
PORT: Final = 9090
_LABEL: Final = "app=activator"
_ANSWER_S: Final = 3.0
_BYTES_MAX: Final = 64 * 1024 * 1024  # histograms of every Revision
_FRESH_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How things stand, and counts since the start."""

    activators: int
    answers: int
    failures: int
    can_wake: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    host: str  # HOST:PORT
    is_serving: bool  # callers are led there


class Activators:
    """All of them; `receive` takes reports, and `is_empty` says that a Revision has no replica."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        *,
        receive: Callable[[Sequence[Stat]], None],
        is_empty: Callable[[Key], bool],
        judged: Callable[[], None],
        port: int = PORT,
    ) -> None:
        """`judged` is told when `can_wake` has become another one."""
        self._namespace = namespace
        self._receive = receive
        self._is_empty = is_empty
        self._told = judged
        self._port = port
        self._pods = Informer(client, PODS, namespace, _LABEL, keep=_kept)
        self._held: dict[str, dict[Key, Held]] = {}  # by activator: what it said last
        self._read_s: float | None = None  # when all were read
        self._waking: Waking | None = None
        self._is_judged = asyncio.Event()
        self._answers = self._failures = 0

    @property
    def can_wake(self) -> bool:
        """Say whether requests for a Revision at zero are told of."""
        return self._waking is None or self._waking.is_able

    async def judged(self) -> None:
        """Wait until that is known."""
        await self._is_judged.wait()

    def counts(self, key: Key) -> bool:
        """Say whether what came through activators is known from them, of any Revision."""
        del key
        if self._read_s is None:
            return False
        return asyncio.get_running_loop().time() - self._read_s <= _FRESH_S

    def statistics(self) -> Statistics:
        """How things stand."""
        return Statistics(
            activators=len(self._places()),
            answers=self._answers,
            failures=self._failures,
            can_wake=self.can_wake,
        )

    async def run(self, *, period_s: float = 1.0) -> None:
        """Ask all of them again and again, until cancelled."""
        async with asyncio.TaskGroup() as tasks, aiohttp.ClientSession(trust_env=False) as session:
            tasks.create_task(self._pods.run(), name="autoscaler activators")
            await self._pods.synced()
            loop = asyncio.get_running_loop()
            self._waking = Waking(now_s=loop.time())
            while True:
                started_s = loop.time()
                await self._ask(session)
                await asyncio.sleep(max(0.0, started_s + period_s - loop.time()))

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        places = self._places()
        found = await asyncio.gather(*(_answer(session, each.host) for each in places.values()))
        now_s = asyncio.get_running_loop().time()
        problem = ""
        if not any(each.is_serving for each in places.values()):
            problem = f"none is ready in namespace {self._namespace}"
        stats: list[Stat] = []
        for (name, place), answer in zip(places.items(), found, strict=True):
            if not isinstance(answer, str):
                self._answers += 1
                stats += self._stats(name, answer, now_s)
            elif place.is_serving:
                self._failures += 1
                problem = f"{name} at {place.host}: {answer}"
        for name in [name for name in self._held if name not in places]:
            stats += self._stats(name, {}, now_s)
            del self._held[name]
        if not problem:
            self._read_s = now_s
        self._receive(stats)
        self._judge(problem, now_s)

    def _stats(self, name: str, answer: Mapping[Key, Held], now_s: float) -> Iterator[Stat]:
        """What an activator says now; zero of what it said last and speaks of no more."""
        before = self._held.get(name, {})
        self._held[name] = {key: held for key, held in answer.items() if held != Held()}
        for key in self._held[name].keys() | before.keys():
            held = answer.get(key, Held())
            # Before Knative 1.19 nothing says how many wait; without a replica all do.
            waiting = max(held.queued, held.concurrency) if self._is_empty(key) else held.queued
            yield Stat(
                namespace=key[0],
                revision=key[1],
                reporter=f"knative/{name}",
                time_s=now_s,
                average_concurrency=held.concurrency,
                requests_per_s=0.0,  # replicas count those
                queued=math.ceil(waiting),
            )

    def _places(self) -> dict[str, _Place]:
        return {
            name: _Place(host=f"{host}:{self._port}", is_serving=each["status"]["isServing"])
            for (_, name), each in self._pods.objects.items()
            if (host := each["status"]["host"])
        }

    def _judge(self, problem: str, now_s: float) -> None:
        if self._waking is None or not self._waking.heard(problem, now_s=now_s):
            return
        self._is_judged.set()
        if self._waking.is_able:
            _LOG.info("Knative's activators in %s tell of requests that wait", self._namespace)
        else:
            _LOG.error(
                "Knative's activators in %s can not be read (%s). NOTHING SCALES TO ZERO: nobody "
                "would tell of its next request. Have them show metrics: in ConfigMap %s/"
                'config-observability, metrics-protocol: "prometheus"',
                self._namespace,
                self._waking.why,
                self._namespace,
            )
        self._told()


async def _answer(session: aiohttp.ClientSession, place: str) -> Mapping[Key, Held] | str:
    """What one of them holds; a few words when it does not say."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_S)
    try:
        async with session.get(f"http://{place}/metrics", timeout=timeout) as answer:
            if answer.status != 200:
                return f"status {answer.status}"
            body = await whole(answer, bytes_max=_BYTES_MAX)
        return activator_text.read(body.decode())
    except TimeoutError:
        return f"no answer within {_ANSWER_S:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return str(error) or type(error).__name__


def _kept(raw: Raw) -> dict[str, Any]:
    """Where it is asked; also while it is not ready, or about to end: it may hold requests."""
    names = ("name", "namespace", "uid", "resourceVersion")
    metadata = {name: raw["metadata"][name] for name in names if name in raw["metadata"]}
    status = raw.get("status") or {}
    is_over = status.get("phase") in {"Succeeded", "Failed"}
    ip = "" if is_over else str(status.get("podIP") or "")
    is_leaving = "deletionTimestamp" in raw["metadata"]
    is_serving = conditions.is_true(raw, conditions.READY) and not is_leaving
    host = f"[{ip}]" if ":" in ip else ip
    return {"metadata": metadata, "status": {"host": host, "isServing": is_serving}}
