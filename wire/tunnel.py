"""Two connections that speak a protocol of their own after an upgrade, joined.

For: copying bytes both ways with back-pressure until either side ends.
Must not know: what is spoken, who the two sides are.
"""

import asyncio
from collections.abc import Callable

from typing_extensions import override

from wire.roster import Roster


class Tunnel:
    """Calls `on_over()` once, as soon as one side has ended; the other is closed then.

    It is a member of the server's roster: it counts as a connection, and retiring ends it.
    """

    def __init__(
        self,
        client: asyncio.Transport,
        upstream: asyncio.Transport,
        *,
        roster: Roster,
        on_over: Callable[[], None],
        on_bytes: Callable[[], None],
    ) -> None:
        self._roster = roster
        self._on_over = on_over
        self._on_bytes = on_bytes
        self._is_over = False
        self._transports = (client, upstream)
        for here, there in ((client, upstream), (upstream, client)):
            here.set_protocol(_End(self, there))
            if not here.is_closing():
                here.resume_reading()
        roster.add(self)

    def passed(self) -> None:
        """Bytes went one way or the other."""
        self._on_bytes()

    def close(self) -> None:
        """End both sides, after what was written to them has been sent."""
        for transport in self._transports:
            if not transport.is_closing():
                transport.close()
        self._over()

    def abort(self) -> None:
        """End both sides at once."""
        for transport in self._transports:
            transport.abort()
        self._over()

    def retire(self) -> None:
        """The server ends: there is no good moment to wait for."""
        self.close()

    def wind_down(self) -> None:
        """It can not say when it ends: it goes on."""

    def check(self, now_s: float) -> None:
        """A tunnel has no deadlines of its own."""

    def _over(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._roster.discard(self)
            self._on_over()


class _End(asyncio.Protocol):
    """One side: what it receives goes to the other."""

    def __init__(self, whole: Tunnel, there: asyncio.Transport) -> None:
        self._whole = whole
        self._there = there

    @override
    def data_received(self, data: bytes) -> None:
        self._whole.passed()
        if not self._there.is_closing():
            self._there.write(data)

    @override
    def eof_received(self) -> bool:
        self._whole.close()
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._whole.close()

    @override
    def pause_writing(self) -> None:
        if not self._there.is_closing():
            self._there.pause_reading()

    @override
    def resume_writing(self) -> None:
        if not self._there.is_closing():
            self._there.resume_reading()
