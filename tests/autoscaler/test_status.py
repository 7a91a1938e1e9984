import pytest

from autoscaler.idling import Life, Phase
from autoscaler.status import advance, conditions, ready_min, spelled
from tests.autoscaler.specs import spec

INACTIVE, ACTIVATING, ACTIVE = Phase.INACTIVE, Phase.ACTIVATING, Phase.ACTIVE


def life(phase: Phase, *, is_initialized: bool = True) -> Life:
    return Life(phase=phase, since_s=0.0, is_initialized=is_initialized, proxy_since_s=None)


@pytest.mark.parametrize(
    ("want", "ready", "before", "phase", "reason"),
    [
        (0, 0, INACTIVE, INACTIVE, "NoTraffic"),
        (0, 5, ACTIVE, INACTIVE, "NoTraffic"),
        (0, 0, ACTIVATING, INACTIVE, "TimedOut"),
        (3, 1, INACTIVE, ACTIVATING, "Queued"),
        (3, 1, ACTIVATING, ACTIVATING, "Queued"),
        (3, 1, ACTIVE, ACTIVATING, "Queued"),
        (3, 2, INACTIVE, ACTIVE, ""),
        (3, 2, ACTIVATING, ACTIVE, ""),
        (3, 2, ACTIVE, ACTIVE, ""),
        (None, 1, INACTIVE, INACTIVE, "NoTraffic"),
        (None, 1, ACTIVATING, ACTIVATING, "Queued"),
        (None, 1, ACTIVE, ACTIVATING, "Queued"),
        (None, 2, INACTIVE, INACTIVE, "NoTraffic"),
        (None, 2, ACTIVATING, ACTIVE, ""),
        (None, 2, ACTIVE, ACTIVE, ""),
    ],
)
def test_knatives_table(
    want: int | None, ready: int, before: Phase, phase: Phase, reason: str
) -> None:
    after, told = advance(
        spec(min_scale=2), life(before), want=want, ready=ready, is_proxied=True, now_s=9
    )
    assert (after.phase, told) == (phase, reason)
    assert after.since_s == (0 if phase is before else 9)


def test_an_initial_scale_of_zero_is_inactive_without_having_timed_out() -> None:
    after, told = advance(
        spec(initial_scale=0),
        life(ACTIVATING, is_initialized=False),
        want=None,
        ready=0,
        is_proxied=True,
        now_s=9,
    )
    assert (after.phase, told, after.is_initialized) == (INACTIVE, "NoTraffic", True)


def test_ready_min_is_the_initial_scale_once_and_min_scale_after() -> None:
    wanted = spec(initial_scale=5, min_scale=2)
    assert ready_min(wanted, life(ACTIVE, is_initialized=False)) == 5
    assert ready_min(wanted, life(ACTIVE)) == 2
    assert ready_min(spec(), life(ACTIVE)) == 1
    assert ready_min(spec(min_scale=2, is_reachable=False), life(ACTIVE)) == 1


def test_initialized_is_kept() -> None:
    wanted = spec(initial_scale=2)
    before = life(ACTIVATING, is_initialized=False)
    reached, _ = advance(wanted, before, want=2, ready=2, is_proxied=True, now_s=1)
    assert reached.is_initialized
    fallen, _ = advance(wanted, reached, want=2, ready=0, is_proxied=True, now_s=2)
    assert fallen.is_initialized


def test_time_in_proxy_mode_starts_when_serving_ends() -> None:
    def step(before: Life, is_proxied: bool, now_s: float) -> Life:
        return advance(spec(), before, want=1, ready=1, is_proxied=is_proxied, now_s=now_s)[0]

    assert step(life(ACTIVE), True, 5).proxy_since_s == 5
    assert step(step(life(ACTIVE), True, 5), True, 9).proxy_since_s == 5
    assert step(step(life(ACTIVE), True, 5), False, 9).proxy_since_s is None


def test_ready_is_active_and_initialized() -> None:
    def statuses(where: Life, reason: str) -> dict[str, tuple[str, str]]:
        return {each.type: (each.status, each.reason) for each in conditions(where, reason)}

    assert statuses(life(ACTIVE), "") == {
        "Active": ("True", ""),
        "ScaleTargetInitialized": ("True", ""),
        "Ready": ("True", ""),
    }
    assert statuses(life(ACTIVATING, is_initialized=False), "Queued") == {
        "Active": ("Unknown", "Queued"),
        "ScaleTargetInitialized": ("Unknown", ""),
        "Ready": ("Unknown", "Queued"),
    }
    assert statuses(life(INACTIVE), "NoTraffic")["Ready"] == ("False", "NoTraffic")


def test_messages_are_knatives() -> None:
    assert conditions(life(INACTIVE), "NoTraffic")[0].message == (
        "The target is not receiving traffic."
    )
    assert conditions(life(INACTIVE), "TimedOut")[0].message == (
        "The target could not be activated."
    )
    assert conditions(life(ACTIVATING), "Queued")[0].message == (
        "Requests to the target are being buffered as resources are provisioned."
    )


def test_the_status_says_who_is_in_the_path() -> None:
    fields = spelled(
        spec(total=100.0, target_burst_capacity=211.0),
        ready=3,
        mode="Serve",
        activator_capacity=100.0,
    )
    assert fields == {"actualScale": 3, "mode": "Serve", "activators": 6}
