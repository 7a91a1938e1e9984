"""One HTTP/1.1 connection to an upstream: a request out, its answer in, then the next.

For: streaming both ways with back-pressure, and noticing every way in which an upstream can
fail to finish an answer. Interim answers (1xx) are dropped; a 101 that nobody asked for is a
failure.
Must not know: which upstream to use, retries, models, routes.
"""

import asyncio
from collections.abc import Callable
from typing import ClassVar, Protocol, cast

import httptools
from typing_extensions import override

from wire.known import Known
from wire.messages import HOP_BY_HOP

_HEAD_BYTES_MAX = 262_144
_MISSES_MAX = 8  # after so many heads in a row that differed, none is remembered any more
_FRAMING = frozenset({b"content-length"})
_PLAIN_CONNECTION = frozenset({b"close", b"keep-alive"})


class AnswerReceiver(Protocol):
    """What the sender of a request gives a connection to receive the answer."""

    def on_answer(self, connection: "Connection") -> None:
        """The head has arrived, and `early` of the body; all of it if `is_answer_complete`."""

    def on_answer_body(self, data: bytes) -> None:
        """One more piece of the body."""

    def on_answer_end(self) -> None:
        """The answer is complete. Not called when it already was in `on_answer`."""

    def on_answer_lost(self, why: str) -> None:
        """The connection ended, or the upstream broke HTTP, before the answer was complete."""

    def on_upstream_writable(self, is_writable: bool) -> None:
        """Whether the upstream takes more of the request now."""


