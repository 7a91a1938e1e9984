from dataclasses import replace
from typing import Any

import pytest

from api.stats import Stat
from autoscaler.bursting import PROXY, SERVE
from autoscaler.exposure import NODES_S
from autoscaler.idling import Phase
from autoscaler.pilot import Outcome, Pilot, Scale, first_life
from autoscaler.reasons import Reason
from autoscaler.sampling import Measured
from tests.autoscaler.specs import spec

LONG_AGO_S = -1000.0


def stat(time_s: float, load: float = 0.0, **changes: Any) -> Stat:
    return Stat(
        namespace="n",
        revision="r",
        reporter="a",
        time_s=time_s,
        average_concurrency=load,
        requests_per_s=load,
        **changes,
    )


def pilot(
    *, active: str = "False", scale: Scale | None = None, wanted: int | None = 0, **changes: Any
) -> Pilot:
    return Pilot(
        spec(**({"is_kpa": False, "target": 1.0} | changes)),
        first_life(active=active, is_initialized=active != "", now_s=0),
        scale=scale or Scale(replicas=0, ready=0),
        wanted=wanted,
        now_s=0,
    )


def turn(flown: Pilot, now_s: float, replicas: int | None = 0, ready: int = 0) -> Outcome:
    return flown.turn(
        Scale(replicas=replicas, ready=ready), now_s=now_s, listening_since_s=LONG_AGO_S
    )


def look(flown: Pilot, now_s: float, replicas: int | None = 0, ready: int = 0) -> Outcome:
    return flown.look(
        Scale(replicas=replicas, ready=ready), now_s=now_s, listening_since_s=LONG_AGO_S
    )


def test_a_poke_is_pressing_and_sizes_the_decision() -> None:
    flown = pilot()
    turn(flown, 1)
    assert flown.receive(stat(5, queued=40, is_poke=True), now_s=5)
    outcome = turn(flown, 5)
    assert (outcome.replicas, outcome.want) == (40, 40)
    assert outcome.decision.reason is Reason.QUEUE
    assert flown.phase is Phase.ACTIVATING


def test_a_poke_counts_once() -> None:
    flown = pilot()
    flown.receive(stat(5, queued=40, is_poke=True), now_s=5)
    turn(flown, 5)
    assert turn(flown, 6, replicas=40).decision.reason is Reason.KEEP_ALIVE


def test_a_queue_told_by_a_plain_report_at_zero_is_a_poke() -> None:
    flown = pilot()
    turn(flown, 1)
    assert flown.receive(stat(5, 1.0, queued=7), now_s=5)
    assert turn(flown, 5).want == 7


def test_so_it_is_before_the_first_number_if_the_revision_is_inactive() -> None:
    assert pilot().receive(stat(5, 1.0, queued=7), now_s=5)
    running = Scale(replicas=4, ready=4)
    assert not pilot(active="True", scale=running).receive(stat(5, 1.0, queued=7), now_s=5)


@pytest.mark.parametrize("is_kpa", [True, False])
def test_plain_load_is_pressing_at_zero_and_for_ours_where_more_is_needed(is_kpa: bool) -> None:
    flown = pilot(is_kpa=is_kpa)
    turn(flown, 1)
    assert flown.receive(stat(5, 2.0), now_s=5)
    assert turn(flown, 5).want == 2
    assert not flown.receive(stat(6, 2.0), now_s=6)
    assert flown.receive(stat(7, 9.0), now_s=7) is not is_kpa


@pytest.mark.parametrize("is_kpa", [True, False])
def test_a_crowd_is_sized_from_the_queue_and_unknown_to_knative(is_kpa: bool) -> None:
    flown = pilot(is_kpa=is_kpa, active="True", scale=Scale(replicas=1, ready=1))
    flown.receive(stat(5, 1.0), now_s=5)
    turn(flown, 5, replicas=1, ready=1)
    crowd = replace(stat(5.5, 40.0, queued=40, is_poke=True), is_crowd=True)
    assert flown.receive(crowd, now_s=5.5) is not is_kpa
    assert turn(flown, 5.5, replicas=1, ready=1).want == (1 if is_kpa else 40)


