"""Class hpa, carried out: HorizontalPodAutoscalers made, kept as wanted, and deleted.

For: PodAutoscalers that leave deciding to Kubernetes' own autoscaler, on clusters that have one.
Must not know: what a HorizontalPodAutoscaler says, or how many replicas there should be.

Nothing is asked of the API server before the first such PodAutoscaler is there. Then
autoscaling/v2 is looked for, and v2beta2 where that is all there is (before Kubernetes 1.23).
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from api import conditions, keys
from api.autoscaler_config import Defaults
from api.autoscaling import class_of
from api.errors import InvalidObjectError
from api.kinds import DEPLOYMENTS, PODAUTOSCALERS, Resource
from api.objects import Raw, rfc3339
from autoscaler import hpa
from autoscaler.scaler import Key
from cluster.client import Client
from cluster.errors import ApiError, NotFoundError
from cluster.events import EventRecorder
from cluster.informer import Informer

_LOG = logging.getLogger(__name__)
_AGAIN_S = 5.0  # after a failure
_ABSENT = "This cluster serves no HorizontalPodAutoscaler (autoscaling/v2 or v2beta2)."


class Delegation:
    """Every PodAutoscaler of class hpa. `clock` is epoch seconds and dates statuses."""

    def __init__(
        self,
        client: Client,
        recorder: EventRecorder,
        *,
        clock: Callable[[], float],
        defaults: Callable[[], Defaults],
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._clock = clock
        self._defaults = defaults
        self._names: set[Key] = set()  # of class hpa
        self._deployments: dict[Key, Key] = {}  # those of their Deployments
        self._written: dict[Key, dict[str, Any]] = {}  # what was asked for last
        self._due: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: set[Key] = set()
        self._resource: Resource | None = None
        self._informer: Informer | None = None

    def autoscaler_changed(self, raw: Mapping[str, Any]) -> None:
        """Follow a PodAutoscaler of whatever class that appeared or changed."""
        metadata = raw["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        if metadata.get("deletionTimestamp"):
            self.autoscaler_gone(raw)
        elif class_of(metadata.get("annotations") or {}, self._defaults()) == keys.CLASS_HPA:
            self._names.add(key)
            target = (raw.get("spec") or {}).get("scaleTargetRef") or {}
            self._deployments[key[0], str(target.get("name"))] = key
            self._enqueue(key)
        elif key in self._names:
            self._names.discard(key)
            self._enqueue(key)  # what decided until now must not go on

    def autoscaler_gone(self, raw: Mapping[str, Any]) -> None:
        """Forget a PodAutoscaler; what it owns goes with it."""
        key = (raw["metadata"].get("namespace", ""), raw["metadata"]["name"])
        self._names.discard(key)
        self._written.pop(key, None)
        for name in [name for name, each in self._deployments.items() if each == key]:
            del self._deployments[name]

    def deployment_changed(self, name: Key) -> None:
        """Tell of the numbers of a Deployment that changed."""
        key = self._deployments.get(name)
        if key is not None and key in self._names:
            self._enqueue(key)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                key = await self._due.get()
                self._queued.discard(key)
                try:
                    await self._reconcile(tasks, key)
                except ApiError as error:
                    _LOG.warning("HorizontalPodAutoscaler %s/%s: %s", *key, error.message)
                    tasks.create_task(self._again(key))

    def _enqueue(self, key: Key) -> None:
        if key not in self._queued:
            self._queued.add(key)
            self._due.put_nowait(key)

    async def _again(self, key: Key) -> None:
        await asyncio.sleep(_AGAIN_S)
        self._enqueue(key)

    async def _reconcile(self, tasks: asyncio.TaskGroup, key: Key) -> None:
        try:
            raw = await self._client.get(PODAUTOSCALERS, *key)
        except NotFoundError:
            return
        resource = await self._served(tasks)
        if key not in self._names:
            await self._withdraw(raw, key, resource)
            return
        try:
            problem, found = await self._keep(raw, key, resource)
        except InvalidObjectError as error:
            self._recorder.warning(raw, "InvalidAnnotations", str(error))
            return
        deployment = await self._deployment(raw, key)
        wanted = hpa.status(
            raw, found=found, deployment=deployment, defaults=self._defaults(), problem=problem
        )
        await self._tell(raw, key, wanted)
        if problem:
            tasks.create_task(self._again(key))
        elif deployment is not None and deployment["spec"].get("replicas", 1) == 0:
            # Kubernetes leaves a Deployment at zero alone, and this class knows no zero.
            least = max(1, hpa.threshold(raw, self._defaults()))
            name = deployment["metadata"]["name"]
            patch = {"spec": {"replicas": least}}
            await self._client.patch(DEPLOYMENTS, key[0], name, patch, subresource="scale")

    async def _served(self, tasks: asyncio.TaskGroup) -> Resource | None:
        """The version that this cluster has; its objects are followed from then on."""
        for resource in () if self._resource else (hpa.V2, hpa.V2BETA2):
            try:
                await self._client.list(resource, "default")
            except NotFoundError:
                continue
            self._resource = resource
            self._informer = Informer(self._client, resource)
            self._informer.on_change(self._on_horizontal)
            tasks.create_task(self._informer.run())
            await self._informer.synced()
            break
        return self._resource

    def _on_horizontal(self, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        metadata = (new or old or {})["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        if key in self._names:
            self._enqueue(key)

    async def _keep(
        self, raw: Raw, key: Key, resource: Resource | None
    ) -> tuple[str, dict[str, Any] | None]:
        """What is wrong, and the object as it is stored now."""
        if resource is None or self._informer is None:
            return _ABSENT, None
        found = self._informer.objects.get(key) or await self._read(resource, key)
        if found is not None and not hpa.is_controlled_by(found, raw):
            return hpa.NOT_OWNED, None
        wanted = hpa.horizontal(raw, self._defaults(), resource)
        if found is not None:
            # What is not wanted any more is only known of what was written.
            is_same = self._written.get(key) == wanted
            if not is_same or not hpa.is_within(wanted["spec"], found.get("spec")):
                version = found["metadata"]["resourceVersion"]
                metadata = {**wanted["metadata"], "resourceVersion": version}
                found = await self._client.replace(resource, {**wanted, "metadata": metadata})
                self._written[key] = wanted
            return "", found
        try:
            found = await self._client.create(resource, wanted)
        except ApiError as error:
            self._recorder.warning(raw, "InternalError", f"failed to create HPA: {error.message}")
            return error.message, None
        self._written[key] = wanted
        return "", found

    async def _read(self, resource: Resource, key: Key) -> dict[str, Any] | None:
        """The object, of which the watch may not have told yet."""
        try:
            return await self._client.get(resource, *key)
        except NotFoundError:
            return None

    async def _withdraw(self, raw: Raw, key: Key, resource: Resource | None) -> None:
        """Another class decides now."""
        self._written.pop(key, None)
        found = None if self._informer is None else self._informer.objects.get(key)
        if resource is not None and found is not None and hpa.is_controlled_by(found, raw):
            try:
                await self._client.delete(resource, *key, uid=found["metadata"]["uid"])
            except NotFoundError:
                return

    async def _deployment(self, raw: Raw, key: Key) -> dict[str, Any] | None:
        try:
            return await self._client.get(
                DEPLOYMENTS, key[0], str(raw["spec"]["scaleTargetRef"]["name"])
            )
        except NotFoundError:
            return None

    async def _tell(self, raw: Raw, key: Key, wanted: dict[str, Any]) -> None:
        stored = raw.get("status") or {}
        now = rfc3339(self._clock())
        before = stored.get("conditions") or ()
        wanted["conditions"] = conditions.merge(before, wanted["conditions"], now=now)
        if any(stored.get(name) != value for name, value in wanted.items()):
            await self._client.patch(PODAUTOSCALERS, *key, {"status": wanted}, subresource="status")
