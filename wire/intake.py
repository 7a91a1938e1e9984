"""The receiving half of a server connection: bytes in, exchanges out, within limits.

For: strict parsing (llhttp) of pipelined requests, with bounded memory.
Must not know: who answers, in what order answers go out, models, routes.
"""

from abc import abstractmethod
from collections import deque

import httptools

from wire import heads, tails
from wire.exchange import Exchange, Link
from wire.head import Head
from wire.limits import Limits
from wire.roster import Roster

# Input is fed to the parser in slices, because it cannot stop in the middle of one: what a
# slice holds bounds how many pipelined requests can be parsed behind one that runs.
_SLICE_BYTES = 4096
_CHUNKED_SLICE_BYTES = 16_384
_MEMO_BYTES_MAX = 4096  # a longer head is not remembered
_MEMO_MISSES_MAX = 8  # after so many heads in a row that differed, a connection remembers none
STASH_BYTES_MAX = 65_536  # pipelined input kept while an exchange runs; then reading pauses
NEVER = -1.0


class Intake(Link):
    """Turns input into exchanges. At most one is incomplete, and it is the youngest."""

    def __init__(self, limits: Limits, roster: Roster) -> None:
        self._limits = limits
        self._roster = roster
        self._parser: httptools.HttpRequestParser | None = None
        self._peer = ""
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._incoming: Exchange | None = None  # head parsed, request not complete
        self._current: Exchange | None = None  # given to the handler, not answered
        self._waiting: deque[Exchange] = deque()  # complete, behind the current one
        self._stash = b""  # input not parsed yet
        self._refusal = 0  # status to answer with, once what came before is answered
        self._is_deaf = False  # no more input is parsed
        self._has_backlog = False  # something must be looked at when the exchange ends
        self._is_write_paused = False
        self._has_upgrade_body = False
        self._head_bytes = 0
        self._head_since_s = NEVER
        self._framing_bytes = 0
        self._is_between = True  # the parser has seen whole messages only
        # The last request that came in one piece: head, its bytes, and its size with body. Where
        # it ended in a tail the bytes are those before that, and another size will do.
        self._memo: Head | None = None
        self._memo_bytes = b""
        self._memo_size = -1
        self._has_tail = False
        self._memo_misses = 0
        self._newest: Head | None = None  # whose request was completed last

    @abstractmethod
    def _dispatch(self, exchange: Exchange) -> None:
        """Give an exchange to the handler."""

    @abstractmethod
    def _after_refusal(self) -> None:
        """Input was found unacceptable: answer so, in order."""

    @abstractmethod
    def _steer_reading(self) -> None:
        """Read from the transport, or pause."""

    def data_received(self, data: bytes) -> None:
        """Take bytes from the transport."""
        if (
            (self._has_tail or len(data) == self._memo_size)
            and self._current is None
            and self._incoming is None
            and self._is_between
            and not self._is_deaf
            and not self._stash
            and data.startswith(self._memo_bytes)
            and (head := self._again(data) if self._has_tail else self._memo) is not None
        ):
            # The same head again, with a whole body and nothing else: no need to parse it.
            self._memo_misses = 0
            exchange = Exchange(self, self._peer, head)
            size = head.content_length
            exchange.early = early = data[len(data) - size :] if size else b""
            exchange.received = len(early)
            exchange.is_complete = True
            self._dispatch(exchange)
        else:
            self._take_in(data)

    def _again(self, data: bytes) -> Head | None:
        """The head that is remembered, with the tail that came; None for anything else."""
        assert self._memo is not None
        tail = tails.REQUEST.match(data, len(self._memo_bytes))
        if tail is None:
            return None
        length, identity = tail.groups()
        size = int(length)
        if size != len(data) - tail.end() or size > self._limits.body_bytes_max:
            return None
        return self._memo.again(length, identity)

    def _take_in(self, data: bytes) -> None:
        """Take what is not a repeated head."""
        if self._current is not self._incoming or self._is_deaf or self._stash:
            self._keep(data)
        elif not self._is_between or self._current is not None or len(data) > _SLICE_BYTES:
            self._feed(data)
        elif self._memo_misses < _MEMO_MISSES_MAX:
            before = self._newest
            self._feed_slice(data)
            newest = self._newest
            if newest is not None and newest is not before:
                self._remember(newest, data)
        else:
            self._feed_slice(data)

    def _remember(self, head: Head, data: bytes) -> None:
        """Keep a head if `data` is exactly one request that began with it."""
        self._memo_misses += 1
        size = len(data) - (head.content_length or 0)
        if (
            0 < size <= _MEMO_BYTES_MAX
            and data.find(b"\r\n\r\n") == size - 4
            and b"transfer-encoding" not in head.index
            and b"upgrade" not in head.index
            and not head.expects_continue
            and head.keep_alive
            and self._is_between
        ):
            is_plain = len(head.headers) == len(head.index)
            start = tails.of_request(data[:size]) if is_plain else 0
            self._has_tail = start > 0
            self._memo = head
            self._memo_bytes = data[: start or size]
            self._memo_size = len(data)

    def _keep(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._stash += data
        self._has_backlog = True
        if len(self._stash) > STASH_BYTES_MAX:
            self._steer_reading()

    def _feed(self, data: bytes) -> None:
        """Parse as much as may be parsed now; the rest goes to the stash."""
        view = memoryview(data)
        while view and not self._is_deaf:
            incoming = self._incoming
            if (
                self._current is not incoming
                or (incoming is None and self._is_write_paused)
                or self._stash  # what came behind an upgrade, before this
            ):
                self._stash += bytes(view)
                self._has_backlog = True
                self._steer_reading()
                return
            size = _SLICE_BYTES
            if incoming is not None:
                length = incoming.content_length
                size = _CHUNKED_SLICE_BYTES if length is None else length - incoming.received
                size = max(size, _SLICE_BYTES)
            self._feed_slice(view[:size])
            view = view[size:]

    def _feed_slice(self, data: bytes | memoryview) -> None:
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._after_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserCallbackError as error:
            # A bug of a handler: let the loop report it and close the connection.
            raise error.__context__ or error from None
        except httptools.HttpParserError:
            self._refuse(400)
        if self._refusal:
            self._after_refusal()
            return
        incoming = self._incoming
        if incoming is not None:
            if self._current is None:
                self._dispatch(incoming)
            elif self._current is not incoming:
                self._has_backlog = True
            if incoming.content_length is None and self._incoming is incoming:
                self._check_framing(incoming, len(data))
        elif self._target or self._headers:
            self._check_head(len(data))

    def _check_head(self, size: int) -> None:
        """A head is incomplete after `size` more bytes."""
        if self._head_since_s == NEVER:
            self._head_since_s = self._roster.now_s
            self._has_backlog = True
        self._head_bytes += size
        if len(self._target) > self._limits.target_bytes_max:
            self._refuse(414)
        elif (
            self._head_bytes > self._limits.header_bytes_max
            or len(self._headers) > self._limits.header_count_max
        ):
            self._refuse(431)
        if self._refusal:
            self._after_refusal()

    def _check_framing(self, exchange: Exchange, size: int) -> None:
        """Bound what is not body in a chunked body: extensions and trailers have no limit."""
        self._framing_bytes += size
        allowed = self._limits.header_bytes_max + 8 * exchange.received
        if self._framing_bytes - exchange.received > allowed:
            self._refuse(400)
        elif len(self._headers) > self._limits.header_count_max:
            self._refuse(431)
        if self._refusal:
            self._after_refusal()

    def _after_upgrade(self, rest: bytes | memoryview) -> None:
        """Go on behind a request that asked for an upgrade, as if it had not."""
        if self._refusal:
            self._after_refusal()
            return
        if self._has_upgrade_body and self._incoming is not None:
            # llhttp assumes that no body follows. A fresh parser primed with the framing of
            # this request reads the body as HTTP does, else it would pass for a request.
            self._has_upgrade_body = False
            incoming, self._incoming = self._incoming, None
            length = incoming.content_length
            framing = (
                b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
            )
            self._parser = httptools.HttpRequestParser(self)
            is_deaf, self._is_deaf = self._is_deaf, True
            self._parser.feed_data(b"POST / HTTP/1.1\r\nhost: a\r\n%b\r\n\r\n" % framing)
            self._is_deaf = is_deaf
            self._headers, self._target, self._incoming = [], b"", incoming
            if self._current is None:
                self._dispatch(incoming)
        if rest:
            self._feed(bytes(rest))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._is_between = False

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self._target = self._target + url if self._target else url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; trailers come here too and are dropped with their message."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Check the head and make it an exchange."""
        if self._is_deaf:
            return
        parser = self._parser
        assert parser is not None
        headers, self._headers = self._headers, []
        target, self._target = self._target, b""
        index = dict(headers)
        self._head_since_s = NEVER
        self._head_bytes = 0
        self._framing_bytes = 0
        head = Head(parser.get_method(), target, headers, index)
        head.keep_alive = keep_alive = parser.should_keep_alive()
        status = 0
        if b"expect" in index or b"upgrade" in index or head.method == b"CONNECT":
            status = self._judge_wishes(head)
        if not keep_alive or b"connection" in index:  # else it can only be HTTP/1.1
            status = status or heads.judge_version(head, parser.get_http_version())
        if (
            len(index) != len(headers)
            or b"host" not in index
            or len(target) > 256
            or target[0] != 47  # "/"
            or len(headers) > 16
        ):
            status = status or heads.judge_shape(head, self._limits)
        length = index.get(b"content-length")
        if length is not None:
            head.content_length = size = int(length)
            if size > self._limits.body_bytes_max:
                status = status or 413
        elif b"transfer-encoding" in index:
            status = status or heads.judge_coding(head)
        if status:
            self._refuse(status)
        self._incoming = Exchange(self, self._peer, head)

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        exchange = self._incoming
        if exchange is None or self._refusal:
            return
        exchange.received += len(data)
        if exchange.content_length is None and exchange.received > self._limits.body_bytes_max:
            self._refuse(413)
        elif exchange is not self._current:
            exchange.early += data
        elif exchange.receiver is not None and not exchange.is_done:
            exchange.receiver.on_body(data)

    def on_message_complete(self) -> None:
        """Take the end of a request; the first in line goes to the handler at once."""
        exchange = self._incoming
        if exchange is None or self._refusal or self._has_upgrade_body:
            return
        self._incoming = None
        self._is_between = True
        self._newest = exchange.head
        exchange.is_complete = True
        if exchange.content_length is None:
            self._headers = []  # trailers
        if not exchange.keep_alive:
            self._is_deaf = True  # the client announced that nothing follows
        if exchange is self._current:
            if exchange.receiver is not None and not exchange.is_done:
                exchange.receiver.on_end()
        elif self._current is None:
            self._dispatch(exchange)
        else:
            self._waiting.append(exchange)
            self._has_backlog = True

    def _judge_wishes(self, head: Head) -> int:
        index = head.index
        has_body = index.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in index
        self._has_upgrade_body = (
            has_body and self._parser is not None and self._parser.should_upgrade()
        )
        return heads.judge_wishes(head)

    def _refuse(self, status: int) -> None:
        """Note why no more input is taken. The first reason counts."""
        if not self._refusal:
            self._refusal = status
        self._is_deaf = self._has_backlog = True
