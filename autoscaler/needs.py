"""How many replicas a load needs now: class relight.

For: one number from every look at the same load, and which of them asked for it.
Must not know: what is kept beyond the need, bounds, rates, clocks.

Headroom is for the average, slots are for the moment. The average over the stable window, of
those seconds in which anything ran, is met with headroom (`target`). The fast average, of two
seconds, is met without (`total`): waiting begins when slots are full, not when headroom is used
up. Only a surge, that is `panic-threshold-percentage` of what is ready, is met with headroom at
once, as it may not be over.
"""

import math
from dataclasses import dataclass

from api import signals
from autoscaler.reasons import Reason
from autoscaler.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A number of replicas, and which look at the load asked for it."""

    number: int
    reason: Reason


NOTHING = Need(number=0, reason=Reason.IDLE)


def need(
    spec: Spec,
    *,
    busy: float | None,
    fast: float | None,
    expected: float | None,
    queued: int | None,
    ready: int,
) -> Need | None:
    """What this load needs; None when it is not known.

    `busy` and `fast` are averages (None: not known), `expected` is the load when a replica
    ordered now is ready (None: no clear trend), `queued` the queue that a poke told of (None: no
    poke). A poke counts alone where the load is not known.
    """
    found = NOTHING if busy is not None and fast is not None else None
    if busy is not None and fast:
        found = _of_load(spec, busy, fast, max(1, ready))
        if expected is not None and not _is_ratio(spec):
            found = _larger(found, math.ceil(expected / spec.target), Reason.EXPECTED)
    if queued is not None:
        number = math.ceil(max(1, queued) / spec.queue_target)
        found = _larger(found or NOTHING, number, Reason.QUEUE)
    return found


def _of_load(spec: Spec, busy: float, fast: float, ready: int) -> Need:
    found = Need(number=math.ceil(busy / spec.target), reason=Reason.STABLE)
    full = math.ceil(fast / spec.total)
    # What replicas report knows no slots: it may hold them, but not ask for more.
    found = _larger(found, full if spec.signal is None else min(full, ready), Reason.FULL)
    surge = math.ceil(fast / spec.target)
    if surge >= spec.panic_threshold * ready:
        found = _larger(found, surge, Reason.SURGE)
    return found if found.number else Need(number=1, reason=Reason.STABLE)


def _is_ratio(spec: Spec) -> bool:
    """A delay tells how wrong a number is: it follows from that number and has no course."""
    return spec.signal is not None and spec.signal.metric == signals.DELAY


def _larger(found: Need, number: int, reason: Reason) -> Need:
    return Need(number=number, reason=reason) if number > found.number else found
