"""Every rule has a sentence, with its numbers, their units and what would change them."""

from typing import Any

import pytest

from api import keys
from autoscaler import telling
from autoscaler.decider import Decision, Observation
from autoscaler.gaps import Plan
from autoscaler.journal import Entry
from autoscaler.levels import Kept
from autoscaler.needs import Need
from autoscaler.reasons import Reason
from autoscaler.signals import Signal
from tests.autoscaler.specs import spec


def needed(number: int) -> Need:
    return Need(number=number, reason=Reason.STABLE)


def decision(reason: Reason, desired: int | None, **changed: Any) -> Decision:
    seen = {"stable": 12.0, "panic": 15.0, "ready": 2, "queued": 15, "is_poke": False}
    asked = {"is_kpa": False, "target": 4.0}
    if changed.get("is_kpa", True) is True and "need" not in changed:
        seen["need"] = needed(3)
    parts: dict[str, Any] = {
        "recommended": desired,
        "recommended_by": Reason.STABLE,
        "at_s": 10.0,
        "is_panicking": False,
        "excess_burst_capacity": -1,
        "next_s": None,
    }
    for name, value in changed.items():
        place = seen if name in Observation.__slots__ else parts if name in parts else asked
        place[name] = value
    return Decision(
        desired=desired, reason=reason, seen=Observation(**seen), spec=spec(**asked), **parts
    )


def entry(made: Decision, before: int | None) -> Entry:
    return Entry(decision=made, before=before, last_s=made.at_s)


