"""The folder of fetched models: each under its digest, once, whole or not there at all.

For: serving from it without the network, and fetches that were killed and go on.
Must not know: URIs' meaning, servers, or how a model is loaded.

`sha256-<hex>/` holds a model's files and `sha256-<hex>.json` says that they are complete; what
was fetched for a URI stands in `index/`, what is on its way in `partial/`.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.modelfiles import kind_of

FOLDER = "models"  # of the cache's
LEFTOVER_S = 24 * 3600.0  # what is on its way and was not touched for so long is given up
_TOUCH_AFTER_S = 60.0
_TRASH = ".trash-"
_PLACES = "locks", "index", "partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A model in the cache."""

    digest: str
    path: Path  # what a predictor is told to load
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was fetched last for a URI."""

    version: str
    digest: str


def key_of(uri: str, env: Mapping[str, str]) -> str:
    """A URI's name in the cache: with another endpoint it names something else."""
    names = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "S3_ENDPOINT", "HF_ENDPOINT")
    told = [env.get(name, "") for name in (*names, "STORAGE_EMULATOR_HOST")]
    return hashlib.sha256(json.dumps([uri, told]).encode()).hexdigest()[:40]


class ModelCache:
    """Fetched models in one cache folder, which need not exist."""

    def __init__(self, cache_dir: Path) -> None:
        self.root = cache_dir.absolute() / FOLDER

    # -- for who loads -----------------------------------------------------------------------

    def find(self, digest: str, *, now_s: float) -> Kept | None:
        """The model of a digest; None where it is not, or not wholly, there."""
        kept, note = self._whole(digest), self._note(digest)
        if kept is not None:
            with contextlib.suppress(OSError):  # a read-only cache, or somebody else's
                if now_s - note.stat().st_mtime > _TOUCH_AFTER_S:
                    os.utime(note, (now_s, now_s))
        return kept

    def _whole(self, digest: str) -> Kept | None:
        """A model with all the bytes that its note counts: a file may be cut after it came."""
        said = _read(self._note(digest))
        if said is None:
            return None
        folder = self.root / _name(digest)
        path, size = folder / str(said["load"]), int(said["bytes"])
        try:
            is_whole = path.exists() and _size(folder) == size
        except OSError:  # it is being removed
            return None
        return Kept(digest=digest, path=path, size=size) if is_whole else None

    def _note(self, digest: str) -> Path:
        return self.root / f"{_name(digest)}.json"

    # -- for who fetches ---------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folders; OSError."""
        for place in _PLACES:
            (self.root / place).mkdir(parents=True, exist_ok=True, mode=0o700)

    def known(self, key: str) -> Known | None:
        """What was fetched last under a key."""
        said = _read(self.root / "index" / f"{key}.json")
        return None if said is None else Known(version=said["version"], digest=said["digest"])

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """One process at a time; the lock is the kernel's, and goes with whoever holds it.

        Keys share 4096 locks: of two that meet, one waits for the other.
        """
        with self._lock(key).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _lock(self, key: str) -> Path:
        return self.root / "locks" / key[:3]

    def workspace(self, key: str) -> Path:
        """The folder of a fetch on its way. Only for who holds the key's lock."""
        folder = self.root / "partial" / key
        folder.mkdir(exist_ok=True, mode=0o700)
        os.utime(folder)
        return folder

    def discard(self, key: str) -> None:
        """Remove what is on its way."""
        shutil.rmtree(self.root / "partial" / key, ignore_errors=True)

    def place(self, folder: Path, digest: str, *, load: str) -> None:
        """Take in a complete folder that is on this file system."""
        size = _size(folder)
        for path in folder.rglob("*"):
            if path.is_dir():
                path.chmod(0o755)
            else:
                path.chmod(0o444)
                _sync(path)
        name = _name(digest)
        with self.locked("all"):
            target, note = self.root / name, self._note(digest)
            if self._whole(digest) is None:
                self._remove(name)
                if not load:  # a folder is served: it is kept in one
                    load = "model"
                    outer = Path(tempfile.mkdtemp(prefix=_TRASH, dir=self.root))
                    folder = folder.rename(outer / load).parent
                folder.chmod(0o755)
                folder.rename(target)
                _sync(self.root)
                _write(note, {"load": load, "bytes": size})
                return
            known = str((_read(note) or {}).get("load", ""))
            if kind_of(load) is not None and kind_of(known) is None:
                # The same bytes, under a name that says what they are.
                (target / load).unlink(missing_ok=True)
                os.link(target / known, target / load)
                _write(note, {"load": load, "bytes": size})
                (target / known).unlink()

    def note(self, key: str, *, uri: str, version: str, digest: str) -> None:
        """Remember what a URI led to."""
        said = {"uri": uri, "version": version, "digest": digest}
        _write(self.root / "index" / f"{key}.json", said)

    # -- what goes ---------------------------------------------------------------------------

    def evict(self, bytes_max: int, *, keep: Collection[str]) -> list[str]:
        """Remove models, the longest unused first, until the rest fits. The digests removed."""
        removed = []
        kept = {_name(digest) for digest in keep}
        with self.locked("all"):
            notes = sorted(self.root.glob("sha256-*.json"), key=lambda each: each.stat().st_mtime)
            sizes = {note.stem: int((_read(note) or {"bytes": 0})["bytes"]) for note in notes}
            total = sum(sizes.values())
            for name, size in sizes.items():
                if total <= bytes_max:
                    break
                if name not in kept:
                    self._remove(name)
                    total -= size
                    removed.append(name.replace("-", ":", 1))
        return removed

    def sweep(self, *, now_s: float) -> None:
        """Remove what killed fetches left: half a removal, and what nobody went on with."""
        for trash in self.root.glob(f"{_TRASH}*"):
            shutil.rmtree(trash, ignore_errors=True)
        with self.locked("all"):
            for folder in self.root.glob("sha256-*"):
                if folder.is_dir() and not folder.with_name(f"{folder.name}.json").exists():
                    self._remove(folder.name)
        for note in (self.root / "index").glob("*.json"):
            known = self.known(note.stem)
            if known is None or not (self.root / f"{_name(known.digest)}.json").exists():
                note.unlink(missing_ok=True)
        for folder in (self.root / "partial").glob("*"):
            with contextlib.suppress(OSError):
                is_old = now_s - folder.stat().st_mtime > LEFTOVER_S
                if is_old and (descriptor := self._tried(folder.name)) is not None:
                    shutil.rmtree(folder, ignore_errors=True)
                    os.close(descriptor)

    def _tried(self, key: str) -> int | None:
        """A key's lock, if nobody has it."""
        descriptor = os.open(self._lock(key), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def remove(self, digest: str) -> None:
        """It is not what it is called."""
        with self.locked("all"):
            self._remove(_name(digest))

    def _remove(self, name: str) -> None:
        """First what says that it is complete; then, at once, its name."""
        (self.root / f"{name}.json").unlink(missing_ok=True)
        gone = Path(tempfile.mkdtemp(prefix=_TRASH, dir=self.root))
        with contextlib.suppress(FileNotFoundError):
            (self.root / name).rename(gone / name)
        shutil.rmtree(gone, ignore_errors=True)


def _size(folder: Path) -> int:
    """Bytes of all files; of one with two names once."""
    facts = (path.stat() for path in folder.rglob("*") if not path.is_dir())
    return sum({fact.st_ino: fact.st_size for fact in facts}.values())


def _name(digest: str) -> str:
    return digest.replace(":", "-")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _write(path: Path, said: Mapping[str, Any]) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_TRASH, delete=False) as file:
        file.write(json.dumps(said).encode())
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
