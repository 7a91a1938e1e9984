"""How many Events an object may have, by Kubernetes' own rules (client-go's EventCorrelator).

For: keeping a noisy object from filling the store and the screen of whoever describes it.
Must not know: what an Event says, how it is written.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

SIMILAR_MAX = 10  # different messages for one reason; then they share one Event
SIMILAR_S = 600.0  # unheard of for so long, the count begins anew
BURST_MAX = 25  # Events about one object at once
REFILL_S = 300.0  # then one more each
_REMEMBERED_MAX = 4096  # objects, and kinds of Events
_COMBINED = "(combined from similar events): "

Kind = tuple[str, str, str]  # uid of the object, type, reason


@dataclass(slots=True)
class _Similar:
    heard_s: float
    messages: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Bucket:
    left: float
    filled_s: float


class Correlator:
    """Remembers what was told lately. Cost: O(1) an Event; memory is bounded."""

    def __init__(self) -> None:
        self._similar: OrderedDict[Kind, _Similar] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def combined(self, kind: Kind, message: str, *, now_s: float) -> str | None:
        """What to say instead of a message when too many like it were told; None: itself."""
        similar = self._similar.get(kind)
        if similar is None or now_s - similar.heard_s > SIMILAR_S:
            similar = self._similar[kind] = _Similar(heard_s=now_s)
        self._similar.move_to_end(kind)
        _shorten(self._similar)
        similar.heard_s = now_s
        if message in similar.messages or len(similar.messages) < SIMILAR_MAX - 1:
            similar.messages.add(message)
            return None
        return _COMBINED + message

    def admits(self, uid: str, *, now_s: float) -> bool:
        """Whether one more Event about this object is not one too many."""
        bucket = self._buckets.get(uid)
        if bucket is None:
            bucket = self._buckets[uid] = _Bucket(left=float(BURST_MAX), filled_s=now_s)
        self._buckets.move_to_end(uid)
        _shorten(self._buckets)
        gained = max(0.0, now_s - bucket.filled_s) / REFILL_S
        bucket.left, bucket.filled_s = min(float(BURST_MAX), bucket.left + gained), now_s
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True


def _shorten(remembered: OrderedDict[str, _Bucket] | OrderedDict[Kind, _Similar]) -> None:
    if len(remembered) > _REMEMBERED_MAX:
        remembered.popitem(last=False)
