"""Which warm Pods to make and which to delete. Pure.

For: pools that are as large as wanted, never larger, and gone when nobody needs them.
Must not know: clients, how a Pod is made, where numbers and times come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from api import keys

SIZE_MAX = 100
POOLS_MAX = 10  # of one namespace: those of the most Revisions
AUTO: Literal["auto"] = "auto"
CLAIM_MAX_S = 60.0  # a claimed Pod that belongs to no ReplicaSet by then is nobody's
_BACK_OFF_S = (2.0, 300.0)

Size = int | Literal["auto"]


class SizeError(ValueError):
    """An annotation that is no size; the message says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One Pod that is warm, was, or is to be."""

    name: str
    uid: str  # "": asked for, and not seen yet
    version: str
    pool: str  # "": of none any more
    is_ready: bool = False
    is_over: bool = False  # it ended
    is_adopted: bool = False  # by a ReplicaSet
    claimed_s: float | None = None  # epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Warm Pods of a pool that ended before anyone claimed them, one after the other."""

    count: int = 0
    until_s: float = 0.0  # nothing is tried before

    def after(self, *, now_s: float) -> "Trouble":
        """With one more."""
        count = self.count + 1
        first_s, longest_s = _BACK_OFF_S
        wait_s = min(longest_s, first_s * 2.0 ** min(count - 1, 20))
        return Trouble(count=count, until_s=now_s + wait_s)


CALM = Trouble()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One namespace."""

    pools: Mapping[str, int]  # size wanted, of each that some Revision needs
    pods: Sequence[Seen]
    troubles: Mapping[str, Trouble]
    now_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, in that order."""

    deletes: tuple[Seen, ...]
    creates: Mapping[str, int]  # how many of which pool
    failed: frozenset[str]  # pools of which a Pod ended before it was claimed
    calm: frozenset[str]  # pools in which a Pod is warm
    again_s: float | None  # when time alone may change this


def plan(seen: Observed) -> Plan:
    """What brings the pools of a namespace to their sizes."""
    deletes: list[Seen] = []
    creates: dict[str, int] = {}
    again: list[float] = []
    for pod in seen.pods:
        due_s = _due_s(pod, seen)
        if due_s is not None and due_s <= seen.now_s:
            deletes.append(pod)
        elif due_s is not None:
            again.append(due_s - seen.now_s)
    failed = frozenset(pod.pool for pod in seen.pods if pod.pool and pod.is_over)
    for pool, size in seen.pools.items():
        here = [pod for pod in seen.pods if pod.pool == pool and not pod.is_over]
        deletes += _surplus(here, len(here) - size)
        missing = size - len(here)
        trouble = seen.troubles.get(pool, CALM)
        if missing > 0 and pool not in failed and seen.now_s >= trouble.until_s:
            # After a failure one is enough to see whether it is over.
            creates[pool] = 1 if trouble.count else missing
        elif missing > 0 and trouble.until_s > seen.now_s:
            again.append(trouble.until_s - seen.now_s)
    return Plan(
        deletes=tuple(deletes),
        creates=creates,
        failed=failed,
        calm=frozenset(pod.pool for pod in seen.pods if pod.pool and pod.is_ready),
        again_s=min(again, default=None),
    )


def _due_s(pod: Seen, seen: Observed) -> float | None:
    """When a Pod is to be deleted for what it is; None: not for that."""
    if pod.claimed_s is not None:
        is_stray = pod.is_over or not pod.is_adopted
        return pod.claimed_s + CLAIM_MAX_S if is_stray else None
    is_needed = pod.pool in seen.pools and not pod.is_over
    return None if is_needed or not pod.uid else seen.now_s


def _surplus(here: Sequence[Seen], count: int) -> list[Seen]:
    """The ones to delete of too many: rather those that are not warm yet."""
    known = [pod for pod in here if pod.uid]
    return sorted(known, key=lambda pod: (pod.is_ready, pod.name))[: max(0, count)]


def read_size(text: str) -> Size:
    """The size that an annotation asks for; SizeError."""
    if text == AUTO:
        return AUTO
    if not text.isascii() or not text.isdigit() or int(text[:9]) > SIZE_MAX:
        raise SizeError(f"{keys.WARM_POOL}: expected 0 to {SIZE_MAX}, or auto, not {text[:40]!r}")
    return int(text)


def chosen(classes: Mapping[str, int]) -> list[str]:
    """The pools to keep, of those that so many Revisions need."""
    return sorted(classes, key=lambda pool: (-classes[pool], pool))[:POOLS_MAX]
