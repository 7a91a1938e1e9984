"""Let requests end and connections go, with nothing cut short.

For: leaving, and being quiet for a while: both wait for the same things.
Must not know: who asked, what a request means, or what comes after.
"""

import asyncio
import select
import socket
from typing import Protocol

from predictor.lifecycle import Lifecycle, Phase
from wire.h2server import H2ServerProtocol

_LOOK_S = 0.005  # between looks at the load


class Load(Protocol):
    """What there is to wait for."""

    active_s: float

    @property
    def is_busy(self) -> bool:
        """Whether a request is received, waits or runs."""
        ...


class Connections:
    """The open connections: how many, and whether any has bytes the client has not taken."""

    def __init__(self) -> None:
        self.transports: set[asyncio.Transport] = set()

    @property
    def has_unsent(self) -> bool:
        """Whether leaving now would cut an answer short."""
        return any(one.get_write_buffer_size() or _has_unsent(one) for one in self.transports)

    def close(self) -> None:
        """Close all."""
        for transport in tuple(self.transports):
            transport.close()


def _has_unsent(transport: asyncio.Transport) -> bool:
    """Whether answers wait for a client of HTTP/2 to open its windows."""
    protocol = transport.get_protocol()
    return isinstance(protocol, H2ServerProtocol) and protocol.has_unsent


async def empty_backlog(listener: socket.socket) -> None:
    """Return once every connection the kernel completed has been accepted."""
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    while True:
        await asyncio.sleep(_LOOK_S)  # the loop accepts, and reads what was accepted
        if not poll.poll(0):
            return


async def drain(
    life: Lifecycle,
    load: Load,
    connections: Connections,
    *,
    unless: "asyncio.Future[None] | None" = None,
) -> None:
    """Return when the life has come to rest, all connections closed; or once `unless` is done."""
    loop = asyncio.get_running_loop()
    while unless is None or not unless.done():
        life.observe(
            in_flight=int(load.is_busy or connections.has_unsent),
            connections=len(connections.transports),
            active_s=load.active_s,
            now_s=loop.time(),
        )
        if life.phase in (Phase.GONE, Phase.SETTLED):
            connections.close()
            return
        await asyncio.sleep(_LOOK_S)
