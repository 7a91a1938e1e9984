"""One request and its answer, as a handler sees them.

For: the contract between a server connection and what answers on it.
Must not know: how bytes are parsed, models, routes.
"""

import asyncio
from typing import ClassVar, Protocol

from wire.head import Head
from wire.messages import CONTINUE, STATUS_LINES, status_line
from wire.roster import Roster

_COPY_BYTES_MAX = 65_536  # above this a second write is cheaper than one more copy

_NOT_BY_REQUEST = (b"h2", b"http", b"tls")

# States of an answer.
WAITING, STARTED, DONE = 0, 1, 2


class Receiver(Protocol):
    """What a handler gives an exchange to receive the body and the fate of the request."""

    def on_body(self, data: bytes) -> None:
        """One more piece of the request body."""

    def on_end(self) -> None:
        """The request is complete."""

    def on_abort(self) -> None:
        """The client left before its answer was finished; nothing can be sent any more."""

    def on_writable(self, is_writable: bool) -> None:
        """Whether the client takes more bytes now. What is written anyway is buffered."""


class Link(Protocol):
    """The side of a server connection that an exchange needs."""

    transport: asyncio.Transport

    def finished(self, exchange: "Exchange") -> None:
        """The answer is written whole."""

    def pause(self) -> None:
        """Stop reading the request body."""

    def resume(self) -> None:
        """Read on."""

    def break_off(self, *, is_reset: bool) -> None:
        """Drop the connection and what is not sent yet; with a reset if the end must show."""

    def ask_again(self, exchange: "Exchange") -> None:
        """Give an exchange to the handler once more."""

    def hand_over(self) -> tuple[bytes, Roster]:
        """Have nothing to do with the transport any more; what it has read and not parsed."""
        ...


