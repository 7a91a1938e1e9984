import sys
from dataclasses import fields, replace
from typing import Any

from autoscaler.decider import Decision, Observation
from autoscaler.gaps import Plan
from autoscaler.journal import ASLEEP_LENGTH_MAX, ENTRY_BYTES_MAX, Journal, Shelf
from autoscaler.levels import Kept
from autoscaler.needs import Need
from autoscaler.reasons import Reason
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
    assert journal.entries()[0].decision == first


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


def test_those_asleep_lately_are_remembered_whole() -> None:
    journals = [Journal(length_max=50) for _ in range(4)]
    for journal in journals:
        for number in range(20):
            journal.add(decision(number, at_s=number))
    shelf = Shelf(length_max=45)
    keys = [("default", str(place)) for place in range(4)]

    def lengths() -> list[int]:
        return [len(journal) for journal in journals]

    shelf.put(keys[0], journals[0])
    shelf.put(keys[1], journals[1])
    assert lengths() == [20, 20, 20, 20]
    shelf.put(keys[0], journals[0])  # it was awake in between
    shelf.put(keys[2], journals[2])
    assert lengths() == [20, ASLEEP_LENGTH_MAX, 20, 20]
    shelf.drop(keys[0])  # awake, which has its own bound
    shelf.drop(keys[1])
    shelf.put(keys[3], journals[3])
    assert lengths() == [20, ASLEEP_LENGTH_MAX, 20, 20]
    Shelf(length_max=5).put(keys[0], journals[0])
    assert lengths()[0] == ASLEEP_LENGTH_MAX


def test_an_entry_is_no_larger_than_stated() -> None:
    plain = decision(300, at_s=1.5)
    kept = Kept(number=1, until_s=3.5, plan=Plan(keep_s=9.5))
    need = Need(number=301, reason=Reason.STABLE)
    seen = replace(plain.seen, need=need, kept=kept, stable=1.25, panic=1.75, idle_s=2.25)
    journal = Journal(length_max=2, wanted=299)
    assert journal.add(replace(plain, seen=seen, next_s=4.5)) is not None
    assert journal.newest is not None
    assert journal.newest.seen.kept is kept
    (entry,) = journal.entries()
    entry = replace(entry, repeats=1000)
    made = entry.decision
    assert made.seen.kept is None
    parts: list[Any] = [entry, made, made.seen, made.seen.need]
    for whole in tuple(parts):
        parts += [getattr(whole, each.name) for each in fields(whole)]
    shared = (Reason, type(None), bool, type(made.spec), str)  # one for many entries
    own = {id(each): each for each in parts if not isinstance(each, shared)}
    collected = 16 * 4  # what the collector adds to each object with parts
    size = sum(sys.getsizeof(each) for each in own.values()) + collected
    assert ENTRY_BYTES_MAX / 2 < size <= ENTRY_BYTES_MAX
