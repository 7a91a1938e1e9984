from math import ceil, floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decider import Decision, Observation, State, bounded, decide, initial_state
from autoscaler.gaps import Plan
from autoscaler.levels import Kept
from autoscaler.needs import Need
from autoscaler.reasons import Reason
from autoscaler.spec import Spec
from tests.autoscaler.specs import spec


def seen(**changes: object) -> Observation:
    fields: dict[str, object] = {"stable": 0.0, "panic": 0.0, "ready": 1}
    return Observation(**(fields | changes))  # type: ignore[arg-type]  # checked by the dataclass


def needed(number: int, reason: Reason = Reason.STABLE) -> Need:
    return Need(number=number, reason=reason)


def kept(number: int, **changes: Any) -> Kept:
    plan = Plan(keep_s=64.0)
    return Kept(**({"number": number, "until_s": None, "plan": plan} | changes))


def one(wanted: Spec, look: Observation, state: State | None = None, now_s: float = 0) -> Decision:
    return decide(wanted, look, state or State(), now_s=now_s)[0]


class SlowKpa:
    """Knative's Scale(), written a second time: one mutable thing, all history kept."""

    def __init__(self, wanted: Spec, ready: int, now: int) -> None:
        self.spec = wanted
        self.panic_from: float | None = now if ready > 1 else None
        self.peak = ready
        self.history: list[tuple[int, int]] = []

    def scale(self, now: int, ready: int, stable: float, panic: float) -> tuple[int, int]:
        want = self.spec
        pods = ready or 1
        top = ceil(pods * want.max_up_rate)
        bottom = floor(pods / want.max_down_rate) if want.is_reachable else 0
        numbers = []
        for load in (stable, panic):
            raw = ceil(load / want.target)
            number = sorted((bottom, raw, top))[1]
            if raw and want.activation_scale > 1:
                number = max(number, want.activation_scale)
            numbers.append(number)
        if ceil(panic / want.target) >= want.panic_threshold * pods:
            self.panic_from = now
        elif self.panic_from is not None and now > self.panic_from + want.stable_window_s:
            self.panic_from, self.peak = None, 0
        answer = numbers[0]
        if self.panic_from is not None:
            answer = self.peak = max(*numbers, self.peak)
        if want.is_reachable and want.scale_down_delay_s:
            self.history.append((now // 2, answer))
            slots = ceil(want.scale_down_delay_s / 2)
            answer = max(n for slot, n in self.history if now // 2 - slot < slots)
        return answer, self.burst(ready, panic)

    def burst(self, ready: int, panic: float) -> int:
        capacity = self.spec.target_burst_capacity
        if capacity in (0, -1):
            return int(capacity)
        return floor(ready * self.spec.total - capacity - panic)


SPECS = st.builds(
    spec,
    target=st.sampled_from([0.5, 0.75, 1.0, 7.0]),
    total=st.sampled_from([1.0, 10.0]),
    target_burst_capacity=st.sampled_from([-1.0, 0.0, 3.0, 211.0]),
    is_reachable=st.booleans(),
    activation_scale=st.sampled_from([1, 2, 5]),
    stable_window_s=st.sampled_from([6.0, 8.0]),
    scale_down_delay_s=st.sampled_from([0.0, 1.0, 4.0, 7.0]),
    max_up_rate=st.sampled_from([1.5, 2.0, 1000.0]),
    max_down_rate=st.sampled_from([1.5, 2.0, 3.0]),
    panic_threshold=st.sampled_from([1.25, 2.0, 10.0]),
)
# Seconds since the last look, ready replicas, and two averages in quarters.
HISTORY = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 8), st.integers(0, 60), st.integers(0, 60)),
    min_size=1,
    max_size=40,
)


