"""An event loop whose time is virtual: instead of waiting it jumps to the next timer.

For: running asyncio programs at the speed of their decisions, the same way each time.
Must not know: what runs on it.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.simulation.network import Listener, Network

_TURNS_AT_ONE_INSTANT_MAX = 200_000  # of the loop; a program that needs more does not end


class StuckError(Exception):
    """Nothing is left that could ever happen, or time does not pass any more."""


class VirtualLoop(asyncio.BaseEventLoop):
    """No sockets, no threads, no signals: connections are made on `network`, in memory."""

    def __init__(self, *, start_s: float) -> None:
        super().__init__()
        self.network = Network(self)
        self._now_s = start_s
        self._selector = self  # what BaseEventLoop asks for events, and lets wait for them
        self._turns = 0

    def time(self) -> float:
        return self._now_s

    def select(self, timeout: float | None) -> list[Any]:
        """Wait: `timeout` None is for ever, and here nobody would ever end it."""
        if timeout is None:
            raise StuckError("no timer and no callback is left")
        if timeout > 0:
            # The timer's own time, not now + timeout: no rounding.
            self._now_s = max(self._now_s, self._scheduled[0].when())
            self._turns = 0
        self._turns += 1
        if self._turns > _TURNS_AT_ONE_INSTANT_MAX:
            raise StuckError(f"time stands still at {self._now_s}")
        return []

    def _process_events(self, events: list[Any]) -> None:
        assert not events

    def _write_to_self(self) -> None:
        """Nobody needs to be woken: there is one thread, and it never sleeps."""

    def run_in_executor(self, *_: Any) -> Any:
        raise StuckError("a thread was asked for; its time would be real")

    async def create_connection(
        self, factory: Callable[[], Any], host: str, port: int, **_: Any
    ) -> tuple[Any, Any]:
        return self.network.connect(f"{host}:{port}", factory)

    async def create_unix_connection(
        self, factory: Callable[[], Any], path: str, **_: Any
    ) -> tuple[Any, Any]:
        return self.network.connect(str(path), factory)

    async def create_server(
        self, factory: Callable[[], Any], host: str, port: int, **_: Any
    ) -> Listener:
        listener = self.network.listen(f"{host}:{port}")
        listener.accept(factory)
        return listener
