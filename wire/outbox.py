"""Answers that follow one another closely, written in a row at the end of a turn of the loop.

For: waking a client once for several answers. A write wakes its reader, on another processor as
a rule, for some 10 us; while the next answer is computed the reader is done and sleeps again.
Must not know: what is sent, by what protocol.

Only where answers are quick: one that comes GAP_MAX_S or more after the one before is sent at
once, so a lone client waits for nothing and a slow model holds no answer back.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

GAP_MAX_S = 0.0001  # ten wake-ups; more computing than that is not worth holding an answer for
TOGETHER_MAX = 16  # of one turn; the first of them waits for the others


class Sender(Protocol):
    """A connection with something to send."""

    def flush(self) -> None:
        """Send it, if it has not gone yet."""


class Outbox:
    """Shared by the connections of one server, on one event loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._call_soon = loop.call_soon
        self._clock = clock
        self._waiting: list[Sender] = []
        self._seen_s = float("-inf")

    def takes(self, sender: Sender) -> bool:
        """Whether a sender is flushed with others, soon; if not, it is to send by itself."""
        before_s, self._seen_s = self._seen_s, self._clock()
        if self._seen_s - before_s >= GAP_MAX_S:
            self.flush()
            return False
        if not self._waiting:
            self._call_soon(self.flush)
        self._waiting.append(sender)
        if len(self._waiting) == TOGETHER_MAX:
            self.flush()
        return True

    def flush(self) -> None:
        """Have all that waits sent now."""
        waiting, self._waiting = self._waiting, []
        for sender in waiting:
            sender.flush()
