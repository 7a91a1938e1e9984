"""A Pod's volumes on this machine's disk, and what a container's process is told to mount.

For: writing what Kubernetes fills, swapping it whole when it changes, and finding what backs a
mount.
Must not know: how objects are read, system calls for mounting, or who runs.
"""

import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from api.objects import Raw
from embedded.mounts import Entry, Kind, Mount, plan
from embedded.security import Credentials
from embedded.volumes import File, is_filled

_DATA = "..data"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a tmpfs wherever there is one


class VolumeError(Exception):
    """A volume can not be set up; the message is Kubernetes'."""


class HostTree:
    """This machine's files, as `embedded.mounts` asks for them."""

    def kind(self, path: str) -> Kind:
        """What is there, links followed; "" for nothing."""
        try:
            mode = Path(path).stat().st_mode
        except OSError:
            return ""
        return "dir" if stat.S_ISDIR(mode) else "file"

    def entries(self, path: str) -> Sequence[Entry]:
        """What a directory holds."""
        with os.scandir(path) as found:
            return [_entry(each) for each in found]

    def mode(self, path: str) -> int:
        """The permission bits of a directory."""
        return stat.S_IMODE(Path(path).stat().st_mode)


def _entry(found: "os.DirEntry[str]") -> Entry:
    if found.is_symlink():
        return Entry(name=found.name, kind="link", link=str(Path(found.path).readlink()))
    kind: Kind = "dir" if found.is_dir(follow_symlinks=False) else "file"
    return Entry(name=found.name, kind=kind)


class PodFiles:
    """The volumes of one Pod, below its own folder."""

    def __init__(self, folder: Path, uid: str, *, group: int | None) -> None:
        """`group`: the Pod's fsGroup, whose volumes they are."""
        self._folder = folder / "_volumes"  # no container has such a name
        self._memory = _MEMORY / f"relight-{uid}"
        self._group = group
        self._places: dict[str, Path] = {}

    def place(self, volume: Raw) -> None:
        """Make what backs a volume that Kubernetes does not fill; VolumeError."""
        name = str(volume["name"])
        if "hostPath" in volume:
            self._places[name] = _host_path(volume)
            return
        empty: Mapping[str, Any] = volume.get("emptyDir") or {}
        in_memory = empty.get("medium") == "Memory" and _MEMORY.is_dir()
        path = (self._memory if in_memory else self._folder) / name
        path.mkdir(parents=True, exist_ok=True)
        self._give(path, 0o777)
        self._places[name] = path

    def fill(self, volume: Raw, files: Mapping[str, File]) -> None:
        """Write a filled volume, or swap its content for this as a whole."""
        name = str(volume["name"])
        path = self._folder / name
        path.mkdir(parents=True, exist_ok=True, mode=0o755)
        self._places[name] = path
        present = path / _DATA
        before = path / present.readlink() if present.is_symlink() else None
        after = path / ("..1" if before is not None and before.name == "..0" else "..0")
        shutil.rmtree(after, ignore_errors=True)
        after.mkdir(mode=0o755)
        for relative, file in files.items():
            target = after / relative
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            target.write_bytes(file.content)
            self._give(target, file.mode | (0o440 if self._group is not None else 0))
        link = path / "..link"
        link.unlink(missing_ok=True)
        link.symlink_to(after.name)
        link.replace(present)  # from here on all is new
        _point(path, {Path(relative).parts[0] for relative in files})
        if before is not None:
            shutil.rmtree(before, ignore_errors=True)

    def _give(self, path: Path, mode: int) -> None:
        if self._group is not None:
            os.chown(path, -1, self._group)
            mode |= stat.S_ISGID if path.is_dir() else 0
        path.chmod(mode)

    def mounts(self, spec: Raw, container: Raw, *, expand: Callable[[str], str]) -> list[Mount]:
        """What a container mounts; VolumeError."""
        volumes = {str(volume["name"]): volume for volume in spec.get("volumes") or ()}
        found = []
        for mount in container.get("volumeMounts") or ():
            name = str(mount.get("name", ""))
            if name not in self._places:
                raise VolumeError(f'volume "{name}" is not defined')
            source = self._places[name]
            sub = str(mount.get("subPath") or expand(str(mount.get("subPathExpr") or "")))
            if sub:
                source = _inside(source, sub, container, is_made=not is_filled(volumes[name]))
            found.append(
                Mount(
                    source=str(source.resolve()),
                    target=str(Path("/", str(mount["mountPath"])).resolve()),
                    is_dir=source.is_dir(),
                    is_read_only=bool(mount.get("readOnly")) or is_filled(volumes[name]),
                )
            )
        return found

    @staticmethod
    def forget(uid: str) -> None:
        """Remove what a Pod has in memory; its folder is removed with what else is in it."""
        shutil.rmtree(_MEMORY / f"relight-{uid}", ignore_errors=True)


def write_confinement(
    file: Path, mounts: Sequence[Mount], who: Credentials, *, is_root: bool
) -> str:
    """Write down where a process belongs; its path, or "" where it belongs nowhere else.

    Raises `embedded.mounts.MountError`.
    """
    if not mounts and who.is_plain:
        return ""
    steps = []
    if mounts or who.is_root_read_only:
        steps = plan(mounts, HostTree(), read_only_root=who.is_root_read_only)
    facts = {
        "steps": steps,
        "is_user_namespace": not is_root,
        "uid": who.uid,
        "gid": who.gid,
        "groups": who.groups,
        "dropped": who.dropped,
        "no_new_privileges": who.no_new_privileges,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps(facts))
    return str(file.resolve())


def _host_path(volume: Raw) -> Path:
    wanted, name = volume["hostPath"], volume["name"]
    path = Path(str(wanted.get("path", "")))
    kind = wanted.get("type") or ""
    problem = ""
    if kind == "Directory" and not path.is_dir():
        problem = f"hostPath type check failed: {path} is not a directory"
    elif kind == "File" and not path.is_file():
        problem = f"hostPath type check failed: {path} is not a file"
    elif not path.is_absolute() or not path.exists():
        problem = f"hostPath {path} does not exist on this machine"
    if problem:
        raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {problem}')
    return path


def _inside(volume: Path, sub: str, container: Raw, *, is_made: bool) -> Path:
    """What a subPath means; made where Kubernetes makes it, never outside of the volume."""
    root = volume.resolve()
    path = (root / sub).resolve()
    if path.is_relative_to(root) and is_made and not path.exists():
        path.mkdir(parents=True, mode=0o777)
        path.chmod(0o777)
    if not path.is_relative_to(root) or not path.exists():
        raise VolumeError(
            f'failed to prepare subPath for volumeMount "{sub}" of container "{container["name"]}"'
        )
    return path


def _point(path: Path, names: set[str]) -> None:
    """One link for each name at the top, through the present data."""
    for stale in path.iterdir():
        if stale.name not in names and not stale.name.startswith(".."):
            stale.unlink()
    for name in names:
        link = path / name
        if not link.is_symlink():
            link.symlink_to(f"{_DATA}/{name}")
