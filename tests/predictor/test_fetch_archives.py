import gzip
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from predictor.fetch_archives import unpack
from predictor.fetch_uris import FetchError

GIB = 1 << 30


def a_zip(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in entries:
            opened.writestr(name, content)
    return path


def a_tar(path: Path, *entries: tuple[str, bytes | int], link: str = "/etc/passwd") -> Path:
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as opened:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                opened.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = bytes([content]), link
                opened.addfile(info)
    return path


def link(name: str, mode: int = stat.S_IFLNK | 0o777) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_name_of_gigabytes_is_not_read(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 3 * GIB
    file = tmp_path / "a.tar"
    file.write_bytes(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(FetchError, match="its names and attributes are more than"):
        unpack(file, "a.tar", tmp_path / "out", bytes_max=GIB)


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        (tarfile.GNUTYPE_SPARSE, {}),
        (tarfile.REGTYPE, {"GNU.sparse.map": "0,1"}),
        (tarfile.REGTYPE, {"GNU.sparse.size": "5"}),
        (tarfile.REGTYPE, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
    ],
)
def test_sparse_files_are_refused(tmp_path: Path, kind: bytes, attributes: dict[str, str]) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as opened:
        info = tarfile.TarInfo("model.onnx")
        info.type, info.pax_headers = kind, attributes
        opened.addfile(info)
    with pytest.raises(FetchError, match="it holds a sparse file"):
        unpack(tmp_path / "a.tar", "a.tar", tmp_path / "out", bytes_max=GIB)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz"])
def test_files_and_folders_come_out(tmp_path: Path, name: str) -> None:
    entries = (("./m/1/model.onnx", b"weights"), ("m/config.pbtxt", b"x" * 3000))
    make: Any = a_zip if name == "a.zip" else a_tar
    file = make(tmp_path / name, *entries)
    assert unpack(file, name, tmp_path / "out", bytes_max=GIB) == 3007
    assert (tmp_path / "out/m/1/model.onnx").read_bytes() == b"weights"
    assert (tmp_path / "out/m/config.pbtxt").stat().st_size == 3000


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([("../evil", b"x")], "leads out"),
        ([("a/../../evil", b"x")], "leads out"),
        ([("/tmp/evil", b"x")], "an absolute path"),
        ([("a\\..\\evil", b"x")], "called"),
        ([("m", b"1"), ("m", b"2")], "twice"),
        ([("m", b"1"), ("./m", b"2")], "twice"),
        ([("m", b"1"), ("m/x", b"2")], "as a file and as a folder"),
        ([("m/x", b"1"), ("m", b"2")], "as a file and as a folder"),
        ([], "holds no file"),
    ],
)
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_lie_are_refused(
    tmp_path: Path, name: str, entries: list[tuple[str, bytes]], words: str
) -> None:
    make: Any = a_zip if name == "a.zip" else a_tar
    with pytest.raises(FetchError, match=words):
        unpack(make(tmp_path / name, *entries), name, tmp_path / "in/out", bytes_max=GIB)
    assert not (tmp_path / "in/evil").exists()
    assert not (tmp_path / "evil").exists()
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE[0], "a symbolic link"),
        (tarfile.LNKTYPE[0], "a hard link"),
        (tarfile.FIFOTYPE[0], "a named pipe"),
        (tarfile.CHRTYPE[0], "a device"),
        (tarfile.BLKTYPE[0], "a device"),
    ],
)
def test_what_is_no_file_in_a_tar_is_refused(tmp_path: Path, kind: int, words: str) -> None:
    file = a_tar(tmp_path / "a.tar", ("model.onnx", kind), ("model.onnx/x", b"through it"))
    with pytest.raises(FetchError, match=f'"model.onnx", {words}'):
        unpack(file, "a.tar", tmp_path / "out", bytes_max=GIB)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("entry", "words"),
    [(link("m"), "a symbolic link"), (link("m", stat.S_IFCHR | 0o600), "which is no file")],
)
def test_what_is_no_file_in_a_zip_is_refused(
    tmp_path: Path, entry: zipfile.ZipInfo, words: str
) -> None:
    file = a_zip(tmp_path / "a.zip", (entry, b"/etc/passwd"))
    with pytest.raises(FetchError, match=words):
        unpack(file, "a.zip", tmp_path / "out", bytes_max=GIB)
    assert not list((tmp_path / "out").iterdir())


def test_a_bomb_is_stopped_where_its_limit_is(tmp_path: Path) -> None:
    file = a_zip(tmp_path / "a.zip", *((f"{n}", bytes(1 << 20)) for n in range(8)))
    with pytest.raises(FetchError, match=r"more than 3\.0 MB when unpacked"):
        unpack(file, "a.zip", tmp_path / "out", bytes_max=3_000_000)
    written = sum(each.stat().st_size for each in (tmp_path / "out").iterdir())
    assert written <= 3_000_000


