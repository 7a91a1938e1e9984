"""Fetch a model into the cache: look, download what is missing, unpack, check, keep.

For: the order of these steps, their limits, and what is tried again.
Must not know: processes, arguments, or how the progress is shown.
"""

import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from api.modeldigests import pin
from api.modelfiles import ModelFileError
from api.storage_uris import shown
from predictor import fetch_archives
from predictor.fetch_cache import Kept, ModelCache, key_of
from predictor.fetch_http import WebSource
from predictor.fetch_hub import HubSource
from predictor.fetch_objects import ObjectSource
from predictor.fetch_sources import CHUNK_BYTES, ChangedError, Item, Listing, Source
from predictor.fetch_uris import FetchError, Place, amount, archive, distinct, place
from wire import folders

T = TypeVar("T")
_AT_ONCE = 4  # files
_ATTEMPTS_MAX = 5  # in a row that brought nothing
_FIRST_WAIT_S = 0.5
_WAIT_MAX_S = 60.0
_LOOKS_MAX = 3  # at something that changes while it is fetched
_SPARE_BYTES = 64 << 20  # of the disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to fetch, and within which limits."""

    uri: str
    digest: str = ""  # "sha256:<64 hex>": nothing else is kept
    bytes_max: int = 50 << 30  # of the model
    cache_bytes_max: int = 100 << 30  # of all fetched models that nothing holds
    within_s: float = 6 * 3600.0
    keep: frozenset[str] = frozenset()  # digests that are not evicted


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time, and how to let some pass."""

    wall_s: Callable[[], float]
    now_s: Callable[[], float]
    pause: Callable[[float], None]


class Progress:
    """How many bytes came, of how many; read by another thread."""

    def __init__(self) -> None:
        self.done = 0
        self.total: int | None = None
        self.file = ""
        self._lock = threading.Lock()

    def begin(self, total: int | None) -> None:
        """A download starts."""
        self.done, self.total = 0, total

    def add(self, size: int, file: str) -> None:
        """Bytes came, or came to nothing."""
        with self._lock:
            self.done += size
            self.file = file


def source_of(found: Place, env: Mapping[str, str]) -> Source:
    """Where a place's bytes come from."""
    if found.scheme in ("http", "https"):
        return WebSource(found)
    return HubSource(found, env) if found.scheme == "hf" else ObjectSource(found, env)


