"""The entry's side of a shared queue, and changes of its owner. Simulated in test_ring.py."""

from activator.peer_messages import Back, Done, Elsewhere, Granted, Refused, Using, Want
from activator.throttler import Forward, Refusal, Refuse
from tests.activator.desks import N, place, queue


def test_a_request_waits_until_the_owner_grants_it_a_slot() -> None:
    it, desk = queue(owner="b")
    assert it.admit("r1") is None
    assert it.hold("r1", size=5, deadline_s=9.0) is None
    assert desk.said() == [("b", Want(1, *N, 5))]
    assert it.heard("b", Granted(1, *N, place("p2"))) == ((Forward("r1", "p2"),), ())
    assert (it.queued, it.executing) == (0, ["r1"])
    it.finished("r1")
    assert desk.said() == [("b", Done(1, *N))]
    assert (it.executing, it.in_use("p2")) == ([], 0)


def test_a_client_that_leaves_gives_its_ticket_up_wherever_it_is() -> None:
    it, desk = queue(owner="b")
    for request in ("r1", "r2"):
        it.hold(request, size=0, deadline_s=9.0)
    it.heard("b", Granted(1, *N, place("p1")))
    desk.said()
    it.abandoned("r2")
    it.abandoned("r1")
    assert desk.said() == [("b", Done(2, *N)), ("b", Done(1, *N))]
    # The grant was on its way: its slot goes back.
    assert it.heard("b", Granted(2, *N, place("p1"))) == ((), ())
    assert desk.said() == [("b", Done(2, *N))]


def test_a_deadline_gives_the_ticket_up() -> None:
    it, desk = queue(owner="b")
    it.hold("r1", size=0, deadline_s=9.0)
    assert it.expire(now_s=9.0) == [Refuse("r1", Refusal.DEADLINE)]
    assert desk.said() == [("b", Want(1, *N, 0)), ("b", Done(1, *N))]


def test_the_owner_may_hold_too_many() -> None:
    it, _ = queue(owner="b")
    it.hold("r1", size=0, deadline_s=9.0)
    refused = [Refuse("r1", Refusal.QUEUE_BYTES)]
    assert it.heard("b", Refused(1, *N, "QueueBytes")) == ((), refused)
    assert it.heard("b", Refused(1, *N, "QueueBytes")) == ((), [])
    assert it.queued == 0


def test_a_replica_that_took_nothing_is_told_of_and_the_request_waits_on() -> None:
    it, desk = queue(owner="b")
    it.hold("r1", size=5, deadline_s=9.0)
    it.heard("b", Granted(1, *N, place("p1")))
    desk.said()
    assert it.returned("r1", size=5, deadline_s=9.0, is_usable=False) == []
    assert desk.said() == [("b", Back(1, *N))]
    assert it.heard("b", Granted(1, *N, place("p2"))) == ((Forward("r1", "p2"),), ())


def test_not_here_means_a_little_later_again() -> None:
    it, desk = queue(owner="b")
    it.hold("r1", size=5, deadline_s=9.0)
    it.heard("b", Elsewhere(1, *N))
    assert (desk.astray, it.has_unplaced) == (1, True)
    desk.said()
    it.ask_again()
    it.ask_again()
    assert desk.said() == [("b", Want(2, *N, 5))]
    assert not it.has_unplaced


def test_a_new_owner_is_told_which_slots_are_in_use_and_asked_for_the_rest() -> None:
    it, desk = queue(owner="b")
    for request in ("r1", "r2"):
        it.hold(request, size=5, deadline_s=9.0)
    it.heard("b", Granted(1, *N, place("p1")))
    desk.said()
    it.follow("c")
    assert desk.said() == [
        ("b", Done(2, *N)),
        ("c", Using(1, *N, place("p1"))),
        ("c", Want(3, *N, 5)),
    ]
    it.heard("b", Granted(2, *N, place("p2")))  # too late
    assert (it.queued, desk.said()) == (1, [("b", Done(2, *N))])
    it.finished("r1")
    assert desk.said() == [("b", Done(1, *N)), ("c", Done(1, *N))]


