"""A folder of this machine, and links that lead out of it."""

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest

from api.modelfiles import ModelFileError
from wire import folders
from wire.folders import Folder


def test_what_lies_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a").write_bytes(b"abc")
    (tmp_path / "b").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    folder = Folder(tmp_path)
    assert folder.entries("") == (["b"], ["sub"], [])
    assert folder.entries("sub") == (["a"], [], [])
    assert folder.head("sub/a") == folder.text("sub/a").encode() == b"abc"
    assert folder.fingerprint("sub/a").sha256 == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(FileNotFoundError):
        folder.head("gone")


def test_links_inside_are_followed_as_volumes_of_kubernetes_have_them(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026/m.onnx").write_bytes(b"x")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "m.onnx").symlink_to("..data/m.onnx")
    (tmp_path / "1").symlink_to("..data")
    found = Folder(tmp_path).entries("")
    assert ("m.onnx" in found.files, "1" in found.folders, found.strays) == (True, True, [])
    assert Folder(tmp_path).head("m.onnx") == b"x"


def test_links_that_lead_out_are_told_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    top = tmp_path / "top"
    top.mkdir()
    (top / "m.onnx").symlink_to("../secret")
    (top / "up").symlink_to("..")
    folder = Folder(top)
    assert sorted(folder.entries("").strays) == ["m.onnx", "up"]
    for name in ("m.onnx", "up/secret", "../secret", str(tmp_path / "secret")):
        with pytest.raises(ModelFileError, match="a link that leads out of the folder"):
            folder.head(name)
    with pytest.raises(ModelFileError, match="leads out"):
        folder.entries("up")


def test_a_named_file_may_be_a_link_to_anywhere(tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions/3.onnx").write_bytes(b"third")
    (tmp_path / "top").mkdir()
    (tmp_path / "top/latest.onnx").symlink_to("../versions/3.onnx")
    files, name = folders.of(tmp_path / "top/latest.onnx")
    assert (name, files.head(name)) == ("latest.onnx", b"third")
    assert folders.of(tmp_path / "top")[1] == ""


def test_a_snapshot_of_hugging_faces_cache_has_its_files_beside_it(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--x" / "snapshots" / "ab12"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--x/blobs").mkdir()
    (tmp_path / "models--x/blobs/0f").write_bytes(b"weights")
    (snapshot / "model.safetensors").symlink_to("../../blobs/0f")
    (snapshot / "other").symlink_to("../../..")
    found = Folder(snapshot).entries("")
    assert (found.files, found.strays) == (["model.safetensors"], ["other"])
    assert Folder(snapshot).head("model.safetensors") == b"weights"


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "ENTRIES_MAX", 2)
    monkeypatch.setattr(folders, "_TEXT_BYTES_MAX", 3)
    (tmp_path / "long").write_bytes(b"1234")
    (tmp_path / "latin").write_bytes(b"\xe4")
    folder = Folder(tmp_path)
    with pytest.raises(ModelFileError, match="holds long, which is larger than settings are"):
        folder.text("long")
    with pytest.raises(ModelFileError, match="holds latin, which is not UTF-8 text"):
        folder.text("latin")
    (tmp_path / "third").touch()
    with pytest.raises(ModelFileError, match="holds more than 2 files"):
        folder.entries("")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        folder.head("pipe")


def test_the_names_in_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a/b", "x")
    (tmp_path / "m").write_bytes(content.getvalue())
    (tmp_path / "cut").write_bytes(content.getvalue()[:-8])
    assert Folder(tmp_path).members("m") == ["a/b"]
    assert Folder(tmp_path).members("cut") == ()
    monkeypatch.setattr(folders, "BRIEF_BYTES_MAX", 60)  # of the list of names
    assert Folder(tmp_path).members("m") == ["a/b"]
    monkeypatch.setattr(folders, "BRIEF_BYTES_MAX", 40)
    assert Folder(tmp_path).members("m") == ()
