"""Count the load of one replica: requests, and concurrency weighted by time.

For: telling whoever asks at /relight/stats; any number of readers, none disturbs another.
Must not know: sockets, who reads, or what is decided from it.
"""


class RequestStats:
    """Knative's RequestStats with running totals instead of a report that resets.

    Average concurrency over a period is the difference of two `concurrency_seconds` divided
    by the difference of the two `time_s`. Requests that came through the activator were
    counted there: the `proxied` totals are the part of the totals that a reader takes off.
    """

    __slots__ = (
        "_changed_s",
        "_concurrency_seconds",
        "_proxied_seconds",
        "in_flight",
        "proxied_in_flight",
        "proxied_requests",
        "requests",
    )

    def __init__(self, *, now_s: float) -> None:
        self.in_flight = 0
        self.proxied_in_flight = 0
        self.requests = 0
        self.proxied_requests = 0
        self._concurrency_seconds = 0.0
        self._proxied_seconds = 0.0
        self._changed_s = now_s

    def arrived(self, *, is_proxied: bool, now_s: float) -> None:
        """A request came."""
        self._advance(now_s)
        self.in_flight += 1
        self.requests += 1
        if is_proxied:
            self.proxied_in_flight += 1
            self.proxied_requests += 1

    def left(self, *, is_proxied: bool, now_s: float) -> None:
        """A request was answered, or its client went away."""
        self._advance(now_s)
        self.in_flight -= 1
        assert self.in_flight >= 0
        if is_proxied:
            self.proxied_in_flight -= 1

    def passed(self, seconds: float, *, is_proxied: bool) -> None:
        """A request came and was answered in one go, which took so long."""
        self.requests += 1
        self._concurrency_seconds += seconds
        if is_proxied:
            self.proxied_requests += 1
            self._proxied_seconds += seconds

    def report(self, *, now_s: float) -> dict[str, float]:
        """All totals until now, as they are sent."""
        self._advance(now_s)
        return {
            "time_s": now_s,
            "in_flight": self.in_flight,
            "proxied_in_flight": self.proxied_in_flight,
            "requests": self.requests,
            "proxied_requests": self.proxied_requests,
            "concurrency_seconds": self._concurrency_seconds,
            "proxied_concurrency_seconds": self._proxied_seconds,
        }

    def _advance(self, now_s: float) -> None:
        elapsed_s = now_s - self._changed_s
        if elapsed_s > 0:
            self._changed_s = now_s
            self._concurrency_seconds += elapsed_s * self.in_flight
            self._proxied_seconds += elapsed_s * self.proxied_in_flight
