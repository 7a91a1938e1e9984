"""What a predictor of many models knows of one of them, and who waits for it.

For: one model's state, server and waiting requests, in one place that packed.py decides about.
Must not know: other models, limits, how a model is opened, sockets.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from predictor import heap
from predictor.repository_requests import State
from predictor.server import Server
from predictor.worker import Worker
from wire.exchange import Exchange

LOOK_S = 0.01  # between looks for a model that has come to rest

_GONE_S = 1.0  # an idle thread ends in microseconds, once it gets a processor


@dataclass(slots=True, kw_only=True, eq=False)
class Waiter:
    """One that waits for a model: a parked request, or one that asked for the load."""

    exchange: Exchange
    go_on: Callable[[], None]
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, kw_only=True)
class PackedModel:
    """All calls come from one event loop."""

    state: State = State.STANDBY
    reason: str = ""
    size_bytes: int = 0  # the least it took: what ran beside an opening is in what it took
    opens: int = 0
    server: Server | None = None
    worker: Worker | None = None
    waiting: dict[Waiter, None] = field(default_factory=dict)
    stamp: int = 0  # of its files when it was last opened, or could not be
    failed_s: float = 0.0  # when it could not be

    @property
    def is_busy(self) -> bool:
        """Whether something of it is received, waits for a run, or runs."""
        return self.server is not None and self.server.is_busy

    def when_idle(self, then: Callable[[], None]) -> None:
        """Its requests end within the timeout; so does this."""
        if self.is_busy:
            asyncio.get_running_loop().call_later(LOOK_S, self.when_idle, then)
        else:
            then()

    def expected_bytes(self, on_disk: int, limit: int) -> int:
        """What it took; the first time may have brought its library, which stays."""
        if self.opens == 1 and limit:
            return max(on_disk, min(self.size_bytes, limit))
        return self.size_bytes or on_disk

    def close(self, state: State) -> Callable[[], None]:
        """Let go of what is open; what is returned frees its memory, on another thread."""
        assert self.server is not None
        assert self.worker is not None
        within_s = 0.0
        if not self.is_busy:  # else it does not return, and who waits is told so in time
            self.server.lane.close()
            within_s = _GONE_S
        worker = self.worker
        worker.stop()
        self.server = self.worker = None
        self.state = state
        return partial(_free, worker, within_s)

    def let(self, waiter: Waiter, then: Callable[[], None]) -> None:
        """One waits no longer, for what `then` does; nothing where it has gone already."""
        if waiter in self.waiting:
            del self.waiting[waiter]
            if waiter.timer is not None:
                waiter.timer.cancel()
            then()

    def let_all(self, then: Callable[[Waiter], None]) -> None:
        """Nobody waits any longer."""
        for waiter in tuple(self.waiting):
            self.let(waiter, partial(then, waiter))


def _free(worker: Worker, within_s: float) -> None:
    """Its thread holds what it ran last until it ends."""
    worker.join(within_s)
    heap.collect()
