"""Keep looking at what changed until nothing is left to do.

For: views → queue of work → planner → writer, some objects at a time.
Must not know: what is planned for any kind of object.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cluster.errors import ApiError, is_of_an_ending_namespace
from cluster.jitter import spread
from controller.concerns import Work
from controller.reconciler import RefusedError, StaleError
from controller.workqueue import Statistics as QueueStatistics
from controller.workqueue import WorkQueue

_LOG = logging.getLogger(__name__)
_JITTER = (0.75, 1.0)  # of a rest

Reconcile = Callable[[Work], Awaitable[float | None]]  # → seconds after which to look again


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What the manager has done since it was made, and what it has to do."""

    queue: QueueStatistics
    reconciled: int
    stale: int
    failed: int


class Manager:
    """Works through the queue, up to `workers_max` objects at once, none twice at once."""

    def __init__(self, reconcile: Reconcile, *, workers_max: int) -> None:
        self._reconcile = reconcile
        self._workers_max = workers_max
        self._queue: WorkQueue[Work] = WorkQueue()
        self._wake = asyncio.Event()
        self._working = 0
        self._reconciled = 0
        self._stale = 0
        self._failed = 0

    def enqueue(self, work: Work, *, after_s: float = 0.0) -> None:
        """Look at an object as soon as possible, or that many seconds from now."""
        self._queue.add(work, due_s=_now_s() + after_s)
        self._wake.set()

    def statistics(self) -> Statistics:
        """Counts since the start, and the queue as it is."""
        return Statistics(
            queue=self._queue.statistics(),
            reconciled=self._reconciled,
            stale=self._stale,
            failed=self._failed,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                for work in self._due():
                    self._working += 1
                    tasks.create_task(self._work(work))
                await self._until_due()

    def _due(self) -> Sequence[Work]:
        due: list[Work] = []
        while self._working + len(due) < self._workers_max:
            work = self._queue.take(now_s=_now_s())
            if work is None:
                break
            due.append(work)
        return due

    async def _until_due(self) -> None:
        next_s = self._queue.next_due_s()
        if next_s is None or self._working >= self._workers_max:
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, next_s - _now_s())):
                await self._wake.wait()
        except TimeoutError:
            return

    def _rest(self, work: Work) -> float:
        share = spread(*_JITTER)
        return self._queue.failed(work, now_s=_now_s(), share=share)

    async def _work(self, work: Work) -> None:
        try:
            again_after_s = await self._reconcile(work)
        except StaleError as error:
            self._stale += 1
            _LOG.debug("%s: %s; looking again", _spell(work), error)
            self._rest(work)
        except (ApiError, RefusedError) as error:
            if isinstance(error, ApiError) and is_of_an_ending_namespace(error):
                _LOG.debug("%s: %s", _spell(work), error)  # soon nothing is left to do
                self._rest(work)
                return
            self._failed += 1
            rest_s = self._rest(work)
            _LOG.warning("%s: %s; trying again in %.3g s", _spell(work), error, rest_s)
        except Exception:  # noqa: BLE001 - our own fault; the boundary of one unit of work
            self._failed += 1
            _LOG.exception("%s: planning failed", _spell(work))
            self._rest(work)
        else:
            self._reconciled += 1
            self._queue.succeeded(work, now_s=_now_s(), again_after_s=again_after_s)
        finally:
            self._working -= 1
            self._wake.set()


def _spell(work: Work) -> str:
    task, (namespace, name) = work
    return f"{task.value} {namespace}/{name}"


def _now_s() -> float:
    return asyncio.get_running_loop().time()
