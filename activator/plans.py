"""What follows from a request's head alone, worked out once.

For: a client that repeats its head on a connection pays for routing and header rewriting once.
Must not know: sockets, queues, bodies.
"""

import copy
from typing import Generic, Self, TypeVar

from activator.headers import request_start
from activator.targets import Target, Way
from wire.exchange import Exchange

H = TypeVar("H")
_REQUEST_ID_BYTES_MAX = 128


class Plan(Generic[H]):
    """Kept with the head it was made from (`Head.memo`), until the routing table changes."""

    __slots__ = (
        "_asking",
        "asked_s",
        "holder",
        "is_call",
        "is_plain",
        "request_id",
        "start",
        "target",
        "upgrade",
        "version",
    )

    def __init__(
        self,
        exchange: Exchange,
        *,
        version: int,
        way: Way,
        holder: H | None,
        asked_s: float | None,
        is_call: bool = False,
    ) -> None:
        self.version = version  # of the routing table
        self.target: Target = way.target
        self.holder = holder  # None: the target is a split, so each request is routed anew
        # The protocol that is to follow; none, as a rule.
        self.upgrade = upgrade = exchange.upgrade if b"upgrade" in exchange.index else b""
        self.is_call = is_call  # of gRPC
        self.is_plain = not upgrade and not is_call  # carried as its Revision's requests are
        self.start = request_start(exchange, way.lines, way.replaced, upgrade)
        self.request_id = client_request_id(exchange)  # None: make one
        self.asked_s = asked_s  # how long the caller waits; None: as long as the revision says
        self._asking: Self | None = None

    def asking(self, lines: bytes) -> Self:
        """The same with header lines more, which are always the same ones; made once."""
        if self._asking is None:
            twin = copy.copy(self)
            twin.start += lines
            self._asking = twin
        return self._asking


def client_request_id(exchange: Exchange) -> bytes | None:
    """The id the client gave its request, unless it is absurdly long."""
    said = exchange.index.get(b"x-request-id")
    return said if said and len(said) <= _REQUEST_ID_BYTES_MAX else None
