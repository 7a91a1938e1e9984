"""What was decided for one Revision, newest last.

For: `relight why`, Events and tests; kept small for the many Revisions that sleep at zero.
Must not know: who reads it.

Who falls asleep is remembered whole for a while: why there were so many is asked afterwards.

Decisions in a row for the same number by the same rule share an entry, so an hour of a steady
load is one. Rules that only measure (the windows, the queue) count as one.
"""

from dataclasses import dataclass, replace

from autoscaler.decider import Decision
from autoscaler.reasons import Reason

ASLEEP_LENGTH_MAX = 8  # entries that a Revision at zero keeps in any case
ENTRY_BYTES_MAX = 704  # of one entry; tests/autoscaler/test_journal.py measures it
_MEASURED = frozenset(
    {Reason.STABLE, Reason.PANIC, Reason.QUEUE, Reason.SURGE, Reason.FULL, Reason.EXPECTED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of decisions: the one that began it, and how often and until when it was repeated.

    `before` is the number that was wanted until then; None: not known.
    """

    decision: Decision
    before: int | None
    last_s: float
    repeats: int = 1

    @property
    def first_s(self) -> float:
        """When the row began."""
        return self.decision.at_s

    @property
    def is_change(self) -> bool:
        """Another number is wanted than before."""
        return self.decision.desired is not None and self.decision.desired != self.before


class Journal:
    """A bounded ring of entries. Adding to a row costs two assignments."""

    __slots__ = ("_entries", "_length_max", "_newest", "_repeats", "_wanted")

    def __init__(self, *, length_max: int, wanted: int | None = None) -> None:
        """`wanted` is the number in force before the first decision."""
        self._entries: list[Entry] = []  # an empty deque is 600 bytes, ten thousand times
        self._length_max = length_max
        self._newest: Decision | None = None
        self._repeats = 0  # of the last entry
        self._wanted = wanted

    @property
    def newest(self) -> Decision | None:
        """The last decision, with its own inputs."""
        return self._newest

    def add(self, decision: Decision) -> Entry | None:
        """Take in a decision; the entry that it begins, if it does."""
        last = self._newest
        self._newest = decision
        if last is not None and _is_same(last, decision):
            self._repeats += 1
            return None
        if last is not None:
            self._entries[-1] = replace(self._entries[-1], last_s=last.at_s, repeats=self._repeats)
        entry = Entry(decision=_slim(decision), before=self._wanted, last_s=decision.at_s)
        self._entries.append(entry)
        if len(self._entries) > self._length_max:
            del self._entries[0]
        self._repeats = 1
        if decision.desired is not None:
            self._wanted = decision.desired
        return entry

    def __len__(self) -> int:
        """Entries."""
        return len(self._entries)

    def shorten(self) -> None:
        """Drop the oldest entries of a Revision that sleeps."""
        del self._entries[:-ASLEEP_LENGTH_MAX]

    def entries(self) -> tuple[Entry, ...]:
        """All entries, oldest first."""
        if self._newest is None:
            return ()
        *older, last = self._entries
        return (*older, replace(last, last_s=self._newest.at_s, repeats=self._repeats))


class Shelf:
    """Journals of those that sleep, whole while there is room for all their entries.

    The longest asleep are shortened first.
    """

    def __init__(self, *, length_max: int) -> None:
        self._length_max = length_max
        self._length = 0
        self._journals: dict[tuple[str, str], tuple[Journal, int]] = {}  # the longest asleep first

    def put(self, key: tuple[str, str], journal: Journal) -> None:
        """Its Revision fell asleep."""
        self.drop(key)
        self._journals[key] = journal, len(journal)
        self._length += len(journal)
        while self._length > self._length_max:
            longest = next(iter(self._journals))
            self._journals[longest][0].shorten()
            self.drop(longest)

    def drop(self, key: tuple[str, str]) -> None:
        """Its Revision is awake, or gone."""
        found = self._journals.pop(key, None)
        if found is not None:
            self._length -= found[1]


def _slim(decision: Decision) -> Decision:
    """Without what is of interest of the newest decision only."""
    if decision.seen.kept is None:
        return decision
    return replace(decision, seen=replace(decision.seen, kept=None))


def _is_same(one: Decision, other: Decision) -> bool:
    if one.desired != other.desired:
        return False
    return one.reason is other.reason or (one.reason in _MEASURED and other.reason in _MEASURED)
