"""Ask replicas that callers reach past the activators what they count, and whether they still do.

For: every second a load for each Revision that is exposed; a probe of the Service of one that is to
     be so no more (Knative's activator probe, pkg/reconciler/autoscaling/kpa/scaler.go).
Must not know: when a Revision is exposed, what is decided from its load, what a replica answers.
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp

from api import keys
from api.kinds import CORE_SERVICES, PODS
from api.naming import HTTP_PORT
from api.objects import Raw
from autoscaler.answers import TooLongError, whole
from autoscaler.meters import Meter, OwnCounters
from autoscaler.pilot import Pilot
from autoscaler.sampling import Measured
from autoscaler.scaler import Key
from cluster.client import Client
from cluster.errors import ApiError
from cluster.informer import Informer

_LOG = logging.getLogger(__name__)
_PROBE_S: Final = 1.0
_KEEP_S: Final = 4.0  # an unused connection
_CONNECTIONS_MAX: Final = 512
_BYTES_MAX: Final = 64 * 1024  # of an answer
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
        meter: Meter | None = None,
    ) -> None:
        """`draw` gives a number in [0, 1): who is asked of many. `meter` asks; else our own way.

        `service_port` is that of Services which name none `http` or `http2`.
        """
        self._client = client
        self._revisions = revisions
        self._meter: Meter = meter or OwnCounters(
            draw or random.Random().random  # noqa: S311 - who is asked, no secret
        )
        self._service_port = service_port
        self._period_s = period_s
        self._pods = Informer(client, PODS, label_selector=keys.REVISION, keep=self._meter.keep)
        self._pods.on_change(self._follow)
        self._ready: defaultdict[Key, dict[str, str]] = defaultdict(dict)  # → Pod → where to ask
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
                self._meter.retain({key for key, _ in found})
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
        load = await self._meter.load(key, pods, session, window_s=window_s, now_s=loop.time())
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
        url = f"http://{host}:{_port(service) or self._service_port}/"
        timeout = aiohttp.ClientTimeout(total=_PROBE_S)
        try:
            async with session.get(url, headers=_PROBE, timeout=timeout) as answer:
                body = await whole(answer, bytes_max=_BYTES_MAX)
        except (aiohttp.ClientError, OSError, TooLongError):  # TimeoutError is an OSError
            return False
        is_closed = answer.status == 200 and body == b"activator"
        self._closed += is_closed
        return is_closed


def _port(service: Raw) -> int | None:
    """Where requests are taken."""
    ports = (service.get("spec") or {}).get("ports") or ()
    return next((each["port"] for each in ports if each.get("name") in {"http", "http2"}), None)
