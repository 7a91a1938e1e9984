"""Moments as people type and read them.

For: `--at 14:05`, `--at "5m ago"`, and times in sentences.
Must not know: the time, or the machine's time zone; both are arguments.
"""

import re
from datetime import datetime, timedelta, tzinfo

from relight.errors import UsageError

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_AGO = re.compile(rf"((?:{_LENGTH.pattern}\s*)+)\s+ago")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_HOW = 'expected RFC 3339 (2026-11-23T12:00:03Z), a time of today (12:00 or 12:00:03) or "5m ago"'


def moment(text: str, *, now_s: float, zone: tzinfo | None) -> float:
    """Seconds since the epoch. `zone` None: the machine's. UsageError names what is wrong."""
    text = text.strip()
    try:
        then_s = _read(text, now_s, zone)
    except (OverflowError, OSError, ValueError):  # years that calendars or clocks do not have
        then_s = None
    if then_s is None or then_s < 0:
        raise UsageError(f"--at: {text!r}: {_HOW}")
    if then_s > now_s:
        raise UsageError(f"--at: {text} has not come yet")
    return then_s


def _read(text: str, now_s: float, zone: tzinfo | None) -> float | None:
    ago = _AGO.fullmatch(text)
    if ago is not None:
        spans = (float(each[1]) * _UNIT_S[each[2]] for each in _LENGTH.finditer(ago[1]))
        return now_s - sum(spans)
    if text == "now":
        return now_s
    clock = _CLOCK.fullmatch(text)
    then = _today(clock, now_s, zone) if clock is not None else _dated(text, zone)
    return None if then is None else then.timestamp()


def clock(at_s: float, *, now_s: float, zone: tzinfo | None) -> str:
    """A time of day to the millisecond, with the date if it is another day."""
    at, now = (datetime.fromtimestamp(each, tz=zone).astimezone(zone) for each in (at_s, now_s))
    shown = at.strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03d}"
    return shown if at.date() == now.date() else f"{at.date().isoformat()} {shown}"


def span(seconds: float) -> str:
    """A length of time in the unit that fits: "12.4 ms", "3.2 s", "5m3s"."""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join([f"{number}{unit}" for number, unit in parts if number][:2])


def _today(found: re.Match[str], now_s: float, zone: tzinfo | None) -> datetime | None:
    hour, minute, second = int(found[1]), int(found[2]), float(found[3] or 0)
    if hour > 23 or minute > 59 or second >= 60:
        return None
    today = datetime.fromtimestamp(now_s, tz=zone).astimezone(zone)
    start = today.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return start + timedelta(seconds=second)


def _dated(text: str, zone: tzinfo | None) -> datetime | None:
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    return then if then.tzinfo is not None else then.replace(tzinfo=zone).astimezone(zone)
