"""The owner's queue: tickets of others beside own requests. Simulated in test_ring.py."""

from activator.peer_messages import Back, Elsewhere, Granted, Refused, Using, Want
from activator.throttler import Forward, Refusal
from tests.activator.desks import N, place, queue


def test_a_ticket_gets_a_free_slot_at_once() -> None:
    it, desk = queue()
    assert it.wanted("b", Want(1, *N, 5)) == ()
    assert desk.said() == [("b", Granted(1, *N, place("p1")))]
    assert it.admit("r1") is None
    assert (it.queued, it.executing, it.busy, it.tickets, it.running) == (0, [], set(), 1, 0)


def test_who_waits_longest_is_next_whoever_it_is() -> None:
    it, desk = queue()
    assert it.admit("r1") == "p1"
    it.wanted("b", Want(1, *N, 5))
    it.hold("r2", size=7, deadline_s=9.0)
    it.wanted("c", Want(1, *N, 5))
    assert (it.queued, it.queued_bytes, it.held, it.oldest) == (1, 7, ["r2"], "r2")
    assert it.running == 1
    assert desk.said() == []
    assert it.finished("r1") == []
    assert desk.said() == [("b", Granted(1, *N, place("p1")))]
    assert it.done("b", 1) == [Forward("r2", "p1")]
    assert it.finished("r2") == []
    assert desk.said() == [("c", Granted(1, *N, place("p1")))]
    it.done("c", 1)
    assert it.tickets == 0


def test_a_ticket_that_waits_may_be_given_up() -> None:
    it, desk = queue()
    it.admit("r1")
    it.wanted("b", Want(1, *N, 5))
    it.done("b", 1)
    it.done("b", 1)
    it.finished("r1")
    assert (desk.said(), it.tickets) == ([], 0)


def test_limits_are_for_all_of_it() -> None:
    it, desk = queue(depth_max=2)
    it.admit("r1")
    it.wanted("b", Want(1, *N, 0))
    it.hold("r2", size=0, deadline_s=1.0)
    it.wanted("b", Want(2, *N, 0))
    assert desk.said() == [("b", Refused(2, *N, "QueueFull"))]
    assert it.hold("r3", size=0, deadline_s=1.0) is Refusal.QUEUE_FULL
    it.done("b", 1)
    it.wanted("b", Want(3, *N, 10**6))
    assert desk.said() == [("b", Refused(3, *N, "QueueBytes"))]


def test_deadlines_of_others_are_their_own_affair() -> None:
    it, _ = queue()
    it.admit("r1")
    it.wanted("b", Want(1, *N, 0))
    assert it.next_deadline_s() is None
    it.hold("r2", size=0, deadline_s=3.0)
    assert it.next_deadline_s() == 3.0
    assert [each.request for each in it.expire(now_s=1e12)] == ["r2"]
    assert it.tickets == 1


def test_a_slot_that_could_not_be_used_is_given_on_elsewhere_and_its_ticket_waits_first() -> None:
    it, desk = queue(ready=("p1", "p2"))
    it.wanted("b", Want(1, *N, 0))
    it.admit("r1")
    it.hold("r2", size=0, deadline_s=1.0)
    desk.said()
    assert it.came_back("b", Back(1, *N)) == []
    assert desk.suspects == ["p1"]
    assert it.finished("r1") == []  # b's ticket is before r2
    assert desk.said() == [("b", Granted(1, *N, place("p2")))]
    assert it.done("b", 1) == [Forward("r2", "p2")]


def test_a_slot_in_use_that_we_did_not_grant_counts() -> None:
    it, desk = queue(ready=("p1", "p2"))
    it.used("b", Using(4, *N, place("p1")))
    assert it.admit("r1") == "p2"
    assert it.admit("r2") is None
    it.hold("r2", size=0, deadline_s=1.0)
    assert it.done("b", 4) == [Forward("r2", "p1")]
    assert desk.said() == []


def test_more_in_use_than_there_is_room_for_is_lived_with() -> None:
    it, _ = queue()
    assert it.admit("r1") == "p1"
    it.used("b", Using(4, *N, place("p1")))
    it.used("c", Using(4, *N, place("p1")))
    it.hold("r2", size=0, deadline_s=1.0)
    assert it.finished("r1") == []
    assert it.done("b", 4) == []
    assert it.done("c", 4) == [Forward("r2", "p1")]


def test_what_is_not_said_again_on_a_new_connection_is_done() -> None:
    it, desk = queue(ready=("p1", "p2"))
    it.wanted("b", Want(1, *N, 0))
    it.wanted("b", Want(2, *N, 0))
    it.wanted("b", Want(3, *N, 0))
    desk.said()
    it.linked("b")
    it.used("b", Using(2, *N, place("p2")))
    assert it.settled("b") == []
    assert it.tickets == 1
    assert it.admit("r1") == "p1"
    assert it.lost("b") == []
    assert (it.tickets, it.admit("r2")) == (0, "p2")


def test_a_grant_that_was_lost_with_a_connection_is_said_again() -> None:
    it, desk = queue()
    it.wanted("b", Want(1, *N, 0))
    desk.said()
    it.linked("b")
    it.wanted("b", Want(1, *N, 0))
    assert desk.said() == [("b", Granted(1, *N, place("p1")))]
    it.settled("b")
    assert it.tickets == 1


def test_who_does_not_own_it_says_so() -> None:
    it, desk = queue(owner="c")
    it.wanted("b", Want(1, *N, 0))
    it.came_back("b", Back(7, *N))
    assert desk.said() == [("b", Elsewhere(1, *N)), ("b", Elsewhere(7, *N))]
    it.used("b", Using(2, *N, place("p1")))  # but it may own it soon
    it.follow("me")
    it.open()
    assert it.admit("r1") is None


def test_one_that_waits_here_and_got_a_slot_elsewhere_waits_no_more() -> None:
    it, desk = queue(ready=("p1", "p2"))
    it.admit("r1")
    it.admit("r2")
    it.wanted("b", Want(1, *N, 5))
    it.used("b", Using(1, *N, place("p1")))
    it.hold("r3", size=0, deadline_s=1.0)
    assert it.finished("r2") == [Forward("r3", "p2")]
    assert desk.said() == []
    assert (it.queued, it.queued_bytes, it.tickets, it.running) == (0, 0, 1, 2)


def test_a_replica_that_others_can_not_reach_is_not_called_ready() -> None:
    it, desk = queue()
    it.wanted("b", Want(1, *N, 5))
    desk.said()
    it.came_back("b", Back(1, *N))
    assert not it.has_ready_endpoints
    assert desk.said() == []
    assert it.endpoints_changed(["p1"]) == []
    assert desk.said() == [("b", Granted(1, *N, place("p1")))]
