"""Ask replicas that callers reach past the activators what they count, and whether they still do.

For: every second a load for each Revision that is exposed; a probe of the Service of one that is to
     be so no more (Knative's activator probe, pkg/reconciler/autoscaling/kpa/scaler.go).
Must not know: when a Revision is exposed, or what is decided from its load.
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import aiohttp
import orjson

from api import keys
from api.kinds import CORE_SERVICES, PODS
from api.naming import HTTP_PORT
from api.objects import Raw
from autoscaler.pilot import Pilot
from autoscaler.sampling import Counters, Measured, Sampler
from autoscaler.scaler import Key
from autoscaler.trimming import Trimmer
from cluster.client import Client
from cluster.errors import ApiError
from cluster.informer import Informer

_LOG = logging.getLogger(__name__)
_ANSWER_S: Final = 3.0  # Knative's httpClientTimeout
_PROBE_S: Final = 1.0
_KEEP_S: Final = 4.0  # an unused connection
_CONNECTIONS_MAX: Final = 512
_BYTES_MAX: Final = 64 * 1024  # of an answer
_PATH: Final = "/relight/stats"
_PROBE: Final = {keys.HEADER_PROBE: "activator", "User-Agent": "Knative-Autoscaling-Probe"}


class Revisions(Protocol):
    """All Revisions, as the autoscaler's loop keeps them."""

    def exposed(self, *, now_s: float) -> list[tuple[Key, Pilot]]:
        """Those whose replicas are to be measured, or whose Service is to be probed."""
        ...

    def measured(self, key: Key, load: Measured, *, now_s: float) -> None:
        """Take in what the replicas of one counted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts since the start."""

    measured: int  # loads of a Revision
    unknown: int  # looks at a Revision of which too few replicas answered
    probes: int
    closed: int  # probes that an activator answered


class Scraper:
    """One task for each Revision that is looked at just now, and no more than one."""

    def __init__(
        self,
        client: Client,
        revisions: Revisions,
        *,
        draw: Callable[[], float] | None = None,
        service_port: int = HTTP_PORT,
        period_s: float = 1.0,
    ) -> None:
        """`draw` gives a number in [0, 1): who is asked of many. All Services have one port."""
        self._client = client
        self._revisions = revisions
        self._draw = draw or random.Random().random  # noqa: S311 - who is asked, no secret
        self._service_port = service_port
        self._period_s = period_s
        self._pods = Informer(client, PODS, label_selector=keys.REVISION, keep=Trimmer().pod)
        self._pods.on_change(self._follow)
        self._ready: defaultdict[Key, dict[str, str]] = defaultdict(dict)  # → Pod → where to ask
        self._samplers: dict[Key, Sampler] = {}
        self._busy: set[Key] = set()
        self._measured = self._unknown = self._probes = self._closed = 0

    async def run(self) -> None:
        """Look every second until cancelled."""
        limit = aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, keepalive_timeout=_KEEP_S)
        # A connection of before would lead where it led then.
        fresh = aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, force_close=True)
        async with (
            aiohttp.ClientSession(connector=limit) as asking,
            aiohttp.ClientSession(connector=fresh) as probing,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._pods.run(), name="autoscaler pods")
            await self._pods.synced()
            loop = asyncio.get_running_loop()
            while True:
                started_s = loop.time()
                found = self._revisions.exposed(now_s=started_s)
                self._forget(key for key, _ in found)
                for key, pilot in found:
                    if key not in self._busy:
                        self._busy.add(key)
                        tasks.create_task(self._look(key, pilot, asking, probing))
                await asyncio.sleep(max(0.0, started_s + self._period_s - loop.time()))

    def statistics(self) -> Statistics:
        """Counts since the start."""
        return Statistics(
            measured=self._measured,
            unknown=self._unknown,
            probes=self._probes,
            closed=self._closed,
        )

    def _follow(self, old: Raw | None, new: Raw | None) -> None:
        """A Pod changed. One that is leaving still serves, but its numbers end soon."""
        raw = new or old or {}
        metadata = raw["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        for each in (old, new):
            revision = "" if each is None else each["metadata"]["labels"].get(keys.REVISION, "")
            self._ready[namespace, revision].pop(name, None)
            if not self._ready[namespace, revision]:
                del self._ready[namespace, revision]
        if new is not None and new["status"].get("endpoint"):
            revision = new["metadata"]["labels"].get(keys.REVISION, "")
            self._ready[namespace, revision][name] = new["status"]["endpoint"]

    def _forget(self, kept: Iterable[Key]) -> None:
        known = set(kept)
        for key in [key for key in self._samplers if key not in known]:
            del self._samplers[key]

    async def _look(
        self,
        key: Key,
        pilot: Pilot,
        asking: aiohttp.ClientSession,
        probing: aiohttp.ClientSession,
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            if pilot.exposure.wants_proof:
                is_closed = await self._is_closed(key, probing)
                pilot.exposure.proven(is_closed=is_closed, now_s=loop.time())
            if pilot.exposure.wants_measure(now_s=loop.time()):
                await self._measure(key, pilot.spec.stable_window_s, asking)
        except Exception:  # noqa: BLE001 - a task boundary: others are asked on
            _LOG.exception("asking the replicas of %s/%s", *key)
        finally:
            self._busy.discard(key)

    async def _measure(self, key: Key, window_s: float, session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        pods = self._ready.get(key)
        if not pods:
            return
        sampler = self._samplers.setdefault(key, Sampler(self._draw))
        asked = sampler.ask(list(pods), window_s=window_s, now_s=loop.time())
        places = [pods[name] for name in asked]
        answers = await asyncio.gather(*(_counters(session, each) for each in places))
        found = {name: each for name, each in zip(asked, answers, strict=True) if each is not None}
        load = sampler.heard(found)
        if load is None:
            self._unknown += 1
            return
        self._measured += 1
        self._revisions.measured(key, load, now_s=loop.time())

    async def _is_closed(self, key: Key, session: aiohttp.ClientSession) -> bool:
        """Whether an activator answers for the Revision's Service.

        Without a Service nobody is led to its replicas.
        """
        self._probes += 1
        try:
            service = await self._client.get(CORE_SERVICES, *key)
        except ApiError as error:
            is_absent = error.status == 404
            self._closed += is_absent
            return is_absent
        ip = (service.get("spec") or {}).get("clusterIP") or ""
        if ip in {"", "None"}:
            return False
        host = f"[{ip}]" if ":" in ip else ip
        url = f"http://{host}:{self._service_port}/"
        timeout = aiohttp.ClientTimeout(total=_PROBE_S)
        try:
            async with session.get(url, headers=_PROBE, timeout=timeout) as answer:
                body = await answer.content.read(_BYTES_MAX)
        except (aiohttp.ClientError, OSError):  # TimeoutError is one
            return False
        is_closed = answer.status == 200 and body == b"activator"
        self._closed += is_closed
        return is_closed


async def _counters(session: aiohttp.ClientSession, endpoint: str) -> Counters | None:
    """What one replica counts; None when it does not say, in time or at all."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_S)
    try:
        async with session.get(f"http://{endpoint}{_PATH}", timeout=timeout) as answer:
            body = await answer.content.read(_BYTES_MAX)
        raw: Any = orjson.loads(body)
        return Counters.read(raw)
    except (aiohttp.ClientError, OSError, KeyError, TypeError, ValueError):
        return None
