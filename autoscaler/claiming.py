"""Claim warm Pods for a Revision that needs more replicas, before its scale is written.

For: an answer in the time that the model takes to load, where a Pod waits for one.
Must not know: why a number was chosen, who keeps the pools, how a warm Pod works.

1. A patch that names the resourceVersion gives a Pod the labels of the Revision: of several
   claimants one gets it. Activators find it at once; it belongs to no ReplicaSet yet.
2. The Pod is told what to be. One that does not take that is deleted, and the plain way is gone.
3. The scale is written, by the scaler: when the replica serves, or after `hold_s`.
4. When the ReplicaSet's controller has seen that, the Pod gets the label that makes it one of the
   ReplicaSet's. Sooner, it would be deleted as one too many; see docs/decisions/0027.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from api import keys
from api.kinds import PODS, REPLICASETS
from api.objects import rfc3339
from autoscaler.claim_calls import Call, Caller, CallError, Told, caller
from autoscaler.claimable import (
    Claimables,
    Target,
    WarmPod,
    adopting,
    claiming,
    trimmed_pod,
    trimmed_set,
)
from cluster.client import Client
from cluster.errors import ApiError, ConflictError, InvalidError, NotFoundError
from cluster.informer import Informer

Key = tuple[str, str]
Spawn = Callable[[Coroutine[Any, Any, None]], object]
Tell = Callable[[Key, str, str, str], None]  # whom, "Normal" or "Warning", reason, message

_LOG = logging.getLogger(__name__)

_PATCH_S = 2.0  # a patch that takes longer is given up, and its Pod too
_LOADING_MAX_S = 1.0  # then the scale is written although the model is still being loaded
_ADOPT_S = 15.0  # a ReplicaSet that does not want the Pod by then does not get it
_TRIES_MAX = 8  # Pods that others had first, in one claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts since the start."""

    claimed: int
    missed: int  # replicas that were wanted while no Pod of their pool was warm
    lost: int  # Pods that another claimant, or a change, had first
    failed: int  # Pods that did not take the claim, or ended over it
    adopted: int
    given_up: int  # Pods that no ReplicaSet wanted in the end


@dataclass(slots=True, kw_only=True)
class _Claim:
    """A Pod that is ours, on its way to its ReplicaSet."""

    pod: WarmPod
    namespace: str
    target: Target
    needs: int  # replicas of the ReplicaSet at which this one is none too many
    asked_s: float
    is_settled: bool = False
    settled: list[Callable[[], None]] = field(default_factory=list)


class Calls(Protocol):
    """How a Pod is told: `autoscaler.claim_calls`."""

    async def claim(self, call: Call, *, wait_s: float) -> Told:
        """CallError."""
        ...


