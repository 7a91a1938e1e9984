"""Have a model here, wherever it lies, and make sure that it is the one that is wanted.

For: a step before a container: fetch what is fetched, read what lies here, compare digests.
Must not know: processes, arguments, or who is told what was found.

What was in the cache already is read and compared again: others write there, too.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from api.model_reports import (
    FETCH_FAILED,
    MODEL_MISSING,
    MODEL_NOT_A_FILE,
    MODEL_UNREADABLE,
    FoundModel,
    NoModel,
)
from api.modelcode import pin_code
from api.modeldigests import Pin, Readable, pair, pin
from api.modelfiles import ModelFileError
from api.storage_uris import is_fetched, shown
from predictor.errors import LoadError
from predictor.fetch_cache import Kept, ModelCache
from predictor.fetch_uris import FetchError
from predictor.fetching import Clock, Fetch, Progress, Wanted
from predictor.loader import resolve
from wire import folders

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which model, with which code around it; exactly one of `model` and `python`."""

    model: str = ""  # a URI or a path
    python: str = ""  # a Python file that is the model
    transformer: str = ""  # a Python file around it
    digest: str = ""  # that all of it must have; "": find out
    cache_bytes_max: int = Wanted(uri="").cache_bytes_max

    @property
    def name(self) -> str:
        """For a person."""
        return shown(self.model) if self.model else self.python


def find(
    asked: Asked,
    cache: ModelCache,
    env: Mapping[str, str],
    clock: Clock,
    follow: Callable[[Progress], None] = lambda _: None,
) -> FoundModel | NoModel:
    """The model, once it is here. `follow` is given the progress of a download that begins."""
    try:
        if is_fetched(asked.model):
            return _fetched(asked, cache, env, clock, follow)
        return _local(asked)
    except FetchError as error:
        is_final = error.is_final and not error.is_absent
        return NoModel(reason=FETCH_FAILED, message=str(error), is_final=is_final)
    except OSError as error:
        where = error.filename or cache.root
        message = f"the cache: {where}: {error.strerror or error}"
        return NoModel(reason=FETCH_FAILED, message=message)


# -- what is fetched -----------------------------------------------------------------------------


def _fetched(
    asked: Asked,
    cache: ModelCache,
    env: Mapping[str, str],
    clock: Clock,
    follow: Callable[[Progress], None],
) -> FoundModel:
    wanted = Wanted(uri=asked.model, digest=asked.digest, cache_bytes_max=asked.cache_bytes_max)
    for _ in range(2):
        fetch = Fetch(wanted, cache, env, clock)
        follow(fetch.progress)
        kept = fetch.run()
        if fetch.progress.done or _is_genuine(kept):
            return FoundModel(digest=kept.digest, size_bytes=kept.size)
        _LOG.warning("%s in the cache is not what it is called: fetched again", kept.digest)
        cache.remove(kept.digest)
    message = f"{asked.name}: what is in the cache changes while it is checked"
    raise FetchError(message, is_final=False)


def _is_genuine(kept: Kept) -> bool:
    """Whether a kept model has the digest it is named by. Costs a read of every file."""
    try:
        return pin(*folders.of(kept.path)).digest == kept.digest
    except (ModelFileError, OSError):
        return False


# -- what lies here ------------------------------------------------------------------------------


def _local(asked: Asked) -> FoundModel | NoModel:
    found = _pinned(asked.python or asked.model, pin_code if asked.python else pin)
    if asked.transformer and isinstance(found, FoundModel):
        around = _pinned(asked.transformer, pin_code)
        if isinstance(around, NoModel):
            return around
        found = FoundModel(
            digest=pair(found.digest, around.digest),
            size_bytes=found.size_bytes + around.size_bytes,
        )
    if isinstance(found, FoundModel) and asked.digest not in ("", found.digest):
        return NoModel(
            reason=MODEL_UNREADABLE,
            message=f"model {asked.name} changed since the revision was made (pinned "
            f"{asked.digest[:19]}…, found {found.digest[:19]}…): deploy it again",
        )
    return found


def _pinned(uri: str, pinned: Callable[[Readable, str], Pin]) -> FoundModel | NoModel:
    """In the words in which a platform that reads the file itself says what is wrong."""
    try:
        path = resolve(uri)
    except LoadError as error:
        return NoModel(reason=MODEL_UNREADABLE, message=str(error), is_final=True)
    try:
        files, name = folders.of(path)
        if pinned is pin_code and not name:
            message = f"model {path} is a folder: name the Python file"
            return NoModel(reason=MODEL_NOT_A_FILE, message=message)
        found = pinned(files, name)
        return FoundModel(digest=found.digest, size_bytes=_size(files.root / found.root, found))
    except FileNotFoundError:
        return NoModel(reason=MODEL_MISSING, message=f"model {path} does not exist")
    except ModelFileError as error:
        return NoModel(reason=MODEL_NOT_A_FILE, message=f"model {path} {error}")
    except OSError as error:
        why = error.strerror or error
        return NoModel(reason=MODEL_UNREADABLE, message=f"model {path} cannot be read: {why}")


def _size(root: Path, found: Pin) -> int:
    return sum((root / name).stat().st_size for name in found.names)
