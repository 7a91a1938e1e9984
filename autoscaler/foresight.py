"""Where a load is going to be when a replica that is ordered now is ready.

For: the straight line through the last seconds, and whether it is one: class relight on ramps.
Must not know: replicas, targets, clocks.
"""

from collections.abc import Sequence

SECONDS = 60  # that a line is drawn through: in fewer, the noise of arrivals hides a rise
# Of the variation, that the line must explain; chance explains a fifteenth at most.
_EXPLAINED_MIN = 0.6
_BEYOND_MAX = 1.25  # times the largest load yet: a line is no promise, and it is drawn again


def expected(loads: Sequence[float], *, ahead_s: float) -> float | None:
    """The load `ahead_s` after the last of `loads`, one a second; None unless it clearly rises.

    Least squares, and never far beyond what was seen. Fewer than SECONDS loads are no trend.
    """
    count = len(loads)
    if count < SECONDS:
        return None
    middle = (count - 1) / 2
    mean = sum(loads) / count
    spread = count * (count * count - 1) / 12  # Σ (x - middle)² of 0, 1, 2, ...
    slope = sum((x - middle) * load for x, load in enumerate(loads)) / spread
    if slope <= 0:
        return None
    variation = sum((load - mean) ** 2 for load in loads)
    if slope * slope * spread < _EXPLAINED_MIN * variation:
        return None
    return min(mean + slope * (middle + ahead_s), _BEYOND_MAX * max(loads))
