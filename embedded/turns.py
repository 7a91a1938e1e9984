"""Who may start now: a bound on processes that start at the same time.

For: a burst that asks for a hundred replicas. Started all at once they share the cores and none
is ready before the last; started a few at a time, the first serve while the others wait.
Must not know: what is started.
"""

import asyncio
from collections import deque


class Turn:
    """The right to be starting; it ends once."""

    def __init__(self, turns: "Turns", longest_s: float) -> None:
        self._turns: Turns | None = turns
        self._timer = asyncio.get_running_loop().call_later(longest_s, self.end)

    def end(self) -> None:
        """The start is over, one way or the other."""
        if self._turns is not None:
            self._timer.cancel()
            turns, self._turns = self._turns, None
            turns.ended()


class Turns:
    """First come, first served; a start that takes long does not hold up the others for ever."""

    def __init__(self, *, at_once_max: int, longest_s: float) -> None:
        self._free = at_once_max
        self._longest_s = longest_s
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> Turn:
        """Wait for a turn."""
        if self._free > 0:
            self._free -= 1
        else:
            mine = asyncio.get_running_loop().create_future()
            self._waiting.append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():
                    self.ended()  # it was given to us in this very turn of the loop
                raise
        return Turn(self, self._longest_s)

    def ended(self) -> None:
        """Give a turn to whoever waits longest."""
        while self._waiting:
            mine = self._waiting.popleft()
            if not mine.done():
                mine.set_result(None)
                return
        self._free += 1
