"""Where two JSON values differ, for a person to read.

For: saying what changed in an object that may not change.
Must not know: what the values are.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_ABSENT = object()
LINES_MAX = 20  # differences shown; more are counted


def between(old: Any, new: Any, path: str) -> str:
    """Each difference as its path, `-:` what was and `+:` what is; "" if there is none."""
    lines: list[str] = []
    left_out = 0
    for where, before, after in _differences(old, new, path):
        if len(lines) == LINES_MAX:
            left_out += 1
            continue
        lines.append(f"{where}:{_side('-', before)}{_side('+', after)}")
    if left_out:
        lines.append(f"... and {left_out} more")
    return "\n".join(lines)


def _side(sign: str, value: Any) -> str:
    return "" if value is _ABSENT else f"\n\t{sign}: {json.dumps(value, ensure_ascii=False)}"


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{path}.{key}")
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else _ABSENT
            after = new[index] if index < len(new) else _ABSENT
            yield from _differences(before, after, f"{path}[{index}]")
    elif type(old) is not type(new) or old != new:
        yield path, old, new
