"""The JSON patch (RFC 6902) that turns one object into another.

For: telling an API server what defaults were filled in.
Must not know: what objects mean.
"""

from collections.abc import Iterator, Mapping
from typing import Any


def between(old: Any, new: Any) -> list[dict[str, Any]]:
    """The operations; none for two that are the same, types included."""
    return list(_operations(old, new, ""))


def _operations(old: Any, new: Any, path: str) -> Iterator[dict[str, Any]]:
    if old is new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _of_maps(old, new, path)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _operations(before, after, f"{path}/{at}")
    elif type(old) is not type(new) or old != new:
        yield {"op": "replace", "path": path, "value": new}


def _of_maps(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[dict[str, Any]]:
    for name in old:
        if name not in new:
            yield {"op": "remove", "path": _below(path, name)}
    for name, value in new.items():
        where = _below(path, name)
        if name in old:
            yield from _operations(old[name], value, where)
        else:
            yield {"op": "add", "path": where, "value": value}


def _below(path: str, name: str) -> str:
    return f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
