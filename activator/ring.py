"""One activator among its peers: who owns which Revision, and which of its queues may forward.

For: agreeing without a vote: each tells whom it reaches, all find the same owners from that, and
a new owner waits until the others have told it which slots are in use.
Must not know: sockets, tasks, clocks. `now_s` never goes back.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, Protocol, TypeVar

from activator import ownership
from activator.astray import Astray, Patiences
from activator.peer_messages import (
    JOINING,
    LEAVING,
    MEMBER,
    Back,
    Done,
    Elsewhere,
    Granted,
    Hello,
    Message,
    Ping,
    Place,
    Settled,
    Standing,
    Ticketed,
    Want,
    key_of,
)
from activator.sharing import SharedQueue
from activator.targets import RevisionKey
from activator.throttler import Forward, Refuse

E = TypeVar("E")
R = TypeVar("R")


class Network(Protocol[E]):
    """What a ring needs of the world."""

    def send(self, peer: str, message: Message) -> None:
        """To a peer; lost without a connection."""

    def place_of(self, endpoint: E) -> Place:
        """A replica, named for others."""
        ...

    def find(self, place: Place) -> E:
        """The replica that another activator names."""
        ...

    def suspect(self, endpoint: E) -> None:
        """Somebody could not reach it."""

    def stood_still(self) -> float | None:
        """When this process has just woken: until when its peers are waited for, at the latest."""
        ...

    def say(self, text: str) -> None:
        """An operator should know."""


class Holding(Protocol[R, E]):
    """Who carries out what a queue decides when others speak."""

    def carry_out(self, forwards: Sequence[Forward[R, E]]) -> None:
        """Send these requests."""

    def carry_refusals(self, refused: Sequence[Refuse[R]]) -> None:
        """Answer these."""


@dataclass(slots=True, kw_only=True)
class _Peer:
    life: str
    phase: str = JOINING
    is_known: bool = False  # it has said what it is
    links: Sequence[str] = ()
    eligible: Sequence[str] = ()  # as it last said
    said: int = 0  # the number of its view when it said that
    heard: int = -1  # the number of our view that it had heard of then
    is_saying_anew: bool = True  # on a new connection


@dataclass(slots=True, kw_only=True)
class _Subject(Generic[R, E]):
    queue: SharedQueue[R, E]
    holding: Holding[R, E]


@dataclass(frozen=True, slots=True, kw_only=True)
class RingStatistics:
    """What an operator may ask."""

    phase: str
    peers: dict[str, str]  # that are reached → their phase
    eligible: list[str] = field(default_factory=list)
    owned: int
    tickets: int  # of others, here
    alone: int  # Revisions forwarded without their owner's consent


class Ring(Generic[R, E]):
    """All of it belongs to one event loop. It is the desk of its queues."""

    def __init__(self, me: str, network: Network[E], patiences: Patiences) -> None:
        self.me = me
        self.numbers: Iterator[int] = count(1)
        self.phase = JOINING
        self.eligible: list[str] = [me]
        self._network = network
        self._patiences = patiences
        self._peers: dict[str, _Peer] = {}
        self._subjects: dict[RevisionKey, _Subject[R, E]] = {}
        self._opening: dict[RevisionKey, None] = {}  # ours, once all have said what they use
        self._astray = Astray(patiences)
        self._alone: dict[RevisionKey, None] = {}
        self._view = 0  # counts the changes of `eligible`
        self._settle_due_s = math.inf
        self._told: Standing | None = None
        self._now_s = 0.0

    # -- queues -----------------------------------------------------------------------------

    def add(self, queue: SharedQueue[R, E], holding: Holding[R, E]) -> None:
        """A Revision with a limit is there."""
        subject = _Subject(queue=queue, holding=holding)
        self._subjects[queue.key] = subject
        self._place(queue.key, subject)
        for name in self._peers if queue.is_ours else ():  # whom we sent away may go on alone
            self._say_settled(name)
        self._open_settled()

    def remove(self, key: RevisionKey) -> None:
        """A Revision is gone."""
        for book in (self._subjects, self._opening, self._alone):
            book.pop(key, None)
        self._astray.forget(key)

    def post(self, peer: str, message: Ticketed) -> None:
        """Send what a queue says."""
        self._network.send(peer, message)

    def place_of(self, endpoint: E) -> Place:
        """A replica, named for others."""
        return self._network.place_of(endpoint)

    def find(self, place: Place) -> E:
        """The replica that another activator names."""
        return self._network.find(place)

    def suspect(self, endpoint: E) -> None:
        """Somebody could not reach it."""
        self._network.suspect(endpoint)

    def unplaced(self, key: RevisionKey) -> None:
        """Requests of this queue wait and are asked for nowhere: ask again, a little later."""
        self._astray.turned_away(key, self._now_s)

    def look(self) -> None:
        """Who stood still asks first which slots are in use: others took over, meanwhile."""
        due_s = self._network.stood_still() if self._peers else None
        if due_s is None:
            return
        self._view += 1
        for key, subject in self._subjects.items():
            if subject.queue.is_ours:
                subject.queue.close()
                self._opening[key] = None
        self._settle_due_s = due_s

    # -- our own part -----------------------------------------------------------------------

    @property
    def peers(self) -> list[str]:
        """Those that are reached, and have said what they are."""
        return [name for name, peer in self._peers.items() if peer.is_known]

    def reaches(self, name: str) -> bool:
        """Whether there is a connection to it, or was a moment ago."""
        return name in self._peers

    def join(self, now_s: float) -> None:
        """From now on Revisions may be ours. Before, all `peers` there are should be reached."""
        if self.phase == JOINING:
            self._become(MEMBER, now_s)

    def leave(self, now_s: float) -> None:
        """No Revision is ours any more, where there is another; what is held is asked for."""
        self._become(LEAVING, now_s)

    def _become(self, phase: str, now_s: float) -> None:
        self._now_s = now_s
        was_joining, self.phase = self.phase == JOINING, phase
        view = self._view
        self._reconsider()
        if was_joining and view == self._view:
            self._follow()
            self._open_settled()

    # -- connections ------------------------------------------------------------------------

    def linked(self, name: str, life: str, now_s: float) -> None:
        """A new connection to a peer, in place of one that broke or as the first."""
        self._now_s = now_s
        known = self._peers.get(name)
        if known is not None and known.life != life:
            self.gone(name, now_s)  # it was started anew: the other one holds nothing any more
            known = None
        if known is None:
            known = self._peers[name] = _Peer(life=life)
        known.is_saying_anew = True
        known.heard = -1
        self._network.send(name, self._standing())
        for subject in self._subjects.values():
            subject.queue.linked(name)
        self._say_settled(name)
        self._reconsider()

    def gone(self, name: str, now_s: float) -> None:
        """A peer can not be reached, nor reaches us, for longer than a connection takes."""
        self._now_s = now_s
        if self._peers.pop(name, None) is None:
            return
        freed = [(each, each.queue.lost(name)) for each in self._subjects.values()]
        self._reconsider()
        for subject, forwards in freed:
            subject.holding.carry_out(forwards)

    def received(self, name: str, message: Message, now_s: float) -> None:
        """A peer says this."""
        self._now_s = now_s
        peer = self._peers.get(name)
        if peer is None or isinstance(message, Hello | Ping):
            return
        if isinstance(message, Standing):
            peer.phase, peer.links, peer.is_known = message.phase, message.links, True
            self._reconsider()
        elif isinstance(message, Settled):
            self._hear_settled(name, peer, message)
        else:
            self._hear_of_ticket(name, message)

    def _hear_settled(self, name: str, peer: _Peer, said: Settled) -> None:
        is_new = said.view != peer.said or peer.is_saying_anew
        peer.eligible, peer.said, peer.heard = said.eligible, said.view, said.heard
        if peer.is_saying_anew:
            peer.is_saying_anew = False
            for subject in tuple(self._subjects.values()):
                subject.holding.carry_out(subject.queue.settled(name))
        if is_new:
            self._say_settled(name)
        if list(said.eligible) == self.eligible:
            self._rejoin(name)
        self._open_settled()

    def _rejoin(self, name: str) -> None:
        """A peer sees what we see: what it owns is its own again."""
        for key in [*self._alone, *self._astray.keys()]:
            if ownership.owner_of(key, self.eligible) != name:
                continue
            self._alone.pop(key, None)
            self._astray.forget(key)
            queue = self._subjects[key].queue
            queue.follow(name)
            queue.ask_again()

    def _hear_of_ticket(self, name: str, message: Ticketed) -> None:
        key = key_of(message)
        subject = self._subjects.get(key)
        if subject is None:
            if isinstance(message, Want | Back):
                self._network.send(name, Elsewhere(message.number, *key))
            elif isinstance(message, Granted):
                self._network.send(name, Done(message.number, *key))
            return
        forwards, refused = subject.queue.heard(name, message)
        if isinstance(message, Granted) and name == subject.queue.owner and key in self._astray:
            self._astray.forget(key)  # who grants is the owner and knows it
            if subject.queue.has_unplaced:  # but did not when others asked: they do again
                self.unplaced(key)
        subject.holding.carry_refusals(refused)
        subject.holding.carry_out(forwards)

    # -- time -------------------------------------------------------------------------------

    def next_deadline_s(self) -> float | None:
        """When to call `tick` next, at the latest."""
        due_s = min(self._astray.due_s(), self._settle_due_s)
        return None if due_s == math.inf else due_s

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        self._now_s = now_s
        self.look()
        again, alone = self._astray.take_due(now_s)
        for key in again:
            self._subjects[key].queue.ask_again()
        for key in alone:
            self._go_alone(key)
        if self._settle_due_s <= now_s:
            slow = ", ".join(self._unsettled())
            self._settle_due_s = math.inf
            if self._opening:
                self._network.say(f"peers {slow} did not say in time which slots they use")
            self._open()

    def _go_alone(self, key: RevisionKey) -> None:
        queue = self._subjects[key].queue
        if queue.is_ours or not queue.has_unplaced:
            return
        said = f"revision {key.namespace}/{key.name}: {queue.owner} does not see that it owns it"
        self._network.say(f"{said}; its limit is kept by each activator alone")
        self._alone[key] = None
        queue.follow(self.me)
        self._subjects[key].holding.carry_out(queue.open())

    # -- who owns what ----------------------------------------------------------------------

    def _reconsider(self) -> None:
        """What is known of the peers changed."""
        standing = self._standing()
        if standing != self._told:
            self._told = standing
            for name in self._peers:
                self._network.send(name, standing)
        links: dict[str, Sequence[str]] = {self.me: standing.links}
        links |= {name: peer.links for name, peer in self._peers.items() if peer.phase != JOINING}
        members = [name for name, peer in self._peers.items() if peer.phase == MEMBER]
        if self.phase == MEMBER:
            members.append(self.me)
        found = ownership.eligible(self.me, members, links)
        if found != self.eligible:
            self.eligible = found
            self._follow()
        self._open_settled()

    def _follow(self) -> None:
        self._view += 1
        self._alone.clear()
        self._astray.clear()
        for key, subject in self._subjects.items():
            self._place(key, subject)
        for name in self._peers:
            self._say_settled(name)
        self._settle_due_s = self._now_s + self._patiences.settle_s

    def _place(self, key: RevisionKey, subject: _Subject[R, E]) -> None:
        owner = ownership.owner_of(key, self.eligible)
        subject.queue.follow(owner)
        subject.queue.ask_again()
        if owner == self.me and not subject.queue.is_open:
            self._opening[key] = None
        else:
            self._opening.pop(key, None)

    def _unsettled(self) -> list[str]:
        """Who may use slots that we do not know of."""
        return [
            name
            for name, peer in self._peers.items()
            if peer.phase != JOINING
            and (peer.heard != self._view or list(peer.eligible) != self.eligible)
        ]

    def _open_settled(self) -> None:
        if self._settle_due_s == math.inf or not self._unsettled():
            self._settle_due_s = math.inf
            self._open()

    def _open(self) -> None:
        while self._opening and self.phase != JOINING:
            key, _ = self._opening.popitem()
            subject = self._subjects[key]
            subject.holding.carry_out(subject.queue.open())

    def _standing(self) -> Standing:
        reached = sorted(name for name, peer in self._peers.items() if peer.phase != JOINING)
        return Standing(self.phase, reached)

    def _say_settled(self, name: str) -> None:
        self._network.send(name, Settled(self.eligible, self._view, self._peers[name].said))

    # -- what is asked ----------------------------------------------------------------------

    def statistics(self) -> RingStatistics:
        """What is known and done, now."""
        queues = [subject.queue for subject in self._subjects.values()]
        return RingStatistics(
            phase=self.phase,
            peers={name: peer.phase for name, peer in self._peers.items()},
            eligible=self.eligible,
            owned=sum(queue.is_ours for queue in queues),
            tickets=sum(queue.tickets for queue in queues),
            alone=len(self._alone),
        )
