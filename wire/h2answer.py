"""One request to an upstream over HTTP/2, and its answer, as its sender sees them.

For: senders, which need not know how many others share the connection.
Must not know: frames, other streams, which upstream it is.
"""

from typing import ClassVar, Protocol

from typing_extensions import override

from wire.h2hpack import encode_length, encode_lines, encode_request
from wire.h2stream import Stream

ANSWER_WINDOW = 262_144  # of each answer, at first


class AnswerReceiver(Protocol):
    """What the sender of a request gives a stream to receive the answer."""

    def on_answer(self, connection: "ClientStream") -> None:
        """The head has arrived, and `early` of the body; all of it if `is_answer_complete`."""

    def on_answer_body(self, data: bytes) -> None:
        """One more piece of the body."""

    def on_answer_end(self) -> None:
        """The answer is complete. Not called when it already was in `on_answer`."""

    def on_answer_lost(self, why: str) -> None:
        """The stream or the connection ended before the answer was complete."""

    def on_upstream_writable(self, is_writable: bool) -> None:
        """Whether the upstream takes more of the request now."""


class Carrier(Protocol):
    """What a stream needs of its connection."""

    @property
    def is_usable(self) -> bool:
        """Whether it takes further requests."""
        ...

    def send(
        self, stream: Stream, block: bytes, data: bytes, *, is_end: bool, trailers: bytes = b""
    ) -> None:
        """Send a piece of a body."""

    def release(self, stream: "ClientStream") -> None:
        """A stream is of no use any more."""

    def resume_stream(self, stream: "ClientStream") -> None:
        """Take more of an answer."""


def request_block(
    method: bytes, authority: bytes, path: bytes, lines: bytes, content_length: int | None = None
) -> bytes:
    """The encoded head of a request. `lines` are "name: value" lines, each with CRLF.

    More may be added to it: blocks can be joined.
    """
    block = encode_request(method, authority, path) + encode_lines(lines)
    return block if content_length is None else block + encode_length(content_length)


class ClientStream(Stream):
    """One request and its answer: it looks as `client.Connection` does while that one runs."""

    __slots__ = (
        "_carrier",
        "_is_told",
        "_joined",
        "content_length",
        "early",
        "has_head",
        "is_answer_complete",
        "is_head",
        "is_unprocessed",
        "receiver",
        "status",
        "trailer_lines",
    )

    is_http2: ClassVar[bool] = True
    upgrade: ClassVar[bytes] = b""

    def __init__(
        self, carrier: Carrier, stream_id: int, receiver: AnswerReceiver, window: int
    ) -> None:
        super().__init__(stream_id, send_window=window, room=ANSWER_WINDOW)
        self._carrier = carrier
        self.receiver: AnswerReceiver | None = receiver
        self._is_told = False
        self._joined = b""
        self.has_head = False
        self.is_head = False  # the method is HEAD
        self.status = 0
        self.content_length: int | None = None
        self.early = b""
        self.trailer_lines = b""  # "name: value" lines, once the answer is complete
        self.is_answer_complete = False
        self.is_unprocessed = False  # of a lost answer: the request may safely be sent again

    @property
    def is_request_complete(self) -> bool:
        """Nothing more of the request is to come from our side."""
        return self.is_ending

    @override
    def on_writable(self, is_writable: bool) -> None:
        """Tell the sender whether the upstream takes more."""
        if self.receiver is not None:
            self.receiver.on_upstream_writable(is_writable)

    def write(self, data: bytes) -> None:
        """Send more of the body."""
        if data and not self.is_ending:
            self._carrier.send(self, b"", data, is_end=False)

    def finish_request(self) -> None:
        """The whole request has been written."""
        if not self.is_ending:
            self._carrier.send(self, b"", b"", is_end=True)

    def head_lines(self) -> bytes:
        """The answer's end-to-end header lines, without content-length."""
        return self._joined

    def rewrite_head(self, lines: bytes) -> None:
        """Have `head_lines` give these for this answer."""
        self._joined = lines

    def let_go(self) -> bool:
        """End the exchange, whatever is left of it; True if the connection can serve more."""
        self.receiver = None
        self._carrier.release(self)
        return self._carrier.is_usable

    def pause(self) -> None:
        """Take no more of the answer than was allowed already."""
        self.is_paused = True

    def resume(self) -> None:
        """Undo `pause`."""
        self._carrier.resume_stream(self)

    def begin(self, status: int, lines: bytes, content_length: int | None) -> None:
        """The head has come. The connection calls this, and what follows."""
        self.has_head = True
        self.status, self._joined, self.content_length = status, lines, content_length
        if not self.is_head and status not in {204, 304}:
            self.left = content_length

    def take(self, data: bytes) -> None:
        """A piece of the body."""
        if not self._is_told:
            self.early = self.early + data if self.early else data
        elif self.receiver is not None:
            self.receiver.on_answer_body(data)

    def tell(self) -> None:
        """Show the head to the receiver, with what came with it."""
        self._is_told = True
        if self.receiver is not None:
            self.receiver.on_answer(self)

    def complete(self) -> None:
        """All has come."""
        self.is_answer_complete = True
        if self._is_told and self.receiver is not None:
            self.receiver.on_answer_end()

    def lose(self, why: str, *, is_unprocessed: bool) -> None:
        """Nothing more comes."""
        if self.is_answer_complete:
            return  # nothing is missing
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            self.is_unprocessed = is_unprocessed
            receiver.on_answer_lost(why)
