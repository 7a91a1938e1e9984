"""Tell people what happened to an object, as Kubernetes Events.

For: `kubectl describe` and `kubectl get events`; best effort, never in anyone's way.
Must not know: what any event means.
"""

import asyncio
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from api.kinds import EVENTS
from api.objects import Raw, rfc3339
from cluster.client import Client
from cluster.correlating import Correlator
from cluster.errors import ApiError, NotFoundError

_LOG = logging.getLogger(__name__)
_QUEUE_MAX: Final = 1000  # events waiting to be written; more are dropped and counted
_PAUSE_S: Final = 0.05
_SERIES_MAX: Final = 1000  # repeated events remembered
_MESSAGE_MAX: Final = 1024  # Kubernetes' bound on the length of a message
_SeriesKey = tuple[str, str, str, str]  # uid of the object, type, reason, message


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStatistics:
    """How the recorder is doing since it was made."""

    waiting: int
    written: int
    dropped: int


@dataclass(slots=True)
class _Series:
    namespace: str
    name: str
    count: int


class EventRecorder:
    """Queue events for `run` to write; a repeated one raises the count of the first.

    Of an object that has too many, most are combined or dropped, as Kubernetes does it.
    """

    def __init__(
        self,
        client: Client,
        component: str,
        *,
        clock: Callable[[], float] = time.time,  # noqa: TID251 - events carry wall time
    ) -> None:
        self._client = client
        self._component = component
        self._clock = clock
        self._queue: deque[tuple[dict[str, Any], _SeriesKey]] = deque()
        self._wake = asyncio.Event()
        self._series: OrderedDict[_SeriesKey, _Series] = OrderedDict()
        self._correlator = Correlator()
        self._written = 0
        self._dropped = 0

    def normal(self, obj: Raw, reason: str, message: str) -> None:
        """Something went as it should."""
        self._record("Normal", obj, reason, message)

    def warning(self, obj: Raw, reason: str, message: str) -> None:
        """Something went wrong that a person may want to know."""
        self._record("Warning", obj, reason, message)

    def statistics(self) -> EventStatistics:
        """Counts since the start."""
        return EventStatistics(
            waiting=len(self._queue), written=self._written, dropped=self._dropped
        )

    async def run(self) -> None:
        """Write what is queued, until cancelled."""
        while True:
            await self._wake.wait()
            # Whoever acts goes first: an event tells what happened, and nobody waits for it.
            await asyncio.sleep(_PAUSE_S)
            while self._queue:
                event, key = self._queue.popleft()
                await self._write(event, key)
            self._wake.clear()

    def _record(self, type_: str, obj: Raw, reason: str, message: str) -> None:
        metadata = obj.get("metadata") or {}
        uid = str(metadata.get("uid") or f"{metadata.get('namespace')}/{metadata.get('name')}")
        now_s = self._clock()
        combined = self._correlator.combined((uid, type_, reason), message, now_s=now_s)
        if len(self._queue) >= _QUEUE_MAX or not self._correlator.admits(uid, now_s=now_s):
            self._dropped += 1
            return
        message = (combined or message)[:_MESSAGE_MAX]
        event = self._event(type_, obj, reason, message)
        self._queue.append((event, (uid, type_, reason, "" if combined else message)))
        self._wake.set()

    def _event(self, type_: str, obj: Raw, reason: str, message: str) -> dict[str, Any]:
        metadata = obj.get("metadata") or {}
        now = rfc3339(self._clock())
        involved = {
            "apiVersion": obj.get("apiVersion"),
            "kind": obj.get("kind"),
            "name": metadata.get("name"),
            "namespace": metadata.get("namespace"),
            "uid": metadata.get("uid"),
            "resourceVersion": metadata.get("resourceVersion"),
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                # As client-go names them: the object and something nearly unique.
                "name": f"{str(metadata.get('name', ''))[:236]}.{secrets.token_hex(8)}",
                "namespace": metadata.get("namespace") or "default",
            },
            "involvedObject": {key: value for key, value in involved.items() if value},
            "type": type_,
            "reason": reason,
            "message": message,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }

    async def _write(self, event: dict[str, Any], key: _SeriesKey) -> None:
        try:
            if not await self._repeat(event, key):
                await self._client.create(EVENTS, event)
                metadata = event["metadata"]
                self._series[key] = _Series(metadata["namespace"], metadata["name"], 1)
                if len(self._series) > _SERIES_MAX:
                    self._series.popitem(last=False)
            self._written += 1
        except ApiError as error:
            # Most often the namespace went with its objects: nobody will read the event.
            self._dropped += 1
            _LOG.debug("event %s of %s not written: %s", event["reason"], key[0], error.message)

    async def _repeat(self, event: dict[str, Any], key: _SeriesKey) -> bool:
        series = self._series.get(key)
        if series is None:
            return False
        self._series.move_to_end(key)
        changed = {
            "count": series.count + 1,
            "lastTimestamp": event["lastTimestamp"],
            "message": event["message"],
        }
        try:
            await self._client.patch(EVENTS, series.namespace, series.name, changed)
        except NotFoundError:  # it expired
            del self._series[key]
            return False
        series.count += 1
        return True