@given(wanted=SPECS, ready=st.integers(0, 4), history=HISTORY)
def test_kpa_equals_the_slow_twin(
    wanted: Spec, ready: int, history: list[tuple[int, int, int, int]]
) -> None:
    now = 10
    state, twin = initial_state(ready=ready, now_s=now), SlowKpa(wanted, ready, now)
    for step, pods, stable, panic in history:
        now += step
        look = seen(stable=stable / 4, panic=panic / 4, ready=pods)
        decision, state = decide(wanted, look, state, now_s=now)
        expected = twin.scale(now, pods, stable / 4, panic / 4)
        assert (decision.recommended, decision.excess_burst_capacity) == expected
        assert decision.is_panicking == (twin.panic_from is not None)


@given(
    wanted=SPECS,
    is_kpa=st.booleans(),
    low=st.integers(0, 3),
    high=st.integers(0, 6),
    history=HISTORY,
)
def test_a_desired_number_is_within_its_bounds(
    wanted: Spec, is_kpa: bool, low: int, high: int, history: list[tuple[int, int, int, int]]
) -> None:
    high = max(low, high) if high else 0
    fields = {name: getattr(wanted, name) for name in Spec.__slots__}
    limited = Spec(**(fields | {"is_kpa": is_kpa, "min_scale": low, "max_scale": high}))
    now, state = 0, State()
    for step, pods, stable, panic in history:
        now += step
        look = seen(
            stable=stable / 4, panic=panic / 4, ready=pods, need=needed(stable), kept=kept(panic)
        )
        decision, state = decide(limited, look, state, now_s=now)
        assert decision.desired is not None
        assert decision.desired >= limited.floor
        assert high == 0 or decision.desired <= high


def test_missing_data_keeps_the_number() -> None:
    state = State(recommended=4, panic_scale=4)
    decision, after = decide(spec(), seen(stable=None, panic=None), state, now_s=5)
    assert (decision.desired, decision.reason) == (4, Reason.NO_DATA)
    assert (after.recommended, after.panic_scale) == (4, 4)


def test_missing_data_from_the_start_is_no_number() -> None:
    assert one(spec(), seen(stable=None, panic=None)).desired is None


def test_a_panic_is_left_after_the_stable_window_not_at_its_end() -> None:
    state = State(recommended=20, panic_since_s=2.0, panic_scale=20)
    at_end = one(spec(), seen(ready=20), state, now_s=62)
    after = one(spec(), seen(ready=20), state, now_s=62.5)
    assert (at_end.desired, at_end.reason) == (20, Reason.PANIC_HOLD)
    assert (after.desired, after.reason) == (10, Reason.DOWN_RATE)


def test_unreachable_ignores_the_down_rate_and_min_scale() -> None:
    decision = one(spec(is_reachable=False, min_scale=3), seen(ready=20))
    assert decision.desired == 0


@pytest.mark.parametrize(
    ("recommended", "initialized", "activating", "expected"),
    [
        (None, True, False, (None, None)),
        (None, True, True, (2, Reason.MIN_SCALE)),
        (None, False, True, (4, Reason.INITIAL_SCALE)),
        (1, True, False, (2, Reason.MIN_SCALE)),
        (1, False, False, (4, Reason.INITIAL_SCALE)),
        (5, True, False, (5, None)),
        (9, True, False, (8, Reason.MAX_SCALE)),
    ],
)
def test_bounds(
    recommended: int | None, initialized: bool, activating: bool, expected: tuple[object, object]
) -> None:
    wanted = spec(min_scale=2, max_scale=8, initial_scale=4)
    assert (
        bounded(wanted, recommended, is_initialized=initialized, is_activating=activating)
        == expected
    )


def test_initial_scale_does_not_hold_without_a_route() -> None:
    wanted = spec(initial_scale=4, is_reachable=False)
    assert bounded(wanted, 0, is_initialized=False, is_activating=True) == (0, None)


@pytest.mark.parametrize(("capacity", "expected"), [(-1.0, -1), (0.0, 0), (5.0, 12), (211.0, -194)])
def test_excess_burst_capacity(capacity: float, expected: int) -> None:
    look = seen(ready=2, panic=2.5)
    decision = one(spec(target_burst_capacity=capacity), look)
    assert decision.excess_burst_capacity == expected


