"""A folder on this machine: what lies in it, and what its files hold, within bounds.

For: looking for a model and taking its fingerprint, wherever that is done.
Must not know: what a model is, who looks for one, or what becomes of it.

Nothing outside the folder is read: a link that leads out of it is told, not followed.
"""

import io
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from typing_extensions import override

from api.modeldigests import Fingerprint, fingerprint
from api.modelfiles import HEAD_BYTES, ModelFileError
from api.modellayouts import Entries, stray

ENTRIES_MAX = 5000  # in one folder
CHUNK_BYTES = 1 << 20
BRIEF_BYTES_MAX = 8 << 20
_TEXT_BYTES_MAX = 1 << 20
_MEMBERS_MAX = 10_000


class BriefReads(io.BufferedReader):
    """A file of which only so much is read at once: zipfile would read any list of names whole.

    Each name in it becomes an object of ten times its size.
    """

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        most = BRIEF_BYTES_MAX + 1
        found = super().read(most if size is None or size < 0 else min(size, most))
        if len(found) == most:
            raise ValueError(f"its list of files is more than {BRIEF_BYTES_MAX >> 20} MiB")
        return found


class Folder:
    """One folder; names are relative to it, with slashes."""

    def __init__(self, root: Path, *, named: str = "") -> None:
        """`named` is a file a person named: it may be a link to anywhere."""
        self.root = root
        self._named = named
        self._bound = _bound(root)

    def entries(self, folder: str) -> Entries:
        """What lies in a folder, "" the top one."""
        path = self._inside(folder)
        files: list[str] = []
        folders: list[str] = []
        strays: list[str] = []
        with os.scandir(path) as found:
            for count, entry in enumerate(found):
                if count >= ENTRIES_MAX:
                    raise ModelFileError(
                        f"holds more than {ENTRIES_MAX} files: name the one to serve"
                    )
                with suppress(OSError):  # a link that leads nowhere
                    if entry.is_symlink() and not self._holds(Path(entry.path)):
                        strays.append(entry.name)
                    elif entry.is_dir():
                        folders.append(entry.name)
                    elif entry.is_file():
                        files.append(entry.name)
        return Entries(files, folders, strays)

    def head(self, name: str) -> bytes:
        """The first bytes of a file, enough to recognise it."""
        with self.open(name) as file:
            return file.read(HEAD_BYTES)

    def members(self, name: str) -> Sequence[str]:
        """The names in a zip archive; none if it can not be read as one."""
        import zipfile  # few models are archives

        try:
            with (
                self.open(name) as file,
                BriefReads(cast("io.RawIOBase", file)) as brief,
                zipfile.ZipFile(brief) as archive,
            ):
                return archive.namelist()[:_MEMBERS_MAX]
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
            return ()

    def text(self, name: str) -> str:
        """All of a settings file."""
        with self.open(name) as file:
            content = file.read(_TEXT_BYTES_MAX + 1)
        if len(content) > _TEXT_BYTES_MAX:
            raise ModelFileError(f"holds {name}, which is larger than settings are")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ModelFileError(f"holds {name}, which is not UTF-8 text") from None

    def fingerprint(self, name: str) -> Fingerprint:
        """Of all of a file."""
        return fingerprint(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """All of a file, piece by piece."""
        with self.open(name) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A regular file; without waiting, as the opening of a named pipe would."""
        path = self.root / name if name == self._named else self._inside(name)
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(0, "it is not a regular file")
            yield file

    def _inside(self, name: str) -> Path:
        path = self.root / name
        if not self._holds(path):
            raise stray(name)
        return path

    def _holds(self, path: Path) -> bool:
        return Path(os.path.realpath(path, strict=True)).is_relative_to(self._bound)


def of(path: Path) -> tuple[Folder, str]:
    """What to look at for a path that a person gave, and the file in there; "" for a folder."""
    top, name = split(path)
    return Folder(top, named=name), name


def split(path: Path) -> tuple[Path, str]:
    """The folder to look at for a path, and the file in there that the path names, if it does."""
    return (path, "") if path.is_dir() else (path.parent, path.name)


def _bound(root: Path) -> Path:
    """What links may not lead out of: the folder, or the cache it is a snapshot in.

    Hugging Face's library keeps files once, as blobs beside the snapshots that link to them.
    """
    real = Path(os.path.realpath(root))
    is_snapshot = real.parent.name == "snapshots" and (real.parent.parent / "blobs").is_dir()
    return real.parent.parent if is_snapshot else real
