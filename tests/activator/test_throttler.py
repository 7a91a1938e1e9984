"""The throttler: literal cases, then a state machine with the invariants as sentences."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activator.throttler import Forward, Refusal, Refuse, Throttler


def throttler(
    capacity: int = 1, depth_max: int = 100, bytes_max: int = 1000
) -> Throttler[str, str]:
    return Throttler(capacity=capacity, depth_max=depth_max, bytes_max=bytes_max)


def hold(it: Throttler[str, str], request: str, size: int = 1, deadline_s: float = 9) -> object:
    assert it.admit(request) is None
    return it.hold(request, size=size, deadline_s=deadline_s)


def test_a_request_is_forwarded_at_once_when_there_is_room() -> None:
    it = throttler()
    it.endpoints_changed(["a"])
    assert it.admit("1") == "a"
    assert it.admit("2") is None


def test_held_requests_go_in_order_as_slots_come_free() -> None:
    it = throttler()
    for request in "123":
        assert hold(it, request) is None
    assert it.endpoints_changed(["a", "b"]) == [Forward("1", "a"), Forward("2", "b")]
    assert it.finished("2") == [Forward("3", "b")]
    assert it.finished("1") == ()


def test_who_waits_longest_and_where_something_runs() -> None:
    it = throttler()
    assert it.oldest is None
    for request in "123":
        assert hold(it, request) is None
    assert it.oldest == "1"
    assert list(it.busy) == []
    it.endpoints_changed(["a"])
    assert (it.oldest, list(it.busy)) == ("2", ["a"])


def test_nobody_overtakes_the_queue() -> None:
    it = throttler(capacity=0)
    hold(it, "1")
    assert it.admit("2") is None


def test_the_queue_is_bounded_in_requests_and_in_bytes() -> None:
    it = throttler(depth_max=2)
    assert [hold(it, "1"), hold(it, "2"), hold(it, "3")] == [None, None, Refusal.QUEUE_FULL]
    it = throttler(bytes_max=10)
    assert [hold(it, "1", 6), hold(it, "2", 5)] == [None, Refusal.QUEUE_BYTES]
    assert hold(it, "3", 4) is None
    assert it.queued_bytes == 10


def test_a_deadline_at_now_has_come() -> None:
    it = throttler()
    hold(it, "1", deadline_s=5)
    hold(it, "2", deadline_s=3)
    assert it.next_deadline_s() == 3
    assert it.expire(now_s=2) == []
    assert it.expire(now_s=3) == [Refuse("2", Refusal.DEADLINE)]
    assert it.next_deadline_s() == 5
    assert it.expire(now_s=9) == [Refuse("1", Refusal.DEADLINE)]
    assert it.next_deadline_s() is None


def test_a_client_that_leaves_frees_its_place_or_its_slot() -> None:
    it = throttler(depth_max=1)
    hold(it, "1")
    it.abandoned("1")
    assert hold(it, "2") is None
    assert it.endpoints_changed(["a"]) == [Forward("2", "a")]
    hold(it, "3")
    assert it.abandoned("2") == [Forward("3", "a")]


def test_a_returned_request_goes_first_and_not_to_the_same_endpoint() -> None:
    it = throttler()
    it.endpoints_changed(["a"])
    assert it.admit("1") == "a"
    hold(it, "2")
    assert it.returned("1", size=1, deadline_s=9, is_usable=False) == []
    assert it.endpoints_changed(["b"]) == [Forward("1", "b")]
    assert it.finished("1") == [Forward("2", "b")]


def test_giving_up_refuses_all_that_is_held_and_nothing_that_runs() -> None:
    it = throttler()
    it.endpoints_changed(["a"])
    it.admit("1")
    hold(it, "2")
    assert it.give_up(Refusal.REVISION_GONE) == [Refuse("2", Refusal.REVISION_GONE)]
    assert list(it.executing) == ["1"]
    assert (it.queued, it.queued_bytes, it.next_deadline_s()) == (0, 0, None)


def test_statistics() -> None:
    it = throttler()
    it.endpoints_changed(["a"])
    it.admit("1")
    hold(it, "2", 7)
    statistics = it.statistics()
    assert (statistics.queued, statistics.queued_bytes) == (1, 7)
    assert (statistics.executing, statistics.ready_endpoints) == (1, 1)


def test_the_heap_stays_in_proportion_to_the_queue() -> None:
    it = throttler()
    for number in range(10_000):
        hold(it, str(number), 0, deadline_s=number)
        it.abandoned(str(number))
    assert len(it._deadlines) < 200


class ThrottlerMachine(RuleBasedStateMachine):
    """Requests come, end, leave and wait; endpoints come and go. Times are small, so they tie."""

    @initialize(
        capacity=st.integers(0, 2), depth_max=st.integers(1, 4), bytes_max=st.integers(3, 9)
    )
    def begin(self, capacity: int, depth_max: int, bytes_max: int) -> None:
        self.capacity, self.depth_max, self.bytes_max = capacity, depth_max, bytes_max
        self.it: Throttler[int, int] = Throttler(
            capacity=capacity, depth_max=depth_max, bytes_max=bytes_max
        )
        self.now_s = 0
        self.ready: set[int] = set()
        self.waiting: list[tuple[int, int, int]] = []  # request, size, deadline
        self.running: dict[int, int] = {}  # request → endpoint
        self.numbers = 0
        self.ended = 0

    def load(self, endpoint: int) -> int:
        return list(self.running.values()).count(endpoint)

    def follow(self, forwards: object) -> None:
        """Each Forward is of the one that waits longest, to a ready endpoint with room."""
        for request, endpoint in list(forwards):
            assert endpoint in self.ready
            assert request == self.waiting.pop(0)[0]
            self.running[request] = endpoint

    @rule(size=st.integers(0, 3), patience_s=st.integers(0, 3))
    def arrive(self, size: int, patience_s: int) -> None:
        self.numbers += 1
        request = self.numbers
        endpoint = self.it.admit(request)
        if endpoint is not None:
            assert not self.waiting
            assert endpoint in self.ready
            self.running[request] = endpoint
            return
        deadline_s = self.now_s + patience_s
        refusal = self.it.hold(request, size=size, deadline_s=deadline_s)
        if len(self.waiting) >= self.depth_max:
            assert refusal is Refusal.QUEUE_FULL
        elif sum(each[1] for each in self.waiting) + size > self.bytes_max:
            assert refusal is Refusal.QUEUE_BYTES
        else:
            assert refusal is None
            self.waiting.append((request, size, deadline_s))
            return
        self.ended += 1

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(sorted(self.running)))
        del self.running[request]
        self.ended += 1
        self.follow(self.it.finished(request))

    @precondition(lambda self: self.running or self.waiting)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        known = sorted(self.running) + [each[0] for each in self.waiting]
        request = data.draw(st.sampled_from(known))
        self.running.pop(request, None)
        self.waiting = [each for each in self.waiting if each[0] != request]
        self.ended += 1
        self.follow(self.it.abandoned(request))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), is_usable=st.booleans())
    def come_back(self, data: st.DataObject, is_usable: bool) -> None:
        request = data.draw(st.sampled_from(sorted(self.running)))
        endpoint = self.running.pop(request)
        if not is_usable:
            self.ready.discard(endpoint)
        self.waiting.insert(0, (request, 1, self.now_s + 2))
        self.follow(
            self.it.returned(request, size=1, deadline_s=self.now_s + 2, is_usable=is_usable)
        )

    @rule(ready=st.sets(st.integers(0, 2)))
    def change(self, ready: set[int]) -> None:
        self.ready = ready
        self.follow(self.it.endpoints_changed(ready))

    @rule(passed_s=st.integers(0, 2))
    def wait(self, passed_s: int) -> None:
        self.now_s += passed_s
        late = {each[0] for each in self.waiting if each[2] <= self.now_s}
        refused = self.it.expire(now_s=self.now_s)
        assert {request for request, _ in refused} == late
        assert all(why is Refusal.DEADLINE for _, why in refused)
        self.waiting = [each for each in self.waiting if each[0] not in late]
        self.ended += len(late)

    @rule()
    def give_up(self) -> None:
        refused = self.it.give_up(Refusal.REVISION_FAILED)
        assert [request for request, _ in refused] == [each[0] for each in self.waiting]
        self.ended += len(refused)
        self.waiting = []

    @invariant()
    def no_replica_is_overloaded(self) -> None:
        for endpoint in set(self.running.values()):
            assert not self.capacity or self.load(endpoint) <= self.capacity
            assert self.it.in_use(endpoint) == self.load(endpoint)

    @invariant()
    def nothing_is_lost_or_duplicated(self) -> None:
        assert self.numbers == len(self.waiting) + len(self.running) + self.ended
        assert self.it.queued == len(self.waiting)
        assert self.it.queued_bytes == sum(each[1] for each in self.waiting)
        assert set(self.it.executing) == set(self.running)

    @invariant()
    def nobody_waits_beside_a_free_slot(self) -> None:
        if self.waiting:
            assert all(self.capacity and self.load(each) >= self.capacity for each in self.ready)

    @invariant()
    def the_next_deadline_is_the_earliest(self) -> None:
        earliest = min((each[2] for each in self.waiting), default=None)
        assert self.it.next_deadline_s() == earliest


TestThrottlerMachine = ThrottlerMachine.TestCase
TestThrottlerMachine.settings = settings(max_examples=150, stateful_step_count=40)