def test_excess_burst_capacity_before_any_data() -> None:
    look = seen(stable=None, panic=None, ready=0)
    wanted = spec(target_burst_capacity=25.5, initial_scale=3)
    assert one(wanted, look).excess_burst_capacity == 4
    assert one(spec(target_burst_capacity=-1.0), look).excess_burst_capacity == -1


def test_a_restart_with_several_replicas_begins_in_panic() -> None:
    assert initial_state(ready=2, now_s=5) == State(panic_since_s=5, panic_scale=2)
    assert not initial_state(ready=1, now_s=5).is_panicking


def test_why_names_the_rule_the_inputs_and_the_number() -> None:
    look = seen(stable=20.0, panic=140.0, ready=1, is_poke=True, queued=9)
    why = one(spec(), look).why
    assert why == (
        "20 by panic: concurrent 20.00 over 60 s and 140.00 over 6 s, 9 queued, "
        "7 a replica, 1 ready, in panic"
    )
    assert one(spec(), seen(stable=None, panic=None)).why.startswith("unknown by no-data: no load")


def test_numbers_of_knatives_own_delay_test() -> None:
    """Five minutes of delay, falling at once and in steps, as in autoscaler_test.go."""
    wanted = spec(target=10.0, max_down_rate=10.0, panic_threshold=100.0, scale_down_delay_s=300.0)
    steps = [
        (2, 40, 4),
        (300, 0, 4),
        (302, 0, 0),
        (540, 40, 4),
        (600, 30, 4),
        (660, 0, 4),
        (840, 0, 3),
        (900, 0, 0),
    ]
    state = State()
    for now, load, expected in steps:
        look = seen(stable=float(load), panic=float(load))
        decision, state = decide(wanted, look, state, now_s=now)
        assert (now, decision.recommended) == (now, expected)


def test_a_delay_is_forgotten_when_the_last_route_goes() -> None:
    held = spec(scale_down_delay_s=300.0)
    _, state = decide(held, seen(stable=40.0, panic=40.0), State(), now_s=2)
    decision, state = decide(held, seen(), state, now_s=60)
    assert decision.recommended == 6
    free = spec(scale_down_delay_s=300.0, is_reachable=False)
    calm = State(recommended=6, delay=state.delay)
    assert decide(free, seen(), calm, now_s=62)[0].recommended == 0


def test_numbers_of_knatives_own_panic_test() -> None:
    """In, growing by half, out after the stable window although still growing."""
    wanted = spec(target=1.0, target_burst_capacity=98.0, total=1 / 0.75)
    state = State()
    for now, ready, loads, expected in (
        (0, 10, (11.0, 25.0), (25, True)),
        (30, 40, (30.0, 41.0), (41, True)),
        (62, 55, (50.0, 56.0), (50, False)),
    ):
        look = seen(stable=loads[0], panic=loads[1], ready=ready)
        decision, state = decide(wanted, look, state, now_s=now)
        assert (decision.recommended, decision.is_panicking) == expected


OURS = spec(is_kpa=False, target=7.0)


def test_ours_is_what_is_needed() -> None:
    decision = one(OURS, seen(ready=3, need=needed(3, Reason.FULL), kept=kept(2)))
    assert (decision.desired, decision.reason, decision.next_s) == (3, Reason.FULL, None)


def test_ours_keeps_what_is_worth_keeping() -> None:
    decision = one(OURS, seen(ready=6, need=needed(3), kept=kept(5, until_s=70.0)))
    assert (decision.desired, decision.reason, decision.next_s) == (5, Reason.KEEP_ALIVE, 70.0)


def test_time_changes_nothing_where_the_minimum_holds_anyway() -> None:
    look = seen(ready=2, need=needed(0), kept=kept(2, until_s=70.0))
    for least, next_s in ((0, 70.0), (1, 70.0), (2, None)):
        assert one(spec(is_kpa=False, min_scale=least), look).next_s == next_s


