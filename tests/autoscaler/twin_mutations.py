"""Breaks of class kpa that the twin has to find, each made by a patch.

For: proving that it can fail: test_twin.py hunts each of them with its generated histories.
     `python -m tests.autoscaler.twin_mutations` says after how many each was caught.
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

import autoscaler.collector
import autoscaler.pilot
import autoscaler.spec
import autoscaler.window
from autoscaler.decider import State
from autoscaler.spec import Spec
from autoscaler.window import AverageWindow
from tests.autoscaler import flights

Break = Callable[[], AbstractContextManager[Any]]


def _decided(change: Callable[[Spec], dict[str, Any]]) -> AbstractContextManager[Any]:
    """Decide by another spec."""
    whole = autoscaler.pilot.decide

    def other(spec: Spec, seen: Any, state: Any, *, now_s: float) -> Any:
        return whole(replace(spec, **change(spec)), seen, state, now_s=now_s)

    return patch.object(autoscaler.pilot, "decide", other)


def _after(change: Callable[[Spec, Any, Any], tuple[Any, Any]]) -> AbstractContextManager[Any]:
    """Change what was decided: `change` is given spec, decision and the state after it."""
    whole = autoscaler.pilot.decide

    def other(spec: Spec, seen: Any, state: Any, *, now_s: float) -> Any:
        return change(spec, *whole(spec, seen, state, now_s=now_s))

    return patch.object(autoscaler.pilot, "decide", other)


def _settled(change: Callable[[Spec], dict[str, Any]]) -> AbstractContextManager[Any]:
    """Idle by another spec."""
    whole = autoscaler.pilot.settle

    def other(spec: Spec, *rest: Any, **more: Any) -> Any:
        return whole(replace(spec, **change(spec)), *rest, **more)

    return patch.object(autoscaler.pilot, "settle", other)


def _built(change: Callable[[Any], dict[str, Any]]) -> AbstractContextManager[Any]:
    """Read another spec from the annotations."""
    whole = flights.build
    return patch.object(
        flights,
        "build",
        lambda told, settings: replace(whole(told, settings), **change(whole(told, settings))),
    )


def _spare_of_stable(spec: Spec, decision: Any, state: Any) -> tuple[Any, Any]:
    seen = decision.seen
    if spec.target_burst_capacity <= 0 or seen.stable is None:
        return decision, state
    spare = int(seen.ready * spec.total - spec.target_burst_capacity - seen.stable // 1)
    return replace(decision, excess_burst_capacity=spare), state


def _spare_of_one(spec: Spec, decision: Any, state: Any) -> tuple[Any, Any]:
    if spec.target_burst_capacity <= 0 or decision.seen.ready or decision.seen.stable is None:
        return decision, state
    more = decision.excess_burst_capacity + int(spec.total)
    return replace(decision, excess_burst_capacity=more), replace(state, excess_burst_capacity=more)


def _falling_in_panic(spec: Spec, decision: Any, state: Any) -> tuple[Any, Any]:
    return decision, replace(state, panic_scale=0)


def _never_extended(spec: Spec, decision: Any, state: Any) -> tuple[Any, Any]:
    since_s = decision.at_s if state.panic_since_s is None else state.panic_since_s
    first_s = _never_extended.began.setdefault(id(spec), since_s)  # type: ignore[attr-defined]
    if state.panic_since_s is None:
        _never_extended.began.clear()  # type: ignore[attr-defined]
        return decision, state
    return decision, replace(state, panic_since_s=first_s)


_never_extended.began = {}  # type: ignore[attr-defined]


def _activated_without_need(spec: Spec, decision: Any, state: Any) -> tuple[Any, Any]:
    if spec.activation_scale < 2 or decision.recommended is None:
        return decision, state
    more = max(decision.recommended, spec.activation_scale)
    return replace(decision, recommended=more), replace(state, recommended=more)


def _whole_window_counts() -> AbstractContextManager[Any]:
    def linear(self: Any, last: int, silent: int) -> float:
        return float(self._total / self._count)

    return patch.object(AverageWindow, "_linear", linear)


def _forgets_on_resize() -> AbstractContextManager[Any]:
    def resize(self: Any, window_s: float, *, now_s: float) -> None:
        self.__init__(window_s=window_s, is_weighted=self._is_weighted)

    return patch.object(AverageWindow, "resize", resize)


def _poke_is_counted_twice() -> AbstractContextManager[Any]:
    whole = autoscaler.collector.Collector._count_kpa

    def count(self: Any, reporter: Any, stat: Any, value: float, now_s: float) -> None:
        whole(self, reporter, stat, value, now_s)
        reporter.debt = 0.0

    return patch.object(autoscaler.collector.Collector, "_count_kpa", count)


MUTATIONS: dict[str, Break] = {
    "panic-only-over-the-threshold": lambda: _decided(
        lambda spec: {"panic_threshold": spec.panic_threshold + 1e-9}
    ),
    "panic-ends-a-tick-early": lambda: _decided(
        lambda spec: {"stable_window_s": spec.stable_window_s - 2}
    ),
    "panic-is-never-extended": lambda: _after(_never_extended),
    "falls-in-panic": lambda: _after(_falling_in_panic),
    "starts-calm": lambda: patch.object(autoscaler.pilot, "initial_state", lambda **_: State()),
    "no-up-rate": lambda: _decided(lambda spec: {"max_up_rate": 1e9}),
    "no-down-rate": lambda: _decided(lambda spec: {"max_down_rate": 1e9}),
    "down-rate-without-routes": lambda: _decided(lambda spec: {"is_reachable": True}),
    "no-activation-scale": lambda: _decided(lambda spec: {"activation_scale": 1}),
    "activation-scale-without-need": lambda: _after(_activated_without_need),
    "delay-a-slot-short": lambda: _decided(
        lambda spec: {"scale_down_delay_s": max(0.0, spec.scale_down_delay_s - 2)}
    ),
    "burst-capacity-of-the-stable-average": lambda: _after(_spare_of_stable),
    "burst-capacity-of-one-at-zero": lambda: _after(_spare_of_one),
    "no-grace": lambda: _settled(lambda spec: {"grace_s": 0.0}),
    "no-retention": lambda: _settled(lambda spec: {"retention_s": 0.0}),
    "active-for-a-tick-only": lambda: _settled(lambda spec: {"stable_window_s": 2.0}),
    "no-buffer-behind-the-deadline": lambda: _settled(
        lambda spec: {"activation_timeout_s": spec.activation_timeout_s - 30}
    ),
    "zero-although-off": lambda: _settled(lambda spec: {"is_zero_allowed": True}),
    "min-scale-without-routes": lambda: patch.object(
        Spec, "floor", property(lambda s: s.min_scale)
    ),
    "max-scale-forgotten": lambda: _built(lambda spec: {"max_scale": 0}),
    "initial-scale-forgotten": lambda: _built(lambda spec: {"initial_scale": 1}),
    "target-is-total": lambda: _built(lambda spec: {"target": spec.total}),
    "panic-window-cut": lambda: patch.object(
        autoscaler.spec,
        "_panic_window_s",
        lambda scaling: max(1.0, scaling.stable_window_s * scaling.panic_window_percentage // 100),
    ),
    "whole-window-counts": _whole_window_counts,
    "forgets-on-resize": _forgets_on_resize,
    "weights-not-bounded": lambda: patch.object(autoscaler.window, "_WEIGHT_MIN", 0.0),
    "silence-is-not-zero": lambda: patch.object(
        autoscaler.collector.Collector, "_fill", lambda self, now_s: None
    ),
    "poke-is-counted-twice": _poke_is_counted_twice,
}


def hunted(name: str, histories: st.SearchStrategy[Any], *, examples: int) -> int | None:
    """After how many histories the break was caught; None: not at all."""
    flown = 0

    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(histories)
    def fly(history: Any) -> None:
        nonlocal flown
        flown += 1
        knobs, start, route = history
        flight = flights.Flight(knobs, start)
        for leg in route:
            flight.fly(leg)

    with MUTATIONS[name]():
        try:
            fly()
        except AssertionError:
            return flown
    return None


def _main() -> None:
    from tests.autoscaler.test_twin import histories

    for each in sys.argv[1:] or MUTATIONS:
        caught = hunted(each, histories(), examples=1000)
        found = "NOT CAUGHT" if caught is None else f"caught by history {caught}"
        sys.stdout.write(f"{each}: {found}\n")


if __name__ == "__main__":
    _main()
