"""How long one execution may take: in all, until its first byte, and without a byte.

For: a Revision's timeoutSeconds, responseStartTimeoutSeconds and idleTimeoutSeconds.
Must not know: sockets, timers, answers. The next deadline is looked at, never armed.
"""

from dataclasses import dataclass

from activator.errors import Fault

_NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Beyond the time in all. 0: no such bound."""

    start_s: float = 0.0  # from sending the request to the first byte of its answer
    idle_s: float = 0.0  # without a byte either way


class Patience:
    """The bounds of one execution that has more than one. Cost: O(1) a byte seen or a look."""

    __slots__ = ("_bounds", "_ends_s", "_moved_s", "_starts_s")

    def __init__(self, bounds: Bounds, *, sent_s: float, ends_s: float) -> None:
        self._bounds = bounds
        self._ends_s = ends_s
        self._starts_s = sent_s + bounds.start_s if bounds.start_s else _NEVER
        self._moved_s = sent_s

    def started(self, now_s: float) -> None:
        """The answer has begun."""
        self._starts_s = _NEVER
        self._moved_s = now_s

    def moved(self, now_s: float) -> None:
        """Bytes went one way or the other."""
        self._moved_s = now_s

    def next_s(self) -> float:
        """The earliest moment at which a bound may be found passed."""
        idle_s = self._bounds.idle_s
        silent_s = self._moved_s + idle_s if idle_s else _NEVER
        return min(self._ends_s, self._starts_s, silent_s)

    def passed(self, now_s: float) -> Fault | None:
        """The bound that has passed; None: look again at `next_s`."""
        if self._ends_s <= now_s:
            return Fault.EXECUTION_TIMEOUT
        if self._starts_s <= now_s:
            return Fault.START_TIMEOUT
        return Fault.IDLE_TIMEOUT if self.next_s() <= now_s else None
