"""How many requests ended how, and how long they took: counted from the ledger.

For: metrics, at no cost to the request path: the notes it writes anyhow are read a little later.
Must not know: who asks, sockets.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from activator.ledger import Ending, Ledger, Note, Origin
from telemetry.metrics import Buckets, Family

READ_S: Final = 0.25  # so often it is read: far sooner than the ledger forgets
BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_ORIGINS_MAX: Final = 5_000  # Revisions counted apart; more are counted as one
_OTHERS: Final = Origin("", "", "others")
_WHOSE: Final = ("namespace", "service", "revision")


@dataclass(slots=True)
class _Count:
    """Of one Revision."""

    ended: dict[tuple[str, str, str], int] = field(default_factory=dict)
    cold: int = 0
    held: int = 0
    seconds: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    total_s: float = 0.0

    def add(self, note: Note) -> None:
        why, code = note.why, f"{note.status // 100}xx" if note.status else ""
        if note.ending is Ending.ANSWERED and why:  # a call's own status says more than its 200
            why, code = "", why
        key = (note.ending.value, why, code)
        self.ended[key] = self.ended.get(key, 0) + 1
        self.cold += note.wake is not None
        self.held += note.is_held
        took_s = note.ended_s - note.arrived_s
        self.seconds[bisect_left(BOUNDS_S, took_s)] += 1
        self.total_s += took_s


class Tally:
    """Since the start. `read` is to be called every `READ_S` at the least."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._serial = 0
        self._lost = 0
        self._counts: dict[Origin, _Count] = {}

    def read(self) -> None:
        """Count what ended since the last time. Cost: linear in that."""
        self._lost += self._ledger.lost(self._serial)
        for note in self._ledger.after(self._serial):
            self._serial = note.serial
            self._of(note.origin).add(note)

    def keep(self, revisions: Iterable[tuple[str, str]]) -> None:
        """Forget Revisions that are gone: these are still there."""
        kept = {*revisions, ("", "")}
        for origin in list(self._counts):
            if (origin.namespace, origin.revision) not in kept and origin != _OTHERS:
                del self._counts[origin]

    def _of(self, origin: Origin) -> _Count:
        count = self._counts.get(origin)
        if count is None:
            if len(self._counts) >= _ORIGINS_MAX:
                origin = _OTHERS
            count = self._counts.setdefault(origin, _Count())
        return count

    def families(self) -> Iterator[Family]:
        """Of now, with what ended until now."""
        self.read()
        counts = list(self._counts.items())
        yield Family(
            name="activator_requests",
            kind="counter",
            help="Requests that are over, by how they ended, why refused, and status.",
            labels=(*_WHOSE, "outcome", "reason", "code"),
            samples=[
                ((*origin, *key), value)
                for origin, count in counts
                for key, value in count.ended.items()
            ],
        )
        yield Family(
            name="activator_cold_requests",
            kind="counter",
            help="Requests that came while no replica was ready.",
            labels=_WHOSE,
            samples=[(tuple(origin), count.cold) for origin, count in counts],
        )
        yield Family(
            name="activator_held_requests",
            kind="counter",
            help="Requests that waited for a replica to have room.",
            labels=_WHOSE,
            samples=[(tuple(origin), count.held) for origin, count in counts],
        )
        yield Family(
            name="activator_request_seconds",
            kind="histogram",
            help="From a request's head to the end of its answer.",
            labels=_WHOSE,
            samples=[
                (
                    tuple(origin),
                    Buckets(bounds=BOUNDS_S, counts=tuple(count.seconds), total=count.total_s),
                )
                for origin, count in counts
            ],
        )
        yield Family(
            name="activator_uncounted_requests",
            kind="counter",
            help="Requests that the ledger forgot before they were counted.",
            samples=[((), self._lost)],
        )
