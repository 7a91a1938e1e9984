"""Unpack an archive that came from elsewhere, and nothing but plain files, inside one folder.

For: .zip, .tar, .tar.gz and .tgz, of which every name, kind and size may lie.
Must not know: where the archive came from, or what a model is.
"""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from typing_extensions import override

from predictor.fetch_sources import CHUNK_BYTES
from predictor.fetch_uris import FetchError, amount, archive, safe
from wire.folders import BriefReads

FILES_MAX = 10_000
RATIO_MAX = 200  # times the archive's own size, where that is more than _RATIO_FROM_BYTES
_RATIO_FROM_BYTES = 256 << 20
_ENCRYPTED = 0x1
_METHOD = "which is compressed in another way than deflate"
_TAIL_BYTES_MAX = 16 << 20  # of what follows a tar's end, which is zeros
_HEAD_BYTES_MAX = 32 << 20  # of all long names and attributes, which tarfile reads whole and keeps
_HEADS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_DAMAGED = tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError  # type: ignore[attr-defined]
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)


@dataclass(slots=True, kw_only=True)
class _Room:
    """What an archive may take, and what it took."""

    of: str
    bytes_max: int
    size: int = 0
    names: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)

    def enter(self, name: str) -> str:
        """A file's safe name, which no other had."""
        name = safe(name, of=self.of)
        parts = name.split("/")
        above = {"/".join(parts[:count]) for count in range(1, len(parts))}
        if name in self.names:
            raise FetchError(f'{self.of} holds "{name}" twice: refused')
        if name in self.folders or above & self.names:
            raise FetchError(f'{self.of} holds "{name}" as a file and as a folder: refused')
        if len(self.names) >= FILES_MAX:
            raise FetchError(f"{self.of} holds more than {FILES_MAX} files: refused")
        self.names.add(name)
        self.folders |= above
        return name

    def take(self, size: int) -> None:
        """So many more bytes."""
        self.size += size
        if self.size > self.bytes_max:
            message = f"{self.of} holds more than {amount(self.bytes_max)} when unpacked: refused"
            raise FetchError(message)


def unpack(file: Path, name: str, folder: Path, *, bytes_max: int) -> int:
    """Unpack `file`, which is called `name`, into a folder; how many bytes it holds.

    FetchError names what is refused. What was written by then is the caller's to remove.
    """
    ratio_max = max(_RATIO_FROM_BYTES, file.stat().st_size * RATIO_MAX)
    room = _Room(of=name, bytes_max=min(bytes_max, ratio_max))
    read = _zip if archive(name) == ".zip" else _tar
    folder.mkdir(parents=True, exist_ok=True)
    members = read(file, name)
    with closing(members):
        while True:
            try:
                found = next(members, None)
            except FetchError:
                raise
            except _BROKEN as error:
                raise _broken(name, error) from None
            if found is None:
                break
            _write(found, folder, room)
    if not room.names:
        raise FetchError(f"{name} holds no file")
    return room.size


def _write(found: tuple[str, IO[bytes]], folder: Path, room: _Room) -> None:
    name, content = found
    with content:
        path = folder / room.enter(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            while chunk := _chunk(content, room):
                room.take(len(chunk))
                target.write(chunk)


def _chunk(content: IO[bytes], room: _Room) -> bytes:
    try:
        return content.read(CHUNK_BYTES)
    except _BROKEN as error:
        raise _broken(room.of, error) from None


def _broken(name: str, error: Exception) -> FetchError:
    return FetchError(f"{name} can not be unpacked: {str(error) or type(error).__name__}")


class _Archive(tarfile.TarFile):
    """An archive whose members' heads are bounded."""

    head_bytes = 0


class _Member(tarfile.TarInfo):
    """A member of it: tarfile alone would read gigabytes of zeros as a name.

    It would also take a damaged head for the end, and leave out all files that follow.
    """

    @classmethod
    @override
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_Member":
        """The next member."""
        try:
            return super().fromtarfile(archive)
        except _DAMAGED as error:
            raise tarfile.ReadError(f"it is damaged or cut ({error})") from None

    def _proc_member(self, archive: _Archive) -> tarfile.TarInfo:
        if self.size < 0:
            raise tarfile.ReadError("it holds a file of less than no bytes")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("it holds a sparse file")
        if self.type in _HEADS:
            archive.head_bytes += self.size
            if archive.head_bytes > _HEAD_BYTES_MAX:
                limit = amount(_HEAD_BYTES_MAX)
                raise tarfile.ReadError(f"its names and attributes are more than {limit}")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]

    def _proc_gnusparse_00(self, *_: object) -> None:
        raise tarfile.ReadError("it holds a sparse file")

    _proc_gnusparse_01 = _proc_gnusparse_10 = _proc_gnusparse_00


def _tar(file: Path, name: str) -> Generator[tuple[str, IO[bytes]], None, None]:
    mode = "r:" if archive(name) == ".tar" else "r:gz"
    with _Archive.open(file, mode, tarinfo=_Member) as opened:  # type: ignore[call-overload]
        for count, member in enumerate(opened):
            if count > 2 * FILES_MAX:
                raise FetchError(f"{name} holds more than {FILES_MAX} files: refused")
            if member.size < 0:  # by its attributes, which are read after its head
                raise tarfile.ReadError("it holds a file of less than no bytes")
            if member.isdir():
                if member.name.strip("/.") or ".." in member.name:
                    safe(member.name, of=name)
                continue
            if not member.isreg():
                kind = _kind(member)
                raise FetchError(f'{name} holds "{member.name}", {kind}: refused')
            content = opened.extractfile(member)
            assert content is not None
            yield member.name, content
        _finish(opened.fileobj)


def _finish(stream: IO[bytes]) -> None:
    """Read on to where the checksum of all that came before stands."""
    left = _TAIL_BYTES_MAX
    while chunk := stream.read(CHUNK_BYTES):
        left -= len(chunk)
        if left < 0:
            raise tarfile.ReadError(f"more than {amount(_TAIL_BYTES_MAX)} follow its end")


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym():
        return "a symbolic link"
    if member.islnk():
        return "a hard link"
    if member.isfifo():
        return "a named pipe"
    return "a device" if member.isdev() else "which is no file"


def _zip(file: Path, name: str) -> Generator[tuple[str, IO[bytes]], None, None]:
    with BriefReads(file.open("rb", buffering=0)) as brief, zipfile.ZipFile(brief) as opened:
        infos = opened.infolist()
        if len(infos) > 2 * FILES_MAX:
            raise FetchError(f"{name} holds more than {FILES_MAX} files: refused")
        for info in infos:
            # The name as it is written: zipfile would replace and cut what it does not like.
            written = info.orig_filename
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind == stat.S_IFLNK:
                raise FetchError(f'{name} holds "{written}", a symbolic link: refused')
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise FetchError(f'{name} holds "{written}", which is no file: refused')
            if info.flag_bits & _ENCRYPTED:
                raise FetchError(f'{name} holds "{written}", which is encrypted: refused')
            if written.endswith("/"):
                safe(written, of=name)
                continue
            # Others are unpacked by zipfile without a bound: kilobytes would become gigabytes.
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise FetchError(f'{name} holds "{written}", {_METHOD}: refused')
            yield written, opened.open(info)
