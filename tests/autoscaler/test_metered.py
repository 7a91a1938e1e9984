from autoscaler.bursting import PROXY, SERVE
from autoscaler.exposure import NODES_S
from autoscaler.metered import Metered


def follow(one: Metered, wish: str, now_s: float, ready: int = 1) -> str:
    return one.follow(
        "Serve" if wish == SERVE else "Proxy", is_direct=False, ready=ready, now_s=now_s
    )


def test_replicas_are_measured_whatever_the_mode() -> None:
    one = Metered(ready=1, now_s=0)
    for wish in (PROXY, SERVE, PROXY):
        assert follow(one, wish, 1.0) == wish
        assert one.is_measured
        assert one.wants_measure(now_s=100)


def test_without_replicas_nobody_is_asked() -> None:
    one = Metered(ready=0, now_s=0)
    assert not one.is_measured
    assert not one.wants_look(now_s=0)
    follow(one, SERVE, 1.0, ready=2)
    assert one.wants_look(now_s=1)
    follow(one, PROXY, 2.0, ready=0)
    assert not one.is_measured
    assert not one.wants_measure(now_s=2)


def test_it_is_open_until_an_activator_answers_as_elsewhere() -> None:
    one = Metered(ready=1, now_s=0)
    one.measured(0.0, now_s=0)
    follow(one, PROXY, 0.0)
    assert one.is_open
    assert one.wants_proof
    one.proven(is_closed=True, now_s=1)
    follow(one, PROXY, 1 + NODES_S)
    assert not one.is_open
    assert one.is_measured