# One row a rule: (decision, number before, the sentence).
SENTENCES: dict[Reason, tuple[Decision, int | None, str]] = {
    Reason.NO_DATA: (
        decision(Reason.NO_DATA, None, stable=None, panic=None),
        3,
        "It was left as it is: no load was reported yet, and what is not known is never taken "
        "for none",
    ),
    Reason.STABLE: (
        decision(Reason.STABLE, 3),
        2,
        "It went from 2 to 3 replicas: 12 requests were held or executing on average over 60 s, "
        "and a replica takes 4 (autoscaling.knative.dev/target)",
    ),
    Reason.PANIC: (
        decision(Reason.PANIC, 4, is_panicking=True, is_rps=True),
        2,
        "It went from 2 to 4 replicas: 15 requests a second came over 6 s, and a replica takes 4 "
        "a second (autoscaling.knative.dev/target) (panic: nothing is taken away for now)",
    ),
    Reason.PANIC_HOLD: (
        decision(Reason.PANIC_HOLD, 6, is_panicking=True, is_kpa=True, next_s=63.0),
        6,
        "It stayed at 6 replicas: 4 would do, but in panic nothing is taken away before {next}: a "
        "window (60 s, autoscaling.knative.dev/window) has to pass without a surge",
    ),
    Reason.QUEUE: (
        decision(Reason.QUEUE, 4, is_poke=True, is_panicking=True),
        0,
        "It went from 0 to 4 replicas: 15 requests were waiting, and a replica takes 4 "
        "(autoscaling.knative.dev/target) (panic: nothing is taken away for now)",
    ),
    Reason.UP_RATE: (
        decision(Reason.UP_RATE, 2, ready=1, max_up_rate=2.0),
        1,
        "It went from 1 to 2 replicas: 3 would be needed, but one decision makes 1 replica 2 "
        "times as many at most (max-scale-up-rate in ConfigMap config-autoscaler)",
    ),
    Reason.DOWN_RATE: (
        decision(Reason.DOWN_RATE, 5, ready=10),
        10,
        "It went from 10 to 5 replicas: 3 would do, but one decision divides 10 replicas by 2 at "
        "most (max-scale-down-rate in ConfigMap config-autoscaler)",
    ),
    Reason.ACTIVATION_SCALE: (
        decision(Reason.ACTIVATION_SCALE, 5, activation_scale=5),
        0,
        "It went from 0 to 5 replicas: whoever leaves zero starts with 5 at least "
        "(autoscaling.knative.dev/activation-scale)",
    ),
    Reason.SCALE_DOWN_DELAY: (
        decision(Reason.SCALE_DOWN_DELAY, 5, scale_down_delay_s=120.0),
        5,
        "It stayed at 5 replicas: 3 would do, but the largest number of the last 120 s counts "
        "(autoscaling.knative.dev/scale-down-delay), and nothing is taken away for now",
    ),
    Reason.MIN_SCALE: (
        decision(Reason.MIN_SCALE, 4, recommended=1, min_scale=4),
        None,
        "It began with 4 replicas: 1 would do, but min-scale=4 (autoscaling.knative.dev/min-scale) "
        "holds",
    ),
    Reason.INITIAL_SCALE: (
        decision(Reason.INITIAL_SCALE, 2, initial_scale=2),
        None,
        "It began with 2 replicas: a new revision has to reach initial-scale=2 once "
        "(autoscaling.knative.dev/initial-scale)",
    ),
    Reason.MAX_SCALE: (
        decision(Reason.MAX_SCALE, 4, recommended=7, max_scale=4),
        4,
        "It stayed at 4 replicas: max-scale=4 (autoscaling.knative.dev/max-scale) held it back "
        "from 7",
    ),
    Reason.SURGE: (
        decision(Reason.SURGE, 4, panic_window_s=2.0),
        1,
        "It went from 1 to 4 replicas: 15 requests were held or executing on average over 2 s, 2 "
        "times what is ready or more (autoscaling.knative.dev/panic-threshold-percentage), and a "
        "replica takes 4 (autoscaling.knative.dev/target)",
    ),
    Reason.FULL: (
        decision(Reason.FULL, 3, panic=12.0, total=5.0, panic_window_s=2.0),
        2,
        "It went from 2 to 3 replicas: 12 requests were held or executing on average over 2 s, and "
        "a replica has room for 5",
    ),
    Reason.EXPECTED: (
        decision(Reason.EXPECTED, 5),
        4,
        "It went from 4 to 5 replicas: 12 requests were held or executing on average over 60 s, "
        "and it rises steadily: this is for when a replica ordered now will be ready",
    ),
    Reason.KEEP_ALIVE: (
        decision(Reason.KEEP_ALIVE, 4, next_s=70.0, need=needed(1)),
        4,
        "It stayed at 4 replicas: 1 would do, but what was needed lately is worth keeping until "
        "{next} (relight.dev/keep-alive)",
    ),
    Reason.AHEAD: (
        decision(Reason.AHEAD, 1, next_s=70.0, need=needed(0)),
        0,
        "It went from 0 to 1 replica: nothing runs, but by its past a request is due, and a "
        "replica waits for it until {next} (relight.dev/keep-alive)",
    ),
    Reason.IDLE: (
        decision(Reason.IDLE, 0, idle_s=60.4),
        1,
        "It went from 1 to 0 replicas: nothing ran or was held for 60.4 s, and no replica is worth "
        "keeping longer (relight.dev/keep-alive, autoscaling.knative.dev/window)",
    ),
    Reason.ACTIVATING: (
        decision(Reason.ACTIVATING, None, ready=0),
        1,
        "It was left as it is: it is coming up (0 ready), and is not given up before its progress "
        "deadline (serving.knative.dev/progress-deadline)",
    ),
    Reason.TIMED_OUT: (
        decision(Reason.TIMED_OUT, 0),
        1,
        "It went from 1 to 0 replicas: it did not come up within 630 s "
        "(serving.knative.dev/progress-deadline, and 30 s): it is given up until a request comes",
    ),
    Reason.ACTIVE_TOO_SHORT: (
        decision(Reason.ACTIVE_TOO_SHORT, 1, is_kpa=True),
        1,
        "It stayed at 1 replica: nothing runs, but the last replica stays until a whole window "
        "(60 s, autoscaling.knative.dev/window) has passed",
    ),
    Reason.DEACTIVATING: (
        decision(Reason.DEACTIVATING, 0, is_kpa=True),
        1,
        "It is on its way to 0 replicas: nothing ran for 60 s (autoscaling.knative.dev/window); "
        "requests go to the activator now, and the last replica goes when that has settled",
    ),
    Reason.RETENTION: (
        decision(Reason.RETENTION, 1, retention_s=90.0),
        1,
        "It stayed at 1 replica: nothing runs, but the last replica stays 90 s longer "
        "(autoscaling.knative.dev/scale-to-zero-pod-retention-period)",
    ),
    Reason.GRACE: (
        decision(Reason.GRACE, 0, is_kpa=True),
        0,
        "It is on its way to 0 replicas: nothing runs, but the last replica stays until requests "
        "have gone to the activator for 30 s (scale-to-zero-grace-period in ConfigMap "
        "config-autoscaler)",
    ),
    Reason.STEPPING_IN: (
        decision(Reason.STEPPING_IN, 0),
        1,
        "It is on its way to 0 replicas: nothing runs, but callers may still reach the replicas "
        "past the activators: they go when an activator has answered for the Revision's Service",
    ),
    Reason.ZERO_OFF: (
        decision(Reason.ZERO_OFF, 1),
        1,
        "It stayed at 1 replica: nothing runs, but scaling to zero is switched off "
        "(enable-scale-to-zero in ConfigMap config-autoscaler)",
    ),
}


