import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.bursting import PROXY, SERVE, Mode
from autoscaler.exposure import BLIND_S, NODES_S, Exposure


def exposed(ready: int = 0) -> Exposure:
    return Exposure(is_direct=True, ready=ready, now_s=0.0)


def follow(one: Exposure, wish: Mode, now_s: float, *, ready: int = 1) -> Mode:
    return one.follow(wish, is_direct=True, ready=ready, now_s=now_s)


@pytest.mark.parametrize("wish", [PROXY, SERVE])
def test_where_nobody_follows_the_mode_it_is_told_as_it_is_and_nothing_is_exposed(
    wish: Mode,
) -> None:
    one = Exposure(is_direct=False, ready=3, now_s=0)
    assert one.follow(wish, is_direct=False, ready=3, now_s=1) == wish
    assert not one.is_open
    assert not one.wants_look(now_s=1)


def test_from_the_first_serve_until_an_activator_answered_and_nodes_had_time() -> None:
    one = exposed()
    assert follow(one, SERVE, 1.0) == SERVE
    assert one.is_open
    assert one.wants_measure(now_s=1)
    assert not one.wants_proof
    assert follow(one, PROXY, 2.0) == PROXY
    assert one.is_open
    assert one.wants_proof
    follow(one, PROXY, 500.0)
    assert one.is_open, "however long it takes"
    one.proven(is_closed=True, now_s=501.0)
    follow(one, PROXY, 501.0 + NODES_S - 0.1)
    assert one.is_open
    follow(one, PROXY, 501.0 + NODES_S)
    assert not one.is_open
    assert not one.wants_proof


def test_an_answer_of_somebody_else_begins_the_wait_anew() -> None:
    one = exposed()
    follow(one, SERVE, 1.0)
    follow(one, PROXY, 2.0)
    one.proven(is_closed=True, now_s=3.0)
    one.proven(is_closed=False, now_s=4.0)
    follow(one, PROXY, 3.0 + NODES_S)
    assert one.is_open


def test_a_proof_that_is_overtaken_by_serve_proves_nothing() -> None:
    one = exposed()
    follow(one, SERVE, 1.0)
    follow(one, PROXY, 2.0)
    follow(one, SERVE, 3.0)
    one.proven(is_closed=True, now_s=3.5)  # asked before
    follow(one, PROXY, 4.0)
    follow(one, PROXY, 4.0 + NODES_S)
    assert one.is_open


def test_after_a_restart_replicas_that_run_count_as_exposed() -> None:
    assert exposed(ready=2).is_open
    assert not exposed(ready=0).is_open


def test_without_replicas_nobody_is_exposed() -> None:
    one = exposed(ready=1)
    follow(one, PROXY, 1.0, ready=0)
    assert not one.is_open


def test_who_can_not_be_measured_gets_activators_until_it_can() -> None:
    one = exposed()
    assert follow(one, SERVE, 0.0) == SERVE
    assert follow(one, SERVE, BLIND_S) == SERVE
    assert follow(one, SERVE, BLIND_S + 0.1) == PROXY
    assert follow(one, SERVE, BLIND_S + 5) == PROXY
    assert one.wants_measure(now_s=500)
    one.measured(0.0, now_s=500)
    assert follow(one, SERVE, 500) == SERVE
    assert follow(one, SERVE, 505) == SERVE


def test_connections_of_before_are_measured_until_nothing_comes_by_them() -> None:
    one = exposed()
    follow(one, SERVE, 0.0)
    one.measured(2.0, now_s=10)
    follow(one, PROXY, 10.0)
    one.proven(is_closed=True, now_s=10)
    one.measured(1.0, now_s=13)
    follow(one, PROXY, 14.0)
    assert not one.is_open
    assert one.wants_measure(now_s=20)
    assert not one.wants_measure(now_s=40)


events = st.lists(
    st.tuples(
        st.sampled_from(["serve", "proxy", "proof", "other", "measured", "none"]),
        st.floats(0.01, 8.0),
    ),
    max_size=30,
)


@given(events=events)
def test_nothing_closes_less_than_a_wait_after_the_last_serve(
    events: list[tuple[str, float]],
) -> None:
    one, now_s = exposed(), 0.0
    served_s: float | None = None
    proofs: list[float] = []  # since then
    for what, after_s in events:
        now_s += after_s
        was_open = one.is_open
        if what == "measured":
            one.measured(1.0, now_s=now_s)
        elif what in {"proof", "other"}:
            one.proven(is_closed=what == "proof", now_s=now_s)
            proofs = [*proofs, now_s] if what == "proof" else []
        else:
            wish = SERVE if what == "serve" else PROXY
            told = follow(one, wish, now_s, ready=int(what != "none"))
            if told == SERVE:
                served_s, proofs = now_s, []
            if what == "none":
                served_s = None
        if served_s is not None and was_open and not one.is_open:
            assert proofs
            assert now_s - proofs[0] >= NODES_S
