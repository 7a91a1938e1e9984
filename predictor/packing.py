"""Which of several models stay open where not all have room: GreedyDual-Size-Frequency, pure.

For: a process that serves many rarely used models within a limit on memory and on their number.
Must not know: models, clocks, how memory is measured, or how a model is opened.

Each open model has a priority, the clock at its last use + uses x cost / size. The one of the
lowest goes first, and the clock becomes its priority: so what is not used ages, what is used
often, loads slowly or is small stays longer. (Cherkasova, "Improving WWW Proxies Performance with
Greedy-Dual-Size-Frequency Caching Policy", HP Laboratories 1998.) Cost is what the last load took,
in seconds, so what is kept is the time that reloading would cost, per byte.
"""

from collections.abc import Callable
from dataclasses import dataclass

_SIZE_MIN_BYTES = 4096  # a model of no measurable size is no reason to divide by zero


@dataclass(slots=True, kw_only=True)
class Entry:
    """One open model."""

    size_bytes: int
    cost_s: float
    uses: int
    priority: float


class Packing:
    """What is open, and what has to go for something else."""

    def __init__(self, *, bytes_max: int, count_max: int) -> None:
        """0 is no limit."""
        assert bytes_max >= 0
        assert count_max >= 0
        self._bytes_max = bytes_max
        self._count_max = count_max
        self._open: dict[str, Entry] = {}
        self._clock = 0.0

    @property
    def used_bytes(self) -> int:
        """Of all that is open."""
        return sum(entry.size_bytes for entry in self._open.values())

    @property
    def names(self) -> tuple[str, ...]:
        """What is open."""
        return tuple(self._open)

    @property
    def bytes_max(self) -> int:
        """Of all that is open together; 0 is no limit."""
        return self._bytes_max

    def fits_alone(self, size_bytes: int) -> bool:
        """Whether a model could ever be opened."""
        return not self._bytes_max or size_bytes <= self._bytes_max

    def victims(
        self, size_bytes: int, *, is_idle: Callable[[str], bool], count: int = 1
    ) -> list[str] | None:
        """What has to go, in this order, for `count` more; None: too much of it is in use.

        Nothing goes where it would not be enough.
        """
        found: list[str] = []
        used, count = self.used_bytes + size_bytes, len(self._open) + count
        for name in sorted(self._open, key=lambda one: self._open[one].priority):
            if self._is_room(used, count):
                break
            if is_idle(name):
                found.append(name)
                used -= self._open[name].size_bytes
                count -= 1
        return found if self._is_room(used, count) else None

    def opened(self, name: str, *, size_bytes: int, cost_s: float) -> None:
        """A model is open from now on."""
        assert name not in self._open
        entry = Entry(size_bytes=size_bytes, cost_s=cost_s, uses=0, priority=0.0)
        self._open[name] = entry
        self.used(name)

    def used(self, name: str) -> None:
        """A request came for an open model."""
        entry = self._open[name]
        entry.uses += 1
        size = max(_SIZE_MIN_BYTES, entry.size_bytes)
        entry.priority = self._clock + entry.uses * entry.cost_s / size

    def evicted(self, name: str) -> None:
        """A model went to make room."""
        self._clock = max(self._clock, self._open.pop(name).priority)

    def closed(self, name: str) -> None:
        """A model went for another reason; the clock is not told."""
        self._open.pop(name)

    def _is_room(self, used_bytes: int, count: int) -> bool:
        is_small = not self._bytes_max or used_bytes <= self._bytes_max
        return is_small and (not self._count_max or count <= self._count_max)
