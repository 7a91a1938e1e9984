"""A policy at work on one Revision: the production Pilot, or a yardstick beside it.

For: whoever drives: the same four calls, whatever decides.
Must not know: requests, replicas' lives, how a policy is written down.

Nothing is decided here that the autoscaler decides: `Production` hands every call through.
"""

import math
from collections.abc import Mapping
from typing import Protocol

from api.autoscaling import PodAutoscaler
from api.objects import ObjectMeta
from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.pilot import Pilot, Scale, first_life
from autoscaler.spec import Spec, build

LISTENING_SINCE_S = -3600.0  # the autoscaler is up long before the first request
ALWAYS_S = float("inf")


class Decider(Protocol):
    """Who says how many replicas. Numbers returned are to be ordered; None: leave it."""

    first: int  # replicas that are ready when the trace begins

    @property
    def wake_s(self) -> float | None:
        """When it wants a turn although it is asleep."""
        ...

    def receive(self, stat: Stat, *, peak: int, now_s: float) -> bool:
        """Take in a report; True asks for a `turn` at once. `peak` was the most in flight."""
        ...

    def turn(self, replicas: int, ready: int, now_s: float) -> int | None:
        """Decide: on a tick, or when `receive` asked for it."""
        ...

    def look(self, replicas: int, ready: int, now_s: float) -> int | None:
        """Follow a change of what is ordered, or of what is ready."""
        ...

    def is_asleep(self, replicas: int, ready: int) -> bool:
        """Say whether ticks may be left out."""
        ...


def spec_of(
    annotations: Mapping[str, str], concurrency: int, settings: Settings, *, name: str = "revision"
) -> Spec:
    """What the annotations ask for; InvalidObjectError names the one that is wrong."""
    autoscaler = PodAutoscaler(
        metadata=ObjectMeta(name=name, namespace="rehearsal", annotations=dict(annotations)),
        scale_target_name=name,
        container_concurrency=concurrency,
        reachability="Reachable",
    )
    return build(autoscaler, settings)


class Production:
    """The autoscaler's own, of a Revision that was up once and has been quiet since."""

    def __init__(self, spec: Spec) -> None:
        self.first = spec.floor
        now_s = LISTENING_SINCE_S
        life = first_life(
            active="True" if self.first else "False", is_initialized=True, now_s=now_s
        )
        scale = Scale(replicas=self.first, ready=self.first)
        self._pilot = Pilot(spec, life, scale=scale, wanted=self.first, now_s=now_s)

    @property
    def wake_s(self) -> float | None:
        """See `Decider`."""
        return self._pilot.wake_s

    def receive(self, stat: Stat, *, peak: int, now_s: float) -> bool:
        """See `Decider`."""
        return self._pilot.receive(stat, now_s=now_s)

    def turn(self, replicas: int, ready: int, now_s: float) -> int | None:
        """See `Decider`."""
        scale = Scale(replicas=replicas, ready=ready)
        outcome = self._pilot.turn(scale, now_s=now_s, listening_since_s=LISTENING_SINCE_S)
        return outcome.replicas

    def look(self, replicas: int, ready: int, now_s: float) -> int | None:
        """See `Decider`."""
        scale = Scale(replicas=replicas, ready=ready)
        outcome = self._pilot.look(scale, now_s=now_s, listening_since_s=LISTENING_SINCE_S)
        return outcome.replicas

    def is_asleep(self, replicas: int, ready: int) -> bool:
        """See `Decider`."""
        if not self._pilot.is_asleep(Scale(replicas=replicas, ready=ready)):
            return False
        self._pilot.fall_asleep().shorten()
        return True


class KeepAlive:
    """What function platforms do: a replica goes when it was not needed for `keep_s`.

    The k-th replica is needed while more requests are in flight than k - 1 replicas are for. It
    is started at the poke or the report that tells of it, and not taken away before another
    report says that it is needed no more.
    """

    def __init__(self, spec: Spec, *, keep_s: float) -> None:
        self.first = spec.floor
        self._spec = spec
        self._keep_s = keep_s
        self._need = 0  # as it was last told
        self._needed_s = [ALWAYS_S] * self.first  # of each replica, the last time

    @property
    def wake_s(self) -> float | None:
        """See `Decider`."""
        wake_s = self._needed_s[-1] + self._keep_s if self._needed_s else ALWAYS_S
        return wake_s if wake_s < ALWAYS_S else None

    def receive(self, stat: Stat, *, peak: int, now_s: float) -> bool:
        """See `Decider`."""
        need = math.ceil(peak / self._spec.total)
        if self._spec.max_scale:
            need = min(need, self._spec.max_scale)
        self._need = need
        is_more = need > len(self._needed_s)
        self._needed_s.extend([now_s] * (need - len(self._needed_s)))
        for index in range(need):
            self._needed_s[index] = max(now_s, self._needed_s[index])
        return is_more

    def turn(self, replicas: int, ready: int, now_s: float) -> int | None:
        """See `Decider`."""
        needed_s = self._needed_s
        while len(needed_s) > self._need and now_s - needed_s[-1] >= self._keep_s:
            needed_s.pop()
        kept = len(self._needed_s)
        return kept if kept != replicas else None

    def look(self, replicas: int, ready: int, now_s: float) -> int | None:
        """See `Decider`."""
        return None

    def is_asleep(self, replicas: int, ready: int) -> bool:
        """See `Decider`."""
        return not self._need


class Fixed:
    """So many replicas, all the time."""

    wake_s = None  # see `Decider`

    def __init__(self, replicas: int) -> None:
        self.first = replicas

    def receive(self, stat: Stat, *, peak: int, now_s: float) -> bool:
        """See `Decider`."""
        return False

    def turn(self, replicas: int, ready: int, now_s: float) -> int | None:
        """See `Decider`."""
        return None

    def look(self, replicas: int, ready: int, now_s: float) -> int | None:
        """See `Decider`."""
        return None

    def is_asleep(self, replicas: int, ready: int) -> bool:
        """See `Decider`."""
        return True
