"""A throttler in which tickets of other activators wait and run beside own requests.

For: the owner's half of sharing: one first-in-first-out queue for all, slots for who waits longest.
Must not know: sockets, tasks, clocks, who owns what, what is in a request.
"""

import math
from collections.abc import Collection, Sequence
from typing import Any, Generic, TypeVar

from typing_extensions import override

from activator.balancing import SharedBalancer
from activator.peer_messages import Back, Elsewhere, Granted, Refused, Using, Want
from activator.targets import RevisionKey
from activator.throttler import Forward, Throttler
from activator.tickets import Desk, Ticket

E = TypeVar("E")
R = TypeVar("R")


class HostQueue(Throttler[R, E], Generic[R, E]):
    """To its holder it shows own requests only. Cost an event: as a throttler's, and a message.

    Closed, it takes no slots by itself: what comes is held.
    """

    def __init__(
        self, key: RevisionKey, desk: Desk[E], *, capacity: int, depth_max: int, bytes_max: int
    ) -> None:
        super().__init__(capacity=capacity, depth_max=depth_max, bytes_max=bytes_max)
        self._balancer = self._slots = SharedBalancer[E](capacity)
        self.key = key
        self.is_ours = True  # we own the Revision
        self.is_open = False
        self._desk = desk
        self._known: Collection[E] = ()  # ready endpoints, as far as we know ourselves
        self._tickets: dict[tuple[str, int], Ticket] = {}
        self._foreign_queued = 0
        self._foreign_bytes = 0

    @property
    @override
    def queued(self) -> int:
        return len(self._queue) - self._foreign_queued

    @property
    @override
    def queued_bytes(self) -> int:
        return self._queued_bytes - self._foreign_bytes

    @property
    @override
    def executing(self) -> Collection[R]:
        return [each for each in self._executing if not isinstance(each, Ticket)]

    @property
    @override
    def running(self) -> int:
        return len(self._executing) - (len(self._tickets) - self._foreign_queued)

    @property
    @override
    def held(self) -> Collection[R]:
        return [each for each in self._queue if not isinstance(each, Ticket)]

    @property
    @override
    def oldest(self) -> R | None:
        return next((each for each in self._queue if not isinstance(each, Ticket)), None)

    @property
    @override
    def busy(self) -> Collection[E]:
        return {self._executing[each] for each in self.executing}

    @property
    @override
    def has_ready_endpoints(self) -> bool:
        return bool(self._known)

    @property
    def tickets(self) -> int:
        """Of others, here."""
        return len(self._tickets)

    @override
    def next_deadline_s(self) -> float | None:
        deadline_s = super().next_deadline_s()
        return None if deadline_s == math.inf else deadline_s  # entries keep their own

    @override
    def endpoints_changed(self, ready: Collection[E]) -> Sequence[Forward[R, E]]:
        self._known = tuple(ready)
        return super().endpoints_changed(ready) if self.is_open else ()

    # -- what others say --------------------------------------------------------------------

    def wanted(self, peer: str, said: Want) -> Sequence[Forward[R, E]]:
        """Another activator has a request."""
        ticket: Any = self._tickets.get((peer, said.number))
        if not self.is_ours:
            self._desk.post(peer, Elsewhere(said.number, *self.key))
            return () if ticket is None else self._let_go([ticket])
        if ticket is not None:
            ticket.is_stale = False
            if ticket in self._executing:  # the grant was lost with a connection
                self._grant(ticket, self._executing[ticket])
            return ()
        ticket = self._issue(peer, said.number, said.size)
        endpoint = self.admit(ticket)
        if endpoint is not None:
            self._grant(ticket, endpoint)
            return ()
        refusal = Throttler.hold(self, ticket, size=said.size, deadline_s=math.inf)
        if refusal is not None:
            del self._tickets[peer, said.number]
            self._desk.post(peer, Refused(said.number, *self.key, refusal.value))
            return ()
        self._foreign_queued += 1
        self._foreign_bytes += said.size
        return ()

    def used(self, peer: str, said: Using) -> None:
        """A slot is in use there, whoever owns the Revision now or will."""
        ticket: Any = self._tickets.get((peer, said.number))
        if ticket is not None:
            ticket.is_stale = False
            if ticket in self._executing:
                return
            self._unqueue(ticket)
        else:
            ticket = self._issue(peer, said.number, 0)
        endpoint = self._desk.find(said.place)
        self._slots.occupy(endpoint)
        self._executing[ticket] = endpoint

    def done(self, peer: str, number: int) -> Sequence[Forward[R, E]]:
        """A ticket is needed no more."""
        ticket = self._tickets.get((peer, number))
        return () if ticket is None else self._let_go([ticket])

    def came_back(self, peer: str, said: Back) -> Sequence[Forward[R, E]]:
        """A slot could not be used: its ticket waits again, before all others."""
        ticket: Any = self._tickets.get((peer, said.number))
        if ticket is None or not self.is_ours:
            self._desk.post(peer, Elsewhere(said.number, *self.key))
            return () if ticket is None else self._let_go([ticket])
        if ticket not in self._executing:
            return ()
        endpoint = self._executing[ticket]
        self._foreign_queued += 1
        self._foreign_bytes += ticket.size
        self._known = [each for each in self._known if each != endpoint]
        forwards = Throttler.returned(
            self, ticket, size=ticket.size, deadline_s=math.inf, is_usable=False
        )
        self._desk.suspect(endpoint)
        return forwards

    def linked(self, peer: str) -> None:
        """There is a new connection: its other side will say anew what it has here."""
        for ticket in self._of(peer):
            ticket.is_stale = True

    def settled(self, peer: str) -> Sequence[Forward[R, E]]:
        """The other side has said all: what it did not say again is done."""
        return self._let_go([each for each in self._of(peer) if each.is_stale])

    def lost(self, peer: str) -> Sequence[Forward[R, E]]:
        """This one is gone: its slots are free."""
        return self._let_go(self._of(peer))

    # -- inside -----------------------------------------------------------------------------

    @override
    def _drain(self) -> list[Forward[R, E]]:
        own: list[Forward[R, E]] = []
        for forward in super()._drain():
            ticket = forward.request
            if isinstance(ticket, Ticket):
                self._foreign_queued -= 1
                self._foreign_bytes -= ticket.size
                self._grant(ticket, forward.endpoint)
            else:
                own.append(forward)
        return own

    def _issue(self, peer: str, number: int, size: int) -> Ticket:
        ticket = self._tickets[peer, number] = Ticket(peer, number, size)
        return ticket

    def _grant(self, ticket: Ticket, endpoint: E) -> None:
        place = self._desk.place_of(endpoint)
        self._desk.post(ticket.peer, Granted(ticket.number, *self.key, place))

    def _of(self, peer: str) -> list[Ticket]:
        return [each for each in self._tickets.values() if each.peer == peer]

    def _unqueue(self, ticket: Any) -> None:
        self._foreign_queued -= 1
        self._foreign_bytes -= ticket.size
        self._dequeue(ticket)

    def _let_go(self, tickets: Sequence[Any]) -> Sequence[Forward[R, E]]:
        """These are over, here. Slots are given on when all are free."""
        for ticket in tickets:
            del self._tickets[ticket.peer, ticket.number]
            if ticket in self._executing:
                self._balancer.free(self._executing.pop(ticket))
            else:
                self._unqueue(ticket)
        return self._drain() if tickets else ()

    def _turn_out(self) -> None:
        """Tickets that wait here have to wait elsewhere. Those at work are done when they are."""
        waiting = [each for each in self._tickets.values() if each in self._queue]
        for ticket in waiting:
            del self._tickets[ticket.peer, ticket.number]
            self._unqueue(ticket)
            self._desk.post(ticket.peer, Elsewhere(ticket.number, *self.key))
