import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.workqueue import BACK_OFF_FIRST_S, BACK_OFF_MAX_S, WorkQueue


def test_a_name_is_given_out_once_however_often_it_was_added() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for due_s in (3, 1, 2, 1):
        queue.add("a", due_s=due_s)
    assert queue.take(now_s=0) is None
    assert queue.next_due_s() == 1
    assert queue.take(now_s=1) == "a"
    assert queue.take(now_s=9) is None


def test_names_due_at_once_come_in_the_order_they_came() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for name in "cab":
        queue.add(name, due_s=1)
    assert [queue.take(now_s=1) for _ in range(3)] == ["c", "a", "b"]


def test_a_name_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a", due_s=0)
    assert queue.take(now_s=0) == "a"
    queue.add("a", due_s=0)
    assert queue.take(now_s=5) is None
    queue.succeeded("a", now_s=5)
    assert queue.take(now_s=5) == "a"


def test_of_many_that_failed_together_each_rests_its_share() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for name in "ab":
        queue.add(name, due_s=0)
        queue.take(now_s=0)
    assert queue.failed("a", now_s=0, share=1.0) == BACK_OFF_FIRST_S
    assert queue.failed("b", now_s=0, share=0.5) == BACK_OFF_FIRST_S / 2
    assert queue.take(now_s=BACK_OFF_FIRST_S / 2) == "b"
    assert queue.take(now_s=BACK_OFF_FIRST_S / 2) is None


def test_a_failing_name_rests_twice_as_long_each_time_up_to_a_bound() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a", due_s=0)
    rests, now_s = [], 0.0
    for _ in range(40):
        assert queue.take(now_s=now_s) == "a"
        rests.append(queue.failed("a", now_s=now_s))
        assert queue.take(now_s=now_s) is None
        now_s += rests[-1]
    assert rests[:3] == [BACK_OFF_FIRST_S, 2 * BACK_OFF_FIRST_S, 4 * BACK_OFF_FIRST_S]
    assert rests[-1] == BACK_OFF_MAX_S
    assert queue.statistics().failing == 1
    assert queue.take(now_s=now_s) == "a"
    queue.succeeded("a", now_s=now_s)
    assert queue.statistics().failing == 0
    queue.add("a", due_s=now_s)
    queue.take(now_s=now_s)
    assert queue.failed("a", now_s=now_s) == BACK_OFF_FIRST_S


@pytest.mark.parametrize(("added_s", "expected_s"), [(None, 10.0), (3.0, 3.0), (20.0, 10.0)])
def test_another_look_is_taken_at_the_earliest_wish(
    added_s: float | None, expected_s: float
) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a", due_s=0)
    queue.take(now_s=0)
    if added_s is not None:
        queue.add("a", due_s=added_s)
    queue.succeeded("a", now_s=0, again_after_s=10)
    assert queue.next_due_s() == expected_s


class QueueAgainstADumbTwin(RuleBasedStateMachine):
    """Small integers as times, so that ties happen."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: WorkQueue[str] = WorkQueue()
        self.waiting: dict[str, float] = {}
        self.working: dict[str, float | None] = {}
        self.now_s = 0

    @rule(name=st.sampled_from("abc"), after_s=st.integers(0, 3))
    def add(self, name: str, after_s: int) -> None:
        due_s = self.now_s + after_s
        self.queue.add(name, due_s=due_s)
        into = self.working if name in self.working else self.waiting
        before = into.get(name)
        into[name] = due_s if before is None else min(before, due_s)

    @rule(seconds=st.integers(0, 3))
    def wait(self, seconds: int) -> None:
        self.now_s += seconds

    @rule()
    def take(self) -> None:
        name = self.queue.take(now_s=self.now_s)
        due = {each for each, due_s in self.waiting.items() if due_s <= self.now_s}
        assert (name in due) if due else (name is None)
        if name is not None:
            assert self.waiting[name] == min(self.waiting.values())
            del self.waiting[name]
            self.working[name] = None

    @precondition(lambda self: self.working)
    @rule(data=st.data(), again_after_s=st.none() | st.integers(0, 3))
    def succeed(self, data: st.DataObject, again_after_s: int | None) -> None:
        name = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.succeeded(name, now_s=self.now_s, again_after_s=again_after_s)
        added_s = self.working.pop(name)
        again_s = None if again_after_s is None else self.now_s + again_after_s
        wishes = [wish for wish in (added_s, again_s) if wish is not None]
        if wishes:
            self.waiting[name] = min(wishes)

    @invariant()
    def knows_when_the_next_is_due(self) -> None:
        assert self.queue.next_due_s() == min(self.waiting.values(), default=None)
        found = self.queue.statistics()
        assert (found.waiting, found.working) == (len(self.waiting), len(self.working))


TestQueueAgainstADumbTwin = QueueAgainstADumbTwin.TestCase
TestQueueAgainstADumbTwin.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=True
)
