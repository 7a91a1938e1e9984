"""How long ago, in the few characters kubectl uses.

For: the AGE column.
Must not know: the time; it is an argument.
"""

from datetime import datetime

_UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR = 365 * _DAY


def age(timestamp: str | None, now_s: float) -> str:
    """The age of an RFC 3339 timestamp. `now_s` is since the epoch."""
    if not timestamp:
        return _UNKNOWN
    try:
        then_s = datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return _UNKNOWN
    return human_duration(int(now_s - then_s))


# (below this many seconds, unit, its letter, finer unit, its letter); no finer unit: one is said.
_STEPS = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def human_duration(seconds: int) -> str:
    """As Kubernetes' duration.HumanDuration: "119s", "2m3s", "47h", "8d", "2y1d"."""
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    for below_s, unit_s, letter, finer_s, finer in _STEPS:
        if seconds < below_s:
            rest = seconds % unit_s // finer_s if finer_s else 0
            return f"{seconds // unit_s}{letter}" + (f"{rest}{finer}" if rest else "")
    return f"{seconds // _YEAR}y"