class Claiming:
    """The claimant. `wall_s` is epoch seconds."""

    def __init__(
        self, client: Client, *, wall_s: Callable[[], float], calls: Calls | None = None
    ) -> None:
        """`calls`: how Pods are told, by default over HTTP while `run` runs."""
        self._client = client
        self._wall_s = wall_s
        self._calls = calls
        self._tell: Tell = lambda *_: None
        self._found = Claimables()
        self._found.on_set = self._set_changed
        self._going: dict[str, list[_Claim]] = {}  # by the uid of the ReplicaSet
        self._moved = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._pods = Informer(
            client, PODS, label_selector=keys.POOL, is_optional=True, keep=trimmed_pod
        )
        self._sets = Informer(client, REPLICASETS, is_optional=True, keep=trimmed_set)
        self._claimed = self._missed = self._lost = self._failed = 0
        self._adopted = self._given_up = 0

    def on_news(self, tell: Tell) -> None:
        """Have claims told."""
        self._tell = tell

    async def run(self) -> None:
        """Follow what can be claimed until cancelled."""
        self._pods.on_change(self._found.pod_changed)
        self._sets.on_change(self._found.set_changed)
        async with caller() as own:
            self._calls = self._calls or own
            try:
                async with asyncio.TaskGroup() as tasks:
                    self._tasks = tasks
                    tasks.create_task(self._pods.run())
                    tasks.create_task(self._sets.run())
            finally:
                self._tasks = None
                if isinstance(self._calls, Caller):
                    self._calls = None

    async def synced(self) -> None:
        """Wait until what can be claimed is known."""
        await self._pods.synced()
        await self._sets.synced()

    def statistics(self) -> Statistics:
        """Counts since the start."""
        return Statistics(
            claimed=self._claimed,
            missed=self._missed,
            lost=self._lost,
            failed=self._failed,
            adopted=self._adopted,
            given_up=self._given_up,
        )

    async def lead(
        self, key: Key, deployment: str, replicas: int, settled: Callable[[], None]
    ) -> bool:
        """Claim what is missing of `replicas`; True while the scale may wait for what was claimed.

        It may when all are claimed and a model is still being loaded; `settled` is called when
        that has changed.
        """
        target = self._found.target((key[0], deployment))
        if target is None or self._tasks is None or replicas <= target.replicas:
            return False
        going = self._going.setdefault(target.uid, [])
        try:
            missing = replicas - target.replicas - len(going)
            if missing > 0:
                await self._claim_some(key, target, going, missing)
            waiting = [claim for claim in going if not claim.is_settled]
            if target.replicas + len(going) < replicas or not waiting:
                return False
            for claim in waiting:
                claim.settled.append(settled)
            return True
        finally:
            if not going:
                self._going.pop(target.uid, None)

    async def _claim_some(
        self, key: Key, target: Target, going: list[_Claim], missing: int
    ) -> None:
        """Up to so many, at once."""
        count = min(missing, self._found.count(key[0], target.pool))
        self._missed += missing - count
        if not count:
            return
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(self._claim_one(key[0], target)) for _ in range(count)]
        base = target.replicas + len(going)
        won = [each for task in asked if (each := task.result()) is not None]
        self._missed += count - len(won)
        for at, (pod, asked_s) in enumerate(won, start=1):
            claim = _Claim(
                pod=pod, namespace=key[0], target=target, needs=base + at, asked_s=asked_s
            )
            going.append(claim)
            self._going[target.uid] = going
            self._claimed += 1
            self._tell(key, "Normal", "ClaimedWarmPod", f"claimed warm Pod {pod.name}")
            if self._tasks is not None:
                self._tasks.create_task(self._follow(key, claim))

    async def _claim_one(self, namespace: str, target: Target) -> tuple[WarmPod, float] | None:
        """A warm Pod that is ours now, and when it was asked for; None: there is none to be had."""
        asked_s = asyncio.get_running_loop().time()
        for _ in range(_TRIES_MAX):
            pod = self._found.take(namespace, target.pool)
            if pod is None:
                return None
            patch = claiming(pod, target, now=rfc3339(self._wall_s()))
            try:
                async with asyncio.timeout(_PATCH_S):
                    await self._client.patch(PODS, namespace, pod.name, patch, kind="json")
            except (ConflictError, InvalidError, NotFoundError):
                self._lost += 1
            except ApiError as error:
                self._failed += 1
                _LOG.warning("claiming Pod %s/%s: %s", namespace, pod.name, error.message)
                # Warm as before; if it is ours after all, its change is heard like any other.
                self._found.give_back(namespace, target.pool, pod)
                return None
            except TimeoutError:
                # It may be ours, and nobody's: nobody is to find it half claimed.
                self._failed += 1
                _LOG.warning("claiming Pod %s/%s: no answer", namespace, pod.name)
                if self._tasks is not None:
                    self._tasks.create_task(self._delete(namespace, pod))
                return None
            else:
                return pod, asked_s
        return None

    async def _follow(self, key: Key, claim: _Claim) -> None:
        """Tell the Pod what to be, and bring it to its ReplicaSet."""
        timing: dict[str, float] = {}
        try:
            told = await self._told(key, claim, timing)
            self._settle(claim)
            if told is not None and not told.failed:
                await self._join(key, claim, timing)
        finally:
            self._settle(claim)
            going = self._going.get(claim.target.uid)
            if going is not None:
                going.remove(claim)
                if not going:
                    self._going.pop(claim.target.uid, None)

    async def _told(self, key: Key, claim: _Claim, timing: dict[str, float]) -> Told | None:
        loop = asyncio.get_running_loop()
        timing["claim_ms"] = round((loop.time() - claim.asked_s) * 1000, 3)
        call = Call(
            address=claim.pod.address,
            key=claim.pod.key,
            id=secrets.token_hex(8),
            revision=key[1],
            assignment=claim.target.assignment,
        )
        assert self._calls is not None
        try:
            told = await self._calls.claim(call, wait_s=_LOADING_MAX_S)
        except CallError as error:
            self._failed += 1
            message = f"warm Pod {claim.pod.name} did not take its claim: {error}"
            _LOG.warning("%s/%s: %s", *key, message)
            self._tell(key, "Warning", "ClaimFailed", message)
            await self._delete(claim.namespace, claim.pod)
            return None
        if told.failed:  # its Pod ends by itself, and can be asked why
            self._failed += 1
            self._tell(key, "Warning", "ClaimFailed", f"Pod {claim.pod.name}: {told.failed}")
        parts = (("fork_ms", told.fork_ms), ("load_ms", told.load_ms))
        timing |= {name: value for name, value in parts if value is not None}
        return told

    def _settle(self, claim: _Claim) -> None:
        claim.is_settled = True
        for settled in claim.settled:
            settled()
        claim.settled.clear()

    async def _join(self, key: Key, claim: _Claim, timing: dict[str, float]) -> None:
        """Wait until the ReplicaSet wants it, and make it one of its own."""
        try:
            async with asyncio.timeout(_ADOPT_S):
                while not self._is_wanted(key, claim):
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            self._given_up += 1
            await self._delete(claim.namespace, claim.pod)
            return
        patch = adopting(claim.target, timing)
        try:
            await self._client.patch(PODS, claim.namespace, claim.pod.name, patch)
        except NotFoundError:
            return
        except ApiError as error:
            _LOG.warning("Pod %s/%s: %s", claim.namespace, claim.pod.name, error.message)
            await self._delete(claim.namespace, claim.pod)
            return
        self._adopted += 1

    def _is_wanted(self, key: Key, claim: _Claim) -> bool:
        target = self._found.by_uid(key[0], claim.target.uid)
        return target is not None and target.is_observed and target.replicas >= claim.needs

    def _set_changed(self) -> None:
        self._moved.set()

    async def _delete(self, namespace: str, pod: WarmPod) -> None:
        """End a Pod that must not be used: it never goes back."""
        try:
            await self._client.delete(PODS, namespace, pod.name, uid=pod.uid)
        except (NotFoundError, ConflictError):
            return
        except ApiError as error:
            _LOG.warning("deleting Pod %s/%s: %s", namespace, pod.name, error.message)
