"""Spans of time and counts as people type and read them: 200ms, 1m30s, 10m..20m, 1 request.

For: every flag that takes a time, and what is printed of a rehearsal.
Must not know: what a number means to who typed it.
"""

from math import inf

from api.formats import duration_ns
from relight.errors import UsageError

_NS = 1e9
_MS_S = 1e-3
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86_400.0


def parse(flag: str, text: str, *, least_s: float = 0.0) -> float:
    """Seconds of a Go duration; a UsageError names the flag."""
    found = duration_ns(text)
    if found is None:
        raise UsageError(f"{flag} {text}: expected a time such as 200ms, 0.2s or 1m30s")
    if found / _NS < least_s or found < 0:
        raise UsageError(f"{flag} {text}: expected at least {human(max(least_s, 0.0))}")
    return found / _NS


def parse_slice(flag: str, text: str) -> tuple[float, float]:
    """`FROM..TO` in seconds from the start of a trace; either end may be left out."""
    begin, separator, end = text.partition("..")
    if not separator or not (begin or end):
        raise UsageError(f"{flag} {text}: expected FROM..TO, for example 10m..20m, 10m.. or ..5m")
    from_s = parse(flag, begin) if begin else 0.0
    to_s = parse(flag, end) if end else inf
    if to_s <= from_s:
        raise UsageError(f"{flag} {text}: it ends before it begins")
    return from_s, to_s


def counted(number: int, noun: str) -> str:
    """`1 request`, `8,819 requests`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def human(seconds: float) -> str:
    """A span in three digits or so: 0, 0.4 ms, 532 ms, 1.25 s, 84.2 s, 57 min, 23.1 h, 12 days."""
    if seconds == 0:
        return "0"
    if seconds < _MS_S:
        return f"{seconds * 1000:.2g} ms"
    if seconds < 1 - _MS_S / 2:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10 * _MINUTE_S:
        return f"{seconds:.3g} s"
    if seconds < 3 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.3g} min"
    if seconds < 3 * _DAY_S:
        return f"{seconds / _HOUR_S:.3g} h"
    return f"{seconds / _DAY_S:,.1f} days"
