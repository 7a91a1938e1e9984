"""How many replicas are worth keeping that nothing needs just now: class relight.

For: when each number of replicas was needed last, how long such rests last, and what follows.
Must not know: how a need is measured, bounds, what a replica is.

A replica is kept for what it will be needed for again. The first one is, whenever a request
comes; the tenth only when ten are needed at once. So rests are learned by levels: 1, 2, 3, 4,
then two to each doubling (6, 8, 12, 16, ...), as a burst is never of exactly the same size.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.gaps import Gaps, Plan, Terms

_SINGLE = 4  # levels that are one number
_LEVELS_MAX = 40  # 2**20 replicas
REST_MIN_S = 1.5  # between two uses; less is the beat of reports
_REPLAN_SHARE = 0.02  # plans are made anew when so many more rests are known
_REPLAN_MAX = 10.0  # or so many: older ones fade, however many there were
_REPLAN_COUNT = 40  # up to which every rest counts
START_S = 2.0  # of a replica, until one was seen to start
_TICKS_S = 4.0  # by which Knative's last replica outlives its window: two ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is worth keeping now."""

    number: int
    until_s: float | None  # until when, if nothing happens; None: nothing is kept
    is_ahead: bool = False  # nothing was kept: this is ready for a use that is expected
    ahead_s: float | None = None  # when replicas will be started ahead of a use
    plan: Plan  # for the last replica


def first_terms(*, window_s: float, factor: float, start_s: float) -> Terms:
    """Terms of the last replica, which is what a cold start from zero is about.

    Without history as long as Knative's. A cold start less is worth half a stable window of a
    replica, and ten windows must be saved for one more: the first is cheap to try, the second
    is what nobody forgives.
    """
    return Terms(
        keep_s=factor * (window_s + _TICKS_S),
        buy_s=factor * window_s / 2,
        sell_s=factor * window_s * 10,
        lead_s=start_s + 2.0,  # and a tick
    )


def further_terms(*, window_s: float, factor: float, start_s: float) -> Terms:
    """Terms of replicas beyond the first: who waits for them waits for a free slot or their start.

    So they are worth a quarter of a window for each second of their start, half a window at least
    and a whole one at most.
    """
    price_s = factor * window_s * min(max(start_s / 4, 0.5), 1.0)
    return Terms(keep_s=price_s / 2, buy_s=price_s / 2, sell_s=price_s)


