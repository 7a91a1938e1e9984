"""Replicas that start, drain, end and freeze."""

from rehearsal.fleet import Fleet, Replica
from rehearsal.runs import Life
from rehearsal.terms import Terms

TERMS = Terms(concurrency=2, cold_starts_s=(5.0,))


def up(fleet: Fleet, replicas: int, now_s: float = 0.0) -> list[Replica]:
    """Scale to so many, and let them become ready."""
    started = fleet.scale(replicas, now_s)
    for replica in started:
        assert fleet.arrive(replica)
    return started


def test_a_start_takes_its_time_after_the_overhead() -> None:
    fleet = Fleet(Terms(cold_starts_s=(5.0,), overhead_s=0.25))
    (replica,) = fleet.scale(1, 10.0)
    assert (replica.born_s, replica.ready_s) == (10.0, 15.25)
    assert (fleet.ready, len(fleet.staying)) == (0, 1)
    assert fleet.take(11.0) is None
    assert fleet.arrive(replica)
    assert fleet.ready == 1
    assert fleet.take(15.25) is replica


def test_each_start_is_drawn() -> None:
    fleet = Fleet(Terms(cold_starts_s=(1.0, 2.0)))
    assert {each.ready_s for each in fleet.scale(20, 0.0)} == {1.0, 2.0}


def test_what_is_not_ready_goes_first_then_the_youngest() -> None:
    fleet = Fleet(TERMS)
    old, young = up(fleet, 2)
    (starting,) = fleet.scale(3, 1.0)
    fleet.scale(2, 2.0)
    assert starting.is_leaving
    assert not fleet.arrive(starting)
    assert fleet.ready == 2
    fleet.scale(1, 3.0)
    assert young.is_leaving
    assert fleet.staying == [old]
    assert fleet.lives[0] == Life(born_s=1.0, ready_s=6.0, ended_s=2.0, busy_s=0.0, last_s=6.0)


def test_a_replica_that_is_taken_away_ends_with_its_last_request() -> None:
    fleet = Fleet(TERMS)
    up(fleet, 1)
    first, second = fleet.take(6.0), fleet.take(7.0)
    assert first is second is not None
    fleet.scale(0, 8.0)
    assert (fleet.ready, fleet.staying, fleet.lives) == (0, [], [])
    assert fleet.take(8.0) is None
    fleet.free(first, 9.0)
    assert fleet.lives == []
    fleet.free(first, 10.0)
    (life,) = fleet.lives
    assert (life.ended_s, life.busy_s, life.last_s) == (10.0, 4.0, 10.0)


def test_busy_is_counted_once_however_many_run() -> None:
    fleet = Fleet(TERMS)
    up(fleet, 1)
    for now_s in (10.0, 11.0):
        assert fleet.take(now_s)
    replica = fleet.staying[0]
    fleet.free(replica, 12.0)
    fleet.free(replica, 14.0)
    assert fleet.take(20.0)
    fleet.close(21.0)
    (life,) = fleet.lives
    assert (life.busy_s, life.last_s, life.ended_s) == (5.0, 21.0, 21.0)
    assert fleet.last_s() == 14.0


def test_leaving_zero_is_counted() -> None:
    fleet = Fleet(TERMS)
    for replicas in (0, 2, 3, 0, 1):
        fleet.scale(replicas, 0.0)
    assert fleet.leavings == 2


def test_what_is_there_from_the_beginning_was_paid_for() -> None:
    fleet = Fleet(TERMS)
    fleet.begin(2)
    assert fleet.ready == 2
    fleet.close(10.0)
    assert [(each.born_s, each.ready_s) for each in fleet.lives] == [(-5.0, 0.0)] * 2
    assert fleet.leavings == 0


def test_a_frozen_replica_is_resumed_before_another_starts() -> None:
    fleet = Fleet(Terms(cold_starts_s=(5.0,), frozen_max=1, resume_s=0.001))
    up(fleet, 2)
    fleet.scale(1, 10.0)
    fleet.scale(0, 20.0)  # the one frozen at 10 is dropped for it
    assert fleet.frozen == [(10.0, 20.0)]
    first, second = fleet.scale(2, 30.0)
    assert (first.is_resumed, first.ready_s) == (True, 30.001)
    assert (second.is_resumed, second.ready_s) == (False, 35.0)
    assert fleet.frozen == [(10.0, 20.0), (20.0, 30.0)]


def test_a_replica_that_never_was_ready_is_not_frozen() -> None:
    fleet = Fleet(Terms(cold_starts_s=(5.0,), frozen_max=1))
    fleet.scale(1, 0.0)
    fleet.scale(0, 1.0)
    assert not fleet.scale(1, 2.0)[0].is_resumed


def test_what_lies_frozen_at_the_end_is_counted() -> None:
    fleet = Fleet(Terms(frozen_max=2))
    up(fleet, 1)
    fleet.scale(0, 3.0)
    fleet.close(9.0)
    assert fleet.frozen == [(3.0, 9.0)]
