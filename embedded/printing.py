"""Values as `kubectl` prints them: ages, and what a JSON path of a CRD column finds.

For: turning fields of an object into cells.
Must not know: kinds or columns.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

# The forms that CRD columns use: .field, ['key with \. in it'], [?(@.type=='Ready')],
# [?(@.latestRevision==true)], [0], and [*], of which an API server prints the first.
_STEP: Final = re.compile(
    r"\.(?P<field>[A-Za-z0-9_-]+)"
    r"|\['(?P<key>(?:[^'\\]|\\.)*)'\]"
    r"|\[\?\(@\.(?P<name>[A-Za-z0-9_]+)\s*==\s*(?:[\"'](?P<value>[^\"']*)[\"']|(?P<bare>true|false))\)\]"
    r"|\[(?P<index>\d+|\*)\]"
)
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY


def json_path(obj: Any, path: str) -> Any:
    """The value at a path, None if there is none; ValueError for a path that is not one."""
    at, value = 0, obj
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise ValueError(f"not a JSON path of a column: {path!r}, at {path[at:]!r}")
        at = step.end()
        value = _follow(value, step)
    return value


def _follow(value: Any, step: re.Match[str]) -> Any:
    if step["name"] is not None:
        items = value if isinstance(value, list) else []
        wanted = step["value"] if step["bare"] is None else step["bare"] == "true"
        found = (
            item for item in items if isinstance(item, Mapping) and item.get(step["name"]) == wanted
        )
        return next(found, None)
    if step["index"] is not None:
        at = 0 if step["index"] == "*" else int(step["index"])
        return value[at] if isinstance(value, list) and at < len(value) else None
    key = step["field"] or re.sub(r"\\(.)", r"\1", step["key"] or "")
    return value.get(key) if isinstance(value, Mapping) else None


def age(timestamp: Any, now_s: float) -> str:
    """How long ago an RFC 3339 time was, as Kubernetes' HumanDuration says it."""
    try:
        then = datetime.fromisoformat(str(timestamp))
    except ValueError:
        return "<unknown>"
    if then.tzinfo is None:
        return "<unknown>"
    return human_duration(now_s - then.timestamp())


def human_duration(seconds: float) -> str:
    """Two units while the larger one is small, as in k8s.io/apimachinery's HumanDuration."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    for unit_s, letter, small_s, small_letter, few in (
        (_MINUTE, "m", 1, "s", 10),
        (_HOUR, "h", _MINUTE, "m", 8),
        (_DAY, "d", _HOUR, "h", 8),
        (_YEAR, "y", _DAY, "d", 8),
    ):
        next_s = {_MINUTE: 3 * _HOUR, _HOUR: 2 * _DAY, _DAY: 2 * _YEAR}.get(unit_s)
        if next_s is not None and whole >= next_s:
            continue
        units, rest = divmod(whole, unit_s)
        smalls = rest // small_s
        if units < few and smalls:
            return f"{units}{letter}{smalls}{small_letter}"
        return f"{units}{letter}"
    raise AssertionError("years have no bound")
