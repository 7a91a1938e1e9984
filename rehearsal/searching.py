"""The knobs worth having: replica-seconds against waiting, and what can not be beaten in both.

For: a bounded number of rehearsals, the Pareto front among them, and annotations to paste.
Must not know: how a rehearsal is run, or where: whoever asks may run several at once.

First every class with its defaults, then each knob turned alone, coarsely. Then, as long as
rehearsals are left, the neighbours of what is on a front: where its gap is widest, first.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from rehearsal.knobs import Knob, Places, beside, coarse, defaults, knobs_of, policy_at
from rehearsal.policies import Policy
from rehearsal.scores import Score

RUNS_MAX = 120
Rehearse = Callable[[Sequence[Policy]], Sequence[Score]]  # scores in the order of policies
_Asked = tuple[str, Places]  # a class and where its knobs stand


class Measure(Enum):
    """What is weighed against replica-seconds."""

    COLD_WAITS = "cold waits"
    WAIT_P95 = "p95 wait"

    def of(self, score: Score) -> float:
        """The number, less being better."""
        if self is Measure.COLD_WAITS:
            return float(score.cold_waits)
        return round(score.wait_p95_s, 3)  # nobody turns a knob for less than a millisecond


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One policy that was rehearsed; its annotations are to be pasted."""

    policy: Policy
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that was rehearsed, in the order of rehearsing."""

    points: tuple[Point, ...]

    def front(self, measure: Measure) -> tuple[Point, ...]:
        """Those that none beats in replica-seconds and the measure both, the cheapest first."""
        return tuple(self.points[index] for index in _front(self.points, measure))


def search(
    rehearse: Rehearse,
    *,
    concurrency: int,
    classes: Sequence[str] = ("relight", "kpa"),
    runs_max: int = RUNS_MAX,
) -> Found:
    """Rehearse at most `runs_max` policies, at most a few dozen in one call of `rehearse`."""
    if runs_max < len(classes):
        raise ValueError(f"{runs_max} rehearsals are too few for {len(classes)} classes")
    ladders = {class_: knobs_of(class_, concurrency) for class_ in classes}
    asked: list[_Asked] = []
    points: list[Point] = []

    def ask(wanted: Iterable[_Asked]) -> None:
        known = set(asked)
        fresh = [each for each in dict.fromkeys(wanted) if each not in known]
        fresh = fresh[: runs_max - len(asked)]
        policies = [policy_at(class_, ladders[class_], places) for class_, places in fresh]
        scores = rehearse(policies)
        asked.extend(fresh)
        points.extend(
            Point(policy=policy, score=score)
            for policy, score in zip(policies, scores, strict=True)
        )

    ask((class_, defaults(knobs)) for class_, knobs in ladders.items())
    for class_, knobs in ladders.items():
        ask((class_, places) for places in coarse(knobs))
    while len(asked) < runs_max and (wanted := _next(asked, points, ladders)):
        ask(wanted)
    return Found(points=tuple(points))


def _next(
    asked: Sequence[_Asked], points: Sequence[Point], ladders: dict[str, tuple[Knob, ...]]
) -> list[_Asked]:
    """The neighbours, not asked for yet, of the point with the widest gap that has some."""
    known = set(asked)
    gaps: dict[int, float] = {}
    for measure in Measure:
        for index, gap in _gaps(points, _front(points, measure), measure):
            gaps[index] = max(gap, gaps.get(index, 0.0))
    for index in sorted(gaps, key=lambda each: (-gaps[each], each)):
        class_, places = asked[index]
        fresh = [
            (class_, near)
            for near in beside(ladders[class_], places)
            if (class_, near) not in known
        ]
        if fresh:
            return fresh
    return []


def _front(points: Sequence[Point], measure: Measure) -> list[int]:
    """Of equals the one with the fewest annotations stands for all."""
    order = sorted(
        range(len(points)),
        key=lambda each: (
            points[each].score.replica_s,
            measure.of(points[each].score),
            len(points[each].policy.annotations),
            each,
        ),
    )
    front: list[int] = []
    least = math.inf
    for index in order:
        value = measure.of(points[index].score)
        if value < least:
            front.append(index)
            least = value
    return front


def _gaps(
    points: Sequence[Point], front: Sequence[int], measure: Measure
) -> Iterable[tuple[int, float]]:
    """How far each point of a front is from its neighbours on it, in parts of the whole front."""
    costs = [points[each].score.replica_s for each in front]
    values = [measure.of(points[each].score) for each in front]
    cost_span = costs[-1] - costs[0] or 1.0
    value_span = values[0] - values[-1] or 1.0
    sides = [
        (costs[place + 1] - costs[place]) / cost_span
        + (values[place] - values[place + 1]) / value_span
        for place in range(len(front) - 1)
    ]
    for place, index in enumerate(front):
        before = sides[place - 1] if place else 0.0
        after = sides[place] if place < len(sides) else 0.0
        yield index, max(before, after)