def test_time_ends_what_is_kept_up_to_the_maximum() -> None:
    few, many = (seen(need=needed(number), kept=kept(9, until_s=70.0)) for number in (1, 5))
    ours = spec(is_kpa=False, max_scale=3)
    assert (one(ours, few).desired, one(ours, few).next_s) == (3, 70.0)
    assert (one(ours, many).desired, one(ours, many).next_s) == (3, None)


def test_ours_is_ready_ahead_of_a_use() -> None:
    look = seen(ready=0, need=needed(0), kept=kept(1, until_s=70.0, is_ahead=True))
    assert (one(OURS, look).desired, one(OURS, look).reason) == (1, Reason.AHEAD)


def test_ours_goes_to_zero_at_once_when_nothing_is_worth_keeping() -> None:
    decision = one(OURS, seen(ready=20, need=needed(0), kept=kept(0, ahead_s=300.0)))
    assert (decision.desired, decision.reason, decision.next_s) == (0, Reason.IDLE, 300.0)


def test_ours_keeps_nothing_that_no_route_leads_to() -> None:
    gone = spec(is_kpa=False, is_reachable=False)
    assert one(gone, seen(ready=4, need=needed(0), kept=kept(4))).desired == 0
    assert one(gone, seen(ready=4, need=needed(2), kept=kept(4))).desired == 2


def test_ours_leaves_what_it_does_not_know() -> None:
    state = State(recommended=4)
    decision, _ = decide(OURS, seen(stable=None, panic=None, kept=kept(0)), state, now_s=5)
    assert (decision.desired, decision.reason) == (4, Reason.NO_DATA)


def test_ours_obeys_the_rates_and_the_activation_scale() -> None:
    slow = spec(is_kpa=False, max_up_rate=10.0)
    many = one(slow, seen(ready=0, need=needed(100, Reason.QUEUE), kept=kept(0)))
    assert (many.desired, many.reason) == (10, Reason.UP_RATE)
    few = one(OURS, seen(ready=20, need=needed(1), kept=kept(1)))
    assert (few.desired, few.reason) == (10, Reason.DOWN_RATE)
    wide = spec(is_kpa=False, activation_scale=3)
    first = one(wide, seen(ready=0, need=needed(1, Reason.QUEUE), kept=kept(0)))
    assert (first.desired, first.reason) == (3, Reason.ACTIVATION_SCALE)


def test_ours_keeps_no_need_that_the_rate_forbade() -> None:
    """Every need is kept. What was wanted before stays, though most of it is not ready any more."""
    slow = spec(is_kpa=False, max_up_rate=2.0)
    many = one(slow, seen(ready=3, need=needed(100), kept=kept(100)))
    assert (many.desired, many.reason) == (6, Reason.UP_RATE)
    quiet = seen(ready=3, need=needed(0), kept=kept(100))
    assert (one(slow, quiet).desired, one(slow, quiet).reason) == (3, Reason.KEEP_ALIVE)
    lost = decide(slow, seen(ready=1, need=needed(0), kept=kept(9)), State(recommended=9), now_s=0)
    assert (lost[0].desired, lost[0].reason) == (9, Reason.KEEP_ALIVE)


def test_ours_obeys_the_scale_down_delay_when_idle() -> None:
    wanted = spec(is_kpa=False, scale_down_delay_s=10.0)
    _, state = decide(wanted, seen(ready=10, need=needed(10), kept=kept(0)), State(), now_s=0)
    idle = seen(ready=10, need=needed(0), kept=kept(0))
    decision, state = decide(wanted, idle, state, now_s=8)
    assert (decision.desired, decision.reason) == (10, Reason.SCALE_DOWN_DELAY)
    assert decision.next_s == 10.0
    assert decide(wanted, idle, state, now_s=10)[0].desired == 0
