"""Load that replicas report of themselves: what a stat of it comes to, in one unit that adds up.

For: class relight's metrics tokens-in-flight and queue-delay, made into a load that is divided by
     a target for each replica, as every other load is (docs/autoscaling.md).
Must not know: windows, decisions, who reported, clocks.

Tokens are an amount: twice the replicas, half the tokens in each. A delay is a level, which the
sum rule does not fit: what it says is a ratio, that this many replicas were so much too few. So a
second's delay counts as the replicas there were, times delay / target, times the target: the load
under which that many replicas would be right. Only then is it averaged, and replicas that came
later do not multiply a delay from before they came. One second asks for at most twice and for at
least half of what there is, and never for fewer than have their slots full: a delay of nothing
says that there are enough, not how many are too many.

A delay at zero replicas is their start, and no measure of how many are needed. There, and while
nobody reports, a request counts as its share of a replica by concurrency.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from api import signals
from api.stats import Stat

RATIO_MIN, RATIO_MAX = 0.5, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Which report counts, and what it is measured by."""

    metric: signals.Signal
    target: float  # tokens, or milliseconds of delay, that a replica should have
    requests: float  # that a replica should have, where nobody reports
    slots: int = 0  # requests that a replica can have; 0: no limit

    @property
    def unit(self) -> str:
        """What loads of the same unit can be averaged by: a delay counts in targets."""
        return f"{self.metric}/{self.target:g}" if self.metric == signals.DELAY else self.metric


class Amount(NamedTuple):
    """A load. What is `shared` tells of replicas, so reporters tell of the same, not of parts."""

    value: float
    is_shared: bool


def amount(signal: Signal, stat: Stat, *, ready: int) -> Amount:
    """What one report comes to, while that many replicas are ready."""
    if signal.metric == signals.TOKENS and stat.tokens_in_flight is not None:
        return Amount(stat.tokens_in_flight, is_shared=True)
    if signal.metric == signals.DELAY and stat.queue_delay_s is not None and ready:
        return Amount(_wanted(signal, stat, stat.queue_delay_s, ready) * signal.target, True)
    return Amount(stat.average_concurrency / signal.requests * signal.target, is_shared=False)


def _wanted(signal: Signal, stat: Stat, delay_s: float, ready: int) -> float:
    """How many replicas would have had the delay that is aimed at."""
    if not stat.average_concurrency and not stat.queued:
        return 0.0
    ratio = delay_s * 1000 / signal.target
    wanted = ready * min(max(ratio, RATIO_MIN), RATIO_MAX)
    if signal.slots:
        wanted = max(wanted, min(ready, stat.average_concurrency / signal.slots))
    return wanted


def leads(name: str, value: float, others: Iterable[tuple[str, float]]) -> bool:
    """Say whether a reporter's is the one value that counts, of those that tell of the same."""
    return all((value, name) > (theirs, other) for other, theirs in others)
