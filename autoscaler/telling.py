"""A decision in sentences that a person understands.

For: `relight why`, Events, logs: what was decided, the rule that bound it with its number, and
the annotation or setting that would change it.
Must not know: the time of day; who reads it, and in which time zone.

A moment in a sentence is written `{next}`: whoever shows it fills in a clock of its own.
"""

import math
from collections.abc import Callable, Mapping

from api import keys, signals
from autoscaler.decider import Decision
from autoscaler.journal import Entry
from autoscaler.reasons import Reason

NEXT = "{next}"  # in a sentence: when the number can change though the load does not
_MAP = "in ConfigMap config-autoscaler"
# Rules that keep a number from what the load alone asks for.
REFUSALS = frozenset(Reason) - {
    *(Reason.STABLE, Reason.PANIC, Reason.QUEUE, Reason.SURGE, Reason.FULL, Reason.EXPECTED),
    *(Reason.IDLE, Reason.AHEAD, Reason.TIMED_OUT, Reason.DEACTIVATING, Reason.STEPPING_IN),
    Reason.ACTIVATION_SCALE,
}

_LEAVING = (Reason.DEACTIVATING, Reason.RETENTION, Reason.GRACE, Reason.STEPPING_IN)
# Rules that hold for a while; a bound that holds beside them outlasts them.
_PASSING = frozenset(
    {Reason.KEEP_ALIVE, Reason.AHEAD, Reason.PANIC_HOLD, Reason.DOWN_RATE, Reason.SCALE_DOWN_DELAY}
)


def told(entry: Entry, *, subject: str = "It") -> str:
    """What a row of decisions did, and why: one sentence, without the time it happened."""
    decision = entry.decision
    return f"{subject} {_headline(entry)}: {because(decision)}{_outlook(decision)}"


def because(decision: Decision) -> str:
    """Why this number and no other."""
    reason, number = decision.reason, decision.desired
    if reason is Reason.MAX_SCALE and decision.recommended_by in _PASSING:
        asked = need(decision)
        if asked is not None and number is not None and asked <= number:
            reason = decision.recommended_by  # the load would do with fewer than the maximum
    return _TELL[reason](decision)


def is_refusal(decision: Decision) -> bool:
    """Another number would have been decided but for the rule that bound it.

    Zero may be wanted and the last replica stay: that is refused, too.
    """
    if decision.reason in (Reason.GRACE, Reason.RETENTION):
        return True
    return decision.reason in REFUSALS and decision.desired != need(decision)


def need(decision: Decision) -> int | None:
    """Replicas that the load alone asks for; None: the load is not known."""
    seen, spec = decision.seen, decision.spec
    if not spec.is_kpa:
        return None if seen.need is None else seen.need.number
    if seen.stable is None or seen.panic is None:
        return None
    stable = math.ceil(seen.stable / spec.target)
    return max(stable, math.ceil(seen.panic / spec.target) if decision.is_panicking else 0)


def replicas(number: int) -> str:
    """A number of replicas, with its unit."""
    return f"{number} replica" if number == 1 else f"{number} replicas"


def learned(decision: Decision) -> str:
    """What its own past says about the last replica; "" where there is no past yet."""
    kept = decision.seen.kept
    if kept is None or not kept.plan.rests:
        return ""
    plan = kept.plan
    rests = "once" if plan.rests == 1 else f"{plan.rests} times"
    said = (
        f"It rested {rests} so far, and is kept for {plan.keep_s:.3g} s of quiet "
        f"({keys.KEEP_ALIVE}); after {plan.covered:.0%} of those rests a replica would be there."
    )
    if plan.ahead is None:
        return said
    begin_s, end_s = plan.ahead
    return f"{said} It is started ahead, from {begin_s:.3g} to {end_s:.3g} s of quiet."


def asleep(decision: Decision) -> str:
    """Why nothing runs, and what would change that."""
    spec = decision.spec
    size = "as many replicas as its queue needs"
    if spec.is_kpa:
        size = replicas(max(1, spec.activation_scale))
    elif spec.activation_scale > 1:
        size += f", {spec.activation_scale} at least ({keys.ACTIVATION_SCALE})"
    why = because(decision)
    if decision.reason in _LEAVING:
        why = (
            f"nothing ran for {spec.stable_window_s:g} s ({keys.STABLE_WINDOW}), and requests had "
            f"gone to the activator for long enough (scale-to-zero-grace-period {_MAP})"
        )
    if decision.reason is Reason.NO_DATA:
        why = "it did when the autoscaler started, and nothing was asked of it since"
    return (
        f"It sleeps: {why}. A request wakes it: the activator holds the request "
        f"and asks for {size}."
    )


