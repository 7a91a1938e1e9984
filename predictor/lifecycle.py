"""The life of a predictor: loading, ready, draining, gone; and between, at rest for a while.

For: deciding when a predictor listens, when it may leave or rest, and what it says about itself.
Must not know: sockets, signals, clocks, or what a model is.
"""

import enum


class Phase(enum.Enum):
    """Where a predictor stands in its life."""

    LOADING = "loading"
    READY = "ready"
    SETTLING = "settling"
    SETTLED = "settled"
    DRAINING = "draining"
    GONE = "gone"


class Lifecycle:
    """Moves one way only, but for rests; a stop wins over a rest.

    `quiet_s`: how long open connections must stay idle before it leaves or rests.
    """

    def __init__(self, *, quiet_s: float, grace_s: float) -> None:
        self.phase = Phase.LOADING
        self._quiet_s = quiet_s
        self._grace_s = grace_s
        self._last_active_s = 0.0
        self._leave_by_s = 0.0

    def loaded(self) -> None:
        """The model answered for itself; a stop that came first wins."""
        if self.phase is Phase.LOADING:
            self.phase = Phase.READY

    def stop(self, *, now_s: float) -> None:
        """Asked to leave: at once while loading, after draining otherwise."""
        if self.phase is Phase.LOADING:
            self.phase = Phase.GONE
        elif self.phase in (Phase.READY, Phase.SETTLING, Phase.SETTLED):
            self.phase = Phase.DRAINING
            self._last_active_s = now_s
            self._leave_by_s = now_s + self._grace_s

    def settle(self, *, now_s: float) -> None:
        """Asked to come to rest, which takes as long as it takes."""
        if self.phase is Phase.READY:
            self.phase = Phase.SETTLING
            self._last_active_s = now_s
            self._leave_by_s = float("inf")

    def resume(self) -> None:
        """Asked to go on; a stop that came first wins."""
        if self.phase in (Phase.SETTLING, Phase.SETTLED):
            self.phase = Phase.READY

    def observe(self, *, in_flight: int, connections: int, active_s: float, now_s: float) -> None:
        """See the load while draining or settling, and come to the end when nothing can be lost.

        `active_s` is when a request last started or ended. An open connection that was idle
        for the quiet period is taken to be a pool's spare; a request in flight is waited for
        until the grace ends.
        """
        if self.phase not in (Phase.DRAINING, Phase.SETTLING):
            return
        end = Phase.GONE if self.phase is Phase.DRAINING else Phase.SETTLED
        self._last_active_s = max(self._last_active_s, active_s)
        if now_s >= self._leave_by_s:
            self.phase = end
        elif in_flight:
            self._last_active_s = now_s
        elif connections == 0 or now_s - self._last_active_s >= self._quiet_s:
            self.phase = end

    def next_deadline_s(self) -> float | None:
        """When to observe again even if nothing happens."""
        if self.phase not in (Phase.DRAINING, Phase.SETTLING):
            return None
        return min(self._leave_by_s, self._last_active_s + self._quiet_s)
