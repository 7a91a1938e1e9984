"""An HTTP server connection: bytes in, exchanges out, answers in order.

For: strict parsing (llhttp), limits, deadlines, pipelining and back-pressure of one client.
An `Upgrade` is the handler's to accept; else the request is served as plain HTTP/1.1. A client
that closes its sending side counts as gone, as with nginx and Go: the two cannot be told apart.
A client that begins with the preface of HTTP/2 is handed over to `h2server`.
Must not know: models, routes, what an answer means.
"""

import asyncio
import socket
import struct
from typing import Protocol, cast

import httptools
from typing_extensions import override

from wire.exchange import Exchange
from wire.h2frames import PREFACE
from wire.h2server import H2ServerProtocol
from wire.intake import NEVER, STASH_BYTES_MAX, Intake
from wire.limits import Limits
from wire.messages import REFUSALS
from wire.roster import Roster

_NOT_LOOKED = -1  # unlike any number of body bytes


class Handler(Protocol):
    """What answers requests."""

    def on_request(self, exchange: Exchange) -> None:
        """Take charge: answer now, or set `exchange.receiver` and answer later."""


class ServerProtocol(Intake, asyncio.Protocol):
    """One connection. One exchange runs at a time; pipelined ones wait, bounded, in order."""

    transport: asyncio.Transport

    def __init__(self, handler: Handler, limits: Limits, roster: Roster | None = None) -> None:
        """Serve `handler`. Connections of one server share a `roster`, hence one timer."""
        super().__init__(limits, roster if roster is not None else Roster(limits))
        self._on_request = handler.on_request
        self._is_fresh = True  # it has not shown yet which HTTP it speaks
        self._is_advancing = False
        self._is_paused_by_handler = False
        self._is_reading = True
        self._idle_since_s = 0.0
        self._body_since_s = NEVER
        self._body_seen = _NOT_LOOKED
        self._closing_since_s = NEVER

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else ""
        self._parser = httptools.HttpRequestParser(self)
        self._roster.add(self)
        self._idle_since_s = self._roster.now_s
        if self._roster.is_winding_down:
            self.wind_down()

    @override
    def _take_in(self, data: bytes) -> None:
        if self._is_fresh:
            data = self._sniff(data)
            if not data:
                return
        super()._take_in(data)

    def _sniff(self, data: bytes) -> bytes:
        """Find out which HTTP is spoken. What is returned is HTTP/1; b"": all is taken care of."""
        data, self._stash = self._stash + data, b""
        size = len(PREFACE)
        if data[:size] == PREFACE:
            self._become_http2(data[size:])
            return b""
        if PREFACE.startswith(data) and not self._is_deaf:
            self._stash = data
            if self._head_since_s == NEVER:
                self._head_since_s = self._roster.now_s
            return b""
        self._is_fresh = False
        return data

    def _become_http2(self, data: bytes) -> None:
        self._roster.discard(self)
        self._deafen()
        self._parser = None
        successor = H2ServerProtocol(
            self._on_request, self._limits, self._roster, self.transport, self
        )
        successor.begin(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._roster.discard(self)
        self._drop()
        self._parser = None  # it holds our bound methods: a cycle

    @override
    def eof_received(self) -> bool:
        self._drop()
        return False  # close, after what is buffered has been sent

    @override
    def pause_writing(self) -> None:
        self._is_write_paused = self._has_backlog = True
        if self._current is not None and self._current.receiver is not None:
            self._current.receiver.on_writable(False)
        if self._current is None:
            self._steer_reading()

    @override
    def resume_writing(self) -> None:
        self._is_write_paused = False
        if self._current is not None and self._current.receiver is not None:
            self._current.receiver.on_writable(True)
        self._advance()

    @override
    def _dispatch(self, exchange: Exchange) -> None:
        self._current = exchange
        self._on_request(exchange)
        if exchange.is_taken or exchange.is_done:
            return
        receiver = exchange.receiver
        if receiver is not None:
            if exchange.early:
                data, exchange.early = exchange.early, b""
                receiver.on_body(data)
            if exchange.is_complete:
                if not exchange.is_done:
                    receiver.on_end()
                return
        self._body_seen = _NOT_LOOKED  # the time of an earlier body says nothing about this one
        if exchange.head.expects_continue:
            exchange.admit_body()

    @override
    def finished(self, exchange: Exchange) -> None:
        """The handler has written the whole answer."""
        self._current = None
        self._idle_since_s = self._roster.now_s
        if not exchange.keep_alive or not exchange.is_complete:
            self._close()
        elif self._has_backlog:
            self._is_paused_by_handler = False
            self._advance()

    def _advance(self) -> None:
        """Start what waits behind the exchange that ended."""
        if self._is_advancing or self.transport.is_closing():
            return
        self._is_advancing = True
        if self._head_since_s != NEVER:
            self._head_since_s = self._roster.now_s  # its sender had to wait for us
        try:
            while self._step():
                pass
        finally:
            self._is_advancing = False
        self._has_backlog = bool(
            self._waiting
            or self._stash
            or self._refusal
            or self._is_write_paused
            or self._current is not self._incoming
        )
        self._steer_reading()

    def _step(self) -> bool:
        """Start one thing, if one can start now."""
        if self._current is None and not self._is_write_paused:
            if self._waiting:
                self._dispatch(self._waiting.popleft())
                return True
            if self._incoming is not None:
                self._dispatch(self._incoming)
                return True
            if self._refusal:
                self._send_refusal()
                return False
        if self._stash and self._current is self._incoming and not self._is_deaf:
            if self._current is None and self._is_write_paused:
                return False
            data, self._stash = self._stash, b""
            self._feed(data)
            return True
        return False

    @override
    def pause(self) -> None:
        """The handler takes no more of the body for now."""
        self._is_paused_by_handler = self._has_backlog = True
        self._steer_reading()

    @override
    def resume(self) -> None:
        """The handler takes more."""
        self._is_paused_by_handler = False
        self._steer_reading()

    @override
    def _steer_reading(self) -> None:
        should_read = not (
            self._is_paused_by_handler
            or len(self._stash) > STASH_BYTES_MAX
            or (self._is_write_paused and self._current is None)
        )
        if should_read != self._is_reading and not self.transport.is_closing():
            self._is_reading = should_read
            if should_read:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    @override
    def _after_refusal(self) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is not None and incoming is self._current:
            # The handler had the head already; the rest of the request is not acceptable.
            is_started = incoming.is_started
            self._current = None
            incoming.lost()
            if is_started:
                self.transport.abort()
                return
        if self._current is None and not self._waiting:
            self._send_refusal()

    def _send_refusal(self) -> None:
        if self._closing_since_s == NEVER:
            self.transport.write(REFUSALS[self._refusal])
            self._close()

    def _close(self) -> None:
        """Close so that the client can read what was sent, though it may still be sending.

        Closing with unread input makes TCP reset the connection, and a reset overtakes the
        answer. So: end our side, discard input for `linger_s`, then close.
        """
        self._closing_since_s = self._roster.now_s
        is_whole = self._is_deaf and not self._refusal  # nothing more is on its way
        self._deafen()
        if is_whole or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._is_paused_by_handler = False
        if not self._is_reading:
            self._is_reading = True
            self.transport.resume_reading()

    @override
    def break_off(self, *, is_reset: bool) -> None:
        """Drop the connection and what is not sent yet."""
        self._deafen()
        connection = self.transport.get_extra_info("socket")
        if is_reset and connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _deafen(self) -> None:
        """Take no further input."""
        self._is_deaf = True
        self._stash = b""
        self._waiting.clear()

    def _drop(self) -> None:
        """The client is gone."""
        self._deafen()
        self._incoming = None
        current, self._current = self._current, None
        if current is not None:
            current.lost()

    @override
    def ask_again(self, exchange: Exchange) -> None:
        """Give an exchange to the handler once more."""
        if exchange is self._current:
            self._dispatch(exchange)

    @override
    def hand_over(self) -> tuple[bytes, Roster]:
        """Have nothing to do with the transport any more; what it has read and not parsed."""
        stash = self._stash
        self._deafen()
        self._current = self._incoming = None
        self._parser = None
        self._roster.discard(self)
        return stash, self._roster

    def retire(self) -> None:
        """Close when idle, else behind the exchange that runs."""
        if self._current is not None:
            self._current.keep_alive = False
        elif self._incoming is None and self._closing_since_s == NEVER:
            self._is_deaf = True
            self._close()

    def wind_down(self) -> None:
        """Take one request more, and say so with its answer."""
        on_request = self._on_request

        def last(exchange: Exchange) -> None:
            exchange.keep_alive = False
            on_request(exchange)

        self._on_request = last
        if self._current is not None:
            self._current.keep_alive = False

    def check(self, now_s: float) -> None:
        """Act on deadlines. Called once a period by the roster."""
        limits = self._limits
        now_s -= self._roster.period_s
        if self._closing_since_s != NEVER:
            if now_s - self._closing_since_s > limits.linger_s:
                self.transport.abort()
        elif self._current is not None:
            self._check_body(self._current, now_s)
        elif self._head_since_s != NEVER:
            if now_s - self._head_since_s > limits.head_s:
                self._refuse(408)
                self._send_refusal()
        elif now_s - self._idle_since_s > limits.idle_s:
            self._deafen()
            # Not close(): a client that reads nothing would keep the connection for ever.
            self.transport.abort()

    def _check_body(self, current: Exchange, now_s: float) -> None:
        is_stalled = current is self._incoming and not self._is_paused_by_handler
        if not is_stalled or current.received != self._body_seen:
            self._body_seen = current.received
            self._body_since_s = self._roster.now_s
        elif now_s - self._body_since_s > self._limits.body_s:
            self._refuse(408)
            self._after_refusal()
