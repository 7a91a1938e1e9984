"""Write numbers of replicas to the API server, and statuses behind them.

For: the newest scale of each Revision, first and in order; then its PodAutoscaler's status.
Must not know: why a number was chosen.

One writer at most runs for a Revision. It takes what is newest when it gets to it, so a
hundred decisions during one slow write become one more write, and none overtakes another.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from api.kinds import DEPLOYMENTS, PODAUTOSCALERS
from autoscaler.config import Settings
from cluster.client import Client
from cluster.errors import ApiError, NotFoundError

Key = tuple[str, str]  # namespace, name of the PodAutoscaler
Spawn = Callable[[Coroutine[Any, Any, None]], object]

_LOG = logging.getLogger(__name__)
_SCALES_AT_ONCE_MAX = 64
_STATUSES_AT_ONCE_MAX = 16  # fewer, and counted apart: statuses never delay a scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts since the start."""

    scales_written: int
    statuses_written: int
    failures: int  # writes given up; the next tick decides again


@dataclass(slots=True)
class _Desk:
    """What is to be written for one Revision."""

    deployment: str
    replicas: int | None = None
    status: dict[str, Any] | None = None
    is_busy: bool = False
    scale_ordered: asyncio.Event = field(default_factory=asyncio.Event)


class Claims(Protocol):
    """Replicas that are had sooner than a scale brings them: `autoscaler.claiming`."""

    async def lead(
        self, key: Key, deployment: str, replicas: int, settled: Callable[[], None]
    ) -> bool:
        """See to what is missing of `replicas`; True while the scale may wait for that.

        `settled` is called when that has changed.
        """
        ...


class Scaler:
    """Takes orders without waiting and has them written by tasks from `spawn`."""

    def __init__(self, client: Client, settings: Settings, *, spawn: Spawn) -> None:
        self.claims: Claims | None = None  # they go before each scale, where there are any
        self._client = client
        self._settings = settings
        self._spawn = spawn
        self._desks: dict[Key, _Desk] = {}
        self._scale_slots = asyncio.Semaphore(_SCALES_AT_ONCE_MAX)
        self._status_slots = asyncio.Semaphore(_STATUSES_AT_ONCE_MAX)
        self._scales_written = 0
        self._statuses_written = 0
        self._failures = 0

    def order(
        self,
        key: Key,
        deployment: str,
        *,
        replicas: int | None,
        status: dict[str, Any] | None,
    ) -> None:
        """Have `replicas` and then `status` written; None leaves what was ordered before."""
        if replicas is None and status is None:
            return
        desk = self._desks.get(key)
        if desk is None:
            desk = self._desks[key] = _Desk(deployment)
        desk.deployment = deployment
        if replicas is not None:
            desk.replicas = replicas
            desk.scale_ordered.set()
        if status is not None:
            desk.status = status
        if not desk.is_busy:
            desk.is_busy = True
            self._spawn(self._work(key, desk))

    def forget(self, key: Key) -> None:
        """Write nothing more for a Revision that is gone."""
        desk = self._desks.pop(key, None)
        if desk is not None:
            desk.replicas = desk.status = None

    def statistics(self) -> Statistics:
        """Counts since the start."""
        return Statistics(
            scales_written=self._scales_written,
            statuses_written=self._statuses_written,
            failures=self._failures,
        )

    async def _work(self, key: Key, desk: _Desk) -> None:
        try:
            while desk.replicas is not None or desk.status is not None:
                if desk.replicas is not None:
                    await self._write_scale(key, desk)
                elif not await self._is_overtaken(desk):
                    await self._write_status(key, desk)
        finally:
            desk.is_busy = False
            if self._desks.get(key) is desk:
                del self._desks[key]  # an idle Revision keeps no desk

    async def _is_overtaken(self, desk: _Desk) -> bool:
        """Let what a scale set in motion go first; True when another scale came meanwhile."""
        desk.scale_ordered.clear()  # no scale is left to write, even if it was ordered twice
        try:
            async with asyncio.timeout(self._settings.status_after_s):
                await desk.scale_ordered.wait()
        except TimeoutError:
            return False
        return True

    async def _lead(self, key: Key, desk: _Desk) -> None:
        """Have replicas claimed; where that is all that is wanted, the scale lets them start."""
        if self.claims is None:
            return
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._settings.claims_first_s
        while desk.replicas is not None:
            desk.scale_ordered.clear()
            notice = desk.scale_ordered.set  # as a new number gives it
            if not await self.claims.lead(key, desk.deployment, desk.replicas, notice):
                return
            try:
                async with asyncio.timeout_at(until_s):
                    await desk.scale_ordered.wait()
            except TimeoutError:
                return

    async def _write_scale(self, key: Key, desk: _Desk) -> None:
        await self._lead(key, desk)
        for attempt in range(self._settings.write_attempts_max):
            replicas = desk.replicas
            if replicas is None:
                return
            try:
                async with self._scale_slots:
                    await self._client.patch(
                        DEPLOYMENTS,
                        key[0],
                        desk.deployment,
                        {"spec": {"replicas": replicas}},
                        subresource="scale",
                    )
            except NotFoundError:
                break  # the Deployment went; its return is a change that is looked at
            except ApiError as error:
                _LOG.warning("scaling %s/%s to %d: %s", *key, replicas, error.message)
                if attempt + 1 < self._settings.write_attempts_max:
                    await asyncio.sleep(self._settings.write_back_off_s * 2**attempt)
                continue
            self._scales_written += 1
            if desk.replicas == replicas:
                desk.replicas = None
            return
        self._failures += 1
        desk.replicas = None

    async def _write_status(self, key: Key, desk: _Desk) -> None:
        status, desk.status = desk.status, None
        try:
            async with self._status_slots:
                await self._client.patch(
                    PODAUTOSCALERS, key[0], key[1], {"status": status}, subresource="status"
                )
        except ApiError as error:
            # The next look compares with what is stored and orders it again.
            self._failures += 1
            _LOG.warning("status of %s/%s: %s", *key, error.message)
            return
        self._statuses_written += 1
