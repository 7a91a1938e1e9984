"""How a process gets a tree of files of its own: the plan, pure.

For: turning what a container mounts, and what this machine has at those paths, into steps that
build its root: everything of the machine's, with the container's volumes where it wants them.
Must not know: how a step is carried out, what is in a volume, or who the process is.

A path that exists here is mounted over. For one that does not, the nearest directory above it
that does is built anew: an empty one in memory, in which each entry of the old one is mounted
again, so that nothing is lost and nothing of the machine is written to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, Protocol

Kind = Literal["dir", "file", "link", ""]
Step = tuple[str | int | list[list[str]], ...]
# What a program may write to although its root is read-only: devices, its own processes.
_NEVER_READ_ONLY = ("/dev", "/proc")


class MountError(Exception):
    """A container can not be given what it mounts; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One thing at one path; both absolute and free of symbolic links."""

    source: str
    target: str
    is_dir: bool = True
    is_read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What stands in a directory; `link` is where a symbolic link leads."""

    name: str
    kind: Kind
    link: str = ""


class Tree(Protocol):
    """What this machine has."""

    def kind(self, path: str) -> Kind:
        """What is there; "" for nothing."""
        ...

    def entries(self, path: str) -> Sequence[Entry]:
        """What a directory holds."""
        ...

    def mode(self, path: str) -> int:
        """The permission bits of a directory."""
        ...


def plan(mounts: Sequence[Mount], tree: Tree, *, read_only_root: bool = False) -> list[Step]:
    """The steps, in order. Sources are paths of the old root, targets of the new one.

    `("bind", source, target)`, with all that is mounted below; `("tmpfs", target, mode)`;
    `("mirror", directory, entries)`: every entry of the old directory in the new one;
    `("mkdir", target)` and `("touch", target)`, with their parents, nothing if it is there;
    `("readonly", target)` and `("writable", target)`, with all that is mounted below.

    Raises `MountError`.
    """
    ordered = sorted(mounts, key=lambda mount: PurePosixPath(mount.target).parts)
    _check(ordered)
    rebuilt = _rebuilt(ordered, tree)
    steps: list[Step] = [] if "/" in rebuilt else [("bind", "/", "/")]
    for path in sorted(rebuilt, key=lambda path: PurePosixPath(path).parts):
        steps.append(("tmpfs", path, tree.mode(path)))
        entries = [[each.kind, each.name, each.link] for each in tree.entries(path)]
        steps.append(("mirror", path, entries))
    if read_only_root:
        steps.append(("readonly", "/"))
        steps += [("writable", path) for path in _NEVER_READ_ONLY if tree.kind(path) == "dir"]
    # What is missing is made before anything becomes read-only.
    binds: list[Step] = []
    for mount in ordered:
        binds.append(("mkdir" if mount.is_dir else "touch", mount.target))
        binds.append(("bind", mount.source, mount.target))
    at = next((i for i, step in enumerate(steps) if step[0] == "readonly"), len(steps))
    return steps[:at] + binds + steps[at:] + _rights(ordered, read_only_root=read_only_root)


def _check(ordered: Sequence[Mount]) -> None:
    seen: set[str] = set()
    for mount in ordered:
        if mount.target == "/":
            raise MountError('mountPath "/": a container can not be given another root')
        if mount.target in seen:
            raise MountError(f'mountPath "{mount.target}": must be unique')
        seen.add(mount.target)


def _rebuilt(ordered: Sequence[Mount], tree: Tree) -> set[str]:
    """The directories to build anew: the nearest existing one above each missing path."""
    found: set[str] = set()
    directories = [mount.target for mount in ordered if mount.is_dir]
    for mount in ordered:
        kind = tree.kind(mount.target)
        is_inside = any(_is_below(mount.target, other) for other in directories)
        if is_inside:
            continue  # its place is made inside the volume, as a container runtime does
        if kind and (kind == "dir") != mount.is_dir:
            here, there = ("directory", "file") if kind == "dir" else ("file", "directory")
            raise MountError(
                f'mountPath "{mount.target}": is a {here} here, and the volume gives a {there}'
            )
        if not kind:
            found.add(_nearest(mount.target, tree))
    return found


def _nearest(path: str, tree: Tree) -> str:
    for parent in PurePosixPath(path).parents:
        kind = tree.kind(str(parent))
        if kind == "dir":
            return str(parent)
        if kind:
            raise MountError(f'mountPath "{path}": {parent} is a file here, not a directory')
    return "/"


def _is_below(path: str, directory: str) -> bool:
    return path != directory and PurePosixPath(path).is_relative_to(directory)


def _rights(ordered: Sequence[Mount], *, read_only_root: bool) -> list[Step]:
    """Who may write where: from the outside in, as a right holds for all that is below."""
    steps: list[Step] = []
    for mount in ordered:
        if mount.is_read_only:
            steps.append(("readonly", mount.target))
        elif read_only_root or any(
            _is_below(mount.target, other.target) and other.is_read_only for other in ordered
        ):
            steps.append(("writable", mount.target))
    return steps
