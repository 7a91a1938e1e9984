"""Replicas beside whose container Knative's queue-proxy stands: that one is asked.

For: a `Meter` of Revisions that Knative makes.
Must not know: when a Revision is measured, or what is decided from its load.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

import aiohttp

from api import keys
from api.objects import Raw
from autoscaler.answers import whole
from autoscaler.meters import ANSWER_S, BYTES_MAX
from autoscaler.queue_stats import QueueStat, order, total
from autoscaler.sampling import Measured, sample_size
from autoscaler.scaler import Key

PORT: Final = 9090
_PATH: Final = "/metrics"
_HEADERS: Final = {"Accept": "application/protobuf"}


class QueueProxies:
    """`draw` gives a number in [0, 1). All queue-proxies have one port."""

    def __init__(
        self,
        draw: Callable[[], float],
        *,
        is_counted_elsewhere: Callable[[Key], bool],
        port: int = PORT,
    ) -> None:
        """`is_counted_elsewhere`: whether a Revision's load at activators is known from those."""
        self._draw = draw
        self._is_counted_elsewhere = is_counted_elsewhere
        self._port = port
        self._seen_s: dict[Key, dict[str, float]] = {}

    def keep(self, raw: Raw) -> dict[str, Any]:
        """Whose replica it is, and where it is asked; "" while it is not ready, or is leaving."""
        source, status = raw["metadata"], raw.get("status") or {}
        names = ("name", "namespace", "uid", "resourceVersion")
        metadata = {name: source[name] for name in names if name in source}
        labels = source.get("labels") or {}
        metadata["labels"] = {name: labels[name] for name in (keys.REVISION,) if name in labels}
        conditions = status.get("conditions") or ()
        is_ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
        ip = status.get("podIP") if is_ready and not source.get("deletionTimestamp") else ""
        endpoint = f"[{ip}]:{self._port}" if ip and ":" in ip else f"{ip}:{self._port}"
        return {"metadata": metadata, "status": {"endpoint": endpoint if ip else ""}}

    def retain(self, keys: Collection[Key]) -> None:
        """Forget every Revision but these."""
        for key in [key for key in self._seen_s if key not in keys]:
            del self._seen_s[key]

    async def load(
        self,
        key: Key,
        pods: Mapping[str, str],
        session: aiohttp.ClientSession,
        *,
        window_s: float,
        now_s: float,
    ) -> Measured | None:
        """The load of the last second. One who does not answer is replaced by the next."""
        before = self._seen_s.get(key) or {}
        seen_s = self._seen_s[key] = {name: before.get(name, now_s) for name in pods}
        drawn = {name: self._draw() for name in pods}
        row = order(seen_s, drawn, window_s=window_s, now_s=now_s)
        places = iter([pods[name] for name in row])
        size = sample_size(len(row))
        answers = await asyncio.gather(*(_first(session, places) for _ in range(size)))
        return total(
            [each for each in answers if each is not None],
            population=len(row),
            is_proxied_counted=self._is_counted_elsewhere(key),
        )


async def _first(session: aiohttp.ClientSession, places: Iterator[str]) -> QueueStat | None:
    """The answer of the next who gives one; the places are shared with others who ask."""
    for place in places:
        found = await _stat(session, place)
        if found is not None:
            return found
    return None


async def _stat(session: aiohttp.ClientSession, place: str) -> QueueStat | None:
    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    url = f"http://{place}{_PATH}"
    try:
        async with session.get(url, headers=_HEADERS, timeout=timeout) as answer:
            body = await whole(answer, bytes_max=BYTES_MAX)
        return QueueStat.read(body) if answer.status == 200 else None
    except (aiohttp.ClientError, OSError, ValueError):  # TimeoutError is an OSError
        return None
