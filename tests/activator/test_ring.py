"""Rings of activators: who owns what, and that nothing is lost on the way. Seeds are printed."""

from collections.abc import Sequence

import pytest

from activator import ownership
from activator.astray import Patiences
from activator.peer_messages import (
    JOINING,
    LEAVING,
    MEMBER,
    Back,
    Done,
    Elsewhere,
    Granted,
    Message,
    Settled,
    Standing,
    Using,
    Want,
)
from activator.ring import Ring
from activator.sharing import SharedQueue
from activator.targets import RevisionKey
from activator.throttler import Forward
from tests.activator.desks import FakeDesk, place
from tests.activator.peering import Faults, World

CALM: dict[str, Faults] = {
    "nothing happens": Faults(leaving=True),
    "replicas come and go": Faults(replicas=True, leaving=True),
    "activators join and leave": Faults(members=True, replicas=True, leaving=True),
    "activators crash": Faults(members=True, crashes=True, leaving=True),
    "connections break and are there again": Faults(blips=True, leaving=True),
}
ALL = Faults(
    members=True,
    crashes=True,
    blips=True,
    cuts=True,
    replicas=True,
    leaving=True,
    freezes=True,
)


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("what", CALM)
def test_no_limit_is_exceeded_and_nothing_is_lost(what: str, seed: int) -> None:
    names = "abcd"[: 2 + seed % 3]
    world = World(seed, names=names, faults=CALM[what], capacity=1 + seed % 2)
    world.run(0.2)
    world.scramble(requests=60, for_s=2.0, events=12)
    world.run(2.5)
    world.settle()
    world.check_at_rest()
    lost = [each for each in world.requests if each.why == "crash"]
    assert not lost or CALM[what].crashes
    assert sum(each.why == "answered" for each in world.requests) > 10


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("what", ["activators join and leave", "activators crash"])
def test_nor_where_messages_are_slow_and_requests_long(what: str, seed: int) -> None:
    names = "abcd"[: 2 + seed % 3]
    world = World(seed, names=names, faults=CALM[what], keys=2, latency_s=0.08, work_s=1.0)
    world.run(0.5)
    world.scramble(requests=60, for_s=2.0, events=20)
    world.run(2.5)
    world.settle()
    world.check_at_rest()


@pytest.mark.parametrize("seed", range(40))
def test_nor_by_processes_that_stand_still_and_go_on(seed: int) -> None:
    world = World(seed, names="abcd"[: 2 + seed % 3], faults=Faults(freezes=True, leaving=True))
    world.run(0.2)
    world.scramble(requests=150, for_s=24.0, events=12)
    world.run(32.0)
    world.settle()
    world.check_at_rest()
    assert not any(each.why == "crash" for each in world.requests)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_nothing_waits_for_ever_and_the_limit_holds_again_at_last(
    seed: int,
) -> None:
    world = World(seed, names="abcd"[: 2 + seed % 3], faults=ALL)
    world.run(0.2)
    world.scramble(requests=60, for_s=2.0, events=20)
    world.run(2.5)
    world.settle()
    world.check_at_rest()
    world.is_strict = True
    world.scramble(requests=40, for_s=0.5, events=0)
    world.run(world.now_s + 10)
    world.check_at_rest()


@pytest.mark.parametrize("seed", range(20))
def test_nobody_waits_for_ever_for_an_owner_that_knows_of_a_revision_late(seed: int) -> None:
    faults = Faults(members=seed % 2 == 1, replicas=True, leaving=True, late=True)
    world = World(seed, names="abcd"[: 2 + seed % 3], faults=faults)
    world.run(0.1)
    world.scramble(requests=150, for_s=6.0, events=12)
    world.run(7.0)
    world.settle()
    world.check_at_rest()
    world.is_strict = True
    world.scramble(requests=40, for_s=0.5, events=0)
    world.run(world.now_s + 10)
    world.check_at_rest()


def kinds(sent: Sequence[Message]) -> list[tuple[object, ...]]:
    """Told apart: messages of two kinds with equal values are equal."""
    return [(type(each).__name__, *each) for each in sent]


