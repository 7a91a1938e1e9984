"""How many replicas a Revision should have, and why.

For: one decision, from what is seen and what was decided before (knative/serving,
     pkg/autoscaler/scaling); differences of class relight are in docs/autoscaling.md.
Must not know: who measured, what applies the decision, clocks, Kubernetes.
"""

import math
from dataclasses import dataclass, replace

from autoscaler.levels import Kept
from autoscaler.needs import Need
from autoscaler.reasons import Reason
from autoscaler.spec import Spec
from autoscaler.window import MaxWindow

DELAY_SLOT_S = 2.0  # resolution of scale-down-delay: Knative's tick
_EMPTY = MaxWindow()
_LOADS = {
    "concurrency": "concurrent",
    "rps": "req/s",
    "tokens-in-flight": "tokens",
    "queue-delay": "ms of delay, in all replicas,",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen. `stable` and `panic` are averages of load; None is not zero."""

    stable: float | None
    panic: float | None
    ready: int  # replicas that can serve now
    queued: int = 0  # requests waiting, as told by the poke
    is_poke: bool = False
    idle_s: float = 0.0  # since anything last ran or was held
    is_initialized: bool = True  # the initial scale was reached once
    is_activating: bool = False  # wanted above zero, not enough ready yet
    # Class relight only:
    need: Need | None = None  # None: not known
    kept: Kept | None = None  # what is worth keeping beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What one decision hands to the next. `recommended` None: never known."""

    recommended: int | None = None
    panic_since_s: float | None = None
    panic_scale: int = 0  # high-water mark of this panic
    excess_burst_capacity: int | None = None  # None: never computed
    delay: MaxWindow = _EMPTY

    @property
    def is_panicking(self) -> bool:
        """Say whether scaling down is off."""
        return self.panic_since_s is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A number of replicas, the rule that bound it, and everything it was made from.

    `recommended` is the number before the bounds and before the rules of idling.
    """

    desired: int | None  # None: not known, leave things as they are
    reason: Reason
    recommended: int | None
    recommended_by: Reason
    at_s: float
    seen: Observation
    spec: Spec
    is_panicking: bool
    excess_burst_capacity: int
    next_s: float | None = None  # when the number may change though the load does not

    @property
    def why(self) -> str:
        """One sentence for a person."""
        seen, spec = self.seen, self.spec
        load = _LOADS[spec.metric]
        if seen.stable is None or seen.panic is None:
            measured = "no load was reported yet"
        else:
            measured = (
                f"{load} {seen.stable:.2f} over {spec.stable_window_s:g} s and "
                f"{seen.panic:.2f} over {spec.panic_window_s:g} s"
            )
        if seen.is_poke:
            measured += f", {seen.queued} queued"
        number = "unknown" if self.desired is None else str(self.desired)
        mode = ", in panic" if self.is_panicking else ""
        return (
            f"{number} by {self.reason.value}: {measured}, "
            f"{spec.target:g} a replica, {seen.ready} ready{mode}"
        )


def initial_state(*, ready: int, now_s: float) -> State:
    """The state of a Revision first seen: in panic if it runs more than one replica.

    After a restart the history is gone, and a short window must not scale down.
    """
    if ready > 1:
        return State(panic_since_s=now_s, panic_scale=ready)
    return State(panic_scale=ready)


def decide(spec: Spec, seen: Observation, state: State, *, now_s: float) -> tuple[Decision, State]:
    """Return the decision and the state for the next one. Cost: O(1), but for the delay window."""
    weighed = _weigh_kpa(spec, seen, state, now_s) if spec.is_kpa else _weigh(spec, seen, state)
    if weighed is None:
        known = state.excess_burst_capacity
        known = _first_burst_capacity(spec) if known is None else known
        state = replace(state, excess_burst_capacity=known)
        return _conclude(spec, seen, state, (state.recommended, Reason.NO_DATA), now_s)
    recommended, reason, after = weighed
    delay = after.delay
    if spec.is_reachable and spec.scale_down_delay_s > 0:
        slot, span = int(now_s // DELAY_SLOT_S), math.ceil(spec.scale_down_delay_s / DELAY_SLOT_S)
        delay = delay.record(slot, recommended, span=span)
        if delay.current != recommended:
            recommended, reason = delay.current, Reason.SCALE_DOWN_DELAY
    after = State(
        recommended=recommended,
        panic_since_s=after.panic_since_s,
        panic_scale=after.panic_scale,
        excess_burst_capacity=_excess_burst_capacity(spec, seen),
        delay=delay,
    )
    return _conclude(spec, seen, after, (recommended, reason), now_s)


def _weigh(spec: Spec, seen: Observation, state: State) -> tuple[int, Reason, State] | None:
    """Class relight: what is needed, or more if that is worth keeping. None: no load is known."""
    if seen.need is None or seen.kept is None:
        return None
    after = State(delay=state.delay)
    kept = seen.kept.number if spec.is_reachable else 0
    if not seen.need.number and not kept:
        return 0, Reason.IDLE, after  # at once, whatever the rate
    replicas = max(1, seen.ready)
    number, reason = _limited(spec, seen.need.number, replicas, seen.need.reason)
    # Every need is kept, those too that the rate forbade; once it is over, nothing is added.
    most = max(state.recommended or 0, seen.ready)
    if seen.need.number or seen.kept.is_ahead:
        most = max(most, math.ceil(spec.max_up_rate * replicas))
    if min(kept, most) > number:
        number, reason = min(kept, most), Reason.KEEP_ALIVE
        if seen.need.number and number < kept:
            reason = Reason.UP_RATE
        elif seen.kept.is_ahead:
            reason = Reason.AHEAD
    return number, reason, after


def _conclude(
    spec: Spec,
    seen: Observation,
    state: State,
    ruling: tuple[int | None, Reason],
    now_s: float,
) -> tuple[Decision, State]:
    recommended, reason = ruling
    desired, bound = bounded(
        spec, recommended, is_initialized=seen.is_initialized, is_activating=seen.is_activating
    )
    assert state.excess_burst_capacity is not None
    passing = reason if bound is Reason.MAX_SCALE and _is_spare(seen, desired) else bound or reason
    decision = Decision(
        desired=desired,
        reason=bound or reason,
        recommended=recommended,
        recommended_by=reason,
        at_s=now_s,
        seen=seen,
        spec=spec,
        is_panicking=state.is_panicking,
        excess_burst_capacity=state.excess_burst_capacity,
        next_s=None
        if desired is not None and desired == spec.floor > 0
        else _next_s(spec, seen, state, passing),
    )
    return decision, state


def _is_spare(seen: Observation, desired: int | None) -> bool:
    """Class relight: the load asks for no more, whatever bound there is."""
    return seen.need is not None and desired is not None and seen.need.number < desired


def _next_s(spec: Spec, seen: Observation, state: State, reason: Reason) -> float | None:
    """When time alone may change the number; bounds outlast time."""
    if reason is Reason.PANIC_HOLD and state.panic_since_s is not None:
        return state.panic_since_s + spec.stable_window_s
    if reason is Reason.SCALE_DOWN_DELAY:
        return state.delay.entries[0][0] * DELAY_SLOT_S + spec.scale_down_delay_s
    if seen.kept is None:
        return None
    if reason in (Reason.KEEP_ALIVE, Reason.AHEAD):
        return seen.kept.until_s
    return seen.kept.ahead_s if reason is Reason.IDLE else None


def _weigh_kpa(
    spec: Spec, seen: Observation, state: State, now_s: float
) -> tuple[int, Reason, State] | None:
    """Knative's Scale() up to the delay; None when a window is empty."""
    if seen.stable is None or seen.panic is None:
        return None
    replicas = max(1, seen.ready)
    need_stable = math.ceil(seen.stable / spec.target)
    need_panic = math.ceil(seen.panic / spec.target)
    stable, reason = _limited(spec, need_stable, replicas, Reason.STABLE)
    panic, panic_reason = _limited(spec, need_panic, replicas, Reason.PANIC)

    since_s, mark = state.panic_since_s, state.panic_scale
    if need_panic / replicas >= spec.panic_threshold:
        since_s = now_s  # enter or extend
    elif since_s is not None and since_s + spec.stable_window_s < now_s:
        since_s, mark = None, 0

    if since_s is None:
        return stable, reason, State(panic_scale=mark, delay=state.delay)
    if panic > stable:
        stable, reason = panic, panic_reason
    if stable < mark:
        stable, reason = mark, Reason.PANIC_HOLD
    return stable, reason, State(panic_since_s=since_s, panic_scale=stable, delay=state.delay)


def _limited(spec: Spec, need: int, replicas: int, reason: Reason) -> tuple[int, Reason]:
    """Apply the rates, then the activation scale, in Knative's order."""
    most = math.ceil(spec.max_up_rate * replicas)
    least = math.floor(replicas / spec.max_down_rate) if spec.is_reachable else 0
    number = min(max(need, least), most)
    if number != need:
        reason = Reason.UP_RATE if number < need else Reason.DOWN_RATE
    if need > 0 and spec.activation_scale > max(1, number):
        number, reason = spec.activation_scale, Reason.ACTIVATION_SCALE
    return number, reason


def bounded(
    spec: Spec, recommended: int | None, *, is_initialized: bool, is_activating: bool
) -> tuple[int | None, Reason | None]:
    """Apply min, initial and max scale; the reason is None when nothing was changed.

    An unknown number stays unknown, except while activating, where the minimum holds.
    """
    if recommended is None and not is_activating:
        return None, None
    number = -1 if recommended is None else recommended
    least, reason = spec.floor, Reason.MIN_SCALE
    if spec.initial_scale > max(1, least) and spec.is_reachable and not is_initialized:
        least, reason = spec.initial_scale, Reason.INITIAL_SCALE
    if number < least:
        return least, None if recommended is None and least == 0 else reason
    if spec.max_scale != 0 and number > spec.max_scale:
        return spec.max_scale, Reason.MAX_SCALE
    return number, None


def _excess_burst_capacity(spec: Spec, seen: Observation) -> int:
    """Room left for a burst once the present load is served; negative: not enough."""
    if spec.target_burst_capacity == 0:
        return 0
    if spec.target_burst_capacity < 0:
        return -1
    room = seen.ready * spec.total - spec.target_burst_capacity - (seen.panic or 0.0)
    return math.floor(room)


def _first_burst_capacity(spec: Spec) -> int:
    """What Knative assumes before it has any data: the initial scale, without load."""
    if spec.target_burst_capacity in (-1.0, 0.0):
        return int(spec.target_burst_capacity)
    return int(spec.initial_scale * spec.total - spec.target_burst_capacity)