def test_a_ratio_that_no_model_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predictor.fetch_archives._RATIO_FROM_BYTES", 1000)
    file = a_zip(tmp_path / "a.zip", ("m", bytes(4 << 20)))
    with pytest.raises(FetchError, match="when unpacked: refused"):
        unpack(file, "a.zip", tmp_path / "out", bytes_max=GIB)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictor.fetch_archives.FILES_MAX", 3)
    for name, make in (("a.zip", a_zip), ("a.tar", a_tar)):
        few: Any = make
        file = few(tmp_path / name, *((f"{n}", b"") for n in range(4)))
        with pytest.raises(FetchError, match="more than 3 files"):
            unpack(file, name, tmp_path / f"out-{name}", bytes_max=GIB)


def test_damage_is_told(tmp_path: Path) -> None:
    whole = a_tar(tmp_path / "a.tar.gz", ("m", os.urandom(100_000))).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[:50_000])
    (tmp_path / "page.zip").write_bytes(b"<html>")
    damaged = bytearray(a_zip(tmp_path / "a.zip", ("m", os.urandom(1000))).read_bytes())
    damaged[200] ^= 1
    (tmp_path / "bad.zip").write_bytes(damaged)
    for name in ("cut.tar.gz", "page.zip", "bad.zip"):
        with pytest.raises(FetchError, match="can not be unpacked"):
            unpack(tmp_path / name, name, tmp_path / f"out-{name}", bytes_max=GIB)


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    content = bytearray(a_zip(tmp_path / "a.zip", ("m", b"secret")).read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(FetchError, match="encrypted"):
        unpack(tmp_path / "a.zip", "a.zip", tmp_path / "out", bytes_max=GIB)


def head(name: str, *, size: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Of a tar's member, whose size is as it is written here."""
    info = tarfile.TarInfo(name)
    info.type = kind
    text = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    text[124:136], text[148:156] = size, b" " * 8
    text[148:156] = b"%06o\0 " % sum(text[:512])
    return bytes(text)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_size_below_nothing_is_refused(tmp_path: Path, kind: bytes) -> None:
    # As a name's size it would have tarfile read all that follows; as a file's go back for ever.
    lying = head("x", size=b"\xff" * 10 + b"\xfe\x00", kind=kind)
    with gzip.open(tmp_path / "a.tgz", "wb") as file:
        file.write(lying + bytes(4096))
    with pytest.raises(FetchError, match="less than no bytes"):
        unpack(tmp_path / "a.tgz", "a.tgz", tmp_path / "out", bytes_max=GIB)


def test_nor_by_its_attributes(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as opened:
        info = tarfile.TarInfo("x")
        info.pax_headers = {"size": "-1024"}
        opened.addfile(info)
    with pytest.raises(FetchError, match="less than no bytes"):
        unpack(tmp_path / "a.tar", "a.tar", tmp_path / "out", bytes_max=GIB)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
@pytest.mark.parametrize("is_cut", [True, False])
def test_a_damaged_head_is_not_the_end(tmp_path: Path, name: str, is_cut: bool) -> None:
    whole = a_tar(tmp_path / "whole.tar", ("m", b"x"), ("n", b"y")).read_bytes()
    damaged = whole[:1100] if is_cut else whole[:1024] + b"?" + whole[1025:]
    (tmp_path / name).write_bytes(gzip.compress(damaged) if name.endswith("gz") else damaged)
    with pytest.raises(FetchError, match="it is damaged or cut"):
        unpack(tmp_path / name, name, tmp_path / "out", bytes_max=GIB)


def test_the_checksum_at_the_end_is_read(tmp_path: Path) -> None:
    file = a_tar(tmp_path / "a.tar.gz", ("m", b"x"))
    damaged = bytearray(file.read_bytes())
    damaged[-6] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(FetchError, match="CRC"):
        unpack(file, "a.tar.gz", tmp_path / "out", bytes_max=GIB)


def test_what_follows_the_end_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = a_tar(tmp_path / "whole.tar", ("m", b"x")).read_bytes()
    (tmp_path / "a.tgz").write_bytes(gzip.compress(whole + bytes(1 << 20)))
    assert unpack(tmp_path / "a.tgz", "a.tgz", tmp_path / "out", bytes_max=GIB) == 1
    monkeypatch.setattr("predictor.fetch_archives._TAIL_BYTES_MAX", 100_000)
    with pytest.raises(FetchError, match="follow its end"):
        unpack(tmp_path / "a.tgz", "a.tgz", tmp_path / "again", bytes_max=GIB)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_zipfile_unpacks_without_a_bound_is_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as opened:
        opened.writestr("m", bytes(1 << 20))
    with pytest.raises(FetchError, match='"m", which is compressed in another way than deflate'):
        unpack(tmp_path / "a.zip", "a.zip", tmp_path / "out", bytes_max=GIB)


def test_a_list_of_millions_of_files_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wire.folders.BRIEF_BYTES_MAX", 1 << 20)
    file = a_zip(tmp_path / "a.zip", ("m", b"x"))
    assert unpack(file, "a.zip", tmp_path / "out", bytes_max=GIB) == 1
    file = a_zip(tmp_path / "b.zip", *((f"{n:05}{'x' * 190}", b"") for n in range(6000)))
    with pytest.raises(FetchError, match="its list of files is more than 1 MiB"):
        unpack(file, "b.zip", tmp_path / "other", bytes_max=GIB)
