"""How requests move from one Revision to the next a few percent at a time.

For: the steps of a gradual rollout, as Knative takes them, and their state as text.
Must not know: Routes, clocks, where the text is kept, or whether a Revision does well.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

NS_PER_S = 1_000_000_000
_FIRST_STEP_S = 1.0  # how long the first percent took; a split is served as soon as it is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one Revision gets, in percent of all requests to the Route."""

    revision: str
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When the next step is due, and how large the steps are; all zero outside a rollout."""

    start_ns: int = 0  # since the epoch, as is the next
    next_ns: int = 0
    step_ns: int = 0
    size: int = 0  # percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A line of traffic that follows a Configuration: its Revisions, oldest first."""

    configuration: str
    tag: str = ""
    percent: int
    shares: tuple[Share, ...]
    pace: Pace = Pace()

    @property
    def key(self) -> tuple[str, str]:
        """What tells this line from the others."""
        return self.tag, self.configuration

    @property
    def is_done(self) -> bool:
        """Whether there is nobody left to take requests from."""
        return len(self.shares) < 2


Rollout = tuple[Target, ...]


def step(
    wanted: Sequence[Target],
    before: Sequence[Target],
    *,
    usable: Collection[str],
    duration_s: float,
    now_ns: int,
) -> Rollout:
    """What is served now: `before`, moved towards `wanted`, whose lines have one Revision each.

    `usable` are the Revisions that can serve; another loses its share to the newest. The same
    time twice is the same answer.
    """
    known = {target.key: target for target in before}
    moved = []
    for goal in wanted:
        old = known.get(goal.key)
        if old is None or goal.percent <= 1 or not old.shares:
            moved.append(goal)
        else:
            moved.append(_step_one(goal, _fitted(old, goal, usable), duration_s, now_ns))
    return tuple(sorted(moved, key=lambda target: target.key))


def next_step_ns(rollout: Rollout) -> int | None:
    """When the earliest step is due; None while none is going on."""
    return min((each.pace.next_ns for each in rollout if not each.is_done), default=None)


def _step_one(goal: Target, old: Target, duration_s: float, now_ns: int) -> Target:
    newest = goal.shares[-1].revision
    if not old.shares:
        return goal
    if old.shares[-1].revision != newest:
        shares = _with_first_percent(old.shares, newest)
        return _paced(replace(old, shares=shares), duration_s, now_ns)
    if old.is_done:
        return goal
    if not old.pace.size:  # its state was lost: what is left goes on at a pace of its own
        return _paced(old, duration_s, now_ns)
    return _stepped(old, now_ns) if now_ns >= old.pace.next_ns else old


def _fitted(old: Target, goal: Target, usable: Collection[str]) -> Target:
    """The old shares, of Revisions that can serve, adding up to the wanted percentage.

    What is added goes to the newest, what is taken comes from the oldest.
    """
    pace = replace(old.pace, size=min(old.pace.size, goal.percent))
    old = replace(old, percent=goal.percent, pace=pace)
    left = [share for share in old.shares if share.revision in usable]
    if not left:
        return replace(old, shares=())
    excess = sum(share.percent for share in left) - goal.percent
    if excess > 0:
        left = _less(left, excess)
    else:
        left[-1] = replace(left[-1], percent=left[-1].percent - excess)
    return replace(old, shares=tuple(left))


def _less(shares: Sequence[Share], percent: int) -> list[Share]:
    """Without so much, taken from the oldest first; never all of it."""
    left = []
    for share in shares:
        taken = min(percent, share.percent)
        percent -= taken
        if share.percent > taken:
            left.append(replace(share, percent=share.percent - taken))
    return left


def _with_first_percent(shares: Sequence[Share], newest: str) -> tuple[Share, ...]:
    """One percent to a new Revision, from the newest of the others.

    A Revision that is on its way already and comes back as the newest keeps what it has.
    """
    others = [share for share in shares if share.revision != newest]
    had = sum(share.percent for share in shares if share.revision == newest)
    if not had:
        last = others[-1]
        others[-1:] = [replace(last, percent=last.percent - 1)] if last.percent > 1 else []
    return (*others, Share(revision=newest, percent=had or 1))


def _paced(target: Target, duration_s: float, now_ns: int) -> Target:
    """The target with steps that end after `duration_s`, the first of which is taken."""
    if target.is_done:
        return replace(target, pace=Pace())
    left_s = max(1.0, duration_s - _FIRST_STEP_S)
    percent = target.percent - target.shares[-1].percent
    steps = max(1.0, min(percent, left_s / _FIRST_STEP_S))
    step_ns = int(left_s / steps * NS_PER_S)
    pace = Pace(
        start_ns=now_ns,
        next_ns=now_ns + step_ns,
        step_ns=step_ns,
        size=max(1, math.floor(percent / steps + 0.5)),
    )
    return replace(target, pace=pace)


def _stepped(target: Target, now_ns: int) -> Target:
    """One step on: from the newest of the old ones first."""
    *old, newest = target.shares
    moving = min(target.pace.size, target.percent - newest.percent)
    left, rest = list(old), moving
    while rest:
        taken = min(rest, left[-1].percent)
        rest -= taken
        kept = left[-1].percent - taken
        left[-1:] = [replace(left[-1], percent=kept)] if kept else []
    shares = (*left, replace(newest, percent=newest.percent + moving))
    pace = replace(target.pace, next_ns=now_ns + target.pace.step_ns) if left else Pace()
    return replace(target, shares=shares, pace=pace)


def spell(rollout: Rollout) -> str:
    """The state as text, in Knative's shape."""
    return orjson.dumps({"configurations": [_spell_one(each) for each in rollout]}).decode()


def _spell_one(target: Target) -> dict[str, Any]:
    pace = {
        "starttime": target.pace.start_ns,
        "nextStepTime": target.pace.next_ns,
        "stepDuration": target.pace.step_ns,
        "stepSize": target.pace.size,
    }
    return {
        "configurationName": target.configuration,
        **({"tag": target.tag} if target.tag else {}),
        "percent": target.percent,
        "revisions": [
            {"revisionName": share.revision, "percent": share.percent} for share in target.shares
        ],
        "stepParams": {name: number for name, number in pace.items() if number},
    }


def parse(text: str) -> Rollout | None:
    """The state that `spell` wrote; None if it is none, which is the same as having lost it."""
    try:
        raw = orjson.loads(text)
        found = tuple(_parse_one(each) for each in raw["configurations"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return found if all(map(_is_sound, found)) else None


def _parse_one(raw: Mapping[str, Any]) -> Target:
    pace = raw.get("stepParams") or {}
    return Target(
        configuration=str(raw["configurationName"]),
        tag=str(raw.get("tag") or ""),
        percent=int(raw["percent"]),
        shares=tuple(
            Share(revision=str(each["revisionName"]), percent=int(each["percent"]))
            for each in raw.get("revisions") or ()
        ),
        pace=Pace(
            start_ns=int(pace.get("starttime", 0)),
            next_ns=int(pace.get("nextStepTime", 0)),
            step_ns=int(pace.get("stepDuration", 0)),
            size=int(pace.get("stepSize", 0)),
        ),
    )


def _is_sound(target: Target) -> bool:
    names = {share.revision for share in target.shares}
    return (
        0 <= target.percent <= 100
        and 0 <= target.pace.size <= target.percent
        and min(target.pace.next_ns, target.pace.step_ns, target.pace.start_ns) >= 0
        and all(share.percent > 0 for share in target.shares)
        and sum(share.percent for share in target.shares) == target.percent
        and len(names) == len(target.shares)
    )
