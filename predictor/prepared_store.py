"""The folder of prepared models: entries that are whole or not there, and what is removed when.

For: finding, placing and evicting entries so that a process killed at any point leaves none
half made, and none is trusted that is damaged.
Must not know: ONNX Runtime, or how a model is prepared.

An entry is a folder named by its key. It is made beside the others under a name that no key has,
synced, and renamed. What is removed is renamed first; a replica that has it mapped keeps it.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from predictor.prepared import ENTRY, FOLDER, Entry, EntryError, File, Kept, evictions, read

_TEMPORARY = ".tmp-"
_LOCKS = ".locks"
_WHOLE_BYTES_MAX = 1024 * 1024  # of a file that is hashed whole; a larger one is sampled
_SAMPLES = 64
_SAMPLE_BYTES = 4096
_TOUCH_AFTER_S = 60.0  # an entry's age is known no better than this, and not written more often
_ENTRY_BYTES = 64 * 1024  # what an entry without files counts: more than it takes


class DamagedError(Exception):
    """An entry is there and can not be used; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An entry and where its files are."""

    entry: Entry
    folder: Path
    age_s: float  # since it was written or last loaded


class PreparedStore:
    """Prepared models in one cache folder, which need not exist."""

    def __init__(self, cache_dir: Path) -> None:
        self.root = cache_dir / FOLDER

    # -- for who loads -----------------------------------------------------------------------

    def find(self, key: str, *, now_s: float) -> Found | None:
        """The entry of a key, checked; None where there is none; DamagedError."""
        folder = self.root / key
        try:
            written_s = (folder / ENTRY).stat().st_mtime
            entry = read((folder / ENTRY).read_bytes())
            for name, file in entry.files.items():
                path = folder / name
                if path.stat().st_size != file.size_bytes:
                    raise DamagedError(f"{path} is not as large as it was written")
                if check_of(path) != file.check:
                    raise DamagedError(f"{path} is not what was written")
        except EntryError as error:
            raise DamagedError(f"{folder}: {error}") from None
        except FileNotFoundError as error:
            if not folder.is_dir():
                return None
            raise DamagedError(f"{error.filename} is missing") from None
        except OSError as error:
            raise DamagedError(f"{error.filename}: {error.strerror}") from None
        return Found(entry=entry, folder=folder, age_s=max(0.0, now_s - written_s))

    def used(self, found: Found) -> None:
        """It was loaded: it is evicted after those that were not for longer."""
        if found.age_s > _TOUCH_AFTER_S:
            with contextlib.suppress(OSError):  # somebody else's cache, or a read-only one
                os.utime(found.folder / ENTRY)

    def discard(self, key: str) -> None:
        """Remove an entry, if that is possible."""
        gone = self.root / f"{_TEMPORARY}{uuid.uuid4().hex}"
        with contextlib.suppress(OSError):
            (self.root / key).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    # -- for who prepares --------------------------------------------------------------------

    def lock(self, key: str) -> int | None:
        """A descriptor that holds this key while it is open, also by inheritance.

        None where somebody else holds it. OSError where nothing can be written. Keys share 256
        locks: of two that meet, one is prepared at its next load.
        """
        return self._lock(key[:2], is_patient=False)

    def lock_all(self) -> int:
        """A descriptor that holds the whole store; waits for whoever does."""
        descriptor = self._lock("all", is_patient=True)
        assert descriptor is not None
        return descriptor

    def _lock(self, name: str, *, is_patient: bool) -> int | None:
        folder = self.root / _LOCKS
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if is_patient else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def workspace(self) -> Path:
        """A new folder to make an entry in."""
        return Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=self.root))

    def place(self, workspace: Path, key: str, entry: Entry) -> None:
        """Make a folder that holds the entry's files the entry of a key, in one step."""
        (workspace / ENTRY).write_bytes(entry.write())
        for path in (*workspace.iterdir(), workspace):
            sync(path)
        self.discard(key)
        workspace.rename(self.root / key)
        sync(self.root)

    def clean(self, *, limit_bytes: int, sparing: str = "") -> list[str]:
        """Remove what nobody finished, then what does not fit; the keys that went.

        Only for who holds the whole store. `sparing`: the entry just made is the last to go.
        """
        for stray in self.root.glob(f"{_TEMPORARY}*"):
            shutil.rmtree(stray, ignore_errors=True)
        going = evictions(self._kept(sparing), limit_bytes=limit_bytes)
        for key in going:
            self.discard(key)
        return going

    def _kept(self, sparing: str) -> list[Kept]:
        found: list[Kept] = []
        for folder in self.root.iterdir():
            if folder.name.startswith("."):
                continue
            with contextlib.suppress(OSError):  # it has just gone
                used_s = (folder / ENTRY).stat().st_mtime if (folder / ENTRY).exists() else 0.0
                size_bytes = sum(path.stat().st_size for path in folder.iterdir()) + _ENTRY_BYTES
                is_new = folder.name == sparing
                used_s = float("inf") if is_new else used_s
                found.append(Kept(key=folder.name, size_bytes=size_bytes, used_s=used_s))
        return found


def file_of(path: Path) -> File:
    """What is written of a file of an entry."""
    return File(size_bytes=path.stat().st_size, check=check_of(path))


def check_of(path: Path) -> str:
    """A hash of a small file, and of samples all over a large one.

    A large one is mapped, not read: to read it whole would cost what preparing saves. What a
    crash leaves of a file, holes and missing ends, is seen.
    """
    size_bytes = path.stat().st_size
    found = hashlib.sha256(str(size_bytes).encode())
    with path.open("rb", buffering=0) as file:
        if size_bytes <= _WHOLE_BYTES_MAX:
            found.update(file.read())
        else:
            for index in range(_SAMPLES):
                offset = (size_bytes - _SAMPLE_BYTES) * index // (_SAMPLES - 1)
                found.update(os.pread(file.fileno(), _SAMPLE_BYTES, offset))
    return found.hexdigest()


def sync(path: Path) -> None:
    """Have a file or a folder on the disk: only then its pages are shared and not dirty."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
