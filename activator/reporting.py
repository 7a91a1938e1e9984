"""What the autoscaler is told of the load, and the one timer of the request path.

For: a stat a second for revisions with load, a poke out of turn, execution deadlines checked
together. Without load nothing runs.
Must not know: what is decided from a stat, or how it travels.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from activator.concurrency import Load
from activator.config import Settings
from activator.loads import Told
from activator.targets import RevisionKey
from api.stats import Stat


class Source(Protocol):
    """One Revision's requests, as far as reports go."""

    key: RevisionKey
    is_active: bool

    @property
    def queued(self) -> int:
        """Requests held."""
        ...

    @property
    def queued_bytes(self) -> int:
        """Bytes of their bodies."""
        ...

    @property
    def executing(self) -> int:
        """Requests at a replica."""
        ...

    @property
    def is_crowd(self) -> bool:
        """Whether requests wait for replicas that are ready, and will not have room soon."""
        ...

    def report(self, now_s: float) -> Load:
        """End a period."""
        ...

    def told(self, now_s: float) -> Told:
        """What its replicas say of their load, if they are asked."""
        ...

    def expire_executing(self, now_s: float) -> None:
        """End executions that are late."""


class Reporter:
    """The revisions with load. One that had none for a period is told as zero, once, and left."""

    def __init__(
        self,
        settings: Settings,
        report: Callable[[Sequence[Stat]], None],
        trim: Callable[[RevisionKey, float], bool],
    ) -> None:
        """`trim(key, now_s)` closes connections long unused; False when none are left."""
        self._settings = settings
        self._report = report
        self._trim = trim
        self._active: dict[Source, bool] = {}  # → whether it was told as idle
        self._timer: asyncio.TimerHandle | None = None
        self._report_due_s = 0.0

    def activate(self, source: Source, now_s: float) -> None:
        """A request came to a Revision that had none."""
        source.is_active = True
        self._active[source] = False
        if self._timer is None:
            self._report_due_s = now_s + self._settings.report_period_s
            self._arm()

    def poke(self, source: Source, now_s: float) -> None:
        """Tell of one Revision now: requests wait, and no replica was asked for, or too few."""
        stat = self._stat(source, now_s, float(source.queued), 0.0, is_poke=True)
        if source.is_crowd:
            stat = replace(stat, queued=source.queued + source.executing, is_crowd=True)
        self._report((stat,))

    def forget(self, source: Source) -> None:
        """The Revision is gone."""
        source.is_active = False
        self._active.pop(source, None)

    def close(self) -> None:
        """End the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._settings.deadline_grain_s, self._tick)

    def _tick(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for source in tuple(self._active):
            source.expire_executing(now_s)
        if now_s >= self._report_due_s:
            self._report_due_s = max(self._report_due_s, now_s - self._settings.report_period_s)
            self._report_due_s += self._settings.report_period_s
            self._report_all(now_s)
        self._timer = None
        if self._active:
            self._arm()

    def _report_all(self, now_s: float) -> None:
        stats: list[Stat] = []
        for source in tuple(self._active):
            load = source.report(now_s)
            if not (load.is_idle and self._active[source]):
                average = load.average_concurrency
                stats.append(self._stat(source, now_s, average, load.requests_per_s))
            self._active[source] = load.is_idle
            has_connections = self._trim(source.key, now_s)
            if load.is_idle and not has_connections:
                self.forget(source)
        if stats:
            self._report(stats)

    def _stat(
        self,
        source: Source,
        now_s: float,
        average_concurrency: float,
        requests_per_s: float,
        *,
        is_poke: bool = False,
    ) -> Stat:
        told = source.told(now_s)
        return Stat(
            namespace=source.key.namespace,
            revision=source.key.name,
            reporter=self._settings.reporter,
            time_s=now_s,
            average_concurrency=average_concurrency,
            requests_per_s=requests_per_s,
            queued=source.queued,
            queued_bytes=source.queued_bytes,
            is_poke=is_poke,
            tokens_in_flight=told.tokens_in_flight,
            queue_delay_s=told.queue_delay_s,
        )
