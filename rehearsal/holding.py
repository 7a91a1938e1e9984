"""The activator of one Revision, as far as the autoscaler hears of it.

For: the queue, a report in each second with load, and the pokes that leave zero, in the rhythm
     of activator/holding.py and activator/reporting.py.
Must not know: replicas, what is decided, how long a request takes.

A request is never given up: it waits as long as it takes, however many wait.
"""

from collections import deque
from dataclasses import replace

from api.stats import Stat

# The activator's own (activator/config.py); a test keeps them the same.
REPORT_PERIOD_S = 1.0
GATHER_S = 0.002
GATHER_MAX_S = 0.01
UPSTREAM_IDLE_S = 4.0
CROWD = 8


class Holding:
    """What waits, what is in flight, and what is told of it. `queue` holds requests' numbers."""

    __slots__ = (
        "_arrivals",
        "_changed_s",
        "_ends_s",
        "_held_s",
        "_integral",
        "_name",
        "_poked",
        "_since_s",
        "_was_told_idle",
        "in_flight",
        "is_active",
        "is_gathering",
        "peak",
        "queue",
    )

    def __init__(self, name: str) -> None:
        self.queue: deque[int] = deque()
        self.in_flight = 0  # held or executing
        self.is_active = False  # it reports
        self.is_gathering = False  # before a poke
        self.peak = 0  # most in flight since the last report
        self._name = name
        self._integral = 0.0  # of requests in flight over the period
        self._arrivals = 0
        self._changed_s = self._since_s = 0.0
        self._was_told_idle = False
        self._poked = 0  # length of the queue at the last poke; 0: none since a replica was ready
        self._held_s = self._ends_s = 0.0

    def arrived(self, now_s: float) -> bool:
        """Count a request that came; True when with it reports begin, a period from now."""
        is_first = not self.is_active
        if is_first:
            self.is_active, self._was_told_idle = True, False
            self._changed_s = self._since_s = now_s
        self._integral += self.in_flight * (now_s - self._changed_s)
        self._changed_s = now_s
        self._arrivals += 1
        self.in_flight += 1
        if self.in_flight > self.peak:
            self.peak = self.in_flight
        return is_first

    def finished(self, now_s: float) -> None:
        """Count a request that is over."""
        self._integral += self.in_flight * (now_s - self._changed_s)
        self._changed_s = now_s
        self.in_flight -= 1

    def replicas_ready(self) -> None:
        """A first replica is ready: the next wait for one is another."""
        self._poked = 0

    def held(
        self, number: int, now_s: float, *, staying: int, ready: int = 0
    ) -> tuple[Stat | None, float | None]:
        """Queue a request that no replica takes now; return a poke, or when to call `gathered`.

        `staying` replicas exist, `ready` of them can serve.
        """
        self.queue.append(number)
        self._held_s = now_s
        if self.is_gathering or (ready and not self._is_crowd):
            return None, None
        if not self._poked and (ready or not staying):
            self.is_gathering = True
            self._ends_s = now_s + GATHER_MAX_S
            return None, now_s + GATHER_S
        if len(self.queue) >= 2 * max(self._poked, 1):
            return self._poke(now_s, ready=ready), None
        return None, None

    @property
    def _is_crowd(self) -> bool:
        queued = len(self.queue)
        return queued >= CROWD * max(self.in_flight - queued, 1)

    def gathered(self, now_s: float, *, ready: int) -> tuple[Stat | None, float | None]:
        """Look whether the burst goes on; return likewise."""
        pauses = 1 if len(self.queue) == 1 else 2
        quiet_at_s = self._held_s + pauses * GATHER_S
        if now_s < quiet_at_s and now_s < self._ends_s:
            return None, min(quiet_at_s, self._ends_s)
        self.is_gathering = False
        if self.queue and (not ready or self._is_crowd):
            return self._poke(now_s, ready=ready), None
        return None, None

    def report(self, now_s: float, *, last_s: float) -> Stat | None:
        """End a period; None when there is nothing to tell. It may cease to be active.

        Replicas were last used, or became ready, at `last_s`: their connections stay a while.
        """
        self._integral += self.in_flight * (now_s - self._changed_s)
        length_s = now_s - self._since_s
        is_idle = not (self._integral or self.in_flight or self._arrivals)
        stat = None
        if not (is_idle and self._was_told_idle):
            stat = self._stat(now_s, self._integral / length_s, self._arrivals / length_s)
        self._was_told_idle = is_idle
        self._integral, self._arrivals, self.peak = 0.0, 0, self.in_flight
        self._changed_s = self._since_s = now_s
        if not self.queue:
            self._poked = 0
        if is_idle and last_s < now_s - UPSTREAM_IDLE_S:
            self.is_active = False
        return stat

    def _poke(self, now_s: float, *, ready: int) -> Stat:
        self._poked = len(self.queue)
        stat = self._stat(now_s, float(len(self.queue)), 0.0, is_poke=True)
        return replace(stat, queued=self.in_flight, is_crowd=True) if ready else stat

    def _stat(self, now_s: float, average: float, per_s: float, *, is_poke: bool = False) -> Stat:
        return Stat(
            namespace="rehearsal",
            revision=self._name,
            reporter="activator",
            time_s=now_s,
            average_concurrency=average,
            requests_per_s=per_s,
            queued=len(self.queue),
            is_poke=is_poke,
        )