class Lone(FakeDesk):
    """A ring of one, whose peers are what a test says for them."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Message] = []
        self.forwards: list[Forward[str, str]] = []
        self.told: list[str] = []
        self.waits_until_s: float | None = None
        self.ring: Ring[str, str] = Ring("me", self, Patiences(settle_s=1.0, alone_s=2.0))
        self.queues: dict[str, SharedQueue[str, str]] = {}

    def send(self, peer: str, message: Message) -> None:
        self.sent.append(message)

    def stood_still(self) -> float | None:
        until_s, self.waits_until_s = self.waits_until_s, None
        return until_s

    def say(self, text: str) -> None:
        self.told.append(text)

    def carry_out(self, forwards: object) -> None:
        self.forwards += forwards  # type: ignore[arg-type]

    def carry_refusals(self, refused: object) -> None:
        assert not refused

    def queue(self, owner: str, with_c: str = "") -> SharedQueue[str, str]:
        """That of a Revision which is this one's in a ring of b and me, and that one's with c."""
        keys = (RevisionKey("ns", f"rev-{number}") for number in range(1000))
        key = next(
            each
            for each in keys
            if ownership.owner_of(each, ["b", "me"]) == owner
            and with_c in {"", ownership.owner_of(each, ["b", "c", "me"])}
        )
        made: SharedQueue[str, str] = SharedQueue(
            key, self.ring, capacity=1, depth_max=9, bytes_max=9
        )
        made.endpoints_changed([self.known["p1"]])
        self.ring.add(made, self)
        return made

    def meet(self, now_s: float, *, phase: str = MEMBER) -> None:
        self.ring.linked("b", "life", now_s)
        self.ring.received("b", Standing(phase, ["me"]), now_s)

    def settle(self, now_s: float) -> None:
        said = [each for each in self.sent if isinstance(each, Settled)][-1]
        self.ring.received("b", Settled(list(said.eligible), 7, said.view), now_s)


def test_alone_it_owns_everything_once_it_has_joined() -> None:
    it = Lone()
    queue = it.queue("me")
    assert not queue.is_open
    it.ring.join(0.0)
    assert queue.is_open
    assert it.ring.next_deadline_s() is None
    it.ring.remove(queue.key)
    assert it.ring.statistics().owned == 0


def test_a_new_owner_waits_for_what_its_peers_have_to_say() -> None:
    it = Lone()
    queue = it.queue("me")
    it.meet(0.0)
    it.ring.join(0.0)
    queue.hold("r1", size=0, deadline_s=9.0)
    said = Using(5, *queue.key, place("p1"))
    it.ring.received("b", said, 0.1)
    assert not queue.is_open
    it.settle(0.2)
    assert queue.is_open
    assert it.forwards == []
    it.ring.gone("b", 0.3)
    assert it.forwards == [Forward("r1", "p1")]


def test_what_a_peer_said_of_an_earlier_view_is_no_answer_though_the_views_are_alike() -> None:
    it = Lone()
    queue = it.queue("me", with_c="c")
    it.meet(0.0)
    it.ring.join(0.0)
    it.settle(0.0)
    assert queue.is_open
    it.ring.linked("c", "life", 0.1)
    it.ring.received("b", Standing(MEMBER, ["c", "me"]), 0.1)
    it.ring.received("c", Standing(MEMBER, ["b", "me"]), 0.1)
    assert queue.owner == "c"
    it.ring.received("c", Standing(LEAVING, ["b", "me"]), 0.2)
    assert queue.owner == "me"
    it.ring.gone("c", 0.3)
    it.ring.received("b", Standing(MEMBER, ["me"]), 0.3)
    assert it.ring.eligible == ["b", "me"]
    assert not queue.is_open
    it.settle(0.4)
    assert queue.is_open


def test_who_stood_still_gives_no_slot_before_its_peers_have_said_which_are_in_use() -> None:
    it = Lone()
    queue = it.queue("me")
    it.meet(0.0)
    it.ring.join(0.0)
    it.settle(0.0)
    assert queue.admit("before") == "p1"
    it.waits_until_s = 21.5
    assert queue.finished("before") == ()
    queue.hold("r1", size=0, deadline_s=99.0)
    assert queue.admit("r0") is None
    assert not queue.is_open
    it.ring.linked("b", "life", 20.1)
    it.ring.received("b", Standing(MEMBER, ["me"]), 20.1)
    it.ring.received("b", Using(5, *queue.key, place("p1")), 20.2)
    assert not queue.is_open
    it.settle(20.3)
    assert queue.is_open
    assert it.forwards == []
    it.ring.received("b", Done(5, *queue.key), 20.4)
    assert it.forwards == [Forward("r1", "p1")]


def test_nor_does_a_request_that_ends_pass_its_slot_on() -> None:
    it = Lone()
    queue = it.queue("me")
    it.meet(0.0)
    it.ring.join(0.0)
    it.settle(0.0)
    assert queue.admit("before") == "p1"
    queue.hold("r1", size=0, deadline_s=99.0)
    it.waits_until_s = 21.5
    assert queue.finished("before") == []
    assert it.ring.next_deadline_s() == 21.5
    it.ring.tick(21.5)  # b is as silent as it was
    assert it.forwards == [Forward("r1", "p1")]


def test_who_stood_still_while_it_waited_for_its_peers_waits_anew() -> None:
    it = Lone()
    queue = it.queue("me")
    it.meet(0.0)
    it.ring.join(0.0)
    assert it.ring.next_deadline_s() == 1.0
    it.waits_until_s = 21.5
    it.ring.tick(20.0)
    assert not queue.is_open
    it.ring.tick(21.5)
    assert queue.is_open


def test_alone_it_does_not_matter_whether_it_stood_still() -> None:
    it = Lone()
    queue = it.queue("me")
    it.ring.join(0.0)
    it.waits_until_s = 21.5
    assert queue.admit("r1") == "p1"


def test_it_does_not_wait_for_one_that_joins() -> None:
    it = Lone()
    queue = it.queue("me")
    it.meet(0.0, phase=JOINING)
    it.ring.join(0.0)
    assert queue.is_open
    assert it.ring.eligible == ["me"]


def test_nor_for_ever_and_it_says_so() -> None:
    it = Lone()
    queue = it.queue("me")
    it.meet(0.0)
    it.ring.join(0.0)
    due_s = it.ring.next_deadline_s()
    assert due_s == 1.0
    it.ring.tick(due_s)
    assert queue.is_open
    assert it.told == ["peers b did not say in time which slots they use"]


def test_an_owner_that_does_not_see_it_is_asked_again_and_at_last_done_without() -> None:
    it = Lone()
    queue = it.queue("b")
    it.meet(0.0)
    it.ring.join(0.0)
    it.settle(0.0)
    queue.hold("r1", size=0, deadline_s=99.0)
    asked = 0
    now_s = 0.0
    while not queue.is_ours:
        wanted = [each for each in it.sent if isinstance(each, Want)]
        assert len(wanted) == asked + 1
        asked = len(wanted)
        it.ring.received("b", Elsewhere(wanted[-1].number, *queue.key), now_s)
        due_s = it.ring.next_deadline_s()
        assert due_s is not None
        now_s = due_s
        it.ring.tick(now_s)
    assert 2.0 <= now_s < 3.0
    assert 5 < asked < 12
    assert it.forwards == [Forward("r1", "p1")]
    assert it.told == [
        f"revision ns/{queue.key.name}: b does not see that it owns it; "
        "its limit is kept by each activator alone"
    ]
    assert it.ring.statistics().alone == 1
    it.settle(now_s)  # now it does
    assert queue.owner == "b"
    assert it.ring.statistics().alone == 0
    assert isinstance(it.sent[-1], Using)


def test_one_that_is_granted_a_slot_does_not_have_those_forgotten_that_were_sent_away() -> None:
    it = Lone()
    queue = it.queue("b")
    it.meet(0.0)
    it.ring.join(0.0)
    it.settle(0.0)
    queue.hold("r1", size=0, deadline_s=99.0)
    queue.hold("r2", size=0, deadline_s=99.0)
    first, second = (each for each in it.sent if isinstance(each, Want))
    it.ring.received("b", Elsewhere(first.number, *queue.key), 0.0)
    it.ring.received("b", Granted(second.number, *queue.key, place("p1")), 0.0)
    assert it.forwards == [Forward("r2", "p1")]
    due_s = it.ring.next_deadline_s()
    assert due_s is not None
    it.ring.tick(due_s)
    again = it.sent[-1]
    assert isinstance(again, Want)
    it.ring.received("b", Granted(again.number, *queue.key, place("p2")), due_s)
    assert it.forwards[1:] == [Forward("r1", "p2")]
    assert it.ring.next_deadline_s() is None


def test_who_comes_to_know_of_a_revision_that_it_owns_tells_those_it_sent_away() -> None:
    it, sees = Lone(), Lone()
    key = it.queue("me").key
    it.ring.remove(key)
    it.meet(0.0)
    it.ring.join(0.0)
    it.settle(0.0)
    it.ring.received("b", Want(5, *key, 0), 0.1)
    assert kinds(it.sent[-1:]) == kinds([Elsewhere(5, *key)])
    it.sent.clear()
    it.queue("me")
    (said,) = it.sent
    assert isinstance(said, Settled)
    assert said.eligible == ["b", "me"]
    # What that does where the request waits: see above. One that it does not own is nobody's news.
    sees.meet(0.0)
    sees.ring.join(0.0)
    sees.settle(0.0)
    sees.sent.clear()
    sees.queue("b")
    assert sees.sent == []


def test_one_that_was_started_anew_uses_nothing_any_more() -> None:
    it = Lone()
    queue = it.queue("me")
    it.meet(0.0)
    it.ring.join(0.0)
    it.settle(0.0)
    it.ring.received("b", Want(5, *queue.key, 0), 0.1)
    queue.hold("r1", size=0, deadline_s=9.0)
    it.ring.linked("b", "life", 0.2)
    assert it.forwards == []
    it.ring.linked("b", "another life", 0.3)
    assert it.forwards == [Forward("r1", "p1")]


def test_an_answer_of_one_that_sees_others_is_not_waited_for_in_vain() -> None:
    it = Lone()
    queue = it.queue("me")
    it.meet(0.0)
    it.ring.join(0.0)
    said = [each for each in it.sent if isinstance(each, Settled)][-1]
    it.ring.received("b", Settled(["b"], 7, said.view), 0.1)
    assert not queue.is_open  # it may use slots that it declared to itself
    it.ring.received("b", Settled(list(said.eligible), 8, said.view), 0.2)
    assert queue.is_open


def test_what_is_said_of_a_revision_that_is_gone_is_answered() -> None:
    it = Lone()
    key = it.queue("b").key
    it.meet(0.0)
    it.ring.join(0.0)
    it.ring.remove(key)
    it.sent.clear()
    it.ring.received("b", Granted(5, *key, place("p1")), 0.1)
    it.ring.received("b", Back(6, *key), 0.1)
    it.ring.received("b", Done(7, *key), 0.1)
    assert kinds(it.sent) == kinds([Done(5, *key), Elsewhere(6, *key)])


def test_going_alone_ends_when_the_owner_sees_the_same_and_not_before() -> None:
    it = Lone()
    queue = it.queue("b")
    it.meet(0.0)
    it.ring.join(0.0)
    it.settle(0.0)
    queue.hold("r1", size=0, deadline_s=99.0)
    now_s = 0.0
    while not queue.is_ours:
        wanted = [each for each in it.sent if isinstance(each, Want)][-1]
        it.ring.received("b", Elsewhere(wanted.number, *queue.key), now_s)
        now_s = it.ring.next_deadline_s() or now_s
        it.ring.tick(now_s)
    it.ring.received("b", Settled(["b", "c", "me"], 8, 0), now_s)
    assert queue.is_ours
    it.ring.gone("b", now_s)  # whoever owns it next does with consent
    assert it.ring.statistics().alone == 0
    assert queue.is_ours