def test_what_we_owned_waits_at_the_next_owner() -> None:
    it, desk = queue()
    assert it.admit("r1") == "p1"
    it.hold("r2", size=5, deadline_s=9.0)
    it.wanted("b", Want(1, *N, 0))
    it.follow("c")
    assert desk.said() == [
        ("b", Elsewhere(1, *N)),
        ("c", Using(1, *N, place("p1"))),
        ("c", Want(2, *N, 5)),
    ]
    assert it.finished("r1") == []
    assert it.queued == 1


def test_a_new_owner_forwards_nothing_before_it_knows_what_is_in_use() -> None:
    it, desk = queue(owner="b")
    it.hold("r1", size=0, deadline_s=9.0)
    it.hold("r2", size=0, deadline_s=9.0)
    it.follow("me")
    assert (it.queued, it.is_open) == (2, False)
    it.used("c", Using(9, *N, place("p1")))
    assert it.open() == []
    assert it.done("c", 9) == [Forward("r1", "p1")]
    assert it.open() == ()
    desk.said()
    assert it.finished("r1") == [Forward("r2", "p1")]
    assert desk.said() == []


def test_whether_replicas_are_ready_is_known_though_they_are_not_ours_to_use() -> None:
    it, _ = queue(owner="b", ready=())
    assert not it.has_ready_endpoints
    assert it.endpoints_changed(["p1"]) == ()
    assert it.has_ready_endpoints


def test_a_peer_that_is_gone_knows_nothing_any_more() -> None:
    it, desk = queue(owner="b")
    it.hold("r1", size=0, deadline_s=9.0)
    it.lost("b")
    assert (it.has_unplaced, desk.astray) == (True, 1)
    desk.said()
    it.follow("me")
    assert it.open() == [Forward("r1", "p1")]
    assert desk.said() == []


def test_on_a_new_connection_all_is_said_again() -> None:
    it, desk = queue(owner="b")
    for request in ("r1", "r2"):
        it.hold(request, size=5, deadline_s=9.0)
    it.heard("b", Granted(1, *N, place("p1")))
    desk.said()
    it.linked("b")
    assert desk.said() == [("b", Using(1, *N, place("p1"))), ("b", Want(2, *N, 5))]
    it.linked("c")
    assert desk.said() == []


def test_giving_up_tells_those_who_wait_to_ask_elsewhere() -> None:
    it, desk = queue()
    it.admit("r1")
    it.wanted("b", Want(1, *N, 0))
    it.hold("r2", size=0, deadline_s=9.0)
    assert it.give_up(Refusal.REVISION_GONE) == [Refuse("r2", Refusal.REVISION_GONE)]
    assert desk.said() == [("b", Elsewhere(1, *N))]


def test_only_who_owns_it_grants_and_turns_away() -> None:
    it, desk = queue(owner="b")
    it.hold("r1", size=5, deadline_s=9.0)
    desk.said()
    assert it.heard("c", Granted(1, *N, place("p1"))) == ((), ())
    assert desk.said() == [("c", Done(1, *N))]
    it.heard("c", Elsewhere(1, *N))
    assert it.heard("c", Refused(1, *N, "QueueFull")) == ((), [])
    assert (it.queued, it.has_unplaced, desk.astray) == (1, False, 0)
    assert it.heard("b", Granted(1, *N, place("p1"))) == ((Forward("r1", "p1"),), ())


def test_a_grant_that_is_said_twice_is_one() -> None:
    it, desk = queue(owner="b")
    it.hold("r1", size=5, deadline_s=9.0)
    it.heard("b", Granted(1, *N, place("p1")))
    desk.said()
    assert it.heard("b", Granted(1, *N, place("p1"))) == ((), ())
    assert desk.said() == []
    assert it.in_use("p1") == 1


def test_a_replica_that_took_nothing_is_done_with_for_who_owned_it_before() -> None:
    it, desk = queue(owner="b")
    it.hold("r1", size=5, deadline_s=9.0)
    it.heard("b", Granted(1, *N, place("p1")))
    it.follow("c")
    desk.said()
    it.returned("r1", size=5, deadline_s=9.0, is_usable=False)
    assert desk.said() == [("b", Done(1, *N)), ("c", Back(1, *N))]
    it.abandoned("r1")
    assert desk.said() == [("c", Done(1, *N))]
