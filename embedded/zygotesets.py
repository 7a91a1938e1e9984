"""Which sets of libraries have a zygote, from when and until when: pure.

For: paying for an import once while models that need it are around, and not for ever.
Must not know: processes, Pods, what is in a set, or which clock tells the time.

A set is started a little after the first replica that wants it, which imports for itself, and has
the processors meanwhile. It stays while the model of some Revision needs it, at zero too.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

AHEAD = "ahead"  # in place of a model: who runs the platform wants it
START_AFTER_S = 2.0
LINGER_S = 300.0  # without a Revision: often one is on its way
AGAIN_FIRST_S = 2.0  # after one that died or did not start; doubles
AGAIN_MAX_S = 600.0


@dataclass(slots=True)
class _Set:
    """One that is wanted."""

    used_s: float
    models: set[str] = field(default_factory=set)  # digests
    start_s: float | None = None  # when to start it; None: it is started
    unneeded_s: float | None = None  # since when no Revision has a model of it
    deaths: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is to be done now."""

    start: tuple[str, ...] = ()
    end: tuple[str, ...] = ()


class ZygoteSets:
    """All of them, by name."""

    def __init__(self, *, sets_max: int) -> None:
        self._sets_max = sets_max
        self._sets: dict[str, _Set] = {}

    def asked(self, name: str, model: str, now_s: float) -> None:
        """A replica of this model (its digest) would use the set."""
        if not self._sets_max:
            return
        wait_s = 0.0 if model == AHEAD else START_AFTER_S
        one = self._sets.setdefault(name, _Set(used_s=now_s, start_s=now_s + wait_s))
        one.used_s = now_s
        one.unneeded_s = None
        one.models.add(model)

    def keep(self, models: Collection[str], now_s: float) -> None:
        """These are the models of all Revisions there are."""
        for one in self._sets.values():
            one.models.intersection_update({AHEAD, *models})
            if not one.models and one.unneeded_s is None:
                one.unneeded_s = now_s

    def ended(self, name: str, now_s: float) -> None:
        """It died, or did not start: the next one is, after a while."""
        one = self._sets.get(name)
        if one is not None:
            one.start_s = now_s + min(AGAIN_MAX_S, AGAIN_FIRST_S * 2.0 ** min(one.deaths, 20))
            one.deaths += 1

    def due(self, now_s: float, *, busy: Collection[str]) -> Due:
        """What is to be started and ended now; `busy` are those that have replicas."""
        end = list(self._over(now_s, busy))
        start: list[str] = []
        for name in self._by_use():
            one = self._sets.get(name)
            if one is None or one.start_s is None or one.start_s > now_s:
                continue
            if self._running < self._sets_max:
                one.start_s = None
                start.append(name)
            elif oldest := self._least_used(one.used_s, busy):
                del self._sets[oldest]
                end.append(oldest)
                one.start_s = None
                start.append(name)
            else:
                del self._sets[name]  # until it is asked for again
        return Due(start=tuple(start), end=tuple(end))

    def _over(self, now_s: float, busy: Collection[str]) -> Iterator[str]:
        """Those that nobody has needed for long, now forgotten."""
        for name, one in list(self._sets.items()):
            if one.unneeded_s is None or now_s < one.unneeded_s + LINGER_S:
                continue
            if name in busy:
                one.unneeded_s = now_s  # looked at again later
            else:
                del self._sets[name]
                yield name

    def _by_use(self) -> list[str]:
        return sorted(self._sets, key=lambda name: self._sets[name].used_s, reverse=True)

    def _least_used(self, before_s: float, busy: Collection[str]) -> str:
        """One that may make room for another that was used at that time; "" if none may."""
        for name in reversed(self._by_use()):
            one = self._sets[name]
            is_idle = name not in busy and AHEAD not in one.models
            if one.start_s is None and is_idle and one.used_s < before_s:
                return name
        return ""

    def next_s(self) -> float | None:
        """When to ask again, if nothing else happens."""
        times = [one.start_s for one in self._sets.values() if one.start_s is not None]
        times += [
            one.unneeded_s + LINGER_S for one in self._sets.values() if one.unneeded_s is not None
        ]
        return min(times, default=None)

    @property
    def _running(self) -> int:
        return sum(one.start_s is None for one in self._sets.values())