class Levels:
    """When each number was needed, and what was learned of it. Every call is O(log replicas)."""

    __slots__ = ("_asked", "_gaps", "_last_s", "_needs", "_plans", "start_s")

    def __init__(self) -> None:
        self._needs: list[tuple[int, float]] = []  # numbers falling, times rising
        self._last_s: list[float] = []  # by level: when it was needed last
        self._gaps: dict[int, Gaps] = {}
        self._plans: dict[int, tuple[Terms, int, Plan]] = {}  # with the rests it was made from
        self._asked: tuple[float, float] | None = None  # what the plans were made by
        self.start_s: float | None = None  # of a replica, as a moving average

    def need(self, number: int, *, now_s: float) -> None:
        """So many replicas are needed now; the rests of all levels up to it end."""
        if number <= 0:
            return
        for index in range(level(number) + 1):
            if index == len(self._last_s):
                self._last_s.append(now_s)
                continue
            rest_s = now_s - self._last_s[index]
            if rest_s > REST_MIN_S:
                self._gaps.setdefault(index, Gaps()).add(rest_s)
            self._last_s[index] = now_s
        while self._needs and self._needs[-1][0] <= number:
            self._needs.pop()
        self._needs.append((number, now_s))

    @property
    def is_learned(self) -> bool:
        """Say whether there is anything to lose."""
        return bool(self._last_s)

    def started(self, seconds: float) -> None:
        """A replica was ready so long after it was ordered."""
        known = self.start_s
        self.start_s = seconds if known is None else known + 0.3 * (seconds - known)

    def kept(self, *, window_s: float, factor: float, now_s: float) -> Kept:
        """What is worth keeping, by what was learned so far."""
        if self._asked != (window_s, factor):
            self._plans.clear()
            self._asked = window_s, factor
        start_s = START_S if self.start_s is None else self.start_s
        first = first_terms(window_s=window_s, factor=factor, start_s=start_s)
        further = further_terms(window_s=window_s, factor=factor, start_s=start_s)
        plan = self._plan(0, first)
        while self._needs:
            number, needed_s = self._needs[0]
            index = level(number)
            keep_s = self._plan(index, further).keep_s if index else plan.keep_s
            if now_s < needed_s + keep_s:
                return Kept(number=number, until_s=needed_s + keep_s, plan=plan)
            if not index:
                break  # remembered, as the last replica may be wanted back ahead
            self._step_down(index, needed_s)
        return self._ahead(plan, now_s)

    def _step_down(self, index: int, needed_s: float) -> None:
        """The highest number is not worth keeping; the level below was needed then, too."""
        below = top(index - 1)
        if len(self._needs) > 1 and self._needs[1][0] >= below:
            self._needs.pop(0)
        else:
            self._needs[0] = (below, needed_s)

    def _ahead(self, plan: Plan, now_s: float) -> Kept:
        if plan.ahead is None or not self._last_s:
            return Kept(number=0, until_s=None, plan=plan)
        begin_s, end_s = (self._last_s[0] + each for each in plan.ahead)
        if begin_s <= now_s < end_s:
            return Kept(number=1, until_s=end_s, is_ahead=True, plan=plan)
        return Kept(number=0, until_s=None, ahead_s=begin_s if now_s < begin_s else None, plan=plan)

    def _plan(self, index: int, terms: Terms) -> Plan:
        gaps = self._gaps.get(index)
        if gaps is None:
            return Plan(keep_s=terms.keep_s)
        made = self._plans.get(index)
        if made is not None and _is_alike(made[0], terms):
            known = made[1]
            if gaps.count == known:
                return made[2]
            few = min(known * _REPLAN_SHARE, _REPLAN_MAX)
            if gaps.count > _REPLAN_COUNT and gaps.count - known < few:
                return made[2]
        plan = gaps.plan(terms, may_go_ahead=not index)
        self._plans[index] = (terms, gaps.count, plan)
        return plan

    def dump(self, *, shift_s: float) -> dict[str, Any]:
        """All that was learned, for `restored`. `shift_s` is what this clock lacks to theirs."""
        return {
            "start": self.start_s,
            "last": [each + shift_s for each in self._last_s],
            "needs": [[number, needed_s + shift_s] for number, needed_s in self._needs],
            "gaps": {str(i): [gaps.count, gaps.dump()] for i, gaps in self._gaps.items()},
        }

    def forget_further(self) -> None:
        """A replica is for another load from now on: only the first level means what it meant.

        What was needed so far is kept as long as it would have been.
        """
        del self._last_s[1:]
        self._gaps = {0: self._gaps[0]} if 0 in self._gaps else {}
        self._plans.clear()

    def adopt(self, older: "Levels") -> None:
        """Take over what another learned before; what is needed now is known better here."""
        self._gaps = older._gaps  # noqa: SLF001 - of the same class
        self._plans.clear()
        self.start_s = older.start_s if self.start_s is None else self.start_s

    @classmethod
    def restored(cls, raw: Mapping[str, Any], *, shift_s: float, now_s: float) -> "Levels":
        """What was dumped. KeyError, TypeError or ValueError when it is no such thing.

        Nothing was needed later than now, whatever happened to the clock.
        """
        levels = cls()

        def ours(at_s: Any) -> float:
            return min(float(at_s) - shift_s, now_s)

        start_s = raw["start"]
        levels.start_s = None if start_s is None else float(start_s)
        levels._last_s = [ours(each) for each in raw["last"]][:_LEVELS_MAX]
        for name, (count, rows) in raw["gaps"].items():
            levels._gaps[int(name)] = Gaps.restored(rows, count=count)
        needs = [(int(number), ours(needed_s)) for number, needed_s in raw["needs"]]
        if needs != sorted(needs, reverse=True) or bool(needs) != bool(levels._last_s):
            raise ValueError("needs that could not be")
        levels._needs = needs
        return levels


def level(number: int) -> int:
    """The level of a number of replicas, counted from 0."""
    if number <= _SINGLE:
        return number - 1
    return min(_SINGLE - 1 + math.ceil(2 * math.log2(number / _SINGLE) - 1e-9), _LEVELS_MAX - 1)


def top(index: int) -> int:
    """The largest number of a level."""
    if index < _SINGLE:
        return index + 1
    return math.floor(_SINGLE * 2 ** ((index - _SINGLE + 1) / 2) + 1e-9)


def _is_alike(one: Terms, other: Terms) -> bool:
    """A start that takes a little longer than the last one is no reason to plan again."""
    return (
        abs(one.sell_s - other.sell_s) <= 0.1 * one.sell_s
        and abs(one.lead_s - other.lead_s) <= 0.1 * one.lead_s + 0.5
    )
