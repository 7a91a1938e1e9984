import sys
from dataclasses import fields
from typing import Any

from autoscaler.decider import Decision, Observation, Reason
from autoscaler.journal import ASLEEP_LENGTH_MAX, ENTRY_BYTES_MAX, Entry, Journal
from tests.autoscaler.specs import spec


def decision(desired: int | None, *, at_s: float, reason: Reason = Reason.STABLE) -> Decision:
    return Decision(
        desired=desired,
        reason=reason,
        recommended=desired,
        recommended_by=reason,
        at_s=at_s,
        seen=Observation(stable=0.0, panic=0.0, ready=0),
        spec=spec(),
        is_panicking=False,
        excess_burst_capacity=-1,
    )


def test_equal_decisions_in_a_row_share_an_entry() -> None:
    journal = Journal(length_max=10)
    begun = [
        journal.add(decision(desired, at_s=at_s)) is not None
        for at_s, desired in enumerate([1, 1, 1, 2, 1])
    ]
    assert begun == [True, False, False, True, True]
    rows = [
        (each.decision.desired, each.first_s, each.last_s, each.repeats)
        for each in journal.entries()
    ]
    assert rows == [(1, 0, 2, 3), (2, 3, 3, 1), (1, 4, 4, 1)]


def test_an_entry_has_the_inputs_of_the_first_and_the_journal_those_of_the_last() -> None:
    journal = Journal(length_max=10)
    first, last = decision(1, at_s=0), decision(1, at_s=2)
    journal.add(first)
    journal.add(last)
    assert journal.newest is last
    assert journal.entries()[0].decision is first


def test_another_rule_is_another_entry_unless_both_only_measure() -> None:
    journal = Journal(length_max=10)
    rules = [Reason.STABLE, Reason.PANIC, Reason.QUEUE, Reason.PANIC_HOLD, Reason.STABLE]
    for at_s, reason in enumerate(rules):
        journal.add(decision(1, at_s=at_s, reason=reason))
    assert [each.repeats for each in journal.entries()] == [3, 1, 1]


def test_a_change_is_told_from_what_was_wanted_last_also_over_what_is_not_known() -> None:
    journal = Journal(length_max=10, wanted=3)
    for at_s, desired in enumerate([3, None, 3, 2]):
        reason = Reason.NO_DATA if desired is None else Reason.STABLE
        journal.add(decision(desired, at_s=at_s, reason=reason))
    found = [(each.before, each.decision.desired, each.is_change) for each in journal.entries()]
    assert found == [(3, 3, False), (3, None, False), (3, 3, False), (3, 2, True)]
    assert Journal(length_max=1).add(decision(0, at_s=0)).is_change  # type: ignore[union-attr] # begun


def test_the_ring_is_bounded_and_shorter_asleep() -> None:
    journal = Journal(length_max=50)
    assert (journal.entries(), journal.newest) == ((), None)
    for number in range(80):
        journal.add(decision(number, at_s=number))
    assert [each.decision.desired for each in journal.entries()] == list(range(30, 80))
    journal.shorten()
    assert len(journal.entries()) == ASLEEP_LENGTH_MAX
    assert journal.entries()[-1].decision.desired == 79


def test_an_entry_is_no_larger_than_stated() -> None:
    made = decision(300, at_s=1.5)
    entry = Entry(decision=made, before=299, last_s=2.5, repeats=1000)
    parts: list[Any] = [entry, made, made.seen]
    for whole in tuple(parts):
        parts += [getattr(whole, each.name) for each in fields(whole)]
    shared = (Reason, type(None), bool, type(made.spec), str)  # one for many entries
    own = {id(each): each for each in parts if not isinstance(each, shared)}
    collected = 16 * 3  # what the collector adds to each object with parts
    assert sum(sys.getsizeof(each) for each in own.values()) + collected <= ENTRY_BYTES_MAX