def _headline(entry: Entry) -> str:
    wanted, before = entry.decision.desired, entry.before
    if wanted is None:
        return "was left as it is"
    if wanted == 0 and entry.decision.reason in _LEAVING:
        return "is on its way to 0 replicas"
    if before is None:
        return f"began with {replicas(wanted)}" if wanted else "went to 0 replicas"
    if wanted == before:
        return f"stayed at {replicas(wanted)}"
    return f"went from {before} to {replicas(wanted)}"


def _outlook(decision: Decision) -> str:
    """What is off for now, after the reason for the number."""
    spec, number = decision.spec, decision.desired
    if decision.reason in _PASSING and number == spec.floor != need(decision):
        return f"; and min-scale={spec.min_scale} ({keys.MIN_SCALE}) holds, however long"
    if decision.is_panicking and decision.reason is not Reason.PANIC_HOLD:
        return " (panic: nothing is taken away for now)"
    return ""


def _load(decision: Decision, average: float | None, window_s: float) -> str:
    if average is None:
        return "no load was reported"
    spec = decision.spec
    if spec.metric == signals.TOKENS:
        return f"{average:.0f} tokens were in flight on average over {window_s:g} s"
    if spec.metric == signals.DELAY:
        right = average / spec.target
        return f"by how long requests waited over {window_s:g} s, {right:.3g} would have been right"
    if spec.is_rps:
        return f"{average:.3g} requests a second came over {window_s:g} s"
    verb = "was" if average == 1 else "were"
    noun = "request" if average == 1 else "requests"
    return f"{average:.3g} {noun} {verb} held or executing on average over {window_s:g} s"


def _share(decision: Decision) -> str:
    spec = decision.spec
    if spec.metric == signals.DELAY:
        return f"{spec.target:g} ms is aimed at ({keys.SCALING_TARGET})"
    unit = {"rps": " a second", signals.TOKENS: " tokens"}.get(spec.metric, "")
    return f"a replica takes {spec.target:g}{unit} ({keys.SCALING_TARGET})"


def _measured(decision: Decision) -> str:
    spec, seen = decision.spec, decision.seen
    return f"{_load(decision, seen.stable, spec.stable_window_s)}, and {_share(decision)}"


def _fast(decision: Decision) -> str:
    return _load(decision, decision.seen.panic, decision.spec.panic_window_s)


def _panic(decision: Decision) -> str:
    return f"{_fast(decision)}, and {_share(decision)}"


def _surge(decision: Decision) -> str:
    times = f"{decision.spec.panic_threshold:g} times what is ready or more"
    return f"{_fast(decision)}, {times} ({keys.PANIC_THRESHOLD}), and {_share(decision)}"


def _full(decision: Decision) -> str:
    return f"{_fast(decision)}, and a replica has room for {decision.spec.total:g}"


def _expected(decision: Decision) -> str:
    return (
        f"{_load(decision, decision.seen.stable, decision.spec.stable_window_s)}, and it rises "
        "steadily: this is for when a replica ordered now will be ready"
    )


def _keep_alive(decision: Decision) -> str:
    return (
        f"{_would_do(decision)}, but what was needed lately is worth keeping{_until(decision)} "
        f"({keys.KEEP_ALIVE})"
    )


def _ahead(decision: Decision) -> str:
    return (
        "nothing runs, but by its past a request is due, and a replica waits for it"
        f"{_until(decision)} ({keys.KEEP_ALIVE})"
    )


def _until(decision: Decision) -> str:
    return " until {next}" if decision.next_s is not None else ""


def _before(decision: Decision) -> str:
    return " before {next}" if decision.next_s is not None else " for now"


def _queue(decision: Decision) -> str:
    queued = max(1, decision.seen.queued)
    waiting = "1 request was waiting" if queued == 1 else f"{queued} requests were waiting"
    spec = decision.spec
    if spec.signal is not None:
        return f"{waiting}, and a replica takes {spec.queue_target:g} while it reports no load"
    return f"{waiting}, and {_share(decision)}"


def _would_do(decision: Decision) -> str:
    """What the load asks for, before the rule that says otherwise."""
    number = need(decision)
    if number is None:
        return "no load is known"
    if decision.desired is not None and number > decision.desired:
        return f"{number} would be needed"
    return f"{number} would do"


def _no_data(_: Decision) -> str:
    return "no load was reported yet, and what is not known is never taken for none"


def _panic_hold(decision: Decision) -> str:
    return (
        f"{_would_do(decision)}, but in panic nothing is taken away{_before(decision)}: a window "
        f"({decision.spec.stable_window_s:g} s, {keys.STABLE_WINDOW}) has to pass without a surge"
    )


def _up_rate(decision: Decision) -> str:
    return (
        f"{_would_do(decision)}, but one decision makes {replicas(max(1, decision.seen.ready))} "
        f"{decision.spec.max_up_rate:g} times as many at most (max-scale-up-rate {_MAP})"
    )


