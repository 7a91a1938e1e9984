"""Choosing the least loaded endpoint: literal cases, and against a slow obvious twin."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from activator.balancing import Balancer, SharedBalancer


def test_the_least_loaded_is_taken_and_equals_take_turns() -> None:
    balancer: Balancer[str] = Balancer(0)
    balancer.change(["a", "b"])
    assert [balancer.take() for _ in range(4)] == ["a", "b", "a", "b"]
    balancer.free("b")
    assert balancer.take() == "b"


def test_capacity_is_hard() -> None:
    balancer: Balancer[str] = Balancer(1)
    balancer.change(["a", "b"])
    assert [balancer.take() for _ in range(3)] == ["a", "b", None]
    assert not balancer.has_room
    balancer.free("b")
    assert balancer.take() == "b"


def test_an_endpoint_that_leaves_and_returns_still_has_what_runs_on_it() -> None:
    balancer: Balancer[str] = Balancer(2)
    balancer.change(["a"])
    assert [balancer.take(), balancer.take()] == ["a", "a"]
    balancer.change([])
    balancer.change(["a"])
    assert balancer.take() is None
    balancer.free("a")
    assert balancer.in_use("a") == 1
    assert balancer.take() == "a"


def test_nothing_is_remembered_of_an_endpoint_that_left_empty() -> None:
    balancer: Balancer[str] = Balancer(0)
    balancer.change(["a"])
    balancer.take()
    balancer.change([])
    balancer.free("a")
    assert not balancer._in_use
    assert balancer.take() is None


class BalancerAgainstTwin(RuleBasedStateMachine):
    """The twin is a dictionary of counts and a linear search."""

    def __init__(self) -> None:
        super().__init__()
        self.balancer: Balancer[int] | None = None
        self.capacity = 0
        self.counts: dict[int, int] = {}
        self.ready: set[int] = set()

    @precondition(lambda self: self.balancer is None)
    @rule(capacity=st.integers(0, 3))
    def begin(self, capacity: int) -> None:
        self.capacity = capacity
        self.balancer = Balancer(capacity)

    @precondition(lambda self: self.balancer is not None)
    @rule(ready=st.sets(st.integers(0, 4)))
    def change(self, ready: set[int]) -> None:
        self.balancer.change(ready)
        self.ready = ready

    @precondition(lambda self: self.balancer is not None)
    @rule()
    def take(self) -> None:
        with_room = [
            each
            for each in self.ready
            if not self.capacity or self.counts.get(each, 0) < self.capacity
        ]
        least = min((self.counts.get(each, 0) for each in with_room), default=None)
        taken = self.balancer.take()
        if least is None:
            assert taken is None
        else:
            assert taken in with_room
            assert self.counts.get(taken, 0) == least
            self.counts[taken] = least + 1

    @precondition(lambda self: any(self.counts.values()))
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        busy = sorted(each for each, count in self.counts.items() if count)
        endpoint = data.draw(st.sampled_from(busy))
        self.balancer.free(endpoint)
        self.counts[endpoint] -= 1

    @invariant()
    def counts_agree(self) -> None:
        if self.balancer is None:
            return
        for endpoint in range(5):
            assert self.balancer.in_use(endpoint) == self.counts.get(endpoint, 0)
        assert set(self.balancer.ready) == self.ready
        full = [self.capacity and self.counts.get(each, 0) >= self.capacity for each in self.ready]
        assert self.balancer.has_room == (not all(full))


TestBalancerAgainstTwin = BalancerAgainstTwin.TestCase


def test_what_others_occupy_counts_for_balance_and_limit() -> None:
    it: SharedBalancer[str] = SharedBalancer(2)
    one, other = "one", "other"
    it.change([one, other])
    it.occupy(one)
    assert it.take() == other
    it.occupy(other)
    assert [it.take(), it.take()] == [one, None]
    it.free(other)
    assert it.take() == other
    assert not it.has_room


@given(st.integers(0, 3), st.lists(st.tuples(st.sampled_from("tofc"), st.integers(0, 3))))
def test_occupied_beyond_the_limit_it_counts_right(
    capacity: int, events: list[tuple[str, int]]
) -> None:
    it: SharedBalancer[str] = SharedBalancer(capacity)
    endpoints = ["p0", "p1", "p2", "p3"]
    twin = dict.fromkeys(endpoints, 0)
    ready = endpoints[:2]
    it.change(ready)
    for event, number in events:
        endpoint = endpoints[number]
        if event == "o":
            it.occupy(endpoint)
            twin[endpoint] += 1
        elif event == "f" and twin[endpoint]:
            it.free(endpoint)
            twin[endpoint] -= 1
        elif event == "c":
            ready = endpoints[:number]
            it.change(ready)
        elif event == "t":
            least = min((twin[each] for each in ready), default=None)
            taken = it.take()
            if least is None or (capacity and least >= capacity):
                assert taken is None
            else:
                assert taken is not None
                assert twin[taken] == least
                twin[taken] += 1
        assert all(it.in_use(each) == twin[each] for each in endpoints)
