"""Where a load is going to be when a replica that is ordered now is ready.

For: the straight line through the last seconds, and whether it is one: class relight on ramps.
Must not know: replicas, targets, clocks.
"""

import math
from collections.abc import Sequence

SECONDS = 20  # that a line is drawn through: shorter is noise, longer is the stable window's
_T_MIN = 3.0  # times its standard error that a slope must be (99.8 % one-sided)


def expected(loads: Sequence[float], *, ahead_s: float) -> float | None:
    """The load `ahead_s` after the last of `loads`, one a second; None unless it clearly rises.

    Least squares. A line through fewer than SECONDS loads is no trend.
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
    residual = sum((load - mean - slope * (x - middle)) ** 2 for x, load in enumerate(loads)) / (
        count - 2
    )
    if slope < _T_MIN * math.sqrt(residual / spread):
        return None
    return mean + slope * (middle + ahead_s)
