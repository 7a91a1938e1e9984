import os
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from embedded.mounts import Mount
from embedded.podfiles import HostTree, PodFiles, VolumeError, write_confinement
from embedded.security import Credentials
from embedded.volumes import File


@pytest.fixture
def files(tmp_path: Path) -> PodFiles:
    return PodFiles(tmp_path / "pod", "uid", group=None)


def words(text: str, **others: str) -> dict[str, File]:
    return {name: File(content=body.encode()) for name, body in {"a": text, **others}.items()}


def mounted(files: PodFiles, volume: dict[str, Any], **mount: Any) -> Mount:
    made = {"name": volume["name"], "mountPath": "/srv/x", **mount}
    container = {"name": "c", "volumeMounts": [made]}
    (found,) = files.mounts({"volumes": [volume]}, container, expand=lambda text: text)
    return found


FILLED = {"name": "v", "configMap": {"name": "c"}}
EMPTY: dict[str, Any] = {"name": "e", "emptyDir": {}}


def test_a_filled_volume_is_swapped_as_a_whole(files: PodFiles, tmp_path: Path) -> None:
    files.fill(FILLED, words("old", b="gone", **{"deep/c": "c"}))
    place = Path(mounted(files, FILLED).source)
    assert (place / "a").read_text() == "old"
    assert (place / "deep/c").read_text() == "c"
    with (place / "a").open() as opened:
        files.fill(FILLED, words("new"))
        assert opened.read() == "old", "who reads goes on reading one version"
    assert (place / "a").read_text() == "new"
    assert sorted(p.name for p in place.iterdir() if not p.name.startswith("..")) == ["a"]
    files.fill(FILLED, words("newer"))
    assert (place / "a").read_text() == "newer"
    assert len(list(place.glob("..[0-9]"))) == 1


def test_modes_are_set(files: PodFiles) -> None:
    files.fill(FILLED, {"a": File(content=b"", mode=0o400)})
    path = Path(mounted(files, FILLED).source) / "a"
    assert stat.S_IMODE(path.stat().st_mode) == 0o400


def test_what_is_filled_is_read_only(files: PodFiles) -> None:
    files.fill(FILLED, words(""))
    files.place(EMPTY)
    assert mounted(files, FILLED).is_read_only
    assert not mounted(files, EMPTY).is_read_only
    assert mounted(files, EMPTY, readOnly=True).is_read_only


def test_an_empty_directory_is_everybodys_and_stays(files: PodFiles) -> None:
    files.place(EMPTY)
    place = Path(mounted(files, EMPTY).source)
    assert stat.S_IMODE(place.stat().st_mode) == 0o777
    (place / "kept").write_text("")
    files.place(EMPTY)
    assert (place / "kept").exists()


def test_memory_is_given_back(tmp_path: Path) -> None:
    uid = f"test-{os.getpid()}"
    files = PodFiles(tmp_path, uid, group=None)
    volume = {"name": "m", "emptyDir": {"medium": "Memory"}}
    files.place(volume)
    place = Path(mounted(files, volume).source)
    assert place.is_dir()
    PodFiles.forget(uid)
    assert not place.is_relative_to("/dev/shm") or not place.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_pods_group_owns_its_volumes(tmp_path: Path) -> None:
    files = PodFiles(tmp_path, "uid", group=3030)
    files.place(EMPTY)
    files.fill(FILLED, {"a": File(content=b"", mode=0o400)})
    place = Path(mounted(files, EMPTY).source).stat()
    assert (place.st_gid, stat.S_IMODE(place.st_mode)) == (3030, 0o2777)
    file = (Path(mounted(files, FILLED).source) / "a").stat()
    assert (file.st_gid, stat.S_IMODE(file.st_mode)) == (3030, 0o440)


def test_a_sub_path_is_one_file_or_one_directory(files: PodFiles) -> None:
    files.fill(FILLED, words("x"))
    files.place(EMPTY)
    found = mounted(files, FILLED, subPath="a")
    assert (Path(found.source).read_text(), found.is_dir) == ("x", False)
    found = mounted(files, EMPTY, subPath="made/here")
    assert Path(found.source).is_dir()
    assert mounted(files, EMPTY, subPathExpr="by-name").source.endswith("by-name")


@pytest.mark.parametrize("sub", ["no", "../../.."])
def test_a_sub_path_that_is_not_there_is_told(files: PodFiles, sub: str) -> None:
    files.fill(FILLED, words("x"))
    with pytest.raises(VolumeError, match="failed to prepare subPath"):
        mounted(files, FILLED, subPath=sub)


def test_a_sub_path_does_not_leave_its_volume(files: PodFiles, tmp_path: Path) -> None:
    files.place(EMPTY)
    (Path(mounted(files, EMPTY).source) / "out").symlink_to(tmp_path)
    with pytest.raises(VolumeError, match="failed to prepare subPath"):
        mounted(files, EMPTY, subPath="out/x")


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("", "folder", ""),
        ("Directory", "folder", ""),
        ("File", "file", ""),
        ("Directory", "file", "is not a directory"),
        ("File", "folder", "is not a file"),
        ("", "nothing", "does not exist on this machine"),
    ],
)
def test_a_path_of_the_machine_must_be_there(
    files: PodFiles, tmp_path: Path, kind: str, name: str, words: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    volume = {"name": "h", "hostPath": {"path": str(tmp_path / name), "type": kind}}
    if words:
        with pytest.raises(VolumeError, match=words):
            files.place(volume)
        return
    files.place(volume)
    assert mounted(files, volume).source == str((tmp_path / name).resolve())


def test_a_volume_that_is_not_defined_is_told(files: PodFiles) -> None:
    with pytest.raises(VolumeError, match='volume "e" is not defined'):
        mounted(files, EMPTY)


def test_where_a_process_belongs_is_written_down_only_where_that_is_elsewhere(
    tmp_path: Path,
) -> None:
    file = tmp_path / "c/confinement.json"
    assert write_confinement(file, [], Credentials(), is_root=True) == ""
    assert not file.exists()
    path = write_confinement(file, [], Credentials(uid=5, groups=()), is_root=True)
    assert orjson.loads(Path(path).read_bytes())["steps"] == []
    mount = Mount(source=str(tmp_path), target="/mnt")
    path = write_confinement(file, [mount], Credentials(), is_root=False)
    facts = orjson.loads(Path(path).read_bytes())
    assert facts["steps"][-1] == ["bind", str(tmp_path), "/mnt"]
    assert facts["is_user_namespace"] is True


def test_this_machine_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o750)
    (tmp_path / "f").write_text("")
    (tmp_path / "l").symlink_to("d")
    tree = HostTree()
    kinds = {each.name: (each.kind, each.link) for each in tree.entries(str(tmp_path))}
    assert kinds == {"d": ("dir", ""), "f": ("file", ""), "l": ("link", "d")}
    assert [tree.kind(str(tmp_path / name)) for name in "dflx"] == ["dir", "file", "dir", ""]
    assert tree.mode(str(tmp_path / "d")) == 0o750
