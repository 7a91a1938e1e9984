"""Models that are fetched, on one machine: by a process of their own, into the platform's cache.

For: whoever needs the file of a URI, with the progress told; and knowing what is there already.
Must not know: Pods, Revisions, or how a model is fetched.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.storage_uris import FetchFailedError
from predictor.fetch_cache import ModelCache
from predictor.fetch_sources import of_fetches
from predictor.fetch_uris import progress

BYTES_MAX = 100 << 30
_AT_ONCE_MAX = 4  # models
_LINE_BYTES_MAX = 1 << 20
Tell = Callable[[int, str], None]  # bytes that came, and a sentence of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A model in the cache."""

    path: str
    digest: str


class Fetcher:
    """Fetches for the whole platform."""

    def __init__(
        self,
        cache_dir: Path,
        *,
        base_env: Mapping[str, str],
        held: Callable[[], Collection[str]],
        wall_s: Callable[[], float],
        bytes_max: int = BYTES_MAX,
    ) -> None:
        """`held` tells the digests of all that must stay, `bytes_max` what all may take.

        `base_env` is every fetch's.
        """
        self._bytes_max = bytes_max
        self._cache_dir = cache_dir
        self._cache = ModelCache(cache_dir)
        self._base_env = base_env
        self._held = held
        self._wall_s = wall_s
        self._at_once = asyncio.Semaphore(_AT_ONCE_MAX)

    def cached(self, digest: str) -> str | None:
        """Where the model of a digest is, if it is here."""
        if not digest:
            return None
        kept = self._cache.find(digest, now_s=self._wall_s())
        return None if kept is None else str(kept.path)

    async def fetch(self, uri: str, digest: str, env: Mapping[str, str], tell: Tell) -> Fetched:
        """The model of a URI, with that digest if one is given; FetchFailedError."""
        if path := self.cached(digest):
            return Fetched(path=path, digest=digest)
        async with self._at_once:
            child = await self._start(uri, digest, env)
            try:
                last = await self._followed(child, uri, tell)
            finally:
                if child.returncode is None:
                    with suppress(ProcessLookupError):
                        child.kill()
                await child.wait()
        if "done" in last:
            return Fetched(path=str(last["done"]), digest=str(last["digest"]))
        message = str(last.get("failed") or f"{uri}: the process that fetched it ended")
        raise FetchFailedError(message, is_final=bool(last.get("final")))

    async def _start(self, uri: str, digest: str, env: Mapping[str, str]) -> Process:
        pinned = ("--digest", digest) if digest else ()
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "predictor.fetch", "--cache", str(self._cache_dir), "--keep", "-"),
            *("--max-cache-bytes", str(self._bytes_max), *pinned, "--", uri),
            stdin=PIPE,
            stdout=PIPE,
            env={**self._base_env, **of_fetches(env)},
            start_new_session=True,  # a Ctrl-C is ours to pass on
            limit=_LINE_BYTES_MAX,
        )
        assert child.stdin is not None
        child.stdin.write("\n".join(self._held()).encode())
        child.stdin.close()
        return child

    async def _followed(self, child: Process, uri: str, tell: Tell) -> dict[str, Any]:
        """What it said last."""
        assert child.stdout is not None
        last: dict[str, Any] = {}
        async for line in child.stdout:
            try:
                last = json.loads(line)
            except ValueError:
                continue
            if "bytes" in last:
                done, total = int(last["bytes"]), last["total"]
                tell(done, progress(done, total, uri))
        return last