def _down_rate(decision: Decision) -> str:
    return (
        f"{_would_do(decision)}, but one decision divides {replicas(decision.seen.ready)} by "
        f"{decision.spec.max_down_rate:g} at most (max-scale-down-rate {_MAP})"
    )


def _activation_scale(decision: Decision) -> str:
    least = decision.spec.activation_scale
    return f"whoever leaves zero starts with {least} at least ({keys.ACTIVATION_SCALE})"


def _scale_down_delay(decision: Decision) -> str:
    return (
        f"{_would_do(decision)}, but the largest number of the last "
        f"{decision.spec.scale_down_delay_s:g} s counts ({keys.SCALE_DOWN_DELAY}), and nothing is "
        f"taken away{_before(decision)}"
    )


def _min_scale(decision: Decision) -> str:
    number = decision.recommended
    would = "nothing is known of the load" if number is None else f"{number} would do"
    return f"{would}, but min-scale={decision.spec.min_scale} ({keys.MIN_SCALE}) holds"


def _initial_scale(decision: Decision) -> str:
    least = decision.spec.initial_scale
    return f"a new revision has to reach initial-scale={least} once ({keys.INITIAL_SCALE})"


def _max_scale(decision: Decision) -> str:
    return (
        f"max-scale={decision.spec.max_scale} ({keys.MAX_SCALE}) held it back from "
        f"{decision.recommended}"
    )


def _idle(decision: Decision) -> str:
    return (
        f"nothing ran or was held for {decision.seen.idle_s:.3g} s, and no replica is worth "
        f"keeping longer ({keys.KEEP_ALIVE}, {keys.STABLE_WINDOW})"
    )


def _activating(decision: Decision) -> str:
    return (
        f"it is coming up ({decision.seen.ready} ready), and is not given up before its progress "
        f"deadline ({keys.PROGRESS_DEADLINE})"
    )


def _timed_out(decision: Decision) -> str:
    return (
        f"it did not come up within {decision.spec.activation_timeout_s:g} s "
        f"({keys.PROGRESS_DEADLINE}, and 30 s): it is given up until a request comes"
    )


def _active_too_short(decision: Decision) -> str:
    if not decision.spec.is_kpa:
        until = _until(decision) or " for a while"
        return f"nothing runs, but a replica is worth keeping{until} ({keys.KEEP_ALIVE})"
    return (
        "nothing runs, but the last replica stays until a whole window "
        f"({decision.spec.stable_window_s:g} s, {keys.STABLE_WINDOW}) has passed"
    )


def _deactivating(decision: Decision) -> str:
    return (
        f"nothing ran for {decision.spec.stable_window_s:g} s ({keys.STABLE_WINDOW}); requests go "
        "to the activator now, and the last replica goes when that has settled"
    )


def _retention(decision: Decision) -> str:
    return (
        f"nothing runs, but the last replica stays {decision.spec.retention_s:g} s longer "
        f"({keys.POD_RETENTION})"
    )


def _grace(decision: Decision) -> str:
    return (
        "nothing runs, but the last replica stays until requests have gone to the activator for "
        f"{decision.spec.grace_s:g} s (scale-to-zero-grace-period {_MAP})"
    )


def _stepping_in(_: Decision) -> str:
    return (
        "nothing runs, but callers may still reach the replicas past the activators: they go when "
        "an activator has answered for the Revision's Service"
    )


def _zero_off(_: Decision) -> str:
    return f"nothing runs, but scaling to zero is switched off (enable-scale-to-zero {_MAP})"


_TELL: Mapping[Reason, Callable[[Decision], str]] = {
    Reason.NO_DATA: _no_data,
    Reason.STABLE: _measured,
    Reason.PANIC: _panic,
    Reason.PANIC_HOLD: _panic_hold,
    Reason.QUEUE: _queue,
    Reason.UP_RATE: _up_rate,
    Reason.DOWN_RATE: _down_rate,
    Reason.ACTIVATION_SCALE: _activation_scale,
    Reason.SCALE_DOWN_DELAY: _scale_down_delay,
    Reason.MIN_SCALE: _min_scale,
    Reason.INITIAL_SCALE: _initial_scale,
    Reason.MAX_SCALE: _max_scale,
    Reason.SURGE: _surge,
    Reason.FULL: _full,
    Reason.EXPECTED: _expected,
    Reason.KEEP_ALIVE: _keep_alive,
    Reason.AHEAD: _ahead,
    Reason.IDLE: _idle,
    Reason.ACTIVATING: _activating,
    Reason.TIMED_OUT: _timed_out,
    Reason.ACTIVE_TOO_SHORT: _active_too_short,
    Reason.DEACTIVATING: _deactivating,
    Reason.RETENTION: _retention,
    Reason.GRACE: _grace,
    Reason.STEPPING_IN: _stepping_in,
    Reason.ZERO_OFF: _zero_off,
}
