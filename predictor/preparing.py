"""A replica's side of prepared models: load what is there, have made what is not.

For: a load that maps weights instead of reading them, and never fails for the cache's sake.
Must not know: how a model is prepared, or what a session is.
"""

import functools
import hashlib
import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictor import config, prepared
from predictor.config import Settings
from predictor.prepared import GRAPH, OPENING, RETRY_AFTER_S
from predictor.prepared_store import DamagedError, Found, PreparedStore

_LOG = logging.getLogger(__name__)
_CPU_INFO = Path("/proc/cpuinfo")
_CPU_INFO_BYTES = 16 * 1024  # the first processor's part of it
_ROLLUP = Path("/proc/self/smaps_rollup")


@functools.cache
def processor() -> str:
    """What an optimised graph depends on of this processor."""
    features = ""
    if _CPU_INFO.exists():
        with _CPU_INFO.open("rb") as file:
            text = file.read(_CPU_INFO_BYTES).decode(errors="replace")
        lines = (line.partition(":") for line in text.splitlines())
        found = {name.strip().lower(): value for name, _, value in lines}
        features = found.get("flags") or found.get("features") or ""
    words = " ".join(sorted(features.split()))
    return hashlib.sha256(f"{platform.machine()} {words}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """What the cache has of one model, and how the rest is asked for."""

    plain: Path
    key: str
    settings: Settings
    found: Found | None = None
    is_wanted: bool = False  # nobody has prepared it yet, or looked whether that pays

    @property
    def path(self) -> Path | None:
        """The graph to open instead of the model's file; None: there is none."""
        has_graph = self.found is not None and GRAPH in self.found.entry.files
        return self.found.folder / GRAPH if self.found is not None and has_graph else None

    @property
    def opening(self) -> Mapping[str, str]:
        """Options of the session that opens it."""
        assert self.found is not None
        return OPENING[self.found.entry.variant]

    def used(self) -> None:
        """It was opened."""
        assert self.found is not None
        _store(self.settings).used(self.found)

    def failed(self, why: str) -> "Cached":
        """It could not be opened: it goes. What is known of the model now."""
        if self.path is not None and self.path.exists():  # else it was evicted meanwhile
            _LOG.warning("WARNING: a prepared model is given up, it can not be opened: %s", why)
            _store(self.settings).discard(self.key)
        return Cached(plain=self.plain, key=self.key, settings=self.settings)

    def prepare(self) -> None:
        """Have the model prepared by a process of its own, unless somebody does so already.

        Returns when it has ended. Nothing is lost when the caller ends before it.
        """
        store = _store(self.settings)
        try:
            held = store.lock(self.key)
            if held is None:
                return
            try:
                if not _find(self.settings, self.key)[1]:
                    return  # somebody has, since this model was loaded
                process = subprocess.Popen(  # noqa: S603 - our own module
                    _command(self), env=_environment(), pass_fds=(held,), start_new_session=True
                )
            finally:
                os.close(held)  # the process holds it now
        except OSError as error:
            _LOG.warning("WARNING: no model is prepared in %s: %s", store.root, error.strerror)
            return
        process.wait()


def look(plain: Path, settings: Settings, *, runtime: str, provider: str) -> Cached | None:
    """What the cache has of a model whose digest is known; None where preparing is no matter."""
    is_eligible = settings.prepared and settings.model_digest and _ROLLUP.exists()
    if not is_eligible or plain.stat().st_size < prepared.SIZE_MIN_BYTES:
        return None
    key = prepared.key(
        digest=settings.model_digest, runtime=runtime, provider=provider, processor=processor()
    )
    found, is_wanted = _find(settings, key)
    return Cached(plain=plain, key=key, settings=settings, found=found, is_wanted=is_wanted)


def _find(settings: Settings, key: str) -> tuple[Found | None, bool]:
    """What the cache has, and whether it is to be prepared. What is damaged goes."""
    now_s = time.time()  # noqa: TID251 - files say when they were written by this clock
    try:
        found = _store(settings).find(key, now_s=now_s)
    except DamagedError as error:
        _LOG.warning("WARNING: a prepared model is given up, the plain one is loaded: %s", error)
        _store(settings).discard(key)
        return None, True
    if found is None:
        return None, True
    return found, not found.entry.is_final and found.age_s > RETRY_AFTER_S


def _store(settings: Settings) -> PreparedStore:
    return PreparedStore(settings.cache_dir)


def _command(cached: Cached) -> list[str]:
    settings = cached.settings
    return [
        *(sys.executable, "-m", "predictor.prepare"),
        *("--model", str(cached.plain.absolute())),
        *("--stored-with", _named(settings.model)),
        *("--key", cached.key),
        *("--cache-dir", str(settings.cache_dir.absolute())),
        *("--prepared-bytes-max", str(settings.prepared_bytes_max)),
    ]


def _named(model: str) -> str:
    return model if "://" in model else str(Path(model).absolute())


def _environment() -> dict[str, str]:
    """As a zygote's: the process forks, and must have one thread."""
    alone: dict[str, Any] = dict.fromkeys(config.ZYGOTE_ONLY, "1")
    return {**config.inherited(), **alone}
