"""The rules for volumes and their mounts that their schema can not say.

For: checking that every volume has one source and is mounted, and every mount has a volume.
Must not know: how a volume is made, or whether what it names exists.
"""

import posixpath
from collections.abc import Collection, Mapping, Sequence

from api import fields, formats
from api.containers import check_one_of, check_references
from api.objects import Raw

RESERVED_PATHS = frozenset({"/", "/dev", "/dev/log"})

_SOURCES = ("secret", "configMap", "projected", "emptyDir", "persistentVolumeClaim", "hostPath")
_REFUSED_SOURCES = ("csi", "ephemeral", "image")  # each told by its own message
_PROJECTIONS = ("secret", "configMap", "serviceAccountToken", "downwardAPI")
_WRITABLE = ("emptyDir", "persistentVolumeClaim")


def is_writable(volume: Raw) -> bool:
    """Whether a mount of the volume may be written; all others are read-only."""
    return any(volume.get(name) is not None for name in _WRITABLE)


def check(
    volumes: Sequence[Raw], mounted: Collection[str], path: str, faults: fields.Faults
) -> dict[str, Raw]:
    """Note what is wrong with volumes; answers them by name."""
    found: dict[str, Raw] = {}
    for index, volume in enumerate(volumes):
        here, name = f"{path}[{index}]", volume.get("name", "")
        if name and name in found:
            faults.add(f'duplicate volume name "{name}"', f"{here}.name")
        if name and name not in mounted:
            faults.add(f'volume with name "{name}" not mounted', f"{here}.name")
        if name and formats.dns_1123_label(name):
            faults.invalid(name, f"{here}.name")
        check_one_of(volume, _SOURCES, here, faults)
        for at, source in enumerate(volume.get("projected", {}).get("sources", ())):
            _check_projection(source, f"{here}.projected.sources[{at}]", faults)
        for what in ("secret", "configMap"):
            _check_items(volume.get(what, {}), f"{here}.{what}", faults)
        if name:
            found[name] = volume
    return found


def _check_projection(source: Raw, path: str, faults: fields.Faults) -> None:
    check_one_of(source, _PROJECTIONS, path, faults)
    for what in ("secret", "configMap"):
        _check_items(source.get(what, {}), f"{path}.{what}", faults)
    for index, file in enumerate(source.get("downwardAPI", {}).get("items", ())):
        here = f"{path}.downwardAPI.items[{index}]"
        refs = [name for name in ("fieldRef", "resourceFieldRef") if name in file]
        if len(refs) > 1:
            message = "Within a single item, cannot set both"
            faults.add(message, f"{here}.fieldRef", f"{here}.resourceFieldRef")
        else:
            check_one_of(file, ("fieldRef", "resourceFieldRef"), here, faults)
        check_references(file, here, faults, is_file=True)
        _check_inside(file.get("path"), f"{here}.path", faults)
    _check_inside(
        source.get("serviceAccountToken", {}).get("path"),
        f"{path}.serviceAccountToken.path",
        faults,
    )


def _check_items(source: Raw, path: str, faults: fields.Faults) -> None:
    for index, item in enumerate(source.get("items", ())):
        _check_inside(item.get("path"), f"{path}.items[{index}].path", faults)


def _check_inside(path: str | None, where: str, faults: fields.Faults) -> None:
    """A file of a volume lies in it, as Kubernetes too wants."""
    if path and (path.startswith("/") or ".." in path.split("/")):
        faults.invalid(path, where, "must be a relative path without '..'")


def check_mounts(
    mounts: Sequence[Raw], volumes: Mapping[str, Raw], path: str, faults: fields.Faults
) -> None:
    """Note what is wrong with the mounts of one container."""
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        here = f"{path}[{index}]"
        volume = volumes.get(mount.get("name", ""))
        if volume is None:
            faults.add("volumeMount has no matching volume", f"{here}.name")
        _check_mount_path(mount.get("mountPath", ""), seen, f"{here}.mountPath", faults)
        _check_inside(mount.get("subPath"), f"{here}.subPath", faults)
        if volume is not None and not mount.get("readOnly"):
            _check_writable(volume, f"{here}.readOnly", faults)


def _check_mount_path(where: str, seen: set[str], path: str, faults: fields.Faults) -> None:
    # Two slashes at the start are one, which POSIX leaves open.
    clean = posixpath.normpath(where).replace("//", "/")
    if not where:
        faults.missing(path)
    elif clean in RESERVED_PATHS:
        faults.add(f'mountPath "{clean}" is a reserved path', path)
    elif not clean.startswith("/"):
        faults.invalid(where, path)
    elif clean in seen:
        faults.invalid(f'"{where}" must be unique', path)
    seen.add(clean)


def _check_writable(volume: Raw, path: str, faults: fields.Faults) -> None:
    if any(name in volume for name in _REFUSED_SOURCES):
        return
    if not is_writable(volume):
        faults.add("volume mount should be readOnly for this type of volume", path)
    elif volume.get("persistentVolumeClaim", {}).get("readOnly"):
        faults.add("volume is readOnly but volume mount is not", path)
