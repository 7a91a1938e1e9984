from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from embedded.room import GPU, Limits, Room, limits_of

CAPACITY = {"cpu": Decimal(2), "memory": Decimal(1000), GPU: Decimal(2)}


def pod(**resources: Any) -> dict[str, Any]:
    return {"spec": {"containers": [container(**resources)]}}


def container(**resources: Any) -> dict[str, Any]:
    return {"name": "c", "resources": resources}


def test_requests_are_summed_against_capacity() -> None:
    room = Room(pods_max=10, capacity=CAPACITY)
    assert room.enter("a", pod(requests={"cpu": "1500m"})) == ""
    assert room.enter("b", pod(requests={"cpu": "600m", "memory": "2k"})) == (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."
    )
    assert room.enter("c", pod(requests={"cpu": "500m"})) == ""
    room.leave("a")
    assert room.enter("d", pod(requests={"cpu": "1"})) == ""


def test_what_is_only_limited_is_requested_as_much() -> None:
    room = Room(pods_max=10, capacity=CAPACITY)
    assert "Insufficient memory" in room.enter("a", pod(limits={"memory": "1Gi"}))
    assert room.enter("b", pod(limits={"memory": "1Gi"}, requests={"memory": "1"})) == ""


def test_a_resource_the_machine_does_not_have_is_lacking() -> None:
    room = Room(pods_max=10, capacity=CAPACITY)
    assert "Insufficient example.com/tpu" in room.enter("a", pod(limits={"example.com/tpu": "1"}))


def test_the_number_of_pods_is_bounded() -> None:
    room = Room(pods_max=1, capacity=CAPACITY)
    assert room.enter("a", pod()) == ""
    assert "Too many pods" in room.enter("b", pod())
    room.leave("a")
    room.leave("never came")
    assert room.enter("b", pod()) == ""


def test_each_gpu_has_one_owner() -> None:
    room = Room(pods_max=10, capacity=CAPACITY)
    for uid in ("a", "b"):
        assert room.enter(uid, pod(limits={GPU: "1"})) == ""
    assert (room.devices("a"), room.devices("b")) == ((0,), (1,))
    assert "Insufficient nvidia.com/gpu" in room.enter("c", pod(limits={GPU: "1"}))
    room.leave("a")
    assert room.enter("c", pod(limits={GPU: "1"})) == ""
    assert room.devices("c") == (0,)
    assert room.devices("nobody") == ()


def test_limits_are_read_as_bytes_and_whole_cores() -> None:
    assert limits_of(container()) == Limits()
    found = limits_of(container(limits={"memory": "64Mi", "cpu": "1500m"}))
    assert found == Limits(memory_bytes=64 << 20, cores=2)
    assert limits_of(container(limits={"cpu": "100m"})).cores == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3))))
def test_never_more_than_there_is(moves: list[tuple[int, int, int]]) -> None:
    room = Room(pods_max=3, capacity=CAPACITY)
    inside: dict[str, tuple[int, int]] = {}
    for who, gpus, cpus in moves:
        uid = str(who)
        if uid in inside:
            room.leave(uid)
            del inside[uid]
        elif not room.enter(uid, pod(requests={GPU: str(gpus), "cpu": str(cpus)})):
            inside[uid] = (gpus, cpus)
        assert len(inside) <= 3
        assert sum(g for g, _ in inside.values()) <= 2
        assert sum(c for _, c in inside.values()) <= 2
        owned = [index for uid in inside for index in room.devices(uid)]
        assert len(owned) == len(set(owned)) == sum(g for g, _ in inside.values())
