"""Who reports over the network, what each said last, and what it means that one is silent.

For: passing reports on with the time of their arrival, and filling in for reporters that were lost.
Must not know: sockets, the bytes of a message, what is decided from a load.

A reporter that leaves in good order has no requests any more: what it said last is over. One whose
connection was lost may be well, and serve: what it carried is taken to go on for a few seconds, in
which it comes back or its clients go elsewhere. Its queue counts no more: it pokes again when it is
back. As long as one is missing, or none is here at all, silence about a Revision says nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from api.stats import Stat

REPORTERS_MAX: Final = 256
PERIOD_S: Final = 1.0  # of reports
CARRIED_S: Final = 5.0  # a lost reporter's load is taken to go on for so long
MISSED_S: Final = 30.0  # one that is not back by then has ended
_Key = tuple[str, str]


@dataclass(slots=True)
class _Reporter:
    connection: int  # the newest of its name
    lost_s: float | None = None
    due_s: float = 0.0  # when to fill in for it
    last: dict[_Key, Stat] = field(default_factory=dict)  # of Revisions with load


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts of now, and since the start."""

    here: int
    missing: int
    reports: int
    pokes: int
    lost: int  # connections, other than those that were ended in good order


class Reporters:
    """All of them. `now_s` is this machine's clock throughout: no other one is looked at."""

    def __init__(self) -> None:
        self._reporters: dict[str, _Reporter] = {}
        self._connections = 0
        self._reports = self._pokes = self._lost = 0

    def join(self, name: str) -> int | None:
        """A connection of a reporter; its number, by which it is known. None: one too many."""
        known = self._reporters.get(name)
        if known is None and len(self._reporters) >= REPORTERS_MAX:
            return None
        self._connections += 1
        last = {} if known is None else known.last
        self._reporters[name] = _Reporter(connection=self._connections, last=last)
        return self._connections

    def hear(self, name: str, connection: int, stats: Iterable[Stat]) -> list[Stat]:
        """What to pass on of what was said; nothing of a connection that another one replaced."""
        reporter = self._reporters.get(name)
        if reporter is None or reporter.connection != connection:
            return []
        heard = list(stats)
        self._reports += len(heard)
        for stat in heard:
            self._pokes += stat.is_poke
            if stat.average_concurrency or stat.requests_per_s or stat.queued:
                reporter.last[stat.namespace, stat.revision] = stat
            else:
                reporter.last.pop((stat.namespace, stat.revision), None)
        return heard

    def leave(self, name: str, connection: int, *, is_farewell: bool, now_s: float) -> None:
        """A connection ended."""
        reporter = self._reporters.get(name)
        if reporter is None or reporter.connection != connection:
            return
        if is_farewell:
            del self._reporters[name]
            return
        self._lost += 1
        reporter.lost_s = now_s
        reporter.due_s = now_s + PERIOD_S
        # What it did not say again since it came back ended while nobody heard it say so.
        heard = reporter.last.items()
        reporter.last = {key: each for key, each in heard if now_s - each.time_s < CARRIED_S}

    def fill(self, *, now_s: float) -> list[Stat]:
        """What to pass on for those who are missing; to be asked about every second."""
        stats: list[Stat] = []
        for name, reporter in list(self._reporters.items()):
            if reporter.lost_s is None:
                continue
            if now_s - reporter.lost_s >= MISSED_S:
                del self._reporters[name]
            elif now_s - reporter.lost_s >= CARRIED_S:
                reporter.last.clear()
            elif now_s >= reporter.due_s:
                reporter.due_s = now_s + PERIOD_S
                stats += [_carried(stat, now_s) for stat in reporter.last.values()]
        return stats

    @property
    def is_deaf(self) -> bool:
        """Whether somebody may carry requests that nobody tells of."""
        return not self._reporters or any(
            each.lost_s is not None for each in self._reporters.values()
        )

    def statistics(self) -> Statistics:
        """How many there are."""
        missing = sum(each.lost_s is not None for each in self._reporters.values())
        return Statistics(
            here=len(self._reporters) - missing,
            missing=missing,
            reports=self._reports,
            pokes=self._pokes,
            lost=self._lost,
        )


def _carried(stat: Stat, now_s: float) -> Stat:
    return replace(stat, time_s=now_s, queued=0, queued_bytes=0, is_poke=False, is_crowd=False)
