"""The gate: unit cases, and a state machine against its invariants."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from predictor.gate import QUEUE_PER_SLOT, UNLIMITED_SLOTS, Admission, Gate


def test_one_slot_admits_one_and_queues_ten() -> None:
    gate: Gate[int] = Gate(1)
    found = [gate.arrived(number) for number in range(12)]
    assert found == [Admission.ADMITTED] + [Admission.QUEUED] * 10 + [Admission.REFUSED]


def test_the_one_that_waited_longest_gets_the_slot() -> None:
    gate: Gate[str] = Gate(1)
    for name in ("a", "b", "c"):
        gate.arrived(name)
    assert gate.abandoned("b")
    assert gate.finished() == "c"
    assert gate.finished() is None
    assert gate.statistics().running == 0


def test_abandoning_what_does_not_wait_is_told() -> None:
    gate: Gate[str] = Gate(1)
    gate.arrived("a")
    assert not gate.abandoned("a")
    assert gate.statistics().running == 1


def test_no_limit_still_ends_somewhere() -> None:
    gate: Gate[int] = Gate(0)
    for number in range(UNLIMITED_SLOTS):
        assert gate.arrived(number) is Admission.ADMITTED
    assert gate.arrived(-1) is Admission.REFUSED


def test_finishing_what_never_started_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        Gate(1).finished()


class Gates(RuleBasedStateMachine):
    """Compared with a list: the obvious gate."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = 2
        self.gate: Gate[int] = Gate(self.slots)
        self.running: list[int] = []
        self.queue: list[int] = []
        self.number = 0

    @rule()
    def arrive(self) -> None:
        self.number += 1
        admission = self.gate.arrived(self.number)
        if len(self.running) < self.slots:
            assert admission is Admission.ADMITTED
            self.running.append(self.number)
        elif len(self.queue) < QUEUE_PER_SLOT * self.slots:
            assert admission is Admission.QUEUED
            self.queue.append(self.number)
        else:
            assert admission is Admission.REFUSED

    @precondition(lambda self: self.running)
    @rule()
    def finish(self) -> None:
        self.running.pop(0)
        following = self.gate.finished()
        assert following == (self.queue[0] if self.queue else None)
        if following is not None:
            self.running.append(self.queue.pop(0))

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.queue))
        self.queue.remove(request)
        assert self.gate.abandoned(request)

    @invariant()
    def no_overload_and_nobody_waits_beside_a_free_slot(self) -> None:
        seen = self.gate.statistics()
        assert seen.running == len(self.running) <= self.slots
        assert seen.queued == len(self.queue)
        assert not seen.queued or seen.running == seen.running_max


TestGates = Gates.TestCase
