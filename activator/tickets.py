"""The two halves of a ticket, and what the queues that deal in them share.

For: one activator asking another for a slot of a replica, by a number, without the request.
Must not know: sockets, queues, how an owner is chosen, what is in a request.

A ticket is a number that its entry (the activator whose client asks) gave. It is registered where
it was asked for, and with every later owner while its request runs; each of them is told when it
is done. What an entry did not say again on a new connection is done, too.
"""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from activator.peer_messages import Place, Ticketed
from activator.targets import RevisionKey

E = TypeVar("E")
R = TypeVar("R")


class Desk(Protocol[E]):
    """What the shared queues of one activator have in common."""

    me: str
    numbers: Iterator[int]  # of tickets

    def post(self, peer: str, message: Ticketed) -> None:
        """Send, unless there is no connection: what follows from that is told later."""

    def place_of(self, endpoint: E) -> Place:
        """A replica, named for others."""
        ...

    def find(self, place: Place) -> E:
        """The replica that another activator names."""
        ...

    def suspect(self, endpoint: E) -> None:
        """Somebody could not reach it."""

    def unplaced(self, key: RevisionKey) -> None:
        """Requests of this queue wait and are asked for nowhere."""

    def look(self) -> None:
        """Before a slot is given: if what we know may be old, close the queues that are ours."""


class Ticket:
    """A request of another activator, here in the queue or at a replica."""

    __slots__ = ("is_stale", "number", "peer", "size")

    def __init__(self, peer: str, number: int, size: int) -> None:
        self.peer = peer
        self.number = number
        self.size = size
        self.is_stale = False  # its connection ended, and it was not said again


class Stub:
    """The entry's half of a ticket: its number, and who knows of it."""

    __slots__ = ("number", "peers")

    def __init__(self, number: int, peer: str) -> None:
        self.number = number
        self.peers = [peer]


class Stubs(Generic[R]):
    """All that one queue has asked for: requests and their tickets."""

    def __init__(self) -> None:
        self.by_request: dict[R, Stub] = {}
        self._by_number: dict[int, R] = {}

    def __contains__(self, request: R) -> bool:
        """Whether it has a ticket."""
        return request in self.by_request

    def get(self, request: R) -> Stub | None:
        """Its ticket."""
        return self.by_request.get(request)

    def items(self) -> list[tuple[R, Stub]]:
        """All of them, the oldest first."""
        return list(self.by_request.items())

    def request(self, number: int) -> R | None:
        """Whose ticket that is."""
        return self._by_number.get(number)

    def add(self, request: R, number: int, peer: str) -> Stub:
        """A ticket for a request."""
        assert request not in self.by_request, "it has a ticket"
        stub = self.by_request[request] = Stub(number, peer)
        self._by_number[number] = request
        return stub

    def drop(self, request: R) -> Stub | None:
        """Forget its ticket, if it has one."""
        stub = self.by_request.pop(request, None)
        if stub is not None:
            del self._by_number[stub.number]
        return stub
