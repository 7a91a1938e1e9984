"""Metrics that replicas report about themselves: `tokens-in-flight` and `queue-delay`.

For: their names and units, and refusing what would mean nothing beside them.
Must not know: how a replica reports, or what is decided from it.
"""

from collections.abc import Mapping
from typing import Final, Literal

from api import keys
from api.annotations import Annotations

Signal = Literal["tokens-in-flight", "queue-delay"]

TOKENS: Final = "tokens-in-flight"
DELAY: Final = "queue-delay"
# What the target of each is, for one replica.
UNITS: Mapping[str, str] = {TOKENS: "tokens", DELAY: "milliseconds"}
# As `Annotations.word` reads them.
WORDS: Mapping[str, str] = {name: name for name in UNITS}


def check(source: Annotations, metric: str | None) -> None:
    """Note what is missing beside such a metric, and what would be accepted and ignored."""
    if metric is None or metric not in UNITS:
        return
    faults = source.faults
    if source.find(keys.SCALING_TARGET) is None:
        reason = f"metric {metric} has no default target: say how many {UNITS[metric]} a replica"
        faults.add("missing field(s)", source.at(keys.SCALING_TARGET), details=reason)
    capacity = source.find(keys.TARGET_BURST_CAPACITY)
    if capacity is not None and capacity.text != "-1":
        reason = f"metric {metric} is read by the activator, which therefore stays: only -1"
        faults.invalid(capacity.text, capacity.path, reason)
    utilization = source.find(keys.TARGET_UTILIZATION)
    if metric == DELAY and utilization is not None:
        reason = f"metric {DELAY} aims at the target itself: lower the target"
        faults.invalid(utilization.text, utilization.path, reason)
