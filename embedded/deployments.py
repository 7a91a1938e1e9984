"""Carry out what `workloads` plans, for every Deployment.

For: standing in for Kubernetes' deployment controller on one machine.
Must not know: what runs in a Pod, or why a Deployment has its number of replicas.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator

from api.kinds import DEPLOYMENTS, PODS
from api.objects import Raw
from cluster.client import Client
from cluster.errors import AlreadyExistsError, ApiError, NotFoundError
from cluster.events import EventRecorder
from cluster.informer import Informer
from embedded.workloads import Plan, plan

log = logging.getLogger(__name__)
Key = tuple[str, str]

# Kubernetes' safe alphabet for generated names (apimachinery, util/rand).
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_RETRY_S = 0.5
_BESIDE_S = 0.02


class DeploymentController:
    """Watches Deployments and their Pods, and keeps the two in step."""

    def __init__(
        self,
        client: Client,
        *,
        events: EventRecorder,
        rng: random.Random,
        clock: Callable[[], float],
    ) -> None:
        """`clock` gives wall time in seconds since the epoch."""
        self._client = client
        self._events = events
        self._rng = rng
        self._clock = clock
        self._deployments = Informer(client, DEPLOYMENTS)
        self._pods = Informer(client, PODS)
        self._pods_of: dict[str, dict[str, Raw]] = {}  # owner's uid → Pods by name
        self._due: dict[Key, None] = {}
        self._soon: set[Key] = set()  # due in a moment
        self._wake = asyncio.Event()
        self._deployments.on_change(self._deployment_changed)
        self._pods.on_change(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._deployments.run())
            tasks.create_task(self._pods.run())
            await self._deployments.synced()
            await self._pods.synced()
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._due:
                    key = next(iter(self._due))
                    del self._due[key]
                    await self._reconcile(key)

    def _enqueue(self, key: Key) -> None:
        self._soon.discard(key)
        self._due[key] = None
        self._wake.set()

    def _enqueue_soon(self, key: Key, after_s: float = _BESIDE_S) -> None:
        """Look at it a little later, once for all that happens until then."""
        if key not in self._soon:
            self._soon.add(key)
            asyncio.get_running_loop().call_later(after_s, self._enqueue, key)

    def _deployment_changed(self, old: Raw | None, new: Raw | None) -> None:
        known = new or old
        assert known is not None
        metadata = known["metadata"]
        if new is None:
            self._pods_of.pop(metadata["uid"], None)
            return
        self._enqueue((metadata["namespace"], metadata["name"]))

    def _pod_changed(self, old: Raw | None, new: Raw | None) -> None:
        known = new or old
        assert known is not None
        for owner in known["metadata"].get("ownerReferences") or ():
            if owner["kind"] != DEPLOYMENTS.kind:
                continue
            pods = self._pods_of.setdefault(owner["uid"], {})
            name = known["metadata"]["name"]
            if new is None:
                pods.pop(name, None)
            else:
                pods[name] = new
            self._enqueue_soon((known["metadata"]["namespace"], owner["name"]))

    async def _reconcile(self, key: Key) -> None:
        deployment = self._deployments.objects.get(key)
        if deployment is None:
            return
        pods = list(self._pods_of.get(deployment["metadata"]["uid"], {}).values())
        step = plan(deployment, pods, suffixes=self._suffixes(), now_s=self._clock())
        try:
            await self._carry_out(deployment, step)
        except ApiError as error:
            log.warning("deployment %s/%s: %s; trying again", *key, error)
            asyncio.get_running_loop().call_later(_RETRY_S, self._enqueue, key)
        if step.requeue_after_s is not None and step.requeue_after_s > 0:
            asyncio.get_running_loop().call_later(step.requeue_after_s, self._enqueue, key)

    def _suffixes(self) -> Iterator[str]:
        while True:
            yield "".join(self._rng.choices(_ALPHABET, k=5))

    async def _carry_out(self, deployment: Raw, step: Plan) -> None:
        namespace = deployment["metadata"]["namespace"]
        for pod in step.creates:
            try:
                created = await self._client.create(PODS, pod)
            except AlreadyExistsError:
                continue  # a name drawn twice: the next turn draws again
            self._remember(created)
            await asyncio.sleep(0)  # let it start: requests may be waiting
        for name in step.deletes:
            try:
                await self._client.delete(PODS, namespace, name)
            except NotFoundError:
                continue
        if step.creates:
            # The new Pods start first; the status, or more Pods, follow in a moment.
            self._enqueue_soon(_key(deployment))
        elif step.status is not None:
            await self._write_status(deployment, step)
        if step.creates or step.deletes:
            self._events.normal(
                deployment,
                "ScalingReplicaSet",
                f"Created {len(step.creates)} and stopped {len(step.deletes)} replicas",
            )

    def _remember(self, created: Raw) -> None:
        """Count our own write before the watch tells us of it, unless it already did."""
        metadata = created["metadata"]
        if (metadata["namespace"], metadata["name"]) not in self._pods.objects:
            self._pod_changed(None, created)

    async def _write_status(self, deployment: Raw, step: Plan) -> None:
        metadata = deployment["metadata"]
        # A count that fell to zero is left out of the status: a merge patch says so with null.
        before = dict.fromkeys(deployment.get("status") or {})
        try:
            await self._client.patch(
                DEPLOYMENTS,
                metadata["namespace"],
                metadata["name"],
                {"status": {**before, **(step.status or {})}},
                subresource="status",
            )
        except NotFoundError:
            log.debug("deployment %s is gone", metadata["name"])


def _key(obj: Raw) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]
