"""The same choices as the activator's balancer, and hard limits."""

from hypothesis import given
from hypothesis import strategies as st

from activator.balancing import Balancer
from rehearsal.slots import Slots

STEPS = st.lists(
    st.one_of(
        st.just("take"),
        st.integers(0, 5),  # free a slot of that replica, if it has one
        st.frozensets(st.integers(0, 5), max_size=6),  # those are ready now
    ),
    max_size=60,
)


@given(capacity=st.integers(0, 3), steps=STEPS)
def test_choices_are_those_of_the_activator(
    capacity: int, steps: list[str | int | frozenset[int]]
) -> None:
    balancer: Balancer[int] = Balancer(capacity)
    slots: Slots[int] = Slots(capacity)
    ready: list[int] = []
    used = dict.fromkeys(range(6), 0)
    for step in steps:
        if step == "take":
            taken = slots.take()
            assert taken == balancer.take()
            if taken is not None:
                used[taken] += 1
                assert taken in ready
                assert not capacity or used[taken] <= capacity
        elif isinstance(step, int):
            if used[step]:
                used[step] -= 1
                balancer.free(step)
                if step in ready:
                    slots.free(step)
        elif isinstance(step, frozenset):
            ready = sorted(step)
            balancer.change(ready)
            slots.change(ready, [used[each] for each in ready])


def test_of_equal_load_they_take_turns() -> None:
    slots: Slots[str] = Slots(2)
    slots.change(["a", "b"], [0, 0])
    assert [slots.take() for _ in range(5)] == ["a", "b", "a", "b", None]
