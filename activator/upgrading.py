"""Carry a request that asks for another protocol: WebSockets, and whatever else follows a 101.

For: a tunnel that counts as one request until it ends, within the bounds of its Revision.
Must not know: what is spoken in the tunnel, queues.
"""

from typing import Any

from typing_extensions import override

from activator.errors import Fault
from activator.ledger import Ending
from activator.plans import Plan
from activator.proxy import Passage
from activator.sides import Keeper
from wire.client import Connection
from wire.exchange import Exchange
from wire.tunnel import Tunnel


class UpgradePassage(Passage):
    """A passage whose answer may be 101. A replica that answers otherwise is served as ever."""

    __slots__ = ("_tunnel",)

    def __init__(
        self,
        exchange: Exchange,
        keeper: Keeper[Passage],
        plan: Plan[Any],
        request_id: bytes,
        arrived_s: float,
    ) -> None:
        super().__init__(exchange, keeper, plan, request_id, arrived_s)
        self._tunnel: Tunnel | None = None

    @override
    def connected(self, connection: Connection) -> None:
        """Send the request, ready for a 101."""
        super().connected(connection)
        if self._connection is connection:
            connection.offer_switch(self._switched)

    def _switched(self, rest: bytes) -> None:
        """The replica goes on with another protocol: from here on bytes are only copied."""
        connection, self._connection = self._connection, None
        assert connection is not None
        headers = b"%bx-request-id: %b\r\nconnection: upgrade\r\nupgrade: %b\r\n" % (
            connection.head_lines(),
            self.request_id,
            connection.upgrade,
        )
        taken = self._exchange.switch(headers)
        assert taken is not None, "the client left, and the passage was not told"
        client, stash, roster = taken
        upstream = connection.hand_over()
        self._first_byte_s = self._keeper.ledger.now()
        if self._patience is not None:
            self._patience.started(self._keeper.now_s())
        self._tunnel = Tunnel(
            client, upstream, roster=roster, on_over=self._ended, on_bytes=self._bytes_passed
        )
        client.write(rest)
        upstream.write(stash)

    def _bytes_passed(self) -> None:
        if self._patience is not None:
            self._patience.moved(self._keeper.now_s())

    def _ended(self) -> None:
        self._is_over = True
        ledger = self._keeper.ledger
        note = self.note(next(ledger.serials), ledger.now(), Ending.ANSWERED, 101)
        ledger.add_slow(note)
        self._leave_replica()
        self._keeper.finished(self, self._keeper.now_s())

    @override
    def _fail(self, why: Fault, detail: str) -> None:
        if self._tunnel is not None:
            self._tunnel.abort()  # nothing can be said in a protocol we do not know
        else:
            super()._fail(why, detail)
