"""The open connections of one server: one coarse clock and one timer for all of them.

For: idle, slow-head and stalled-body deadlines without a timer per request; retiring a server.
Must not know: what is spoken on a connection.
"""

import asyncio
from typing import Protocol

from wire.limits import Limits

_PERIOD_MAX_S = 1.0
_PERIOD_MIN_S = 0.005


class Member(Protocol):
    """A connection that is looked at once a period."""

    def check(self, now_s: float) -> None:
        """Act on deadlines that have passed."""

    def retire(self) -> None:
        """Close when idle, else after the exchange that runs."""

    def wind_down(self) -> None:
        """Go on, but say with the next answer that it is the last, where the protocol can."""


class Roster:
    """Cost: one pass over the open connections a period; nothing at all without connections."""

    def __init__(self, limits: Limits) -> None:
        shortest_s = min(limits.idle_s, limits.head_s, limits.body_s, limits.linger_s)
        self.period_s = min(max(shortest_s / 4, _PERIOD_MIN_S), _PERIOD_MAX_S)
        # The time of the last tick: at most one period behind. A member that compares it
        # with a later `now_s` adds `period_s`, so no deadline ever comes early.
        self.now_s = 0.0
        self.is_winding_down = False
        self._members: dict[Member, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._members)

    def add(self, member: Member) -> None:
        """Watch one more connection."""
        self._members[member] = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self.now_s = loop.time()
            self._timer = loop.call_later(self.period_s, self._tick)

    def discard(self, member: Member) -> None:
        """Forget a connection that closed."""
        self._members.pop(member, None)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def wind_down(self) -> None:
        """From now on each connection, new ones too, ends behind its next answer."""
        self.is_winding_down = True
        for member in tuple(self._members):
            member.wind_down()

    def retire(self, *, spared: type[object] | None = None) -> None:
        """Let every connection finish what it runs and close; but those `spared` for now."""
        for member in tuple(self._members):
            if spared is None or not isinstance(member, spared):
                member.retire()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self.now_s = loop.time()
        for member in tuple(self._members):
            member.check(self.now_s)
        self._timer = loop.call_later(self.period_s, self._tick) if self._members else None
