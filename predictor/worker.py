"""Run the model: on the event loop while it is quick, on one thread of its own otherwise.

For: paying for a thread switch only where it buys something.
Must not know: HTTP, JSON, or what the model computes.

A hand-over to a thread and back costs about 50 µs and two wake-ups; a tiny model runs in 7.
So a model whose recent runs took less than INLINE_MAX_S runs where the request is parsed.
The first run is never inline: nobody knows yet how long it takes, and health checks must be
answered meanwhile. `recent` is a peak that decays, so one slow run sends the next ones to the
thread at once, and it takes a series of quick ones to come back.

A run on the loop that never ends stops everything that could be said of it. So the thread, which
has nothing else to do then, looks after it: LOOKS times within the limit on a run, from the first
one there to a look that finds none since the last. Looks are counted and not the time, which goes
on while a process is stopped.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from predictor.errors import Fault, RequestError
from predictor.model import Tensor

_LOG = logging.getLogger(__name__)

INLINE_MAX_S = 0.002
LOOKS = 4
_DECAY = 0.9  # per run: after 44 quick runs, one that took 100 times INLINE_MAX_S is forgotten

Run = Callable[[dict[str, Tensor], tuple[str, ...] | None], Mapping[str, Tensor]]


class Outcome(NamedTuple):
    """What came of one run: outputs or a fault, and how long it took."""

    outputs: Mapping[str, Tensor] | None
    error: RequestError | None
    run_s: float


class Worker:
    """One thread, started with the object, and the choice between it and the loop.

    Runs never overlap: while the thread has work, everything goes to the thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._pending = 0  # touched on the loop's thread only
        self._recent_s = float("inf")
        self._jobs_started = 0  # written by the thread
        self._is_working = False  # likewise
        self._limit_s = 0.0  # of a run on the loop
        self._on_stuck: Callable[[float], None] | None = None
        self._begun = 0  # runs on the loop; written by its thread
        self._is_here = False  # one goes on; likewise
        self._is_watched = False
        self._looked_at = self._looks = 0  # written by the thread
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def is_quick(self) -> bool:
        """Whether the next run may block the loop."""
        return self._recent_s < INLINE_MAX_S and not self._pending

    @property
    def mark(self) -> int:
        """Which job the thread is at, as long as it is at it; 0 while it waits for one."""
        return self._jobs_started if self._is_working else 0

    @property
    def limits(self) -> tuple[float, Callable[[float], None] | None]:
        """As given to `limit`."""
        return self._limit_s, self._on_stuck

    def limit(self, limit_s: float, on_stuck: Callable[[float], None] | None) -> None:
        """Have `on_stuck` called, on the thread, when a run on the loop takes so long."""
        self._limit_s, self._on_stuck = limit_s, on_stuck

    def enters(self) -> None:
        """A run begins on the loop's thread; `saw` tells of its end."""
        self._begun += 1
        self._is_here = True
        if not self._is_watched and self._on_stuck is not None:
            self._is_watched = True
            self._jobs.put(_nothing)  # so that it waits no longer without end

    def run_here(
        self, run: Run, feeds: dict[str, Tensor], wanted: tuple[str, ...] | None
    ) -> Outcome:
        """Run on the calling thread, which is the loop's."""
        self.enters()
        outcome = _measure(run, feeds, wanted)
        self.saw(outcome.run_s)
        return outcome

    def run_there(
        self,
        run: Run,
        feeds: dict[str, Tensor],
        wanted: tuple[str, ...] | None,
        done: Callable[[Outcome], None],
    ) -> None:
        """Run on the worker's thread, behind what waits there; `done` is called on the loop."""

        def finish(outcome: Outcome) -> None:
            self._pending -= 1
            self.saw(outcome.run_s)
            done(outcome)

        def work() -> None:
            outcome = _measure(run, feeds, wanted)
            self._loop.call_soon_threadsafe(finish, outcome)

        self._pending += 1
        self._jobs.put(work)

    def call(self, work: Callable[[], None]) -> None:
        """Run anything on the thread, such as the load of the model."""
        self._jobs.put(work)

    def stop(self) -> None:
        """End the thread once what waits has run; nothing may be given to it any more."""
        self._jobs.put(None)

    def join(self, within_s: float) -> None:
        """Wait so long at most for the thread to end, on another one."""
        self._thread.join(within_s)

    def forget(self) -> None:
        """Another model comes: nothing is known of how long it runs."""
        self._recent_s = float("inf")

    def saw(self, run_s: float) -> None:
        """A run took so long, on the loop's thread or on this one."""
        self._is_here = False
        peak_s = self._recent_s * _DECAY
        # The first run warms up as well; after it, "infinitely long" must not decay forever.
        self._recent_s = run_s if run_s > peak_s or peak_s == float("inf") else peak_s

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self._limit_s / LOOKS if self._is_watched else None)
            except queue.Empty:
                self._look()
                continue
            if job is None:
                return
            self._jobs_started += 1
            self._is_working = True
            job()
            job = _nothing  # what it ran may go before the next comes
            self._is_working = False

    def _look(self) -> None:
        """Whether the loop's thread comes back from its runs."""
        begun = self._begun
        if begun != self._looked_at:
            self._looked_at, self._looks = begun, 0
        elif self._is_here:
            self._looks += 1
            if self._looks == LOOKS and self._on_stuck is not None:
                self._on_stuck(self._limit_s)
        else:
            self._is_watched = False
            if self._begun != begun:  # one began that could not see it yet
                self._is_watched = True


def _nothing() -> None:
    """A job that is none."""


def _measure(run: Run, feeds: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Outcome:
    started_s = time.perf_counter()
    try:
        return Outcome(run(feeds, wanted), None, time.perf_counter() - started_s)
    except RequestError as error:
        return Outcome(None, error, time.perf_counter() - started_s)
    except BaseException:  # noqa: BLE001 - a boundary: the thread would end with it
        _LOG.exception("the run failed outside the model")
        return Outcome(None, RequestError(Fault.BUG), time.perf_counter() - started_s)
