from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from predictor.packing import Packing

MIB = 2**20


def packing(bytes_max: int = 0, count_max: int = 0, **sizes: int) -> Packing:
    found = Packing(bytes_max=bytes_max, count_max=count_max)
    for name, size in sizes.items():
        found.opened(name, size_bytes=size, cost_s=1.0)
    return found


def all_idle(name: str) -> bool:
    return True


def make_room(of: Packing, size: int) -> list[str]:
    gone = of.victims(size, is_idle=all_idle)
    assert gone is not None
    for name in gone:
        of.evicted(name)
    return gone


def test_nothing_goes_while_there_is_room() -> None:
    found = packing(10 * MIB, a=4 * MIB, b=4 * MIB)
    assert found.victims(2 * MIB, is_idle=all_idle) == []
    assert found.used_bytes == 8 * MIB
    assert packing(a=4 * MIB).victims(10**12, is_idle=all_idle) == [], "no limit"


def test_the_large_one_goes_before_the_small_one_that_costs_as_much() -> None:
    assert make_room(packing(10 * MIB, large=8 * MIB, small=MIB), 2 * MIB) == ["large"]


def test_what_is_slow_to_load_stays() -> None:
    found = Packing(bytes_max=0, count_max=2)
    found.opened("quick", size_bytes=MIB, cost_s=0.1)
    found.opened("slow", size_bytes=MIB, cost_s=5.0)
    assert make_room(found, MIB) == ["quick"]


def test_what_is_used_often_stays() -> None:
    found = packing(count_max=2, a=MIB, b=MIB)
    for _ in range(3):
        found.used("a")
    assert make_room(found, MIB) == ["b"]


def test_what_was_used_often_long_ago_goes_at_last() -> None:
    found = packing(count_max=2, old=MIB)
    for _ in range(5):
        found.used("old")
    gone: list[str] = []
    for number in range(10):
        gone += make_room(found, MIB)
        found.opened(f"n{number}", size_bytes=MIB, cost_s=1.0)
    assert "old" in gone
    assert gone[:3] == ["n0", "n1", "n2"], "not at once"


def test_what_is_in_use_stays_and_nothing_goes_in_vain() -> None:
    found = packing(10 * MIB, a=5 * MIB, b=5 * MIB)
    assert found.victims(5 * MIB, is_idle=lambda name: name == "b") == ["b"]
    assert found.victims(10 * MIB, is_idle=lambda name: name == "b") is None
    assert found.names == ("a", "b")
    assert not found.fits_alone(11 * MIB)
    assert found.fits_alone(10 * MIB)


def test_what_is_closed_by_hand_does_not_age_the_others() -> None:
    found = packing(count_max=2, a=MIB, b=MIB)
    found.used("a")
    found.closed("a")
    found.opened("c", size_bytes=MIB, cost_s=1.0)
    assert found._open["b"].priority == found._open["c"].priority


@given(
    st.integers(0, 20),
    st.integers(0, 4),
    st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(0, 12)), max_size=40),
)
def test_the_limits_hold_whatever_comes(
    bytes_max: int, count_max: int, asked: Sequence[tuple[str, int]]
) -> None:
    found = Packing(bytes_max=bytes_max, count_max=count_max)
    for name, size in asked:
        if name in found.names:
            found.used(name)
        elif found.fits_alone(size):
            make_room(found, size)
            found.opened(name, size_bytes=size, cost_s=1.0)
        assert not bytes_max or found.used_bytes <= bytes_max
        assert not count_max or len(found.names) <= count_max
