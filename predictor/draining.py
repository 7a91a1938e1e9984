"""Let requests end and connections go, with nothing cut short.

For: leaving, and being quiet for a while: both wait for the same things.
Must not know: who asked, what a request means, or what comes after.
"""

import asyncio
import ctypes
import select
import socket
import struct
import sys
from typing import Protocol

from predictor.lifecycle import Lifecycle, Phase
from wire.h2server import H2ServerProtocol

_LOOK_S = 0.005  # between looks at the load
_LOOKS_MAX = 100  # at a backlog that nothing is added to, and that is accepted whole in one or two
_SO_ATTACH_FILTER = 26
_NO_SYN = tuple(
    struct.pack("HBBI", *each)
    for each in (
        (0x30, 0, 0, 13),  # the flags of a segment,
        (0x45, 0, 1, 0x02),  # with SYN among them:
        (0x06, 0, 0, 0),  # drop it
        (0x06, 0, 0, 0xFFFFFFFF),  # pass it on
    )
)


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


async def empty_backlog(listener: socket.socket, *, by_s: float) -> None:
    """Return once every connection the kernel completed has been accepted.

    Clients may come anew for ever: from `by_s` on the kernel completes no more, so that an end
    comes, with nobody left behind. At a Unix socket it can not be told so: what comes later
    stays with whoever made the socket, and goes on listening there.
    """
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    now_s = asyncio.get_running_loop().time
    left = _LOOKS_MAX
    while left:
        await asyncio.sleep(_LOOK_S)  # the loop accepts, and reads what was accepted
        if not poll.poll(0):
            return
        if now_s() >= by_s:
            if left == _LOOKS_MAX:
                _complete_no_more(listener)
            left -= 1


def _complete_no_more(listener: socket.socket) -> None:
    """Drop who comes anew: it asks again, and is refused once the socket is closed.

    A handshake that has begun goes on: its client may take itself for connected already.
    """
    if sys.platform == "linux" and listener.family in (socket.AF_INET, socket.AF_INET6):
        code = ctypes.create_string_buffer(b"".join(_NO_SYN))
        program = struct.pack("HP", len(_NO_SYN), ctypes.addressof(code))
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


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