@pytest.mark.parametrize("reason", Reason)
def test_every_rule_has_its_sentence(reason: Reason) -> None:
    made, before, said = SENTENCES[reason]
    assert made.reason is reason
    assert telling.told(entry(made, before)) == said


def test_annotations_in_sentences_are_public_keys() -> None:
    public = {value for name, value in vars(keys).items() if name.isupper()}
    words = [
        word.strip("(),:;")
        for _, _, said in SENTENCES.values()
        for word in said.split()
        if ".dev/" in word
    ]
    assert len(set(words)) > 8
    assert set(words) <= public


@pytest.mark.parametrize(
    ("made", "needed"),
    [
        (decision(Reason.STABLE, 3, is_kpa=True), 3),
        (decision(Reason.PANIC, 4, is_panicking=True, is_kpa=True), 4),
        (decision(Reason.NO_DATA, None, stable=None, is_kpa=True), None),
        (decision(Reason.QUEUE, 8, need=needed(8)), 8),
        (decision(Reason.NO_DATA, None, need=None), None),
        # Knative's decisions know no queue: a poke is a stat like others.
        (decision(Reason.STABLE, 3, is_poke=True, queued=30, is_kpa=True), 3),
    ],
)
def test_what_the_load_alone_asks_for(made: Decision, needed: int | None) -> None:
    assert telling.need(made) == needed


@pytest.mark.parametrize(
    ("made", "refuses"),
    [
        (decision(Reason.STABLE, 3), False),
        (decision(Reason.MAX_SCALE, 2, recommended=3), True),
        (decision(Reason.PANIC_HOLD, 5), True),
        (decision(Reason.PANIC_HOLD, 3), False),  # it would be as many anyway
        (decision(Reason.NO_DATA, 3, need=None), True),
        (decision(Reason.KEEP_ALIVE, 4), True),
        (decision(Reason.IDLE, 0, stable=0.0), False),
        (decision(Reason.GRACE, 0, is_kpa=True, stable=0.0, panic=0.0), True),  # the last stays
    ],
)
def test_what_is_a_refusal(made: Decision, refuses: bool) -> None:
    assert telling.is_refusal(made) is refuses


def test_a_minimum_that_holds_anyway_is_said() -> None:
    kept = decision(Reason.KEEP_ALIVE, 2, need=needed(0), min_scale=2)
    assert telling.told(entry(kept, 2)) == (
        "It stayed at 2 replicas: 0 would do, but what was needed lately is worth keeping "
        "(relight.dev/keep-alive); and min-scale=2 (autoscaling.knative.dev/min-scale) holds, "
        "however long"
    )
    more = decision(Reason.KEEP_ALIVE, 3, need=needed(0), min_scale=2)
    assert "min-scale" not in telling.told(entry(more, 3))
    old = decision(Reason.KEEP_ALIVE, 2, need=needed(0), min_scale=2, is_reachable=False)
    assert "min-scale" not in telling.told(entry(old, 2))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (1, "1 would do, but the largest number of the last 30 s counts"),
        (5, "max-scale=3 (autoscaling.knative.dev/max-scale) held it back from 7"),
    ],
)
def test_a_maximum_that_the_load_does_not_ask_for_is_not_the_reason(asked: int, said: str) -> None:
    late = decision(
        Reason.MAX_SCALE,
        3,
        need=needed(asked),
        max_scale=3,
        recommended=7,
        recommended_by=Reason.SCALE_DOWN_DELAY,
        scale_down_delay_s=30.0,
    )
    assert telling.because(late).startswith(said)