def test_a_report_of_nothing_presses_nobody() -> None:
    flown = pilot()
    turn(flown, 1)
    assert not flown.receive(stat(4, 0.0), now_s=4)


def test_kpa_is_not_pressed_by_a_poke_above_zero_nor_before_its_first_decision() -> None:
    flown = pilot(is_kpa=True)
    assert not flown.receive(stat(0.5, is_poke=True, queued=1), now_s=0.5)
    assert turn(flown, 1).want == 1
    assert not flown.receive(stat(2, is_poke=True, queued=1), now_s=2)


def test_nothing_is_written_without_a_deployment_or_twice() -> None:
    flown = pilot()
    flown.receive(stat(5, queued=4, is_poke=True), now_s=5)
    assert turn(flown, 5, replicas=None).replicas is None
    assert look(flown, 6, replicas=0).replicas == 4
    assert look(flown, 6, replicas=4).replicas is None


def test_a_number_changed_by_someone_else_is_put_right() -> None:
    flown = pilot()
    flown.receive(stat(5, queued=4, is_poke=True), now_s=5)
    turn(flown, 5)
    assert turn(flown, 6, replicas=9).replicas == 4


def test_a_look_does_not_decide_again() -> None:
    flown = pilot(active="True", scale=Scale(replicas=16, ready=16), is_reachable=True)
    flown.receive(stat(61, 1.0), now_s=61)
    assert turn(flown, 62, replicas=16, ready=16).replicas == 8
    assert look(flown, 62, replicas=8, ready=8).want == 8
    assert turn(flown, 64, replicas=8, ready=8).replicas == 4


def test_a_look_follows_bounds_that_end() -> None:
    flown = pilot(active="", initial_scale=3, wanted=None)
    assert turn(flown, 1, replicas=3, ready=1).want == 3
    reached = look(flown, 2, replicas=3, ready=3)
    assert flown.phase is Phase.ACTIVE
    assert {each.type: each.status for each in reached.conditions}["Ready"] == "True"
    assert look(flown, 3, replicas=3, ready=3).decision.reason is Reason.ACTIVE_TOO_SHORT


def test_new_bounds_hold_at_the_next_look() -> None:
    flown = pilot()
    flown.receive(stat(5, queued=40, is_poke=True), now_s=5)
    turn(flown, 5)
    flown.respec(spec(is_kpa=False, target=1.0, max_scale=6), now_s=6)
    outcome = look(flown, 6, replicas=40)
    assert outcome.replicas == 6


def test_activating_without_replicas_gets_its_initial_scale() -> None:
    assert turn(pilot(active="", initial_scale=3, wanted=None), 1).replicas == 3
    assert turn(pilot(active="", wanted=None), 1).replicas == 1
    assert turn(pilot(active="", wanted=None), 1, replicas=1).replicas is None


def test_sleep_is_for_the_inactive_without_replicas() -> None:
    flown = pilot()
    nothing = Scale(replicas=0, ready=0)
    assert flown.is_asleep(nothing)
    assert flown.is_asleep(Scale(replicas=None, ready=0))
    assert not flown.is_asleep(Scale(replicas=0, ready=1))
    assert not flown.is_asleep(Scale(replicas=1, ready=0))
    flown.receive(stat(5, queued=4, is_poke=True), now_s=5)
    turn(flown, 5)
    assert not flown.is_asleep(nothing)


def test_a_minimum_is_kept_although_nothing_is_known_after_a_restart() -> None:
    flown = pilot(min_scale=1)
    assert not flown.is_asleep(Scale(replicas=0, ready=0))
    assert turn(flown, 100).replicas == 1


def test_what_was_wanted_last_is_said_again_while_nothing_is_known() -> None:
    flown = pilot(active="True", wanted=3, scale=Scale(replicas=3, ready=3))
    outcome = flown.turn(Scale(replicas=3, ready=3), now_s=1, listening_since_s=1)
    assert (outcome.replicas, outcome.want) == (None, 3)


