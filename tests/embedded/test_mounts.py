from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.mounts import Entry, Kind, Mount, MountError, Step, plan


@dataclass
class Tree:
    """A tree in memory: directories and files by path; what a file holds is its own path."""

    nodes: dict[str, str] = field(default_factory=lambda: {"/": "dir"})

    def kind(self, path: str) -> Kind:
        found = self.nodes.get(path, "")
        return "dir" if found == "dir" else "file" if found else ""

    def entries(self, path: str) -> Sequence[Entry]:
        here = [p for p in self.nodes if p != "/" and str(PurePosixPath(p).parent) == path]
        return [Entry(name=PurePosixPath(p).name, kind=self.kind(p)) for p in here]

    def mode(self, path: str) -> int:
        return 0o755

    def add(self, path: str, kind: str) -> None:
        """With its parents; nothing where a file is in the way."""
        parents = [str(p) for p in PurePosixPath(path).parents]
        if any(self.nodes.get(p, "dir") != "dir" for p in parents) or path in self.nodes:
            return
        self.nodes |= dict.fromkeys(parents, "dir") | {path: kind}


class Root:
    """The new root that steps make: paths, and what is seen at each of them."""

    def __init__(self, host: Tree) -> None:
        self.host = host
        self.seen: dict[str, str] = {}

    def bind(self, source: str, target: str) -> None:
        assert target == "/" or target in self.seen, f"nothing to mount at: {target}"
        self._clear(target)
        for path, what in self.host.nodes.items():
            if PurePosixPath(path).is_relative_to(source):
                below = PurePosixPath(path).relative_to(source)
                self.seen[str(PurePosixPath(target) / below)] = "dir" if what == "dir" else path

    def tmpfs(self, target: str, _mode: int) -> None:
        self._clear(target)
        self.seen[target] = "dir"

    def mirror(self, directory: str, entries: Any) -> None:
        for kind, name, _link in entries:
            path = str(PurePosixPath(directory) / name)
            self._make(path, "dir" if kind == "dir" else path)
            self.bind(path, path)

    def mkdir(self, target: str) -> None:
        self._make(target, "dir")

    def touch(self, target: str) -> None:
        self._make(target, "empty")

    def _make(self, path: str, kind: str) -> None:
        for parent in reversed(PurePosixPath(path).parents):
            assert self.seen.setdefault(str(parent), "dir") == "dir"
        self.seen.setdefault(path, kind)

    def _clear(self, target: str) -> None:
        for path in [p for p in self.seen if PurePosixPath(p).is_relative_to(target)]:
            del self.seen[path]


def built(steps: Sequence[Step], host: Tree) -> dict[str, str]:
    root = Root(host)
    for step in steps:
        getattr(root, str(step[0]))(*step[1:])
    return root.seen


NAMES = st.sampled_from(["a", "b", "c", "etc"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@st.composite
def situations(draw: st.DrawFn) -> tuple[Tree, list[Mount]]:
    host = Tree()
    for path, kind in draw(st.lists(st.tuples(PATHS, st.sampled_from(["dir", "file"])))):
        host.add(path, kind if kind == "dir" else path)
    mounts: dict[str, Mount] = {}
    for at, (target, is_dir) in enumerate(
        draw(st.lists(st.tuples(PATHS, st.booleans()), max_size=4))
    ):
        source = f"/volumes/{at}"
        host.add(source, "dir" if is_dir else source)
        if is_dir:
            host.add(f"{source}/inside", f"{source}/inside")
        mounts[target] = Mount(source=source, target=target, is_dir=is_dir)
    return host, list(mounts.values())


@given(situations())
def test_mounts_shadow_and_all_else_stays(situation: tuple[Tree, list[Mount]]) -> None:
    host, mounts = situation
    try:
        steps = plan(mounts, host)
    except MountError:
        return
    files = [m for m in mounts if not m.is_dir]
    if any(
        PurePosixPath(m.target) != PurePosixPath(f.target)
        and PurePosixPath(m.target).is_relative_to(f.target)
        for f in files
        for m in mounts
    ):
        return  # something is to be mounted below a file: the kernel refuses, in words
    seen = built(steps, host)
    for mount in mounts:
        inner = [
            m
            for m in mounts
            if m is not mount and PurePosixPath(m.target).is_relative_to(mount.target)
        ]
        if not mount.is_dir:
            assert seen[mount.target] == mount.source
        elif not any(m.target == f"{mount.target}/inside" for m in inner):
            assert seen[f"{mount.target}/inside"] == f"{mount.source}/inside"
    for path, what in host.nodes.items():
        is_covered = any(PurePosixPath(path).is_relative_to(m.target) for m in mounts)
        if not is_covered:
            assert seen.get(path) == ("dir" if what == "dir" else path), path


def test_nothing_is_rebuilt_for_a_path_that_exists() -> None:
    host = Tree()
    host.add("/mnt", "dir")
    assert plan([Mount(source="/v", target="/mnt")], host) == [
        ("bind", "/", "/"),
        ("mkdir", "/mnt"),
        ("bind", "/v", "/mnt"),
    ]


def test_a_read_only_root_keeps_what_is_mounted_writable() -> None:
    host = Tree()
    for path in ("/dev", "/mnt"):
        host.add(path, "dir")
    mounts = [
        Mount(source="/v", target="/mnt"),
        Mount(source="/w", target="/mnt/w", is_read_only=True),
    ]
    steps = plan(mounts, host, read_only_root=True)
    assert [step for step in steps if step[0] in ("readonly", "writable")] == [
        ("readonly", "/"),
        ("writable", "/dev"),
        ("writable", "/mnt"),
        ("readonly", "/mnt/w"),
    ]


@pytest.mark.parametrize(
    ("mounts", "words"),
    [
        ([Mount(source="/v", target="/")], "another root"),
        ([Mount(source="/v", target="/a"), Mount(source="/w", target="/a")], "must be unique"),
        ([Mount(source="/v", target="/file")], "is a file here, and the volume gives a directory"),
        ([Mount(source="/v", target="/file/x")], "/file is a file here, not a directory"),
    ],
)
def test_what_can_not_be_mounted_is_told(mounts: list[Mount], words: str) -> None:
    host = Tree()
    host.add("/file", "/file")
    with pytest.raises(MountError, match=words):
        plan(mounts, host)
