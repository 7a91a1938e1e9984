"""A second, slow implementation of autoscaler/levels.py.

For: test_levels.py. It remembers every need there ever was, and works out each answer from that.
Must not know: how autoscaler/levels.py does it; it shares the terms, the histogram and its plans.
"""

from dataclasses import dataclass, field
from itertools import pairwise

from autoscaler.gaps import Gaps, Plan
from autoscaler.levels import REST_MIN_S, first_terms, further_terms, level, top


@dataclass(slots=True)
class SlowLevels:
    """Every answer is made from all needs. What is let go once does not come back by itself."""

    window_s: float
    start_s: float
    needs: list[tuple[float, int]] = field(default_factory=list)
    gone: set[tuple[int, int]] = field(default_factory=set)  # which need, as which level

    def need(self, number: int, now_s: float) -> None:
        if number:
            self.needs.append((now_s, number))

    def plan(self, index: int) -> Plan:
        """Fresh, from the rests of this level: the times between needs of it or of more."""
        times = [at_s for at_s, number in self.needs if level(number) >= index]
        gaps = Gaps()
        for earlier, later in pairwise(times):
            if later - earlier > REST_MIN_S:
                gaps.add(later - earlier)
        terms = first_terms if index == 0 else further_terms
        asked = terms(window_s=self.window_s, factor=1.0, start_s=self.start_s)
        return gaps.plan(asked, may_go_ahead=index == 0)

    def kept(self, now_s: float) -> tuple[int, float | None, bool]:
        """The number, until when, and whether that is ahead of a use."""
        highest = max((level(number) for _, number in self.needs), default=-1)
        plans = [self.plan(index) for index in range(highest + 1)]
        best, until_s = 0, None
        for which, (at_s, number) in enumerate(self.needs):
            for index in range(level(number) + 1):
                end_s = at_s + plans[index].keep_s
                if now_s >= end_s:
                    self.gone.add((which, index))
                elif (which, index) not in self.gone:
                    size = number if index == level(number) else top(index)
                    if size > best or (size == best and until_s is not None and end_s > until_s):
                        best, until_s = size, end_s
        if best or not plans or plans[0].ahead is None:
            return best, until_s, False
        begin_s, end_s = (self.needs[-1][0] + each for each in plans[0].ahead)
        return (1, end_s, True) if begin_s <= now_s < end_s else (0, None, False)
