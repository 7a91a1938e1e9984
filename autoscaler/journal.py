"""What was decided for one Revision, newest last.

For: `relight why`, Events and tests; kept small for the many Revisions that sleep at zero.
Must not know: who reads it.
"""

from collections import deque
from dataclasses import dataclass

from autoscaler.decider import Decision

ASLEEP_LENGTH_MAX = 32  # entries a Revision at zero keeps; about 16 KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A decision and how often it was made in a row with the same number and reason.

    `decision` is the newest of the row; `first_s` is when the row began.
    """

    decision: Decision
    first_s: float
    repeats: int = 1


class Journal:
    """A bounded ring of entries. Equal decisions in a row share one."""

    __slots__ = ("_entries",)

    def __init__(self, *, length_max: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=length_max)

    def add(self, decision: Decision) -> None:
        """Append, or count one more of what was decided last."""
        last = self._entries[-1] if self._entries else None
        if last is None or not _is_same(last.decision, decision):
            self._entries.append(Entry(decision=decision, first_s=decision.at_s))
            return
        self._entries[-1] = Entry(decision=decision, first_s=last.first_s, repeats=last.repeats + 1)

    def shorten(self) -> None:
        """Drop the oldest entries of a Revision that goes to sleep."""
        while len(self._entries) > ASLEEP_LENGTH_MAX:
            self._entries.popleft()

    def entries(self) -> tuple[Entry, ...]:
        """All entries, oldest first."""
        return tuple(self._entries)


def _is_same(one: Decision, other: Decision) -> bool:
    return one.desired == other.desired and one.reason is other.reason
