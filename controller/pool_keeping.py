"""Keep the pools of warm Pods: look at what changed, make and delete Pods.

For: a cluster on which Revisions leave zero by a claim. Beside everything else the controller does.
Must not know: what makes a Pod warm, or who claims one.

A warm Pod belongs to nobody, so that a ReplicaSet can adopt it. One that is no more wanted is taken
out of its pool before it is deleted, by a patch that fails when it was claimed meanwhile.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from api import pool
from api.kinds import DEPLOYMENTS, NAMESPACES, PODS, REVISIONS, Resource
from api.objects import Raw
from cluster.client import Client
from cluster.errors import ApiError, ConflictError, InvalidError, NotFoundError
from cluster.informer import Informer
from controller.pool_demand import Demand
from controller.pool_planning import (
    AUTO,
    CALM,
    Observed,
    Plan,
    Seen,
    Size,
    SizeError,
    Trouble,
    chosen,
    plan,
    read_size,
)
from controller.pool_view import PoolView
from controller.view import key_of

_LOG = logging.getLogger(__name__)

_AFTER_S = 0.5  # what was just claimed loads its model first
_LEARN_AGAIN_S = 60.0
_UNSEEN_MAX_S = 30.0  # a Pod that was made is seen by then
_AT_ONCE_MAX = 10  # Pods made in one look
_RETIRE = {"op": "remove", "path": "/metadata/labels/relight.dev~1pool"}
Pool = tuple[str, str]  # namespace, class


class PoolKeeper:
    """Of all namespaces. `informers` are run by whoever has them.

    `wall_s` is epoch seconds, `token` random text: names and keys are made of it.
    """

    def __init__(
        self,
        client: Client,
        informers: Mapping[Resource, Informer],
        *,
        size: int,
        wall_s: Callable[[], float],
        token: Callable[[int], str],
    ) -> None:
        self._client = client
        self._informers = informers
        self._size = size
        self._wall_s = wall_s
        self._token = token
        self._view = PoolView()
        self._namespaces = Informer(client, NAMESPACES, is_optional=True)
        self._due: dict[str, float] = {}  # namespaces to look at, and when, by the loop's clock
        self._wake = asyncio.Event()
        self._demands: dict[Pool, Demand] = {}
        self._troubles: dict[Pool, Trouble] = {}
        self._unseen: dict[Pool, dict[str, float]] = {}  # Pods that were made, by their pool
        self._bad_sizes: dict[str, str] = {}

    async def run(self) -> None:
        """Keep them until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._namespaces.on_change(self._namespace_changed)
            tasks.create_task(self._namespaces.run())
            await self._namespaces.synced()
            for resource, follow in (
                (REVISIONS, self._revision_changed),
                (DEPLOYMENTS, self._deployment_changed),
                (PODS, self._pod_changed),
            ):
                await self._informers[resource].synced()
                self._informers[resource].on_change(follow)
            while True:
                await self._look_at_due()

    def _namespace_changed(self, old: Raw | None, new: Raw | None) -> None:
        self._view.namespace(old, new)
        self._look(str((new or old or {})["metadata"]["name"]))

    def _revision_changed(self, old: Raw | None, new: Raw | None) -> None:
        self._view.revision(old, new)
        self._look(key_of(new or old or {})[0])

    def _deployment_changed(self, old: Raw | None, new: Raw | None) -> None:
        key = key_of(new or old or {})
        before = self._view.refusal(key)
        asked = self._view.deployment(old, new)
        why = self._view.refusal(key)
        if why and why != before and self._wanted(key[0]):
            _LOG.info("Deployment %s/%s is started the plain way: %s", *key, why)
        need = self._view.need(key)
        if asked and need is not None:
            demand = self._demands.setdefault((key[0], need.pool), Demand())
            demand.asked(asked, now_s=asyncio.get_running_loop().time())
        self._look(key[0])

    def _pod_changed(self, old: Raw | None, new: Raw | None) -> None:
        if self._view.pod(old, new):
            namespace, name = key_of(new or old or {})
            for (place, _), unseen in self._unseen.items():
                if place == namespace:
                    unseen.pop(name, None)
            self._look(namespace)

    def _look(self, namespace: str, after_s: float = _AFTER_S) -> None:
        due_s = asyncio.get_running_loop().time() + after_s
        self._due[namespace] = min(self._due.get(namespace, due_s), due_s)
        self._wake.set()

    async def _look_at_due(self) -> None:
        loop = asyncio.get_running_loop()
        self._wake.clear()
        now_s = loop.time()
        for namespace in [each for each, due_s in self._due.items() if due_s <= now_s]:
            del self._due[namespace]
            try:
                await self._keep(namespace)
            except ApiError as error:
                _LOG.warning("warm Pods of %s: %s", namespace, error.message)
                self._look(namespace, after_s=5.0)
        try:
            async with asyncio.timeout_at(min(self._due.values(), default=None)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _keep(self, namespace: str) -> None:
        now_s = asyncio.get_running_loop().time()
        size = self._wanted(namespace)
        needs = {need.pool: need for need in self._view.needs(namespace)} if size else {}
        counts: dict[str, int] = {}
        for need in self._view.needs(namespace) if size else ():
            counts[need.pool] = counts.get(need.pool, 0) + 1
        sizes = {each: self._size_of((namespace, each), size, now_s) for each in chosen(counts)}
        found = self._observe(namespace, sizes, now_s)
        wanted = plan(found)
        self._learn(namespace, wanted, now_s)
        for pod in wanted.deletes:
            await self._delete(namespace, pod)
        for name, count in wanted.creates.items():
            for _ in range(min(count, _AT_ONCE_MAX)):
                if not await self._make(namespace, name, needs[name].spec, now_s):
                    break  # the others would fare no better, and count as one trouble
        self._forget(namespace, sizes)
        waits = [wanted.again_s] if wanted.again_s is not None else []
        if size == AUTO and sizes:
            waits.append(_LEARN_AGAIN_S)
        if wanted.failed or any(count > _AT_ONCE_MAX for count in wanted.creates.values()):
            waits.append(_AFTER_S)
        if waits:
            self._look(namespace, after_s=min(waits))

    def _observe(self, namespace: str, sizes: Mapping[str, int], now_s: float) -> Observed:
        pods = list(self._view.pods(namespace).values())
        # The planner compares one kind of time: claims are dated by the wall's clock.
        shift_s = now_s - self._wall_s()
        pods = [_shifted(pod, shift_s) for pod in pods]
        for (place, name), unseen in self._unseen.items():
            for each in [each for each, made_s in unseen.items() if made_s < now_s - _UNSEEN_MAX_S]:
                del unseen[each]
            if place == namespace:
                pods += [Seen(name=each, uid="", version="", pool=name) for each in unseen]
        troubles = {
            name: each for (place, name), each in self._troubles.items() if place == namespace
        }
        return Observed(pools=sizes, pods=pods, troubles=troubles, now_s=now_s)

    def _wanted(self, namespace: str) -> Size:
        text = self._view.size(namespace)
        if not text:
            return self._size
        try:
            return read_size(text)
        except SizeError as error:
            if self._bad_sizes.get(namespace) != text:
                _LOG.warning("Namespace %s: %s; it has %d", namespace, error, self._size)
            self._bad_sizes[namespace] = text
            return self._size

    def _size_of(self, place: Pool, size: Size, now_s: float) -> int:
        if size != AUTO:
            return size
        return self._demands.setdefault(place, Demand()).size(now_s=now_s)

    def _learn(self, namespace: str, wanted: Plan, now_s: float) -> None:
        for name in wanted.calm:
            self._troubles.pop((namespace, name), None)
        for name in wanted.failed:  # those of one node that goes are one trouble
            trouble = self._troubles.get((namespace, name), CALM).after(now_s=now_s)
            self._troubles[(namespace, name)] = trouble
            wait_s = trouble.until_s - now_s
            _LOG.warning("a warm Pod of %s ended; the next one in %.0f s", namespace, wait_s)

    def _forget(self, namespace: str, sizes: Mapping[str, int]) -> None:
        """Remember nothing of pools that nobody needs."""
        for known in (self._demands, self._troubles, self._unseen):
            for place in [each for each in known if each[0] == namespace and each[1] not in sizes]:
                del known[place]

    async def _make(self, namespace: str, name: str, spec: Raw, now_s: float) -> bool:
        """Whether it worked."""
        pod_name = f"{pool.NAME_PREFIX}{name[:8]}-{self._token(5)}"
        made: dict[str, Any] = pool.make_pod(
            namespace, name, spec, name=pod_name, key=self._token(32)
        )
        self._unseen.setdefault((namespace, name), {})[pod_name] = now_s
        try:
            await self._client.create(PODS, made)
        except ApiError as error:
            self._unseen[(namespace, name)].pop(pod_name, None)
            trouble = self._troubles.get((namespace, name), CALM).after(now_s=now_s)
            self._troubles[(namespace, name)] = trouble
            _LOG.warning("a warm Pod of %s: %s", namespace, error.message)
            self._look(namespace, after_s=trouble.until_s - now_s)
            return False
        return True

    async def _delete(self, namespace: str, pod: Seen) -> None:
        try:
            if pod.pool and not pod.is_over:
                test = {"op": "test", "path": "/metadata/resourceVersion", "value": pod.version}
                await self._client.patch(PODS, namespace, pod.name, [test, _RETIRE], kind="json")
            await self._client.delete(PODS, namespace, pod.name, uid=pod.uid)
        except (ConflictError, InvalidError, NotFoundError):
            return  # it changed, or is gone: what is seen next tells


def _shifted(pod: Seen, shift_s: float) -> Seen:
    return pod if pod.claimed_s is None else replace(pod, claimed_s=pod.claimed_s + shift_s)
