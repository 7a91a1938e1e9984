"""Whether the activator may step out of the path of requests, and how many of them it takes.

For: Knative's mode of a Revision's traffic and its number of activators (knative/serving,
     pkg/reconciler/autoscaling/kpa/kpa.go), told in the PodAutoscaler's status.
Must not know: how traffic is sent anywhere, or how the room for a burst is measured.

On one machine the activator stays whatever the mode: `Serve` says that it could go. Elsewhere it
goes for the Revisions that may be reached directly (exposure.py).
"""

import math
from typing import Final, Literal

Mode = Literal["Proxy", "Serve"]

PROXY: Final = "Proxy"  # through the activator
SERVE: Final = "Serve"  # straight to the replicas
_ACTIVATORS_MIN: Final = 2


def mode(want: int | None, excess_burst_capacity: int, *, ready: int) -> Mode:
    """Straight to the replicas only while some are wanted, some can serve, and room is to spare.

    `want` None: not known, as after a restart. Knative's ServerlessService adds that nobody can
    be sent to a Revision of which nothing is ready.
    """
    is_spare = want is not None and want > 0 and excess_burst_capacity >= 0
    return SERVE if is_spare and ready > 0 else PROXY


def activators(*, ready: int, total: float, target_burst_capacity: float, capacity: float) -> int:
    """How many activators carry all that the ready replicas can, and the burst on top.

    `total` is what one replica can carry, `capacity` what one activator can.
    """
    if target_burst_capacity == 0:
        return _ACTIVATORS_MIN  # only ever in the path at zero
    to_cover = ready * total + max(0.0, target_burst_capacity)
    return max(_ACTIVATORS_MIN, math.ceil(to_cover / capacity))
