"""How many warm Pods a pool would have needed lately: learned from replicas that were asked for.

For: pools of size "auto". Pure; told the time.
Must not know: Pods, Deployments, or who asks.

A pool must hold what is asked for at once, which is what comes within the time that a new warm Pod
takes. The most that came so is remembered, and fades by half every `HALF_LIFE_S`.
"""

import math
from collections import deque

REFILL_S = 10.0  # a warm Pod is scheduled, started and warm in less
HALF_LIFE_S = 1800.0
SIZE_MAX = 20
_REMEMBERED_MAX = 1000  # moments of one refill time


class Demand:
    """Of one pool."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque(maxlen=_REMEMBERED_MAX)
        self._peak = 0.0
        self._peak_s = 0.0

    def asked(self, replicas: int, *, now_s: float) -> None:
        """Learn that so many more replicas were asked for."""
        self._recent.append((now_s, replicas))
        while self._recent[0][0] <= now_s - REFILL_S:
            self._recent.popleft()
        at_once = sum(count for _, count in self._recent)
        self._peak = max(self._faded(now_s), float(at_once))
        self._peak_s = now_s

    def size(self, *, now_s: float) -> int:
        """How many warm Pods there should be: at least one, for whoever comes next."""
        # A hundredth of a Pod is none: else every size would stay for hours on its last bit.
        return max(1, min(SIZE_MAX, math.ceil(self._faded(now_s) - 0.01)))

    def _faded(self, now_s: float) -> float:
        faded: float = self._peak * 0.5 ** (max(0.0, now_s - self._peak_s) / HALF_LIFE_S)
        return faded
