from dataclasses import replace

import pytest

from autoscaler.idling import Life, Phase, Verdict, settle, while_exposed
from autoscaler.reasons import Reason
from autoscaler.spec import Spec
from tests.autoscaler.specs import spec

KPA, OURS = spec(), spec(is_kpa=False)


def life(phase: Phase, *, proxy_since_s: float | None = 0.0) -> Life:
    return Life(phase=phase, since_s=100.0, is_initialized=True, proxy_since_s=proxy_since_s)


def settled(
    wanted: Spec, where: Life, *, after_s: float, idle_s: float | None = None, desired: int = 0
) -> Verdict:
    idle = after_s if idle_s is None else idle_s
    verdict = settle(wanted, desired, where, idle_s=idle, now_s=100.0 + after_s)
    return replace(verdict, next_s=None)  # what is next has tests of its own


KEEP_ONE = Verdict(want=1, replicas=1, reason=Reason.ACTIVE_TOO_SHORT)
ZERO = Verdict(want=0, replicas=0)


@pytest.mark.parametrize("wanted", [KPA, OURS])
@pytest.mark.parametrize("desired", [None, 1, 7])
def test_other_numbers_pass(wanted: Spec, desired: int | None) -> None:
    verdict = settle(wanted, desired, life(Phase.ACTIVE), idle_s=999, now_s=999)
    assert verdict == Verdict(want=desired, replicas=desired)


@pytest.mark.parametrize("is_kpa", [True, False])
def test_zero_can_be_switched_off(is_kpa: bool) -> None:
    wanted = spec(is_kpa=is_kpa, is_zero_allowed=False)
    assert settled(wanted, life(Phase.INACTIVE), after_s=999) == Verdict(
        want=1, replicas=1, reason=Reason.ZERO_OFF
    )


@pytest.mark.parametrize("wanted", [KPA, OURS])
def test_activating_is_left_alone_until_the_deadline_has_passed(wanted: Spec) -> None:
    waiting = Verdict(want=None, replicas=None, reason=Reason.ACTIVATING)
    assert settled(wanted, life(Phase.ACTIVATING), after_s=630) == waiting
    assert settled(wanted, life(Phase.ACTIVATING), after_s=630.5) == Verdict(
        want=0, replicas=0, reason=Reason.TIMED_OUT
    )


@pytest.mark.parametrize("wanted", [KPA, OURS])
def test_one_replica_stays_until_it_was_active_for_a_stable_window(wanted: Spec) -> None:
    assert settled(wanted, life(Phase.ACTIVE), after_s=59, idle_s=999) == KEEP_ONE


def test_ours_goes_at_the_end_of_the_stable_window() -> None:
    assert settled(OURS, life(Phase.ACTIVE), after_s=60) == ZERO
    assert settled(OURS, life(Phase.ACTIVE), after_s=500, idle_s=59) == KEEP_ONE


def test_ours_adds_retention_to_the_stable_window() -> None:
    wanted = spec(is_kpa=False, retention_s=20.0)
    kept = Verdict(want=1, replicas=1, reason=Reason.RETENTION)
    assert settled(wanted, life(Phase.ACTIVE), after_s=79) == kept
    assert settled(wanted, life(Phase.ACTIVE), after_s=80) == ZERO


def test_ours_takes_down_what_runs_though_inactive() -> None:
    assert settled(OURS, life(Phase.INACTIVE), after_s=0) == ZERO


def test_kpa_marks_inactive_before_it_scales() -> None:
    assert settled(KPA, life(Phase.ACTIVE), after_s=60) == Verdict(
        want=0, replicas=None, reason=Reason.DEACTIVATING
    )


@pytest.mark.parametrize(
    ("after_s", "proxy_since_s", "retention_s", "expected"),
    [
        (0, 0.0, 0.0, ZERO),  # in Proxy mode for 100 s: longer than the grace period
        (0, 71.0, 0.0, Reason.GRACE),
        (1, 71.0, 0.0, ZERO),
        (29, None, 0.0, Reason.GRACE),
        (30, None, 0.0, ZERO),
        (19, 0.0, 20.0, Reason.RETENTION),
        (20, 0.0, 20.0, ZERO),
        (39, 0.0, 40.0, Reason.RETENTION),
        (40, None, 40.0, ZERO),
    ],
)
def test_kpa_inactive(
    after_s: float, proxy_since_s: float | None, retention_s: float, expected: Verdict | Reason
) -> None:
    where = life(Phase.INACTIVE, proxy_since_s=proxy_since_s)
    verdict = settled(spec(retention_s=retention_s), where, after_s=after_s)
    if isinstance(expected, Reason):
        expected = Verdict(want=0, replicas=None, reason=expected)
    assert verdict == expected


@pytest.mark.parametrize(
    ("wanted", "phase", "next_s"),
    [
        (KPA, Phase.ACTIVATING, 730.0),
        (KPA, Phase.ACTIVE, 160.0),  # since 100 s
        (KPA, Phase.INACTIVE, 130.0),
        (spec(retention_s=50.0), Phase.INACTIVE, 150.0),
        (OURS, Phase.ACTIVE, 160.0),
        (spec(is_kpa=False, stable_window_s=6.0, retention_s=30.0), Phase.ACTIVE, 136.0),
    ],
)
def test_a_verdict_says_until_when_it_holds(wanted: Spec, phase: Phase, next_s: float) -> None:
    verdict = settle(wanted, 0, life(phase, proxy_since_s=105.0), idle_s=20.0, now_s=120.0)
    assert verdict.next_s == next_s


def test_ours_keeps_the_last_replica_for_as_long_as_was_learned() -> None:
    where = life(Phase.ACTIVE)
    for keep_s, want in ((3.0, 0), (300.0, 1)):
        verdict = settle(OURS, 0, where, idle_s=20.0, now_s=120.0, keep_s=keep_s)
        assert verdict.replicas == want


def test_while_callers_reach_replicas_past_the_activators_the_last_ones_stay() -> None:
    assert while_exposed(ZERO) == Verdict(want=0, replicas=None, reason=Reason.STEPPING_IN)
    for other in (KEEP_ONE, Verdict(want=3, replicas=3), Verdict(want=None, replicas=None)):
        assert while_exposed(other) == other
