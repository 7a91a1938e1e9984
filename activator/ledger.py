"""What became of each request, for a while.

For: `relight why REQUEST_ID`, `relight record` and tests. Writing costs the request path one
tuple and two looks at a clock, three where it waited, for uvloop's own tells whole milliseconds:
no formatting, and nothing that grows.
Must not know: sockets, the time of day, how it is asked (admin).
"""

import enum
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any, NamedTuple

NOTE_BYTES_MAX = 768  # of one note, with the longest request id; tests/activator/test_ledger.py
POKES_MAX = 16  # of one wake: each tells of a queue twice as long
CLIENT_LEFT = 499  # the status of who left before any answer, as nginx says it


class Ending(enum.Enum):
    """How a request was over."""

    RUNNING = "running"  # not yet
    ANSWERED = "answered"
    REFUSED = "refused"
    CUT = "cut"  # the replica's answer began and did not end
    LEFT = "client-left"


class Origin(NamedTuple):
    """Whose requests these are; one for all requests of a Revision. `service` "": none."""

    namespace: str
    service: str
    revision: str


NOWHERE = Origin("", "", "")  # of requests that no Revision was found for


class Marks(NamedTuple):
    """One replica: when the activator first knew its address, and when it last proved ready."""

    name: str
    seen_s: float
    ready_s: float


class Wake:
    """A time in which requests of a Revision waited and no replica was ready."""

    __slots__ = ("began_s", "pokes")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.pokes: list[tuple[float, int]] = []  # when, and the length of the queue it told

    def poked(self, now_s: float, queued: int) -> None:
        """A decision was asked for."""
        if len(self.pokes) < POKES_MAX:
            self.pokes.append((now_s, queued))


class Note(NamedTuple):
    """One request. Made by the request path as a plain tuple in this order.

    Times are the ledger's; negative ones were never, or for `first_byte_s`: with the last one.
    """

    serial: int
    request_id: bytes
    origin: Origin
    arrived_s: float
    slot_s: float | None  # a replica had room, but a connection had to be opened; None: not
    forwarded_s: float
    first_byte_s: float
    ended_s: float
    status: int
    ending: Ending
    why: str  # reason of a refusal; of an answered call that failed, the name of its gRPC status
    replica: Marks | None
    is_held: bool
    wake: Wake | None  # it came while no replica was ready
    bytes_in: int
    bytes_out: int


class Ledger:
    """Rings of notes: the newest of all, of those that were slow or held, of those that failed.

    A flood of one sort does not push the others out.
    """

    def __init__(
        self,
        *,
        length_max: int,
        notable_max: int,
        bytes_max: int,
        slow_s: float,
        now: Callable[[], float],
    ) -> None:
        """Rings are shortened until all of them, full of the longest notes, keep to `bytes_max`.

        `now` never falls, and is never negative.
        """
        share = min(1.0, bytes_max / ((length_max + 2 * notable_max) * NOTE_BYTES_MAX))
        self.slow_s = slow_s
        self.now = now
        self.serials = count(1)
        notable = max(1, int(notable_max * share))
        self._recent: deque[tuple[Any, ...]] = deque(maxlen=max(1, int(length_max * share)))
        self._slow: deque[tuple[Any, ...]] = deque(maxlen=notable)
        self._failed: deque[tuple[Any, ...]] = deque(maxlen=notable)
        self.add = self._recent.append  # a note of no further interest: in C, for the hot path

    @property
    def length_max(self) -> int:
        """Of the ring of all requests."""
        assert self._recent.maxlen is not None
        return self._recent.maxlen

    @property
    def last(self) -> int:
        """The serial of the newest note; 0 before the first."""
        return int(self._recent[-1][0]) if self._recent else 0

    def add_slow(self, note: tuple[Any, ...]) -> None:
        """Note a request that was held, or took long."""
        self._recent.append(note)
        self._slow.append(note)

    def add_failed(self, note: tuple[Any, ...]) -> None:
        """Note a request that was not answered by a replica, or not in full."""
        self._recent.append(note)
        self._failed.append(note)

    def turn_away(self, request_id: bytes, why: str, status: int) -> None:
        """Note a request that was refused before it came to a Revision's queue."""
        now_s = self.now()
        times = (now_s, None, -1.0, -1.0, now_s)
        answer = (status, Ending.REFUSED, why, None, False, None, 0, 0)
        self.add_failed((next(self.serials), request_id, NOWHERE, *times, *answer))

    def find(self, request_id: bytes) -> list[Note]:
        """The notes with this id, newest first. Cost: linear in what is kept."""
        found = {
            note[0]: note
            for ring in (self._recent, self._slow, self._failed)
            for note in ring
            if note[1] == request_id
        }
        return [Note(*found[serial]) for serial in sorted(found, reverse=True)]

    def after(self, serial: int) -> Iterator[Note]:
        """The notes later than that, oldest first. Nothing may be added while it is read."""
        ring = self._recent
        first = self.last - len(ring) + 1  # serials in this ring have no gaps
        return (Note(*note) for note in islice(ring, max(0, serial + 1 - first), None))

    def lost(self, serial: int) -> int:
        """How many notes after `serial` are gone."""
        return max(0, self.last - len(self._recent) - serial)