@pytest.mark.parametrize("active", ["True", "Unknown"])
def test_an_unknown_load_exceeds_no_bound_and_takes_no_replicas(active: str) -> None:
    running = Scale(replicas=12, ready=0)
    flown = pilot(active=active, scale=running, max_scale=3)
    outcome = flown.turn(running, now_s=1, listening_since_s=1)
    assert (outcome.replicas, outcome.decision.reason) == (3, Reason.MAX_SCALE)
    flown = pilot(active=active, scale=running, min_scale=1)
    outcome = flown.turn(running, now_s=1, listening_since_s=1)
    assert outcome.replicas is None


def test_the_journal_tells_what_was_wanted_in_the_end() -> None:
    flown = pilot(max_scale=6)
    flown.receive(stat(5, queued=40, is_poke=True), now_s=5)
    turn(flown, 5)
    (entry,) = flown.journal()
    assert (entry.decision.desired, entry.decision.reason) == (6, Reason.MAX_SCALE)
    assert (entry.decision.recommended, entry.decision.recommended_by) == (40, Reason.QUEUE)


def test_the_phase_of_a_revision_first_seen_comes_from_its_status() -> None:
    def phase(active: str) -> Phase:
        return first_life(active=active, is_initialized=True, now_s=0).phase

    assert [phase(each) for each in ("True", "False", "Unknown", "", "?")] == [
        Phase.ACTIVE,
        Phase.INACTIVE,
        Phase.ACTIVATING,
        Phase.ACTIVATING,
        Phase.ACTIVATING,
    ]


def loaded(**changes: Any) -> Pilot:
    """A pilot of three replicas under a load of 3 for half a minute."""
    flown = pilot(active="True", scale=Scale(replicas=3, ready=3), wanted=3, **changes)
    for second in range(31):
        flown.receive(stat(second, 3.0), now_s=second)
        turn(flown, second, replicas=3, ready=3)
    return flown


def resumed(
    sections: dict[str, Any], replicas: int, *, now_s: float = 35.0, **changes: Any
) -> Pilot:
    scale = Scale(replicas=replicas, ready=replicas)
    flown = pilot(active="True", scale=scale, wanted=None, **changes)
    assert flown.restore(
        sections, Scale(replicas=replicas, ready=replicas), saved_s=30, shift_s=0, now_s=now_s
    )
    return flown


def test_what_is_dumped_is_gone_on_from_before_anybody_reports() -> None:
    sections = loaded().dump(shift_s=0, now_s=30)
    assert {"windows", "state", "life", "wanted"} <= set(sections)
    flown = resumed(sections, 3)
    outcome = flown.turn(Scale(replicas=3, ready=3), now_s=36, listening_since_s=35)
    assert (outcome.want, outcome.replicas) == (3, None)
    assert outcome.decision.reason is Reason.NO_DATA
    flown.receive(stat(37, 3.0), now_s=37)
    outcome = flown.turn(Scale(replicas=3, ready=3), now_s=37, listening_since_s=35)
    assert (outcome.want, outcome.decision.seen.stable) == (3, 3.0)


@pytest.mark.parametrize(
    ("is_kpa", "reason"), [(True, Reason.PANIC_HOLD), (False, Reason.KEEP_ALIVE)]
)
def test_more_replicas_than_were_dumped_are_those_of_a_burst_and_stay(
    is_kpa: bool, reason: Reason
) -> None:
    flown = resumed(loaded(is_kpa=is_kpa).dump(shift_s=0, now_s=30), 9, is_kpa=is_kpa)
    flown.receive(stat(36, 3.0), now_s=36)
    outcome = flown.turn(Scale(replicas=9, ready=9), now_s=36, listening_since_s=35)
    assert (outcome.want, outcome.decision.reason) == (9, reason)


def test_a_pilot_that_never_flew_has_nothing_to_dump() -> None:
    flown = pilot()
    turn(flown, 1)
    assert flown.dump(shift_s=0, now_s=1) == {}


