"""Clients and handlers to try HTTP/2 with, in memory: frames are read by the hyperframe package."""

from collections.abc import Callable

import hpack
from hyperframe import frame as their

from tests.wire.memory import Memory
from wire import h2frames as ours
from wire.exchange import Exchange
from wire.limits import Limits
from wire.roster import Roster
from wire.server import ServerProtocol

GET = [
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":path", b"/"),
    (b":authority", b"h"),
]
POST = [(b":method", b"POST"), *GET[1:]]
SETTINGS = ours.settings({})


def encoded(fields: list[tuple[bytes, bytes]]) -> bytes:
    """A header block that needs no table."""
    return b"".join(
        b"\0" + bytes((len(name),)) + name + ours_length(len(value)) + value
        for name, value in fields
    )


def ours_length(size: int) -> bytes:
    return bytes(hpack.hpack.encode_integer(size, 7))


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    return ours.pack_head(len(payload) << 8 | kind, flags, stream_id) + payload


def head(
    stream_id: int,
    fields: list[tuple[bytes, bytes]] | None = None,
    *,
    is_end: bool = True,
    flags: int = 0,
) -> bytes:
    flags |= ours.END_HEADERS | (ours.END_STREAM if is_end else 0)
    return frame(ours.HEADERS, flags, stream_id, encoded(GET if fields is None else fields))


def body(stream_id: int, data: bytes, *, is_end: bool = True) -> bytes:
    return frame(ours.DATA, ours.END_STREAM if is_end else 0, stream_id, data)


class Wire(Memory):
    """The far end of a connection: what was written is read as frames."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def frames(self) -> list[their.Frame]:
        """What has been sent since the last look."""
        found = []
        while self.read < len(self.sent):
            view = memoryview(self.sent)[self.read :]
            one, size = their.Frame.parse_frame_header(view[:9])
            one.parse_body(view[9 : 9 + size])
            found.append(one)
            self.read += 9 + size
        return found


class Notes:
    """A receiver that notes what happens to one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.pieces: list[bytes] = []
        self.has_ended = exchange.is_complete
        self.is_aborted = False
        self.writable: list[bool] = []

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_end(self) -> None:
        self.has_ended = True

    def on_abort(self) -> None:
        self.is_aborted = True

    def on_writable(self, is_writable: bool) -> None:
        self.writable.append(is_writable)


class App:
    """A handler that keeps what it gets, and does with it what it is told."""

    def __init__(self, act: Callable[[Exchange, Notes], None] | None = None) -> None:
        self.act = act
        self.seen: list[Notes] = []

    def on_request(self, exchange: Exchange) -> None:
        notes = Notes(exchange)
        exchange.receiver = notes
        self.seen.append(notes)
        if self.act is not None:
            self.act(exchange, notes)


class Client:
    """A connection to a server in memory. Needs a running loop."""

    def __init__(self, app: App, limits: Limits | None = None, *, is_greeted: bool = True) -> None:
        limits = limits or Limits()
        self.app = app
        self.roster = Roster(limits)
        self.wire = Wire()
        origin = ServerProtocol(app, limits, self.roster)
        self.wire.protocol = origin
        origin.connection_made(self.wire)
        self.decoder = hpack.Decoder()
        if is_greeted:
            self.feed(ours.PREFACE + SETTINGS)
            self.wire.frames()

    def feed(self, data: bytes) -> list[their.Frame]:
        self.wire.protocol.data_received(data)  # type: ignore[attr-defined] # a Protocol
        return self.wire.frames()

    def close(self) -> None:
        self.wire.protocol.connection_lost(None)  # type: ignore[attr-defined] # a Protocol

    def later(self, passed_s: float) -> list[their.Frame]:
        """So much time passes; the roster looks."""
        self.roster.now_s += passed_s
        self.wire.protocol.check(self.roster.now_s)  # type: ignore[attr-defined] # of ours
        return self.wire.frames()

    def fields(self, one: their.Frame) -> dict[str, str]:
        assert isinstance(one, their.HeadersFrame)
        return dict(self.decoder.decode(one.data))


def ends(frames: list[their.Frame]) -> list[tuple[str, int, int]]:
    """The resets and farewells among frames: name, stream and code."""
    return [
        (type(one).__name__.removesuffix("Frame"), one.stream_id, one.error_code)
        for one in frames
        if isinstance(one, their.RstStreamFrame | their.GoAwayFrame)
    ]