class Fetch:
    """One model's way into the cache."""

    def __init__(
        self, wanted: Wanted, cache: ModelCache, env: Mapping[str, str], clock: Clock
    ) -> None:
        """FetchError where the URI is none that is fetched. `env` holds credentials."""
        self.progress = Progress()
        self._wanted = wanted
        self._place = place(wanted.uri)
        self._cache = cache
        self._env = env
        self._clock = clock
        self._key = key_of(self._place.uri, env)
        self._name = shown(self._place.uri)
        self._ends_s = clock.now_s() + wanted.within_s
        self._stop = threading.Event()
        self._digest = wanted.digest or self._place.digest
        if self._place.digest and self._digest != self._place.digest:
            raise FetchError(
                f"{self._name} is pinned to {self._digest}, and its URI says {self._place.digest}"
            )

    def run(self) -> Kept:
        """The model, fetched if it has to be; FetchError, OSError of the cache's own disk."""
        if kept := self._kept(self._digest):
            return kept
        self._cache.prepare()
        with self._cache.locked(self._key):
            if kept := self._kept(self._digest):  # by whoever was waited for
                return kept
            source = source_of(self._place, self._env)
            known = self._cache.known(self._key)
            before = self._kept(known.digest) if known is not None else None
            version = known.version if known is not None and before is not None else ""
            for _ in range(_LOOKS_MAX):
                listing = self._persistent(lambda: source.look(version))
                if listing is None:
                    assert before is not None
                    self._require(before.digest)
                    return before
                try:
                    return self._take(source, listing)
                except ChangedError:
                    self._cache.discard(self._key)
            raise FetchError(f"{self._name} changes while it is fetched", is_final=False)

    def _kept(self, digest: str) -> Kept | None:
        return self._cache.find(digest, now_s=self._clock.wall_s()) if digest else None

    def _require(self, digest: str) -> None:
        if self._digest and digest != self._digest:
            raise FetchError(
                f"{self._name} is not what was wanted: expected {self._digest}, got {digest}"
            )

    def _take(self, source: Source, listing: Listing) -> Kept:
        """Download, unpack, check and keep; nothing stays of what is refused."""
        distinct((item.name for item in listing.items), of=self._name)
        self._check_room(listing)
        folder = self._workspace(listing)
        self._download(source, listing, folder)
        try:
            kept = self._keep(listing, folder)
        except FetchError:
            self._cache.discard(self._key)
            raise
        self._cache.discard(self._key)
        self._cache.sweep(now_s=self._clock.wall_s())
        self._cache.evict(self._wanted.cache_bytes_max, keep={*self._wanted.keep, kept.digest})
        return kept

    def _check_room(self, listing: Listing) -> None:
        total, most = listing.total or 0, self._wanted.bytes_max
        if total > most:
            raise FetchError(f"{self._name} is {amount(total)}, and {amount(most)} is the limit")
        self._cache.root.mkdir(parents=True, exist_ok=True)
        free = self._free()
        if total + _SPARE_BYTES > free:
            raise FetchError(
                f"{self._name} is {amount(total)}, and the cache's disk has {amount(free)} free, "
                f"of which {amount(_SPARE_BYTES)} stay free",
                is_final=False,
            )

    def _free(self) -> int:
        return shutil.disk_usage(self._cache.root).free

    # -- downloads ---------------------------------------------------------------------------

    def _workspace(self, listing: Listing) -> Path:
        """The folder of what came so far of this very version."""
        folder = self._cache.workspace(self._key)
        said = json.dumps(
            [listing.version, [[i.key, i.size, i.version, i.sha256] for i in listing.items]]
        )
        plan = folder / "plan.json"
        is_same = listing.version and plan.exists() and plan.read_text() == said
        if not is_same:
            self._cache.discard(self._key)
            folder = self._cache.workspace(self._key)
            plan.write_text(said)
        shutil.rmtree(folder / "tree", ignore_errors=True)
        return folder

    def _download(self, source: Source, listing: Listing, folder: Path) -> None:
        self.progress.begin(listing.total)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch") as pool:
            jobs = [
                pool.submit(self._whole, source, item, folder / f"{index}.part")
                for index, item in enumerate(listing.items)
            ]
            try:
                finished = wait(jobs, return_when=FIRST_EXCEPTION).done
            finally:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                self._stop.clear()
        for job in finished:
            job.result()

    def _whole(self, source: Source, item: Item, part: Path) -> None:
        """One file, however often it breaks off."""
        part.touch(mode=0o600)
        counted = part.stat().st_size
        self.progress.add(counted, item.name)
        self._persistent(lambda: self._read(source, item, part), progress=part)
        self.progress.file = item.name

    def _read(self, source: Source, item: Item, part: Path) -> None:
        start = part.stat().st_size
        if item.size is not None and start > item.size:
            raise ChangedError
        if item.size != start or start == 0:
            with part.open("r+b") as file:
                file.seek(start)
                for at, chunk in source.read(item, start):
                    if at != file.tell():
                        self.progress.add(at - file.tell(), item.name)
                        file.seek(at)
                        file.truncate()
                    file.write(chunk)
                    file.flush()
                    self.progress.add(len(chunk), item.name)
                    self._check_going(file.tell(), item)
                    if item.size is None:
                        self._check_disk(file)
        size = part.stat().st_size
        if item.size is not None and size < item.size:
            message = f"{self._name} broke off after {size} of {item.size} bytes"
            raise FetchError(message, is_final=False)
        if item.sha256 and _sha256(part) != item.sha256:
            part.unlink()
            part.touch(mode=0o600)
            self.progress.add(-size, item.name)
            message = f"{self._name}: {item.name} is not what its source says it is"
            raise FetchError(message, is_final=False)

    def _check_going(self, size: int, item: Item) -> None:
        if self._stop.is_set():
            raise FetchError("another file failed")
        if item.size is not None and size > item.size:
            raise FetchError(f"{self._name} is longer than the {item.size} bytes it was said to be")
        if self.progress.done > self._wanted.bytes_max:
            most = amount(self._wanted.bytes_max)
            raise FetchError(f"{self._name} is more than {most}, which is the limit")
        self._check_time()

    def _check_disk(self, file: IO[bytes]) -> None:
        """Of what came without its size: others need the disk, too."""
        if self._free() < _SPARE_BYTES:
            file.truncate(0)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._cache.root))

    def _check_time(self) -> None:
        if self._clock.now_s() > self._ends_s:
            within = f"{self._wanted.within_s:.0f} s"
            raise FetchError(f"{self._name} was not fetched within {within}", is_final=False)

    def _persistent(self, act: Callable[[], T], *, progress: Path | None = None) -> T:
        """Try again what may pass, waiting longer each time; with progress, from the start."""
        attempts, before = 0, -1
        while True:
            try:
                return act()
            except FetchError as error:
                if error.is_final:
                    raise
                size = progress.stat().st_size if progress is not None else -1
                attempts = 1 if size > before else attempts + 1
                before = size
                if attempts >= _ATTEMPTS_MAX:
                    raise
                wait_s = max(error.wait_s, _FIRST_WAIT_S * 2 ** (attempts - 1))
                self._clock.pause(min(wait_s, _WAIT_MAX_S))
                self._check_time()

    # -- what came ---------------------------------------------------------------------------

    def _keep(self, listing: Listing, folder: Path) -> Kept:
        tree = folder / "tree"
        name = self._unpacked(listing, folder, tree)
        found = tree / name if name else tree
        try:
            pinned = pin(*folders.of(found))
        except ModelFileError as error:
            raise FetchError(f"{self._name} {error}") from None
        self._require(pinned.digest)
        root = tree / pinned.root
        wanted = {root / each for each in pinned.names}
        for path in root.rglob("*"):
            if not path.is_dir() and path not in wanted:
                path.unlink()  # a README: it belongs to nothing that has this digest
        self._cache.place(root, pinned.digest, load=pinned.load)
        if listing.version:
            key, uri = self._key, self._name
            self._cache.note(key, uri=uri, version=listing.version, digest=pinned.digest)
        kept = self._kept(pinned.digest)
        assert kept is not None
        return kept

    def _unpacked(self, listing: Listing, folder: Path, tree: Path) -> str:
        """Put the files where they belong; the name of a lone one, "" for a folder."""
        items = listing.items
        if listing.is_lone and archive(items[0].name):
            most = min(self._wanted.bytes_max, shutil.disk_usage(folder).free - _SPARE_BYTES)
            part = folder / "0.part"
            fetch_archives.unpack(part, items[0].name, tree, bytes_max=most)
            return ""
        for index, item in enumerate(items):
            path = tree / item.name
            path.parent.mkdir(parents=True, exist_ok=True)
            (folder / f"{index}.part").replace(path)
        return items[0].name if listing.is_lone else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        hasher = hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()