def test_asleep_it_has_given_back_its_windows_and_who_reported() -> None:
    flown = loaded()
    for second in range(31, 160):
        turn(flown, second, replicas=3, ready=3)
    turn(flown, 161, replicas=0)
    assert flown.is_asleep(Scale(replicas=0, ready=0))
    flown.fall_asleep()
    collector = flown._collector
    assert collector._stable._buckets == collector._panic._buckets == []
    assert collector.is_untold


def measure(flown: Pilot, load: float, now_s: float) -> bool:
    return flown.measured(Measured(concurrency=load, requests_per_s=load), now_s=now_s)


def in_serve(**changes: Any) -> Pilot:
    """A Revision whose one replica was reached past the activators until 100 s."""
    flown = pilot(
        active="True",
        scale=Scale(replicas=1, ready=1),
        wanted=1,
        is_direct=True,
        target_burst_capacity=0.0,
        **changes,
    )
    for second in range(1, 101):
        measure(flown, 1.0, second + 0.1)
        told = turn(flown, second + 0.2, replicas=1, ready=1)
    assert told.mode == SERVE
    return flown


@pytest.mark.parametrize("is_kpa", [True, False])
def test_measured_load_holds_replicas_that_activators_hear_nothing_of(is_kpa: bool) -> None:
    flown = in_serve(is_kpa=is_kpa)
    assert flown.wanted == 1


@pytest.mark.parametrize("is_kpa", [True, False])
def test_replicas_nobody_can_measure_keep_their_number_and_get_activators(is_kpa: bool) -> None:
    flown = in_serve(is_kpa=is_kpa)
    modes = set()
    for second in range(101, 1000):
        told = turn(flown, second + 0.2, replicas=1, ready=1)
        assert (told.want, told.replicas) == (1, None)
        modes = {told.mode}
    assert modes == {PROXY}


@pytest.mark.parametrize("is_kpa", [True, False])
def test_the_last_replica_goes_when_activators_answer_and_not_before(is_kpa: bool) -> None:
    flown = in_serve(is_kpa=is_kpa)
    seen: list[tuple[int | None, str]] = []
    for second in range(101, 600):
        measure(flown, 0.0, second + 0.1)
        told = turn(flown, second + 0.2, replicas=1, ready=1)
        assert told.replicas in {1, None}, "nobody has proven anything"
        seen.append((told.want, told.mode))
    assert seen[-1] == (0, PROXY)
    assert told.decision.reason is Reason.STEPPING_IN
    assert flown.phase is Phase.INACTIVE
    assert not flown.is_asleep(Scale(replicas=1, ready=1)), "somebody has to look"
    flown.exposure.proven(is_closed=True, now_s=600.5)
    assert turn(flown, 600.5 + NODES_S - 0.1, replicas=1, ready=1).replicas is None
    turn(flown, 600.5 + NODES_S, replicas=1, ready=1)  # closes it
    assert turn(flown, 602.5 + NODES_S, replicas=1, ready=1).replicas == 0


def test_who_comes_while_activators_step_in_keeps_the_replica() -> None:
    flown = in_serve()
    for second in range(101, 300):
        measure(flown, 0.0, second + 0.1)
        turn(flown, second + 0.2, replicas=1, ready=1)
    assert flown.wanted == 0
    flown.receive(stat(300.3, 1.0, queued=1), now_s=300.3)
    measure(flown, 0.0, 300.4)
    told = turn(flown, 300.5, replicas=1, ready=1)
    assert (told.want, told.mode) == (1, SERVE)


def test_a_measure_of_more_than_there_is_presses() -> None:
    flown = in_serve()
    assert measure(flown, 9.0, 101.1)
    assert not measure(in_serve(is_kpa=True), 9.0, 101.1), "class kpa decides on ticks"


def test_where_nobody_follows_the_mode_nothing_waits_for_it() -> None:
    flown = pilot(
        active="True", scale=Scale(replicas=1, ready=1), wanted=1, target_burst_capacity=0.0
    )
    flown.receive(stat(1, 1.0), now_s=1)
    assert turn(flown, 1.5, replicas=1, ready=1).mode == SERVE
    told = [turn(flown, float(second), replicas=1, ready=1) for second in range(2, 200)]
    assert told[-1].replicas == 0
