"""How long a level of replicas rests between two uses, and what the next rest is worth.

For: a histogram of rests, and from it how long to keep replicas that nothing needs, and whether
     to start them again ahead of the next use: class relight's learned keep-alive.
Must not know: which level this is, when now is, what a replica is.

In the spirit of the hybrid histogram policy (Shahrad et al., Serverless in the Wild, USENIX ATC
2020): keep for as long as rests usually last, or go early and come back before the next use. Two
things differ. What is chosen is the cheapest plan by a stated price of a cold start, not a
percentile. And history has to earn it: a plan differs from the one without history only if it is
cheaper even at the unfavourable end of a 90 % confidence interval (Wilson's) for how often it
saves or costs a cold start.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

BINS_PER_OCTAVE = 8  # bounds 9 % apart
REST_MAX_S = 2.0**17  # a day and a half; longer rests count as this long, and none is met
BINS_MAX = BINS_PER_OCTAVE * 17 + 1
KEEP_MIN_S = 3.0  # three reports: one that is late or lost is no rest
_MEMORY = 500.0  # rests that count: each new one makes the old ones 1/500 lighter
_WEIGHT_MIN = 0.02  # of a bin; below, it is forgotten
_UNIT_MAX = 1e6  # of a new rest, before all are scaled back
_Z = 1.2816  # 90 % one-sided
_SHARE_MIN = 0.5  # of the rests that last longer than the keep-alive: ahead of fewer is a guess
_AHEAD_BINS_MAX = 12  # 12 bins are a factor of 2.8: a wider window is no appointment
_MARGIN = 0.05  # beyond the longest rest that was seen in a bin


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a plan is judged by; all in seconds of one replica, but for `lead_s`.

    `keep_s` is the plan without history. To be without a replica once less often than by that
    plan is worth `buy_s`; to be without one once more often has to save `sell_s`.
    """

    keep_s: float
    buy_s: float
    sell_s: float
    lead_s: float = 0.0  # a replica that is wanted is ready so much later


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do with replicas that nothing needs, in seconds since they were needed.

    Keep them for `keep_s`. With `ahead`, have them back between its two times.
    """

    keep_s: float
    ahead: tuple[float, float] | None = None
    rests: int = 0  # that it was learned from; 0: the plan without history
    covered: float = 0.0  # share of those rests after which a replica would be there


@dataclass(slots=True)
class _Bin:
    weight: float
    total_s: float  # weight times rest
    low_s: float
    high_s: float


class Gaps:
    """A histogram of rests, of at most BINS_MAX bins. `add` is O(1), `plan` O(bins²)."""

    __slots__ = ("_bins", "_count", "_unit")

    def __init__(self) -> None:
        self._bins: dict[int, _Bin] = {}
        self._count = 0
        self._unit = 1.0  # weight of the next rest: growing is cheaper than making all lighter

    @property
    def count(self) -> int:
        """Rests seen since the beginning."""
        return self._count

    def add(self, rest_s: float) -> None:
        """A rest has ended after `rest_s`."""
        rest_s = round(min(max(rest_s, 1.0), REST_MAX_S), 3)  # short when dumped
        index = math.ceil(BINS_PER_OCTAVE * math.log2(rest_s))
        found = self._bins.get(index)
        if found is None:
            self._bins[index] = _Bin(self._unit, self._unit * rest_s, rest_s, rest_s)
        else:
            found.weight += self._unit
            found.total_s += self._unit * rest_s
            found.low_s = min(found.low_s, rest_s)
            found.high_s = max(found.high_s, rest_s)
        self._count += 1
        self._unit *= 1 + 1 / _MEMORY
        if self._unit > _UNIT_MAX:
            self._rescale()

    def _rescale(self) -> None:
        self._bins = {
            index: _Bin(each.weight / self._unit, each.total_s / self._unit, *_bounds(each))
            for index, each in self._bins.items()
            if each.weight >= _WEIGHT_MIN * self._unit
        }
        self._unit = 1.0

    def plan(self, terms: Terms, *, may_go_ahead: bool) -> Plan:
        """The cheapest plan that history vouches for."""
        seen = _Seen.of(
            (self._bins[index] for index in sorted(self._bins)), unit=self._unit, terms=terms
        )
        if not seen.size:
            return Plan(keep_s=terms.keep_s)
        worth, index = min((seen.keeping(index), index) for index in range(seen.known + 1))
        if worth >= 0:
            worth, index = 0.0, seen.default
        keep_s = seen.keep_s(index) if worth < 0 else terms.keep_s
        window, covered = None, seen.before[index]
        if may_go_ahead:
            for start, stay_s in {(0, seen.keep_s(0)), (index, keep_s)}:
                for first, last in seen.windows(start, stay_s):
                    ahead_worth = seen.going_ahead(start, stay_s, first, last)
                    if ahead_worth < worth:
                        worth, keep_s = ahead_worth, stay_s
                        window = seen.window_s(first, last)
                        covered = seen.before[start] + seen.between(first, last)
        return Plan(
            keep_s=keep_s,
            ahead=window,
            rests=self._count if worth < 0 else 0,
            covered=covered / seen.before[-1],
        )

    def dump(self) -> list[list[float]]:
        """All that is known, as numbers: weight, mean, shortest and longest of each bin."""
        return [
            [
                float(f"{each.weight / self._unit:.6g}"),
                round(each.total_s / each.weight, 3),
                each.low_s,
                each.high_s,
            ]
            for each in self._bins.values()
        ]

    @classmethod
    def restored(cls, rows: Iterable[Sequence[float]], *, count: int) -> "Gaps":
        """What was dumped; ValueError or TypeError when it is no such thing."""
        gaps = cls()
        for weight, mean_s, low_s, high_s in rows:
            numbers = (float(weight), float(mean_s), float(low_s), float(high_s))
            if not (numbers[0] > 0 and 1.0 <= numbers[2] <= numbers[3] <= REST_MAX_S):
                raise ValueError("no rest lasts as long as this histogram says")
            index = math.ceil(BINS_PER_OCTAVE * math.log2(numbers[3]))
            gaps._bins[index] = _Bin(numbers[0], numbers[0] * numbers[1], numbers[2], numbers[3])
        gaps._count = max(int(count), len(gaps._bins))
        return gaps


def _bounds(each: _Bin) -> tuple[float, float]:
    return each.low_s, each.high_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A histogram in the order of rests, with sums up to each bin, for weighing plans.

    Plans are compared with the plan without history: what they are worth is what they cost more.
    """

    terms: Terms
    lows: list[float]
    highs: list[float]
    before: list[float]  # rests in the bins before each, and in all
    before_s: list[float]  # and how long they lasted
    default: int  # bins within the keep-alive without history

    @classmethod
    def of(cls, bins: Iterable[_Bin], *, unit: float, terms: Terms) -> "_Seen":
        heavy = [each for each in bins if each.weight >= _WEIGHT_MIN * unit]
        return cls(
            terms=terms,
            lows=[each.low_s for each in heavy],
            highs=[each.high_s for each in heavy],
            before=list(accumulate((each.weight / unit for each in heavy), initial=0.0)),
            before_s=list(accumulate((each.total_s / unit for each in heavy), initial=0.0)),
            default=sum(each.high_s <= terms.keep_s for each in heavy),
        )

    @property
    def size(self) -> int:
        return len(self.lows)

    @property
    def known(self) -> int:
        """Bins of rests whose end is known."""
        return self.size - (self.highs[-1] >= REST_MAX_S)

    def keep_s(self, index: int) -> float:
        """How long to keep replicas so that the rests of the bins before `index` are covered."""
        if not index:
            return KEEP_MIN_S
        return max(KEEP_MIN_S, self.highs[index - 1] * (1 + _MARGIN) + 1.0)

    def between(self, first: int, last: int) -> float:
        """Rests in the bins from `first` to `last`."""
        return self.before[last + 1] - self.before[first]

    def _idle_s(self, index: int, keep_s: float) -> float:
        return self.before_s[index] + (self.before[-1] - self.before[index]) * keep_s

    def _base_s(self) -> float:
        return self._idle_s(self.default, self.terms.keep_s)

    def keeping(self, index: int) -> float:
        """What it costs more to cover the bins before `index`, by keeping replicas."""
        keep_s = self.keep_s(index)
        more_s = self._idle_s(index, keep_s) - self._base_s()
        if index <= self.default:
            if keep_s >= self.terms.keep_s:
                return 0.0
            rests = self.before[-1] - self.before[index]
            lost = self.before[self.default] - self.before[index]
            return more_s + rests * _share(lost, rests, at_most=True) * self.terms.sell_s
        rests = self.before[-1] - self.before[self.default]
        won = self.before[index] - self.before[self.default]
        return more_s - rests * _share(won, rests, at_most=False) * self.terms.buy_s

    def windows(self, start: int, stay_s: float) -> Iterable[tuple[int, int]]:
        """Bins that replicas could be back for, when those before `start` are covered."""
        rests = self.before[-1] - self.before[start]
        earliest_s = stay_s + self.terms.lead_s + KEEP_MIN_S
        for first in range(start, self.known):
            if self.window_s(first, first)[0] <= earliest_s:
                continue
            for last in range(first, min(self.known, first + _AHEAD_BINS_MAX)):
                inside = self.between(first, last)
                is_many = inside >= _SHARE_MIN * rests  # quickly told, and most are not
                if is_many and _share(inside, rests, at_most=False) >= _SHARE_MIN:
                    yield first, last

    def window_s(self, first: int, last: int) -> tuple[float, float]:
        """When replicas are back for these bins, and when they go if nobody came."""
        begin_s = self.lows[first] * 0.99 - self.terms.lead_s - 1.0
        return begin_s, self.highs[last] * 1.01 + 1.0

    def going_ahead(self, start: int, stay_s: float, first: int, last: int) -> float:
        """What it costs more to stay for the bins before `start`, and to be back for these."""
        begin_s, end_s = self.window_s(first, last)
        inside, later = self.between(first, last), self.before[-1] - self.before[last + 1]
        idle_s = self._idle_s(start, stay_s) + later * (end_s - begin_s)
        idle_s += self.before_s[last + 1] - self.before_s[first] - inside * begin_s
        idle_s += (inside + later) * self.terms.lead_s
        rests = self.before[-1] - self.before[min(self.default, start)]
        usual = min(self.default, last + 1)  # those before it were covered anyway
        won_ahead = self.before[last + 1] - self.before[max(usual, first)]
        won = won_ahead + max(0.0, self.before[start] - self.before[self.default])
        worth = (
            idle_s - self._base_s() - rests * _share(won, rests, at_most=False) * (self.terms.buy_s)
        )
        if stay_s < self.terms.keep_s:  # though none was lost so far, some might be
            known = self.before[max(self.default, start)] - self.before[start]
            lost = max(0.0, known - inside + won_ahead)
            worth += rests * _share(lost, rests, at_most=True) * self.terms.sell_s
        return worth


def _share(part: float, whole: float, *, at_most: bool) -> float:
    """One end of Wilson's 90 % interval for a share that was `part` of `whole` (E. B. Wilson 1927).

    Of nothing, everything is possible: then it is 1 or 0.
    """
    if whole <= 0:
        return 1.0 if at_most else 0.0
    share = min(part / whole, 1.0)
    spread = _Z * math.sqrt(share * (1 - share) / whole + (_Z / whole) ** 2 / 4)
    middle = share + _Z * _Z / (2 * whole)
    bound = (middle + (spread if at_most else -spread)) / (1 + _Z * _Z / whole)
    return min(1.0, max(0.0, bound))
