"""Knative's ServerlessServices, made and kept as wanted: the way of callers where Knative is.

For: a `Path` of Revisions that Knative makes, whose traffic Knative leads.
Must not know: what such an object says (serverless_objects.py), or how a mode is decided.

Nobody waits for a write. What is wanted of one is compared with what is stored whenever either
changes; a write that failed is tried again a second later.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from api.conditions import Condition
from api.kinds import PODAUTOSCALERS, SERVERLESSSERVICES
from api.objects import Raw
from autoscaler import serverless_objects, status
from autoscaler.bursting import Mode
from autoscaler.metered import Metered
from autoscaler.scaler import Key
from autoscaler.spec import Spec
from cluster.client import Client
from cluster.errors import AlreadyExistsError, ApiError, NotFoundError
from cluster.informer import Informer

_LOG = logging.getLogger(__name__)
_AT_ONCE: Final = 8
_AGAIN_S: Final = 1.0
_METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "labels",
    "annotations",
    "ownerReferences",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    mode: Mode
    activators: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts since the start."""

    written: int
    failures: int  # each was tried again


class ServerlessServices:
    """Of every Revision that is decided for here."""

    def __init__(
        self,
        client: Client,
        *,
        changed: Callable[[Key], None],
        can_wake: Callable[[], bool],
    ) -> None:
        """`changed` is told of objects that say something else than before."""
        self._client = client
        self._changed = changed
        self._can_wake = can_wake
        self._uids: dict[Key, str] = {}  # of PodAutoscalers
        self._wishes: dict[Key, _Wish] = {}
        self._due: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: set[Key] = set()
        self._written = self._failures = 0
        self._services = Informer(client, SERVERLESSSERVICES, keep=_kept)
        self._services.on_change(self._follow)

    async def run(self) -> None:
        """Watch and write until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._services.run(), name="autoscaler serverlessservices")
            for _ in range(_AT_ONCE):
                tasks.create_task(self._work(), name="autoscaler modes")

    async def synced(self) -> None:
        """Wait until those that exist are known."""
        await self._services.synced()

    def statistics(self) -> Statistics:
        """Counts since the start."""
        return Statistics(written=self._written, failures=self._failures)

    def exposure(self, key: Key, uid: str, *, ready: int, now_s: float) -> Metered:
        """Any Revision may be called past the activators."""
        self._uids[key] = uid
        return Metered(ready=ready, now_s=now_s)

    def conditions(self, key: Key, told: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """SKSReady, and what follows from it."""
        return serverless_objects.told(key[1], told, self._standing(key))

    def spelled(
        self, key: Key, spec: Spec, *, ready: int, mode: Mode, capacity: float
    ) -> dict[str, Any]:
        """How many serve, and by which Services; the mode goes to the ServerlessService."""
        says = status.spelled(spec, ready=ready, mode=mode, activator_capacity=capacity)
        wish = _Wish(mode=mode, activators=says["activators"])
        if self._wishes.get(key) != wish or key not in self._services.objects:
            self._wishes[key] = wish
            self._enqueue(key)
        standing = self._standing(key)
        return {
            "actualScale": ready,
            "serviceName": standing.service_name,
            "metricsServiceName": standing.private_name,
        }

    def gone(self, key: Key) -> None:
        """Write no more of a Revision; what its PodAutoscaler owns goes with that."""
        self._uids.pop(key, None)
        self._wishes.pop(key, None)

    def _standing(self, key: Key) -> serverless_objects.Standing:
        return serverless_objects.standing(
            self._services.objects.get(key),
            uid=self._uids.get(key, ""),
            can_wake=self._can_wake(),
        )

    def _is_ours(self, key: Key, stored: Raw | None) -> bool:
        uid = self._uids.get(key, "")
        return stored is not None and serverless_objects.is_owned(stored, uid)

    def _follow(self, old: Raw | None, new: Raw | None) -> None:
        metadata = (new or old or {})["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        if key in self._wishes:
            self._enqueue(key)
            self._changed(key)

    def _enqueue(self, key: Key) -> None:
        if key not in self._queued:
            self._queued.add(key)
            self._due.put_nowait(key)

    async def _work(self) -> None:
        while True:
            key = await self._due.get()
            self._queued.discard(key)
            try:
                await self._write(key)
            except NotFoundError:
                pass  # it went meanwhile, or its PodAutoscaler did: a change tells of either
            except ApiError as error:
                self._failures += 1
                _LOG.warning("ServerlessService %s/%s: %s", *key, error.message)
                asyncio.get_running_loop().call_later(_AGAIN_S, self._enqueue, key)

    async def _write(self, key: Key) -> None:
        wish, stored = self._wishes.get(key), self._services.objects.get(key)
        if wish is None:
            return
        if self._is_ours(key, stored) and _says(stored or {}) == wish:
            return
        autoscaler = await self._client.get(PODAUTOSCALERS, *key)
        wish = self._wishes.get(key)
        if wish is None or autoscaler["metadata"].get("deletionTimestamp"):
            return
        if self._uids.get(key) != (uid := autoscaler["metadata"]["uid"]):
            self._uids[key] = uid  # another one of its name took its place
            self._changed(key)
        if stored is not None and not self._is_ours(key, stored):
            return  # the PodAutoscaler's status says so
        wanted = serverless_objects.made(autoscaler, mode=wish.mode, activators=wish.activators)
        if stored is None:
            try:
                await self._client.create(SERVERLESSSERVICES, wanted)
            except AlreadyExistsError:
                return  # the watch is about to tell of it
        else:
            changed = serverless_objects.patch(stored, wanted)
            if changed is not None:
                await self._client.patch(SERVERLESSSERVICES, *key, changed)
        self._written += 1


def _says(stored: Raw) -> _Wish:
    spec = stored.get("spec") or {}
    return _Wish(mode=spec.get("mode", ""), activators=spec.get("numActivators", 0))


def _kept(raw: Raw) -> dict[str, Any]:
    metadata = {name: raw["metadata"][name] for name in _METADATA if name in raw["metadata"]}
    parts = {name: raw[name] for name in ("spec", "status") if name in raw}
    return {"metadata": metadata, **parts}