def test_the_last_replica_of_ours_is_kept_for_what_it_is_worth() -> None:
    new = decision(Reason.ACTIVE_TOO_SHORT, 1, next_s=20.0)
    assert telling.told(entry(new, None)) == (
        "It began with 1 replica: nothing runs, but a replica is worth keeping until {next} "
        "(relight.dev/keep-alive)"
    )


def test_what_was_not_wanted_at_first_did_not_begin_with_nothing() -> None:
    assert telling.told(entry(decision(Reason.IDLE, 0), None)).startswith("It went to 0 replicas: ")


def test_numbers_have_units_in_the_right_number() -> None:
    (one,) = [decision(Reason.QUEUE, 1, is_poke=True, queued=1, stable=1.0)]
    assert telling.because(one).startswith("1 request was waiting, and")
    assert telling.because(decision(Reason.STABLE, 1, stable=1.0)).startswith(
        "1 request was held or executing on average"
    )
    assert [telling.replicas(number) for number in (0, 1, 2)] == [
        "0 replicas",
        "1 replica",
        "2 replicas",
    ]


def test_who_sleeps_is_told_what_wakes_it() -> None:
    idle = decision(Reason.IDLE, 0, idle_s=60.4, activation_scale=3)
    assert telling.asleep(idle) == (
        "It sleeps: nothing ran or was held for 60.4 s, and no replica is worth keeping longer "
        "(relight.dev/keep-alive, autoscaling.knative.dev/window). A request wakes it: the "
        "activator holds the request and asks for as many replicas as its queue needs, 3 at least "
        "(autoscaling.knative.dev/activation-scale)."
    )
    gone = telling.asleep(decision(Reason.GRACE, 0, is_kpa=True))
    assert gone.startswith(
        "It sleeps: nothing ran for 60 s (autoscaling.knative.dev/window), and requests had gone "
        "to the activator for long enough (scale-to-zero-grace-period in ConfigMap "
        "config-autoscaler)"
    )
    assert "asks for 1 replica." in gone


@pytest.mark.parametrize(
    ("metric", "target", "stable", "reason", "said"),
    [
        (
            "tokens-in-flight",
            2800.0,
            6000.0,
            Reason.STABLE,
            "6000 tokens were in flight on average over 60 s, and a replica takes 2800 tokens",
        ),
        (
            "queue-delay",
            200.0,
            500.0,
            Reason.STABLE,
            "by how long requests waited over 60 s, 2.5 would have been right, "
            "and 200 ms is aimed at",
        ),
        (
            "queue-delay",
            200.0,
            500.0,
            Reason.QUEUE,
            "15 requests were waiting, and a replica takes 7 while it reports no load",
        ),
    ],
)
def test_what_replicas_report_has_units_of_its_own(
    metric: Any, target: float, stable: float, reason: Reason, said: str
) -> None:
    signal = Signal(metric=metric, target=target, requests=7.0)
    made = decision(reason, 3, stable=stable, target=target, signal=signal, is_poke=True)
    assert telling.because(made).startswith(said)
    assert telling.need(made) == 3


def kept(plan: Plan) -> Kept:
    return Kept(number=1, until_s=70.0, plan=plan)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, ""),
        (kept(Plan(keep_s=60.0)), ""),
        (
            kept(Plan(keep_s=90.0, rests=1, covered=1.0)),
            "It rested once so far, and is kept for 90 s of quiet (relight.dev/keep-alive); after "
            "100% of those rests a replica would be there.",
        ),
        (
            kept(Plan(keep_s=5.0, ahead=(280.0, 320.0), rests=12, covered=0.75)),
            "It rested 12 times so far, and is kept for 5 s of quiet (relight.dev/keep-alive); "
            "after 75% of those rests a replica would be there. It is started ahead, from 280 to "
            "320 s of quiet.",
        ),
    ],
)
def test_what_was_learned(found: Kept | None, said: str) -> None:
    assert telling.learned(decision(Reason.STABLE, 1, kept=found)) == said
