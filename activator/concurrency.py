"""The average load of one Revision, period by period.

For: what the autoscaler is told: time-weighted concurrency and requests per second.
Must not know: clocks, revisions, who is told. `now_s` never goes back.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load of one period. `average_concurrency` is the integral over the period's length."""

    average_concurrency: float
    requests_per_s: float
    finished_per_s: float
    is_idle: bool  # nothing ran or came in the whole period


class LoadCounter:
    """Two events a request, O(1) each (Knative's RequestStats)."""

    __slots__ = (
        "_arrivals",
        "_changed_s",
        "_finishes",
        "_in_flight",
        "_integral",
        "_period_began_s",
    )

    def __init__(self, *, now_s: float) -> None:
        self._in_flight = 0
        self._integral = 0.0
        self._changed_s = now_s
        self._period_began_s = now_s
        self._arrivals = 0
        self._finishes = 0

    @property
    def in_flight(self) -> int:
        """Requests held or executing now."""
        return self._in_flight

    def arrived(self, now_s: float) -> None:
        """A request came."""
        self._integral += self._in_flight * (now_s - self._changed_s)
        self._changed_s = now_s
        self._in_flight += 1
        self._arrivals += 1

    def finished(self, now_s: float) -> None:
        """A request is over, however it ended."""
        self._integral += self._in_flight * (now_s - self._changed_s)
        self._changed_s = now_s
        self._in_flight -= 1
        self._finishes += 1
        assert self._in_flight >= 0, "more requests ended than came"

    def restart(self, now_s: float) -> None:
        """Begin a period after a time in which nobody asked, because nothing happened."""
        assert not self._in_flight, "requests ran in a time nobody asked about"
        self._changed_s = self._period_began_s = now_s

    def report(self, now_s: float) -> Load:
        """End a period and begin the next. A period of no length has the load of the moment."""
        self._integral += self._in_flight * (now_s - self._changed_s)
        length_s = now_s - self._period_began_s
        load = Load(
            average_concurrency=self._integral / length_s if length_s > 0 else self._in_flight,
            requests_per_s=self._arrivals / length_s if length_s > 0 else 0.0,
            finished_per_s=self._finishes / length_s if length_s > 0 else 0.0,
            is_idle=not (self._integral or self._in_flight or self._arrivals),
        )
        self._integral = 0.0
        self._changed_s = self._period_began_s = now_s
        self._arrivals = self._finishes = 0
        return load
