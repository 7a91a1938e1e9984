"""The queue of a Revision that several activators share.

For: forwarding, while its activator owns the Revision; and while not, asking the owner for a slot
for each request, and telling it which are in use.
Must not know: sockets, tasks, clocks, how the owner is chosen, what is in a request.
"""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from typing_extensions import override

from activator.hosting import HostQueue
from activator.peer_messages import Back, Done, Elsewhere, Granted, Refused, Ticketed, Using, Want
from activator.targets import RevisionKey
from activator.throttler import Forward, Refusal, Refuse
from activator.tickets import Desk, Stubs

E = TypeVar("E")
R = TypeVar("R")
_REFUSALS = {each.value: each for each in Refusal}


class SharedQueue(HostQueue[R, E], Generic[R, E]):
    """A throttler to its holder; `follow` says who owns the Revision, the rest what others say."""

    def __init__(
        self, key: RevisionKey, desk: Desk[E], *, capacity: int, depth_max: int, bytes_max: int
    ) -> None:
        """Ours, and closed at first."""
        super().__init__(key, desk, capacity=capacity, depth_max=depth_max, bytes_max=bytes_max)
        self.owner = desk.me
        self._stubs: Stubs[R] = Stubs()

    @property
    def has_unplaced(self) -> bool:
        """Whether a request waits that nobody was asked for."""
        return not self.is_ours and any(each not in self._stubs for each in self._queue)

    @override
    def admit(self, request: R) -> E | None:
        if self.is_ours:
            self._desk.look()
        return super().admit(request)

    @override
    def hold(self, request: R, *, size: int, deadline_s: float) -> Refusal | None:
        refusal = super().hold(request, size=size, deadline_s=deadline_s)
        if refusal is None and not self.is_ours:
            self._ask(request)
        return refusal

    @override
    def finished(self, request: R) -> Sequence[Forward[R, E]]:
        if self._stubs.by_request:  # not where all was ours from the start
            self._tear(request)
        return super().finished(request)

    @override
    def abandoned(self, request: R) -> Sequence[Forward[R, E]]:
        self._tear(request)
        return super().abandoned(request)

    @override
    def returned(
        self, request: R, *, size: int, deadline_s: float, is_usable: bool
    ) -> Sequence[Forward[R, E]]:
        endpoint = self._executing[request]
        if not is_usable:
            self._known = [each for each in self._known if each != endpoint]
        stub = self._stubs.get(request)
        if stub is not None:
            is_asked = self.owner in stub.peers
            for peer in stub.peers:
                told = Back if peer == self.owner else Done
                self._desk.post(peer, told(stub.number, *self.key))
            stub.peers = [self.owner]
            if not is_asked:
                self._stubs.drop(request)
        forwards = super().returned(request, size=size, deadline_s=deadline_s, is_usable=is_usable)
        if request not in self._stubs and not self.is_ours and request in self._queue:
            self._ask(request)
        return forwards

    @override
    def expire(self, *, now_s: float) -> list[Refuse[R]]:
        refused = super().expire(now_s=now_s)
        for request, _ in refused:
            self._tear(request)
        return refused

    @override
    def give_up(self, why: Refusal) -> list[Refuse[R]]:
        """Others are told to ask elsewhere: they know themselves what becomes of a Revision."""
        self._turn_out()
        refused = super().give_up(why)
        for request, _ in refused:
            self._tear(request)
        return refused

    # -- who owns it ------------------------------------------------------------------------

    def follow(self, owner: str) -> None:
        """The Revision is this one's from now on. Ours is still closed then: `open` it."""
        if owner == self.owner:
            return
        was_ours, self.owner = self.is_ours, owner
        self.is_ours = owner == self._desk.me
        if was_ours:
            self.close()
            self._turn_out()
        else:
            for request in self.held:
                self._tear(request)
        if not self.is_ours:
            self._declare()
            for request in self.held:
                self._ask(request)

    def close(self) -> None:
        """Give no slots: others may know better which are free."""
        self.is_open = False
        self._balancer.change(())

    def open(self) -> Sequence[Forward[R, E]]:
        """All who may use slots have said so: go on by our own knowledge."""
        assert self.is_ours, "another one's"
        if self.is_open:
            return ()
        self.is_open = True
        return super().endpoints_changed(self._known)

    def ask_again(self) -> None:
        """Ask for all that are asked for nowhere."""
        if not self.is_ours:
            for request in self.held:
                if request not in self._stubs:
                    self._ask(request)

    # -- connections ------------------------------------------------------------------------

    @override
    def linked(self, peer: str) -> None:
        """There is a new connection: say all that its other side has to know."""
        super().linked(peer)
        for request, stub in self._stubs.items():
            if peer not in stub.peers:
                continue
            if request in self._executing:
                self._say_using(peer, stub.number, self._executing[request])
            else:
                size = self._queue[request].size
                self._desk.post(peer, Want(stub.number, *self.key, size))

    @override
    def lost(self, peer: str) -> Sequence[Forward[R, E]]:
        """This one is gone: its slots are free, and what it was asked for is asked for nowhere."""
        for request, stub in self._stubs.items():
            if peer in stub.peers:
                stub.peers.remove(peer)
                if not stub.peers:
                    self._stubs.drop(request)
        if self.has_unplaced:
            self._desk.unplaced(self.key)
        return super().lost(peer)

    # -- what others say --------------------------------------------------------------------

    def heard(
        self, peer: str, message: Ticketed
    ) -> tuple[Sequence[Forward[R, E]], Sequence[Refuse[R]]]:
        """What follows from a peer's word on a ticket: requests of ours to send, and to refuse."""
        forwards: Sequence[Forward[R, E]] = ()
        match message:
            case Want():
                forwards = self.wanted(peer, message)
            case Done():
                forwards = self.done(peer, message.number)
            case Granted():
                forwards = self.granted(peer, message)
            case Back():
                forwards = self.came_back(peer, message)
            case Using():
                self.used(peer, message)
            case Elsewhere():
                self.turned_away(peer, message.number)
            case Refused():
                return (), self.refused(peer, message)
        return forwards, ()

    # -- what the owner says ----------------------------------------------------------------

    def granted(self, peer: str, said: Granted) -> Sequence[Forward[R, E]]:
        """A request of ours has a slot; unless it is over, or was asked for elsewhere since."""
        request: Any = self._stubs.request(said.number)
        if request is None or peer != self.owner or request not in self._queue:
            # One that runs has it by this ticket already: said twice over a new connection.
            if request is None or request not in self._executing:
                self._desk.post(peer, Done(said.number, *self.key))
            return ()
        endpoint = self._desk.find(said.place)
        self._dequeue(request)
        self._slots.occupy(endpoint)
        self._executing[request] = endpoint
        return (Forward(request, endpoint),)

    def refused(self, peer: str, said: Refused) -> list[Refuse[R]]:
        """The owner holds too many."""
        request: Any = self._stubs.request(said.number)
        if request is None or peer != self.owner or request not in self._queue:
            return []
        self._stubs.drop(request)
        self._dequeue(request)
        return [Refuse(request, _REFUSALS.get(said.why, Refusal.QUEUE_FULL))]

    def turned_away(self, peer: str, number: int) -> None:
        """Whoever was asked does not own it, by its own view."""
        request: Any = self._stubs.request(number)
        if request is not None and peer == self.owner and request in self._queue:
            self._stubs.drop(request)
            self._desk.unplaced(self.key)

    # -- inside -----------------------------------------------------------------------------

    @override
    def _drain(self) -> list[Forward[R, E]]:
        if self.is_open:
            self._desk.look()
        return super()._drain()

    def _ask(self, request: R) -> None:
        stub = self._stubs.add(request, next(self._desk.numbers), self.owner)
        self._desk.post(self.owner, Want(stub.number, *self.key, self._queue[request].size))

    def _declare(self) -> None:
        for request in self.executing:
            stub = self._stubs.get(request)
            if stub is None:
                stub = self._stubs.add(request, next(self._desk.numbers), self.owner)
            elif self.owner not in stub.peers:
                stub.peers.append(self.owner)
            self._say_using(self.owner, stub.number, self._executing[request])

    def _say_using(self, peer: str, number: int, endpoint: E) -> None:
        place = self._desk.place_of(endpoint)
        self._desk.post(peer, Using(number, *self.key, place))

    def _tear(self, request: R) -> None:
        """A ticket of ours is done, wherever it is known."""
        stub = self._stubs.drop(request)
        if stub is not None:
            for peer in stub.peers:
                self._desk.post(peer, Done(stub.number, *self.key))
