"""Breaks of class relight that voyages have to find, each made by a patch.

For: proving that the judges of voyages.py can fail. `python -m tests.autoscaler.voyage_mutations`
     says after how many voyages each was caught, and by which judge.
Must not know: how a break is noticed.
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import autoscaler.decider
import autoscaler.levels
import autoscaler.pilot
import autoscaler.weighing
from autoscaler.levels import Kept, Levels
from autoscaler.needs import NOTHING, Need
from autoscaler.reasons import Reason
from autoscaler.spec import Spec
from autoscaler.weighing import Weigher
from tests.autoscaler import voyages

Break = Callable[[], AbstractContextManager[Any]]


def _decided(change: Callable[[Spec], dict[str, Any]]) -> AbstractContextManager[Any]:
    whole = autoscaler.pilot.decide

    def other(spec: Spec, seen: Any, state: Any, *, now_s: float) -> Any:
        return whole(replace(spec, **change(spec)), seen, state, now_s=now_s)

    return patch.object(autoscaler.pilot, "decide", other)


def _settled(change: Callable[[dict[str, Any]], dict[str, Any]]) -> AbstractContextManager[Any]:
    whole = autoscaler.pilot.settle

    def other(*rest: Any, **more: Any) -> Any:
        return whole(*rest, **(more | change(more)))

    return patch.object(autoscaler.pilot, "settle", other)


def _needed(change: Callable[[Need | None, dict[str, Any]], Need | None]) -> Any:
    whole = autoscaler.weighing.need

    def other(spec: Spec, **seen: Any) -> Need | None:
        return change(whole(spec, **seen), seen)

    return patch.object(autoscaler.weighing, "need", other)


def _kept(change: Callable[[Kept], Kept]) -> AbstractContextManager[Any]:
    whole = Levels.kept
    return patch.object(Levels, "kept", lambda self, **asked: change(whole(self, **asked)))


def _without(reason: Reason, found: Need | None) -> Need | None:
    return found if found is None or found.reason is not reason else replace(found, number=1)


def _half(found: Need | None) -> Need | None:
    return found and replace(found, number=(found.number + 1) // 2)


def _told_shorter(kept: Kept) -> Kept:
    return kept if kept.until_s is None else replace(kept, until_s=kept.until_s - 5)


def _never_over() -> AbstractContextManager[Any]:
    """What is ready ahead stays until somebody comes."""

    def ahead(self: Any, plan: Any, now_s: float) -> Kept:
        if plan.ahead is None or now_s < self._last_s[0] + plan.ahead[0]:
            return Kept(number=0, until_s=None, plan=plan)
        return Kept(number=1, until_s=self._last_s[0] + plan.ahead[1], is_ahead=True, plan=plan)

    return patch.object(Levels, "_ahead", ahead)


def _rate_of_needs_only() -> AbstractContextManager[Any]:
    """What is kept knows no rate."""
    whole = autoscaler.decider._weigh

    def other(spec: Spec, seen: Any, state: Any) -> Any:
        found = whole(spec, seen, state)
        if found is None or seen.kept.number <= found[0]:
            return found
        return seen.kept.number, Reason.KEEP_ALIVE, found[2]

    return patch.object(autoscaler.decider, "_weigh", other)


def _nothing_held() -> AbstractContextManager[Any]:
    made = Weigher.__init__

    def other(self: Weigher, *, ready: int, now_s: float) -> None:
        made(self, ready=0, now_s=now_s)

    return patch.object(Weigher, "__init__", other)


MUTATIONS: dict[str, Break] = {
    "slots-not-filled": lambda: _needed(lambda found, seen: _without(Reason.FULL, found)),
    "half-of-the-need": lambda: _needed(lambda found, seen: _half(found)),
    "unknown-is-zero": lambda: _needed(lambda found, seen: found or NOTHING),
    "pokes-only-in-the-next-tick": lambda: _needed(
        lambda found, seen: _without(Reason.QUEUE, found)
    ),
    "max-scale-forgotten": lambda: _decided(lambda spec: {"max_scale": 0}),
    "max-scale-by-one": lambda: _decided(
        lambda spec: {"max_scale": spec.max_scale + 1 if spec.max_scale else 0}
    ),
    "no-up-rate": lambda: _decided(lambda spec: {"max_up_rate": 1e9}),
    "rate-of-needs-only": _rate_of_needs_only,
    "kept-longer-than-told": lambda: _kept(_told_shorter),
    "nothing-kept": lambda: _kept(lambda kept: replace(kept, plan=replace(kept.plan, keep_s=0.0))),
    "never-to-zero": lambda: _settled(lambda seen: {"keep_s": 1e9}),
    "last-one-twice-as-long": lambda: _settled(lambda seen: {"keep_s": (seen["keep_s"] or 0) * 2}),
    "ahead-is-never-over": _never_over,
    "nothing-held-after-a-restart": _nothing_held,
    "one-more-than-kept": lambda: _kept(
        lambda kept: replace(kept, number=kept.number + 1, until_s=kept.until_s or 0.0)
    ),
}


def hunted(name: str, routes: st.SearchStrategy[Any], *, examples: int) -> tuple[int, str] | None:
    """After how many voyages the break was caught, and by which judge; None: not at all."""
    flown = 0

    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(routes)
    def fly(voyage: Any) -> None:
        nonlocal flown
        flown += 1
        knobs, start_s, route = voyage
        flight = voyages.Voyage(knobs, start_s)
        for leg in route:
            flight.fly(leg)
        flight.land()

    with MUTATIONS[name]():
        try:
            fly()
        except AssertionError as error:
            return flown, str(error).partition(":")[0]
    return None


def _main() -> None:
    from tests.autoscaler.test_voyages import voyages as routes

    for each in sys.argv[1:] or MUTATIONS:
        caught = hunted(each, routes(), examples=1000)
        found = "NOT CAUGHT" if caught is None else f"caught by voyage {caught[0]}, {caught[1]}"
        sys.stdout.write(f"{each}: {found}\n")


if __name__ == "__main__":
    _main()
