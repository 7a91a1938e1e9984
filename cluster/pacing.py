"""How many requests a second a client may send: a bucket of tokens.

For: an API server that serves others too; who has much to do waits here, not there.
Must not know: requests, clocks.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """`per_s` 0: as many as one likes. What is urgent never waits: others wait the longer."""

    per_s: float
    burst: float
    _left: float = 0.0
    _filled_s: float | None = None

    def wait_s(self, *, now_s: float, is_urgent: bool = False) -> float:
        """Take a token; for how long to wait before it may be used."""
        if not self.per_s:
            return 0.0
        since_s = now_s if self._filled_s is None else self._filled_s
        left = self.burst if self._filled_s is None else self._left
        self._left = min(self.burst, left + (now_s - since_s) * self.per_s) - 1.0
        self._filled_s = now_s
        return 0.0 if is_urgent or self._left >= 0 else -self._left / self.per_s
