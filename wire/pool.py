"""The idle connections to one address, the youngest first.

For: reusing connections, so that an exchange costs no connect; ending them all at once.
Must not know: what is sent, retries, which address to choose.
"""

import asyncio
from collections.abc import Callable

from wire.address import Address
from wire.client import Connection


class Pool:
    """Last in, first out: the busy ones stay warm and the rest grow old and close.

    `on_idle_end()` is called when the far side ends a connection that lay in the pool.
    """

    def __init__(
        self,
        address: Address,
        *,
        stripped: frozenset[bytes] = frozenset(),
        idle_max: int = 256,
        on_idle_end: Callable[[], None] | None = None,
    ) -> None:
        self.address = address
        self._stripped = stripped
        self._idle_max = idle_max
        self._on_idle_end = on_idle_end
        self._idle: list[Connection] = []
        self._is_closed = False

    def __len__(self) -> int:
        """How many connections lie idle."""
        return len(self._idle)

    def take(self) -> Connection | None:
        """An idle connection, or None: then `connect`."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    def give_back(self, connection: Connection, *, now_s: float) -> None:
        """End an exchange. The connection is kept for the next one if it can serve one."""
        if not connection.let_go():
            return
        if self._is_closed or len(self._idle) >= self._idle_max:
            connection.transport.abort()
            return
        connection.idle_since_s = now_s
        self._idle.append(connection)

    async def connect(self) -> Connection:
        """Open a connection; OSError when nothing listens. The caller sets the deadline."""
        loop = asyncio.get_running_loop()
        address = self.address
        if address.path:
            _, connection = await loop.create_unix_connection(self._make, address.path)
        else:
            _, connection = await loop.create_connection(self._make, address.host, address.port)
        return connection

    def close_idle(self, *, before_s: float = float("inf")) -> None:
        """Close what has been idle since before `before_s` (all, unless given)."""
        # The list is ordered by age, oldest first: give_back appends, take pops.
        count = 0
        for connection in self._idle:
            if connection.idle_since_s >= before_s:
                break
            count += 1
        ended, self._idle = self._idle[:count], self._idle[count:]
        for connection in ended:
            connection.transport.close()

    def close(self) -> None:
        """Close what is idle now, and later what is given back."""
        self._is_closed = True
        self.close_idle()

    def _make(self) -> Connection:
        return Connection(stripped=self._stripped, on_idle_end=self._ended)

    def _ended(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
            if self._on_idle_end is not None:
                self._on_idle_end()
