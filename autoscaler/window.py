"""Averages and maxima over the recent past, in buckets of one second.

For: the stable and the panic window, and the window behind scale-down-delay, with Knative's
arithmetic to the last bit (knative/serving, pkg/autoscaler/aggregation).
Must not know: what is measured, who measured it, or what is decided from it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GRANULARITY_S = 1.0
_WEIGHT_SUM_MIN = 0.9999  # the weights inside one window add up to at least this
_WEIGHT_MIN = 0.2  # below it a long window would be a plain average
_SPAN_MAX_S = 3600.0  # of a window that was kept: the longest that can be asked for
_DIGITS = 1e6  # a linear average is rounded to six digits, so 2.9999999 does not cost a replica


def _rounded(value: float) -> float:
    """Round to six digits, halves away from zero as in Go (Python rounds them to even).

    What rounds to nothing is plain zero: people read "-0.00" otherwise.
    """
    scaled = abs(value) * _DIGITS
    whole = math.floor(scaled)
    size = (whole + 1 if scaled - whole >= 0.5 else whole) / _DIGITS
    return math.copysign(size, value) if size else 0.0


def _newest_weight(buckets: int) -> float:
    return max(1 - math.pow(1 - _WEIGHT_SUM_MIN, 1 / buckets), _WEIGHT_MIN)


class AverageWindow:
    """The average of what was recorded in the last `window_s` seconds.

    Values recorded within one second add up: that is how several reporters make one load.
    Linear: every second counts the same, only since the first record, and seconds after the
    last record count neither way. Weighted: the newest second counts most and silence decays.
    `record` is O(1) amortised; `average` is O(silent seconds), or O(buckets) when weighted.
    Its memory is that of its buckets, which it has from the first record to the next `rest`.
    """

    __slots__ = ("_buckets", "_count", "_first", "_is_weighted", "_last", "_total", "_window_s")

    def __init__(self, *, window_s: float, is_weighted: bool = False) -> None:
        assert window_s > 0
        self._window_s = window_s
        self._is_weighted = is_weighted
        self._count = math.ceil(window_s / GRANULARITY_S)
        self._buckets: list[float] = []  # at rest: all zero, and not there
        self._first: int | None = None  # index of the oldest second that counts
        self._last: int | None = None  # index of the newest second recorded
        self._total = 0.0  # of all buckets, kept up by difference as Knative does

    @property
    def is_weighted(self) -> bool:
        """Say whether the newest second counts most."""
        return self._is_weighted

    @property
    def last_s(self) -> float | None:
        """Start of the newest second recorded, or None before the first record."""
        return None if self._last is None else self._last * GRANULARITY_S

    def record(self, now_s: float, value: float) -> None:
        """Add `value` to the second of `now_s`; late is fine, a whole window late is dropped."""
        index = math.floor(now_s / GRANULARITY_S)
        if self._last is None or index > self._last:
            self._advance(index)
        elif index < self._last:
            if (self._last - index) * GRANULARITY_S >= self._window_s:
                return
            if self._first is None or index < self._first:
                self._first = index
        if not self._buckets:
            self._buckets = [0.0] * self._count
        self._buckets[index % self._count] += value
        self._total += value

    def _advance(self, index: int) -> None:
        """Make `index` the newest second; the seconds jumped over become zero."""
        count = self._count
        if self._last is None or (index - self._last) * GRANULARITY_S >= self._window_s:
            self._first = index  # a window of silence forgets everything before it
            self._buckets = []
            self._total = 0.0
        else:
            if self._first is None:
                self._first = index
            for passed in range(self._last + 1, index + 1 if self._buckets else 0):
                slot = passed % count
                self._total -= self._buckets[slot]
                self._buckets[slot] = 0.0
        self._last = index

    def is_empty(self, now_s: float) -> bool:
        """Say whether nothing was recorded for more than the window."""
        if self._last is None:
            return True
        return (math.floor(now_s / GRANULARITY_S) - self._last) * GRANULARITY_S > self._window_s

    def average(self, now_s: float) -> float:
        """Return the average a second up to `now_s`; 0 when the window is empty."""
        if self._last is None:
            return 0.0
        silent = max(math.floor(now_s / GRANULARITY_S) - self._last, 0)
        if self._is_weighted:
            return self._weighted(self._last, silent)
        return self._linear(self._last, silent)

    def busy_average(self, now_s: float) -> float:
        """The average over those seconds in which there was any load; O(silent seconds).

        What a load needs while there is one. Weighted averages know no seconds: they stay as is.
        """
        average = self.average(now_s)
        if not average or self._is_weighted or self._last is None:
            return average
        silent = max(math.floor(now_s / GRANULARITY_S) - self._last, 0)
        busy = self._count - self._buckets.count(0.0)
        for passed in range(self._last + 1, self._last + silent + 1):
            busy -= self._buckets[passed % self._count] != 0.0
        # Not the rounded average times its seconds: 0.016667 of 60 is more than one request.
        return _rounded(self._sum(self._last, silent) / max(busy, 1))

    def recent(self, now_s: float, seconds: int) -> list[float]:
        """The values of the `seconds` before this one, oldest first; fewer if fewer are known."""
        if self._last is None or not self._buckets:
            return []
        end = math.floor(now_s / GRANULARITY_S)
        start = max(end - min(seconds, self._count), self._last - self._count + 1)
        if self._first is not None:
            start = max(start, self._first)
        known = range(start, min(end, self._last + 1))
        return [self._buckets[index % self._count] for index in known] + [0.0] * (
            end - max(known.stop, start)
        )

    def _linear(self, last: int, silent: int) -> float:
        if silent * GRANULARITY_S >= self._window_s:
            return 0.0
        return _rounded(self._sum(last, silent) / self._valid(last, silent))

    def _sum(self, last: int, silent: int) -> float:
        """Of all seconds that a linear average is over."""
        total = self._total
        for passed in range(last + 1, last + silent + 1 if self._buckets else 0):
            total -= self._buckets[passed % self._count]
        return total

    def _valid(self, last: int, silent: int) -> int:
        """Seconds that a linear average is over."""
        valid = self._count - silent
        return valid if self._first is None else min(last - self._first + 1, valid)

    def _weighted(self, last: int, silent: int) -> float:
        if silent * GRANULARITY_S > self._window_s:
            return 0.0
        if not self._buckets:
            return 0.0
        count = self._count
        newest = _newest_weight(count)
        weight = newest * (1 - newest) ** silent if silent else newest
        average = 0.0
        for age in range(count - silent):
            average += self._buckets[(last - age) % count] * weight
            weight *= 1 - newest
        return average

    def resize(self, window_s: float, *, now_s: float) -> None:
        """Change the span and keep what still fits; O(buckets).

        As in Knative a grown window counts as known back to its old length, not only to its
        first record.
        """
        assert window_s > 0
        if window_s == self._window_s:
            return
        count = math.ceil(window_s / GRANULARITY_S)
        buckets: list[float] = []
        total = 0.0
        if self._last is not None and not self.is_empty(now_s):
            old = self._count
            if self._buckets:
                buckets = [0.0] * count
                for index in range(self._last, self._last - min(old, count), -1):
                    value = self._buckets[index % old]
                    buckets[index % count] = value
                    total += value
            self._first = self._last - (old - 1)
        else:
            self._first = None
        self._window_s = window_s
        self._count = count
        self._buckets = buckets
        self._total = total

    def rest(self) -> None:
        """Give back the buckets if nothing but zeros is in them; no average changes by it."""
        if not any(self._buckets):
            self._buckets = []

    def dump(self, *, shift: int, now_s: float) -> dict[str, Any] | None:
        """What `restored` takes, its seconds moved by `shift`; None when nothing is in it."""
        if self._last is None or self._first is None or self.is_empty(now_s):
            return None
        oldest = max(self._first, self._last - self._count + 1)
        known = range(oldest, self._last + 1) if any(self._buckets) else ()
        return {
            "window_s": self._window_s,
            "is_weighted": self._is_weighted,
            "first": oldest + shift,
            "last": self._last + shift,
            "total": self._total,
            "values": [self._buckets[index % self._count] for index in known],
        }

    @classmethod
    def restored(cls, raw: Mapping[str, Any], *, shift: int) -> "AverageWindow":
        """The window that was dumped; ValueError, KeyError or TypeError when it is none."""
        first, last, values = int(raw["first"]), int(raw["last"]), raw["values"]
        window_s, total = float(raw["window_s"]), float(raw["total"])
        numbers = [float(value) for value in values]
        window = cls(
            window_s=min(max(window_s, GRANULARITY_S), _SPAN_MAX_S),
            is_weighted=raw["is_weighted"] is True,
        )
        is_whole = len(numbers) == last - first + 1 or not numbers
        if not is_whole or not last - window._count < first <= last:
            raise ValueError("a window's values do not fill its seconds")
        if not all(map(math.isfinite, (window_s, total, *numbers))):
            raise ValueError("a window's values are not numbers")
        if any(numbers):
            window._buckets = [0.0] * window._count
            for index, value in enumerate(numbers, start=first - shift):
                window._buckets[index % window._count] = value
        window._first, window._last, window._total = first - shift, last - shift, total
        return window

    def skip(self, now_s: float) -> None:
        """Take the seconds since the last record for unknown, as nobody counted; not for zero.

        The window is moved up to now as if its clock had stood still.
        """
        if self._last is None:
            return
        missed = math.floor(now_s / GRANULARITY_S) - 1 - self._last
        if missed <= 0:
            return
        turn = missed % self._count
        self._buckets = self._buckets[-turn:] + self._buckets[:-turn] if turn else self._buckets
        self._last += missed
        if self._first is not None:
            self._first += missed


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxWindow:
    """The largest value of the last `span` slots, as a value: recording makes a new one.

    `entries` are (slot, value), slots rising and values falling, so there are never more
    entries than distinct values and `record` is O(entries).
    """

    entries: tuple[tuple[int, int], ...] = ()

    def record(self, slot: int, value: int, *, span: int) -> "MaxWindow":
        """Return the window with `value` in `slot`; in one slot the larger value stays."""
        end = len(self.entries)
        while end and self.entries[end - 1][1] <= value:
            end -= 1  # smaller and older: can never be the maximum again
        start = 0
        while start < end and slot - self.entries[start][0] >= span:
            start += 1
        if end > start and self.entries[end - 1][0] == slot:
            return MaxWindow(entries=self.entries[start:end])
        return MaxWindow(entries=(*self.entries[start:end], (slot, value)))

    @property
    def current(self) -> int:
        """The maximum as of the last record."""
        return self.entries[0][1]