class Connection(asyncio.Protocol):
    """Between requests it has no receiver, and tells `on_idle_end` when it ends then.

    `stripped` names response headers that are left out of `head_lines`.
    """

    is_http2: ClassVar[bool] = False
    is_unprocessed: ClassVar[bool] = False  # HTTP/1.1 can not say that a request was not looked at
    transport: asyncio.Transport

    def __init__(
        self,
        *,
        stripped: frozenset[bytes] = frozenset(),
        on_idle_end: Callable[["Connection"], None] | None = None,
    ) -> None:
        self._on_idle_end = on_idle_end
        self._stripped = stripped | HOP_BY_HOP | _FRAMING
        self._parser: httptools.HttpResponseParser | None = None
        self._receiver: AnswerReceiver | None = None
        self._lines: list[bytes] = []
        self._nominated = b""  # header names that a Connection header makes hop-by-hop
        self._is_head = False
        self._has_head = False
        self._is_told = False
        self._is_interim = False
        self._is_chunked = False
        self._is_write_paused = False
        self._is_read_paused = False
        self._is_used_up = False
        self._is_fed = False  # the parser has seen some of this answer
        self._known: Known | None = None
        self._misses = 0
        self._joined: bytes | None = None
        self._on_switch: Callable[[bytes], None] | None = None
        self._is_unreadable = False
        self.upgrade = b""  # the protocol that a 101 names
        self._is_surplus = False  # a message that nobody asked for is being read
        self._head_bytes = 0
        self.status = 0
        self.content_length: int | None = None
        self.early = b""
        self.trailer_lines = b""  # behind a chunked body; known once the answer is complete
        self.is_answer_complete = True  # nothing runs
        self.is_request_complete = True
        self.idle_since_s = 0.0

    def send(
        self,
        receiver: AnswerReceiver,
        data: bytes,
        is_head: bool = False,
        is_complete: bool = True,
    ) -> None:
        """Send a request head and what there is of its body; `is_complete`: that is all.

        `is_head`: the method is HEAD, so the answer has no body whatever its head says.
        """
        self._receiver = receiver
        self._is_head = is_head
        self._has_head = self._is_told = self._is_chunked = False
        self._lines = []
        self._joined = None
        self._is_fed = False
        self._nominated = b""
        self.is_answer_complete = False
        self.is_request_complete = is_complete
        self.content_length = None
        self.early = b""
        self.trailer_lines = b""
        self.transport.write(data)

    def offer_switch(self, on_switch: Callable[[bytes], None]) -> None:
        """The request just sent asks for an upgrade: `on_switch(rest)` is called for a 101.

        `rest` is what came behind it. The connection serves no further request either way.
        """
        self._on_switch = on_switch
        self._is_used_up = True

    def hand_over(self) -> asyncio.Transport:
        """Have nothing to do with the transport any more."""
        self._receiver = None
        self._parser = None
        return self.transport

    def write(self, data: bytes) -> None:
        """Send more of the body, framed by the caller."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def finish_request(self) -> None:
        """The whole request has been written."""
        self.is_request_complete = True

    def head_lines(self) -> bytes:
        """The answer's end-to-end header lines, without content-length."""
        if self._joined is None:
            if self._nominated:
                self._drop_nominated()
            self._joined = b"".join(self._lines)
        return self._joined

    def rewrite_head(self, lines: bytes) -> None:
        """Have `head_lines` give these for this answer."""
        self._joined = lines

    def let_go(self) -> bool:
        """End the exchange; True when the connection can serve another one, else it closes."""
        self._receiver = None
        if self._is_read_paused:
            self.resume()
        if (
            self.is_answer_complete
            and self.is_request_complete
            and not self._is_used_up
            and not self._is_write_paused
            and not self.transport.is_closing()
        ):
            return True
        self.transport.abort()
        return False

    def pause(self) -> None:
        """Read no more of the answer for now."""
        if not self.transport.is_closing():
            self._is_read_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Undo `pause`."""
        self._is_read_paused = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpResponseParser(self)

    @override
    def data_received(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None:
            # Nobody asked: the upstream is confused, or says 408 to a connection it closes.
            self._is_used_up = True
            self.transport.abort()
            return
        known = self._known
        if known is not None and not self._is_fed and not self._is_head:
            found = known.again(data)
            if found is not None:
                self.status, self._joined, self.content_length, self.early = found
                self._has_head = self._is_told = self.is_answer_complete = True
                self._misses = 0
                receiver.on_answer(self)
                return
        is_first = not self._is_fed
        self._is_fed = True
        self._parse(data)
        if self._is_unreadable:
            self._fail("the replica's answer is not valid HTTP/1.1")
        elif not self._has_head:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES_MAX:
                self._fail("the replica's answer has too large a head")
        elif not self._is_told:
            self._is_told = True
            if is_first and self._misses < _MISSES_MAX:
                self._remember(data)
            receiver.on_answer(self)

    def _parse(self, data: bytes) -> None:
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            on_switch, self._on_switch = self._on_switch, None
            if self.status == 101 and on_switch is not None and not self._is_unreadable:
                if isinstance(error, httptools.HttpParserUpgrade):
                    self._has_head = self._is_told = True
                    on_switch(data[error.args[0] :])
                    return
                self._is_unreadable = True
            self._is_used_up = True  # what follows a complete answer does not spoil it
            if not self.is_answer_complete:
                self._is_unreadable = True
        if self._is_head and self._has_head:
            # llhttp would read a body that HEAD answers never have.
            self._parser = httptools.HttpResponseParser(self)

    def _remember(self, data: bytes) -> None:
        """Keep a head if `data` is exactly one answer that began with it."""
        self._misses += 1
        length = self.content_length
        if length is None or self._is_head or self._is_used_up or not self.is_answer_complete:
            return
        self.head_lines()  # without what is nominated
        self._known = Known.of(data, self.status, self._lines, length) or self._known

    @override
    def eof_received(self) -> bool:
        receiver = self._receiver
        if receiver is None:
            if self._on_idle_end is not None:
                self._on_idle_end(self)
        elif self.is_answer_complete:
            pass
        elif self._has_head and self.content_length is None and not self._is_chunked:
            self._is_used_up = True  # the end of the connection is the end of the body
            self.is_answer_complete = True
            receiver.on_answer_end()
        else:
            self._fail("the replica closed the connection")
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._parser = None  # it holds our bound methods: a cycle
        if self._receiver is None:
            if self._on_idle_end is not None:
                self._on_idle_end(self)
        elif not self.is_answer_complete:
            self._fail("the replica closed the connection")

    @override
    def pause_writing(self) -> None:
        self._is_write_paused = True
        if self._receiver is not None:
            self._receiver.on_upstream_writable(False)

    @override
    def resume_writing(self) -> None:
        self._is_write_paused = False
        if self._receiver is not None:
            self._receiver.on_upstream_writable(True)

    def _fail(self, why: str) -> None:
        self._is_used_up = True
        receiver, self._receiver = self._receiver, None
        self.transport.abort()
        if receiver is not None:
            receiver.on_answer_lost(why)

    def on_message_begin(self) -> None:
        """The first byte of an answer; there must be none behind the one asked for."""
        if self.is_answer_complete:
            self.head_lines()  # joined before anything is added
            self._is_used_up = self._is_surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header that travels on; note what frames the body."""
        lower = name.lower()
        if lower not in self._stripped:
            if not self._has_head:
                self._lines += (name, b": ", value, b"\r\n")
            elif not self._is_surplus:
                self._keep_trailer(name, value)
        elif self._is_surplus:
            pass
        elif lower == b"content-length":
            self.content_length = int(value)
        elif lower == b"transfer-encoding":
            self._is_chunked = True
            if value.lower() != b"chunked":
                self._is_unreadable = True
        elif lower == b"upgrade":
            self.upgrade = value
        elif lower == b"connection" and value.lower() not in _PLAIN_CONNECTION:
            self._nominated = value.lower()

    def _keep_trailer(self, name: bytes, value: bytes) -> None:
        self.trailer_lines += b"%b: %b\r\n" % (name, value)
        if len(self.trailer_lines) > _HEAD_BYTES_MAX:
            self._is_unreadable = True

    def on_headers_complete(self) -> None:
        """Read the status; an interim answer is passed over."""
        assert self._parser is not None
        if self._is_surplus:
            return
        self.status = status = self._parser.get_status_code()
        if status < 200:
            self._is_interim = True
            if status != 101:
                self._lines = []
            elif self._on_switch is None:
                self._is_unreadable = True  # nobody asked to upgrade
            return
        self._has_head = True
        self._head_bytes = 0
        if not self._parser.should_keep_alive():
            self._is_used_up = True
        if self._is_head:
            self.is_answer_complete = True

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self._is_surplus:
            pass
        elif self._is_head:
            self._is_used_up = True  # bytes behind an answer that has no body
        elif not self._is_told:
            self.early = self.early + data if self.early else data
        elif self._receiver is not None:
            self._receiver.on_answer_body(data)

    def on_message_complete(self) -> None:
        """Take the end of an answer."""
        if self._is_interim:
            self._is_interim = False
            return
        if self.is_answer_complete:
            return
        self.is_answer_complete = True
        if self._is_told and self._receiver is not None:
            self._receiver.on_answer_end()

    def _drop_nominated(self) -> None:
        names = {name.strip() for name in self._nominated.split(b",")}
        lines, self._lines, self._nominated = self._lines, [], b""
        for at in range(0, len(lines), 4):
            if lines[at].lower() not in names:
                self._lines += lines[at : at + 4]
