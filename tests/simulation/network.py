"""Connections in memory: what one end writes, the other receives in the next turn of the loop.

For: running production protocols (wire/, activator/) without sockets. Order is kept between any
two writes, on one connection or on two; a listener queues connections until somebody accepts.
Must not know: HTTP, or who talks to whom.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

Factory = Callable[[], Any]
_EOF = object()
_RESET = object()


class Transport(asyncio.Transport):
    """One end of a connection. Writes are never refused: bodies here are small."""

    def __init__(self, network: "Network", peername: Any) -> None:
        super().__init__({"peername": peername})
        self._network = network
        self._peer: Transport | None = None
        self._protocol: Any = None
        self._inbox: deque[Any] = deque()
        self._is_closing = self._is_lost = self._is_paused = self._has_said_eof = False

    def attach(self, protocol: Any) -> None:
        """Somebody reads from now on; what came before is read first."""
        if self._is_lost:
            return
        self._protocol = protocol
        protocol.connection_made(self)
        self._drain()

    def write(self, data: bytes) -> None:
        if not self._is_closing and not self._has_said_eof:
            self._send(bytes(data))

    def write_eof(self) -> None:
        if not self._has_said_eof:
            self._has_said_eof = True
            self._send(_EOF)

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        if not self._is_closing:
            self.write_eof()
            self._end()

    def abort(self) -> None:
        if not self._is_lost:
            self._send(_RESET)
            self._end()

    def kill(self) -> None:
        """The process at this end is dead: it hears nothing, the other end hears a reset."""
        self._protocol = None
        self._send(_RESET)
        self._lose(None)

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False
        self._network.loop.call_soon(self._drain)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer to limit."""

    def _send(self, item: Any) -> None:
        if self._peer is not None:
            self._network.loop.call_soon(self._peer._arrive, item)

    def _arrive(self, item: Any) -> None:
        if item is _RESET:
            self._is_closing = True
            self._lose(ConnectionResetError())
        elif not self._is_lost:
            self._inbox.append(item)
            self._drain()

    def _drain(self) -> None:
        while self._inbox and self._protocol is not None and not self._is_paused:
            if self._is_closing:
                self._inbox.clear()
                return
            item = self._inbox.popleft()
            if item is not _EOF:
                self._protocol.data_received(item)
            elif not self._protocol.eof_received():
                self.close()

    def _end(self) -> None:
        self._is_closing = True
        self._network.loop.call_soon(self._lose, None)

    def _lose(self, error: Exception | None) -> None:
        if self._is_lost:
            return
        self._is_lost = self._is_closing = True
        self._network.open.pop(self, None)
        if self._protocol is not None:
            self._protocol.connection_lost(error)
            self._protocol = None


class Listener:
    """Queues connections, as a kernel does, and hands them to whoever accepts."""

    def __init__(self, network: "Network", address: str, number: int) -> None:
        self.address = address
        self._network = network
        self._number = number
        self._factory: Factory | None = None
        self._backlog: list[Transport] = []

    def accept(self, factory: Factory | None) -> None:
        """Make a protocol for each connection from now on; None: queue them again."""
        self._factory = factory
        if factory is not None:
            waiting, self._backlog = self._backlog, []
            for transport in waiting:
                self.connected(transport)

    def connected(self, transport: Transport) -> None:
        if self._factory is None:
            self._backlog.append(transport)
        elif not transport.is_closing():
            transport.attach(self._factory())

    def close(self) -> None:
        if self._network.listeners.get(self.address) is self:
            del self._network.listeners[self.address]
        for transport in self._backlog:
            transport.kill()
        self._backlog = []

    # What asyncio's servers and Python's sockets are asked for.

    def fileno(self) -> int:
        return self._number

    @property
    def sockets(self) -> list["Listener"]:
        return [self]

    def getsockname(self) -> tuple[str, int]:
        host, _, port = self.address.rpartition(":")
        return host, int(port)

    async def __aenter__(self) -> "Listener":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class Network:
    """All listeners by address (`host:port` or a path), and all open ends of connections."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.listeners: dict[str, Listener] = {}
        self.open: dict[Transport, None] = {}
        self._numbers: dict[int, Listener] = {}
        self._ports = 20_000

    def listen(self, address: str) -> Listener:
        number = 1000 + len(self._numbers)
        listener = self._numbers[number] = self.listeners[address] = Listener(self, address, number)
        return listener

    def move(self, address: str, target: str) -> None:
        """A socket in the file system gets another name."""
        listener = self.listeners[target] = self.listeners.pop(address)
        listener.address = target

    def listener(self, number: int) -> Listener:
        """The one whose `fileno` this is: how a process finds the socket it was passed."""
        return self._numbers[number]

    def free_port(self) -> int:
        self._ports += 1
        return self._ports

    def connect(self, address: str, factory: Factory) -> tuple[Transport, Any]:
        """ConnectionRefusedError when nobody listens."""
        listener = self.listeners.get(address)
        if listener is None:
            raise ConnectionRefusedError(address)
        peername = None if address.startswith("/") else ("127.0.0.1", 50_000)
        near, far = Transport(self, peername), Transport(self, peername)
        near._peer, far._peer = far, near
        self.open[near] = self.open[far] = None
        protocol = factory()
        near.attach(protocol)
        self.loop.call_soon(listener.connected, far)
        return near, protocol

    def kill_connections(self) -> None:
        """Whoever held an end of each is dead: all are reset, in the order they were opened."""
        for transport in list(self.open):
            transport.abort()