def row(note: Note, *, epoch_s: float) -> dict[str, Any]:
    """A note as told outside. `epoch_s` is to be added to its times to have the time of day.

    Names ending in `_s` are seconds, but for `time` since the arrival or as long as they lasted.
    """
    is_forwarded = note.forwarded_s >= 0
    held_until_s = note.forwarded_s if is_forwarded else note.ended_s
    told: dict[str, Any] = {
        "serial": note.serial,
        "id": note.request_id.decode("latin-1"),
        "namespace": note.origin.namespace,
        "service": note.origin.service,
        "revision": note.origin.revision,
        "time": _rounded(note.arrived_s + epoch_s),
        "held_s": _rounded(held_until_s - note.arrived_s),
        "executing_s": _rounded(note.ended_s - note.forwarded_s) if is_forwarded else None,
        "first_byte_s": _first_byte_s(note),
        "status": note.status,
        "ending": note.ending.value,
        "replica": note.replica.name if note.replica is not None else None,
        "cold": note.wake is not None,
        "bytes_in": note.bytes_in,
        "bytes_out": note.bytes_out,
    }
    if note.why:
        told["grpc_status" if note.ending is Ending.ANSWERED else "refusal"] = note.why
    poke = _first_poke(note)
    if poke is not None:
        told["poked_s"], told["poked_queue"] = _rounded(poke[0] - note.arrived_s), poke[1]
        if note.wake is not None and note.wake.pokes[0] is poke:
            told["gathered_s"] = told["poked_s"]  # its wait for others of the same burst
    return told


def timeline(note: Note, *, epoch_s: float) -> dict[str, Any]:
    """Everything known of one request: the row, and what happened while it waited."""
    told = row(note, epoch_s=epoch_s) | {"is_held": note.is_held}
    since_s = note.arrived_s
    if note.wake is not None:
        told["pokes"] = [
            {"after_s": _rounded(at_s - since_s), "queued": queued}
            for at_s, queued in note.wake.pokes
            if at_s <= (note.forwarded_s if note.forwarded_s >= 0 else note.ended_s)
        ]
    if note.replica is not None:
        told["replica_seen_s"] = _rounded(note.replica.seen_s - since_s)
        told["replica_ready_s"] = _rounded(note.replica.ready_s - since_s)
    if note.slot_s is not None:
        told["slot_s"] = _rounded(note.slot_s - since_s)
    return told


def _first_byte_s(note: Note) -> float | None:
    is_with_last = note.first_byte_s < 0
    if note.forwarded_s < 0 or (is_with_last and note.ending is not Ending.ANSWERED):
        return None
    return _rounded((note.ended_s if is_with_last else note.first_byte_s) - note.arrived_s)


def _first_poke(note: Note) -> tuple[float, int] | None:
    """The first one that told of this request."""
    pokes = note.wake.pokes if note.wake is not None else ()
    return next((poke for poke in pokes if note.arrived_s <= poke[0] <= note.ended_s), None)


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
