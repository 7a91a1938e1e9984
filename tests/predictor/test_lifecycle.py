"""The life of a predictor, with literal times."""

from hypothesis import given
from hypothesis import strategies as st

from predictor.lifecycle import Lifecycle, Phase


def ready(quiet_s: float = 1.0, grace_s: float = 10.0) -> Lifecycle:
    life = Lifecycle(quiet_s=quiet_s, grace_s=grace_s)
    life.loaded()
    return life


def test_loading_becomes_ready() -> None:
    life = Lifecycle(quiet_s=1, grace_s=10)
    assert life.phase is Phase.LOADING
    life.loaded()
    assert life.phase is Phase.READY
    assert life.next_deadline_s() is None


def test_a_stop_while_loading_ends_at_once_and_a_late_load_changes_nothing() -> None:
    life = Lifecycle(quiet_s=1, grace_s=10)
    life.stop(now_s=5)
    assert life.phase is Phase.GONE
    life.loaded()
    assert life.phase is Phase.GONE


def test_without_connections_it_leaves_at_once() -> None:
    life = ready()
    life.stop(now_s=5)
    life.observe(in_flight=0, connections=0, active_s=5, now_s=5)
    assert life.phase is Phase.GONE


def test_open_connections_are_given_the_quiet_period() -> None:
    life = ready()
    life.stop(now_s=5)
    life.observe(in_flight=0, connections=1, active_s=0, now_s=5.9)
    assert life.phase is Phase.DRAINING
    assert life.next_deadline_s() == 6
    life.observe(in_flight=0, connections=1, active_s=0, now_s=6)
    assert life.phase is Phase.GONE


def test_a_request_in_flight_is_waited_for_and_starts_the_quiet_period_again() -> None:
    life = ready()
    life.stop(now_s=5)
    life.observe(in_flight=1, connections=1, active_s=5, now_s=9)
    life.observe(in_flight=0, connections=1, active_s=9, now_s=9.5)
    assert life.phase is Phase.DRAINING
    life.observe(in_flight=0, connections=1, active_s=9, now_s=10)
    assert life.phase is Phase.GONE


def test_nothing_is_waited_for_beyond_the_grace() -> None:
    life = ready(grace_s=10)
    life.stop(now_s=5)
    life.observe(in_flight=1, connections=1, active_s=5, now_s=14)
    assert life.phase is Phase.DRAINING
    life.observe(in_flight=1, connections=1, active_s=5, now_s=15)
    assert life.phase is Phase.GONE


def test_a_second_stop_does_not_lengthen_the_grace() -> None:
    life = ready(grace_s=10)
    life.stop(now_s=5)
    life.stop(now_s=14)
    life.observe(in_flight=1, connections=1, active_s=5, now_s=15)
    assert life.phase is Phase.GONE


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=30
    )
)
def test_it_never_leaves_beside_a_request_within_the_grace(
    looks: list[tuple[int, int, int]],
) -> None:
    life, now_s = ready(quiet_s=2, grace_s=20), 0
    life.stop(now_s=0)
    for in_flight, connections, step_s in looks:
        now_s += step_s
        life.observe(
            in_flight=in_flight, connections=connections, active_s=now_s - step_s, now_s=now_s
        )
        if life.phase is Phase.GONE:
            assert not in_flight or now_s >= 20
            return


def test_it_rests_once_all_is_quiet_and_goes_on_when_told() -> None:
    life = ready(quiet_s=1)
    life.settle(now_s=5)
    life.observe(in_flight=1, connections=1, active_s=5, now_s=500)
    assert life.phase is Phase.SETTLING, "a rest waits for what runs as long as it takes"
    assert life.next_deadline_s() == 501
    life.observe(in_flight=0, connections=0, active_s=500, now_s=500)
    assert life.phase is Phase.SETTLED
    assert life.next_deadline_s() is None
    life.resume()
    assert life.phase is Phase.READY
    life.stop(now_s=900)
    life.observe(in_flight=0, connections=0, active_s=500, now_s=900)
    assert life.phase is Phase.GONE


def test_a_stop_wins_over_a_rest() -> None:
    for is_quiet in (False, True):
        life = ready()
        life.settle(now_s=5)
        if is_quiet:
            life.observe(in_flight=0, connections=0, active_s=5, now_s=5)
        life.stop(now_s=6)
        assert life.phase is Phase.DRAINING
        life.resume()
        assert life.phase is Phase.DRAINING
        life.settle(now_s=7)
        assert life.phase is Phase.DRAINING


def test_who_loads_does_not_rest() -> None:
    life = Lifecycle(quiet_s=1, grace_s=10)
    life.settle(now_s=1)
    assert life.phase is Phase.LOADING
