"""Find the digest of the model that a Revision names.

For: reading model files off the event loop, once for each version of a file.
Must not know: Kubernetes objects beyond the container that names the file.
"""

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path

from typing_extensions import override

from api.model_reports import MODEL_MISSING, MODEL_NOT_A_FILE, MODEL_UNREADABLE
from api.modelcode import pin_code
from api.modeldigests import Fingerprint, fingerprint, pair, pin
from api.modelfiles import ModelFileError
from api.objects import Raw
from controller.pinning import (
    Digest,
    Problem,
    Resolution,
    Underway,
    model_file,
    serving_container,
)
from wire import folders
from wire.folders import Folder

_LOG = logging.getLogger(__name__)
_READERS_MAX = 4  # models hashed at once
_CACHE_MAX = 10_000  # files whose digest is remembered
_ATTEMPTS_MAX = 3  # readings of a file that is being written

Key = tuple[str, str]  # namespace and name of a Revision
Resolve = Callable[[Raw], Awaitable[Digest | Problem]]
Progress = Callable[[Raw], Underway | None]  # of what `Resolve` was asked for
_Version = tuple[int, int, int, int]  # of a file: its size, time of change and identity


class _ChangedError(Exception):
    """A file is written while it is read."""


class ModelDigests:
    """Digests of models, of which each file is remembered until it changes.

    A model is pinned with the files that are loaded with it: see `api.modeldigests`.
    """

    def __init__(self, model_root: Path) -> None:
        """Relative paths in Revisions start at `model_root`."""
        self._model_root = model_root
        self._known: OrderedDict[Path, tuple[_Version, Fingerprint]] = OrderedDict()
        self._readers = asyncio.Semaphore(_READERS_MAX)

    async def resolve(self, revision: Raw) -> Digest | Problem:
        """The digest of the Revision's model, or one sentence on why there is none."""
        found = model_file(serving_container(revision))
        if isinstance(found, Problem):
            return found
        path = self._model_root / found.path
        async with self._readers:
            digest = await asyncio.to_thread(self._digest, path, is_code=found.is_code)
            if isinstance(digest, Problem) or not found.transformer:
                return digest
            path = self._model_root / found.transformer
            around = await asyncio.to_thread(self._digest, path, is_code=True)
        if isinstance(around, Problem):
            return around
        return Digest(text=pair(digest.text, around.text))

    def _digest(self, path: Path, *, is_code: bool) -> Digest | Problem:
        try:
            for _ in range(_ATTEMPTS_MAX):
                try:
                    return Digest(text=self._read(path, is_code=is_code))
                except _ChangedError:
                    continue
        except FileNotFoundError:
            return Problem(reason=MODEL_MISSING, message=f"model {path} does not exist")
        except ModelFileError as error:
            return Problem(reason=MODEL_NOT_A_FILE, message=f"model {path} {error}")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            return Problem(reason=MODEL_UNREADABLE, message=f"model {path} cannot be read: {why}")
        return Problem(
            reason=MODEL_UNREADABLE, message=f"model {path} is being written: it changes while read"
        )

    def _read(self, path: Path, *, is_code: bool) -> str:
        top, name = folders.split(path)
        files = _Remembering(top, name, self._known)
        if is_code and not name:
            raise ModelFileError("is a folder: name the Python file")
        return (pin_code if is_code else pin)(files, name).digest


class _Remembering(Folder):
    """A folder of which a file is read once for each version of it."""

    def __init__(
        self, root: Path, named: str, known: "OrderedDict[Path, tuple[_Version, Fingerprint]]"
    ) -> None:
        super().__init__(root, named=named)
        self._known = known

    @override
    def fingerprint(self, name: str) -> Fingerprint:
        """The known one while the file is the same; _ChangedError if it changed meanwhile."""
        path = self.root / name
        with self.open(name) as file:
            version = _version(os.fstat(file.fileno()))
            known = self._known.get(path)
            if known is not None and known[0] == version:
                return known[1]
            found = fingerprint(iter(lambda: file.read(folders.CHUNK_BYTES), b""))
            if _version(os.fstat(file.fileno())) != version:
                raise _ChangedError
        self._known[path] = (version, found)
        if len(self._known) > _CACHE_MAX:
            self._known.popitem(last=False)
        return found


def _version(facts: os.stat_result) -> _Version:
    return facts.st_size, facts.st_mtime_ns, facts.st_ino, facts.st_dev


class Resolutions:
    """Digests on their way: asked for by name, waited for a moment, told of when they come."""

    def __init__(
        self,
        resolve: Resolve,
        *,
        wake: Callable[[Key], None],
        grace_s: float,
        progress: Progress | None = None,
    ) -> None:
        """`wake(key)` is called when a late digest has come."""
        self._resolve = resolve
        self._progress = progress
        self._wake = wake
        self._grace_s = grace_s
        self._tasks: dict[Key, asyncio.Task[Digest | Problem]] = {}
        self._uids: dict[Key, str] = {}  # of the Revisions that those are for
        self._late: set[Key] = set()
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Be ready to look, until cancelled; what is on its way then is given up."""
        async with asyncio.TaskGroup() as self._group:
            await asyncio.Event().wait()

    async def look(self, key: Key, revision: Raw) -> Resolution:
        """The digest if it is known within the grace period; else None, and `wake` later."""
        uid = str(revision["metadata"].get("uid"))
        if self._uids.get(key, uid) != uid:
            self.forget(key)  # it was for a Revision of that name that is gone
        task = self._tasks.get(key)
        if task is None:
            self._uids[key] = uid
            assert self._group is not None, "look() before run()"
            task = self._tasks[key] = self._group.create_task(self._find(revision))
            await asyncio.wait({task}, timeout=self._grace_s)
        if not task.done():
            if key not in self._late:
                self._late.add(key)
                task.add_done_callback(lambda _: self._wake(key))
            return self._progress(revision) if self._progress is not None else None
        self._late.discard(key)
        del self._tasks[key], self._uids[key]
        return task.result()

    def forget(self, key: Key) -> None:
        """Nobody will ask for this one again."""
        self._late.discard(key)
        self._uids.pop(key, None)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    async def _find(self, revision: Raw) -> Digest | Problem:
        try:
            return await self._resolve(revision)
        except Exception:  # noqa: BLE001 - our own fault; the boundary of one unit of work
            _LOG.exception("model of %s: finding its digest failed", revision["metadata"]["name"])
            message = "the model could not be examined; the controller's log says why"
            return Problem(reason=MODEL_UNREADABLE, message=message)
