"""What is in a volume that Kubernetes fills: names, bytes and modes. Pure.

For: `configMap`, `secret`, `downwardAPI` and `projected`, as files.
Must not know: where they are written, who mounts them, or how objects are read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from api.objects import Raw
from embedded.environment import (
    Downward,
    Lookup,
    MissingError,
    SourceKind,
    data_of,
    pod_field,
    read,
    resource_field,
)

FILLED = ("configMap", "secret", "downwardAPI", "projected")
_MODE = 0o644
_KINDS: Mapping[str, tuple[SourceKind, str]] = {
    # Kind, and what Kubernetes says of a key that is not in it.
    "configMap": ("ConfigMap", "configmap references non-existent config key: "),
    "secret": ("Secret", "references non-existent secret key: "),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file."""

    content: bytes
    mode: int = _MODE


def is_filled(volume: Raw) -> bool:
    """Whether its content comes from objects."""
    return any(name in volume for name in FILLED)


def content(volume: Raw, about: Downward, lookup: Lookup) -> dict[str, File]:
    """The files by their path in the volume; MissingError."""
    found: dict[str, File] = {}
    projected = volume.get("projected")
    if projected is not None:
        mode = _mode(projected, _MODE)
        for source in projected.get("sources") or ():
            found |= dict(_files(source, about, lookup, mode=mode))
        return found
    kind = next(name for name in FILLED if name in volume)
    mode = _mode(volume.get(kind) or {}, _MODE)
    return dict(_files(volume, about, lookup, mode=mode))


def _files(
    source: Raw, about: Downward, lookup: Lookup, *, mode: int
) -> Iterator[tuple[str, File]]:
    for name in _KINDS:
        if source.get(name) is not None:
            yield from _from_object(name, source[name], lookup, mode=mode)
    for item in (source.get("downwardAPI") or {}).get("items") or ():
        if item.get("fieldRef"):
            text = pod_field(str(item["fieldRef"].get("fieldPath", "")), about)
        else:
            text = resource_field(item.get("resourceFieldRef") or {}, {}, about)
        yield _path(item), File(content=text.encode(), mode=_mode(item, mode))


def _from_object(
    field: str, source: Mapping[str, Any], lookup: Lookup, *, mode: int
) -> Iterator[tuple[str, File]]:
    kind, complaint = _KINDS[field]
    name = str(source.get("secretName") or source.get("name", ""))
    obj = read(kind, source, lookup, name=name)
    data = {} if obj is None else data_of(obj)
    if not source.get("items"):
        for key, value in data.items():
            yield key, File(content=value, mode=mode)
        return
    for item in source["items"]:
        key = str(item.get("key", ""))
        if key in data:
            yield _path(item), File(content=data[key], mode=_mode(item, mode))
        elif not source.get("optional"):
            raise MissingError(complaint + key)


def _path(item: Mapping[str, Any]) -> str:
    path = PurePosixPath(str(item.get("path", "")))
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise MissingError(f'path "{path}": must be relative and must not contain ".."')
    return str(path)


def _mode(source: Mapping[str, Any], otherwise: int) -> int:
    for name in ("mode", "defaultMode"):
        if source.get(name) is not None:
            return int(source[name])
    return otherwise
