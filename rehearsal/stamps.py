"""What one time stamp says: seconds, an epoch in any unit, or a date.

For: reading a column of stamps that are all of one kind.
Must not know: files, rows, which column it is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}  # how many to a second
_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
# Since 2001 an epoch is at least so large, in each unit; smaller numbers count from some start.
_EPOCHS = (("ns", 1e17), ("us", 1e14), ("ms", 1e11), ("s", 1e9))
_ENDINGS = {
    **dict.fromkeys(("ns", "nanos", "nanoseconds"), "ns"),
    **dict.fromkeys(("us", "micros", "microseconds", "usec"), "us"),
    **dict.fromkeys(("ms", "millis", "milliseconds", "msec"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "seconds"), "s"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamps:
    """How the stamps of a column are read."""

    read: Callable[[str], float]  # → seconds; ValueError if it is none
    is_epoch: bool  # seconds since 1970, else since some start
    note: str  # a sentence


def unit_of(column: str) -> str | None:
    """The unit that a column's name ends in, as in `duration_ms` or `timestamp (s)`."""
    return _ENDINGS.get(column.rstrip("_").rpartition("_")[2])


def stamps_like(text: str, *, unit: str | None) -> Stamps:
    """Find out how a column is read from its first stamp; ValueError if that is none."""
    try:
        number = abs(float(text))
    except ValueError:
        _date(text)  # a ValueError, unless it is one
        zone = "" if datetime.fromisoformat(_tidied(text)).tzinfo else ", taken for UTC"
        return Stamps(read=_date, is_epoch=True, note=f"Times are dates{zone}.")
    is_epoch = False
    for epoch_unit, least in _EPOCHS:
        if number >= least and (unit is None or UNITS[unit] == UNITS[epoch_unit]):
            unit, is_epoch = epoch_unit, True
            break
    start = "since 1970" if is_epoch else "since some start"
    note = f"Times are {_NAMES[unit or 's']} {start}."
    return Stamps(read=_reader(UNITS[unit or "s"]), is_epoch=is_epoch, note=note)


def seconds(text: str, per_s: float) -> float:
    """Read a length of time given in a unit; ValueError unless it is 0 or more."""
    value = float(text) / per_s
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


def _reader(per_s: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(text)
        return value / per_s

    return read


def _date(text: str) -> float:
    when = datetime.fromisoformat(_tidied(text))
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _tidied(text: str) -> str:
    return text.strip().replace("/", "-").removesuffix(" UTC")
