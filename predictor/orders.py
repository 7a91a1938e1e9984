"""What a replica is told while it lives: be quiet, and go on for another Pod.

For: the replica's end of the channel on which it also reports; the frozen tier's two orders.
Must not know: why it is told, what is done about an order, or requests.
"""

import asyncio
import logging
import os
import socket
import stat
import time
from collections import deque
from dataclasses import dataclass
from typing import Literal

import orjson

from predictor import forking

_LOG = logging.getLogger(__name__)
_MESSAGE_BYTES_MAX = 4096
_FDS_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`settle`: finish what runs, let go of connections, say so. `resume`: go on."""

    op: Literal["settle", "resume"]
    log_fd: int = -1  # resume: where output goes from now on
    asked_ns: int = 0  # resume: time.monotonic_ns() when it was asked for


class Orders:
    """Orders as they come, one at a time."""

    def __init__(self, descriptor: int) -> None:
        """Listen on a status channel; a pipe, as a program of others has, brings none."""
        self._come: deque[Order] = deque()
        self._waiting: asyncio.Future[Order] | None = None
        self._channel: socket.socket | None = None
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            self._channel = socket.socket(fileno=os.dup(descriptor))
            asyncio.get_running_loop().add_reader(self._channel.fileno(), self._readable)

    def coming(self) -> asyncio.Future[Order]:
        """The next order, which may have come; asked again before it came, it is the same."""
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.get_running_loop().create_future()
        self._hand_over()
        return self._waiting

    def close(self) -> None:
        """Hear nothing more."""
        if self._channel is not None:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._channel.close()
            self._channel = None

    def _hand_over(self) -> None:
        if self._come and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._come.popleft())

    def _readable(self) -> None:
        assert self._channel is not None
        try:
            data, fds, _flags, _address = socket.recv_fds(
                self._channel, _MESSAGE_BYTES_MAX, _FDS_MAX, socket.MSG_DONTWAIT
            )
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data:
            self.close()  # the platform is gone, and the zygote ends us
            return
        try:
            self._come.append(_order(data, fds))
        except (ValueError, KeyError, TypeError):
            _LOG.exception("an order makes no sense and is dropped")
        self._hand_over()


def _order(data: bytes, fds: list[int]) -> Order:
    raw = orjson.loads(data)
    op = raw["op"]
    wanted = {"settle": 0, "resume": 1}[op]
    if len(fds) != wanted:
        for descriptor in fds:
            os.close(descriptor)
        raise ValueError(f"{op}: {wanted} descriptors expected, got {len(fds)}")
    return Order(op=op, log_fd=fds[0] if fds else -1, asked_ns=int(raw.get("asked_ns", 0)))


def heed(order: Order) -> float:
    """Write to another log from now on; milliseconds since this was asked for."""
    sooner_ns = time.monotonic_ns()
    forking.redirect(order.log_fd)
    return round((sooner_ns - order.asked_ns) / 1e6, 3)


def fall_silent() -> None:
    """Keep no log open: the one that is written to is about to be removed."""
    forking.redirect(os.open(os.devnull, os.O_WRONLY))