class Exchange:
    """One request and its answer. The handler that received it owns the answer.

    Calls after the client left, or after the answer ended, do nothing: `on_abort` and an
    answer may cross in one tick, and only one of them can win.
    """

    __slots__ = (
        "_is_chunking",
        "_link",
        "_remaining",
        "_state",
        "content_length",
        "early",
        "head",
        "headers",
        "index",
        "is_complete",
        "is_done",
        "is_http_10",
        "is_taken",
        "keep_alive",
        "method",
        "peer",
        "received",
        "receiver",
        "target",
    )

    is_http2: ClassVar[bool] = False

    def __init__(self, link: Link, peer: str, head: Head) -> None:
        self._link = link
        self.peer = peer  # address of the client; "" on a Unix socket
        self.head = head
        self.method = head.method
        self.target = head.target  # origin form, raw
        self.headers = head.headers  # names in lower case
        self.index = head.index
        self.receiver: Receiver | None = None
        self.content_length = head.content_length  # None: no body, or a chunked one
        self.early = b""  # body bytes that came before the handler was asked
        self.received = 0  # body bytes so far
        self.is_complete = False  # the whole request has arrived
        self.is_http_10 = head.is_http_10
        self.keep_alive = head.keep_alive
        self.is_done = False  # the answer has ended, or the client has left
        self.is_taken = False  # the whole body was taken: the receiver gets nothing
        self._state = WAITING
        self._is_chunking = False
        self._remaining: int | None = None

    @property
    def path(self) -> bytes:
        """The target without its query, not decoded."""
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        """What follows the first question mark, not decoded."""
        return self.target.partition(b"?")[2]

    @property
    def upgrade(self) -> bytes:
        """The protocol that the client wants to go on with; b"" if none, or not by us.

        HTTP/2 and TLS are protocols of a connection, not of a request: nothing behind us could
        answer for them, so the wish is ignored, as RFC 9110 (7.8) allows.
        """
        asked = self.index.get(b"upgrade")
        if asked is None or self.is_http_10 or self.content_length or not self.is_complete:
            return b""
        options = self.index.get(b"connection", b"").lower().split(b",")
        if b"upgrade" not in {option.strip() for option in options}:
            return b""
        return b"" if asked.lower().startswith(_NOT_BY_REQUEST) else asked

    @property
    def is_started(self) -> bool:
        """Some of an answer has been written."""
        return self._state == STARTED

    def header(self, name: bytes) -> bytes | None:
        """The value of a header by lower-case name; repeated ones are joined by ", "."""
        return self.index.get(name)

    def take(self) -> bytes:
        """Return the body that has arrived already; the receiver will not get these bytes.

        When `is_complete`, this is the whole body and the receiver's `on_end` is not called.
        """
        data = self.early
        self.early = b""
        self.is_taken = self.is_complete
        return data

    def pause(self) -> None:
        """Ask the client to send no more of the body for now."""
        self._link.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self._link.resume()

    def respond(self, status: int, headers: bytes, body: bytes, trailers: bytes = b"") -> None:
        """Send a whole answer in one write. `headers` is "name: value" lines, each with CRLF.

        Adds content-length and connection; sends no body to HEAD or with 204 and 304.
        `trailers` are lines too; HTTP/1.1 needs chunks for them, HTTP/1.0 has none.
        """
        if self._state:
            assert self._state == DONE, "an answer was already started"
            return
        if trailers and not self.is_http_10 and self._has_body(status):
            self.start(status, headers, content_length=None)
            self.write(body)
            self.end(trailers)
            return
        self._state = DONE
        self.is_done = True
        self.receiver = None  # here and below: receiver and exchange know each other, a cycle
        if self.is_http_10 or not self.keep_alive or not self.is_complete:
            headers += self._connection_line()
        length = len(body)
        if self.method == b"HEAD" or status == 304:
            data = b"%b%bcontent-length: %d\r\n\r\n" % (status_line(status), headers, length)
        elif status == 204:
            data = b"%b%b\r\n" % (status_line(status), headers)
        elif length > _COPY_BYTES_MAX:
            self._link.transport.write(
                b"%b%bcontent-length: %d\r\n\r\n" % (status_line(status), headers, length)
            )
            data = body
        else:
            line = STATUS_LINES.get(status) or status_line(status)
            data = b"%b%bcontent-length: %d\r\n\r\n%b" % (line, headers, length, body)
        self._link.transport.write(data)
        self._link.finished(self)

    def start(self, status: int, headers: bytes, *, content_length: int | None) -> None:
        """Send the head of an answer whose body follows by `write` and `end`.

        `content_length` None: chunked, or delimited by the end of an HTTP/1.0 connection.
        """
        if self._state:
            assert self._state == DONE, "an answer was already started"
            return
        self._state = STARTED
        framing = b""
        has_body = self._has_body(status)
        if content_length is not None and status != 204:
            framing = b"content-length: %d\r\n" % content_length
        elif has_body and self.is_http_10:
            self.keep_alive = False
        elif has_body:
            framing = b"transfer-encoding: chunked\r\n"
            self._is_chunking = True
        self._remaining = content_length if has_body else 0
        self._link.transport.write(
            b"%b%b%b%b\r\n" % (status_line(status), headers, framing, self._connection_line())
        )

    def write(self, data: bytes) -> None:
        """Send a piece of the body. More than the announced length is an error of the caller."""
        if self._state != STARTED or not data:
            return
        if self._is_chunking:
            self._link.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
            return
        if self._remaining is not None:
            if self.method == b"HEAD":
                return
            assert len(data) <= self._remaining, "more body than announced"
            self._remaining -= len(data)
        self._link.transport.write(data)

    def end(self, trailers: bytes = b"") -> None:
        """Finish a started answer. A body shorter than announced aborts the connection.

        `trailers`, as lines, follow a chunked body; no other has them in HTTP/1.
        """
        if self._state != STARTED:
            return
        if self._remaining:
            self.abort()
            return
        self._state = DONE
        self.is_done = True
        self.receiver = None
        if self._is_chunking:
            self._link.transport.write(b"0\r\n%b\r\n" % trailers)
        self._link.finished(self)

    def again(self, body: bytes) -> None:
        """Give the request to the handler once more, with `body` as what came of it so far."""
        if self._state:
            return
        self.receiver = None
        self.is_taken = False
        self.early = body
        self._link.ask_again(self)

    def switch(self, headers: bytes) -> tuple[asyncio.Transport, bytes, Roster] | None:
        """Answer 101 and hand over the connection; None when the client has left.

        With it go the bytes that came behind the request, which are of the next protocol.
        """
        if self._state:
            return None
        self._state = DONE
        self.is_done = True
        self.receiver = None
        transport = self._link.transport
        transport.write(b"%b%b\r\n" % (status_line(101), headers))
        return transport, *self._link.hand_over()

    def abort(self) -> None:
        """Break the connection, so that a client sees that the answer is not whole."""
        if self._state == DONE:
            return
        # An end of the connection is how an answer without framing ends well: only a reset
        # shows that this one did not.
        is_unframed = self._state == STARTED and self._remaining is None and not self._is_chunking
        self._state = DONE
        self.is_done = True
        self.receiver = None
        self._link.break_off(is_reset=is_unframed)

    def admit_body(self) -> None:
        """Send 100 Continue when the client waits for it. The connection calls this."""
        if self.head.expects_continue and not self.received and self._state == WAITING:
            self._link.transport.write(CONTINUE)

    def lost(self) -> None:
        """The client left. The connection calls this; tells the receiver once."""
        if self._state == DONE:
            return
        self._state = DONE
        self.is_done = True
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.on_abort()

    def _has_body(self, status: int) -> bool:
        return self.method != b"HEAD" and status not in {204, 304}

    def _connection_line(self) -> bytes:
        if not self.keep_alive or not self.is_complete:
            # An answer that overtakes its request ends the connection: the rest of the
            # request is still on the wire and would be read as the next one.
            self.keep_alive = False
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self.is_http_10 else b""
