from autoscaler.decider import Decision, Observation, Reason
from autoscaler.journal import ASLEEP_LENGTH_MAX, Journal
from tests.autoscaler.specs import spec


def decision(desired: int, *, at_s: float, reason: Reason = Reason.STABLE) -> Decision:
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
    for at_s, desired in enumerate([1, 1, 1, 2, 1]):
        journal.add(decision(desired, at_s=at_s))
    rows = [
        (each.decision.desired, each.first_s, each.decision.at_s, each.repeats)
        for each in journal.entries()
    ]
    assert rows == [(1, 0, 2, 3), (2, 3, 3, 1), (1, 4, 4, 1)]


def test_another_reason_is_another_entry() -> None:
    journal = Journal(length_max=10)
    journal.add(decision(1, at_s=0))
    journal.add(decision(1, at_s=1, reason=Reason.IDLE))
    assert [each.repeats for each in journal.entries()] == [1, 1]


def test_the_ring_is_bounded_and_shorter_asleep() -> None:
    journal = Journal(length_max=50)
    for number in range(80):
        journal.add(decision(number, at_s=number))
    assert [each.decision.desired for each in journal.entries()] == list(range(30, 80))
    journal.shorten()
    assert len(journal.entries()) == ASLEEP_LENGTH_MAX
    assert journal.entries()[-1].decision.desired == 79
