"""Fetch one model, as a process of its own: `python -m predictor.fetch URI --cache DIR`.

For: that what fetches, and the libraries it needs, are in no process that serves.
Must not know: how a model is fetched.

It prints JSON lines: {"bytes", "total", "file"} every second, and at last either
{"done": path, "digest"} or {"failed": sentence, "final"}.
"""

import argparse
import json
import os
import re
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.storage_uris import shown
from predictor import config
from predictor.fetch_cache import ModelCache
from predictor.fetch_uris import FetchError
from predictor.fetching import Clock, Fetch, Progress, Wanted

_TELL_S = 1.0
_PATIENCE = 1.1  # what came is still unpacked and read
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 once the model is there, 1 where it is not, 2 for wrong arguments."""
    flags = _parser().parse_args(list(arguments))
    try:
        wanted = Wanted(
            uri=flags.uri,
            digest=_digest(flags.digest),
            bytes_max=flags.max_bytes,
            cache_bytes_max=flags.max_cache_bytes,
            within_s=flags.timeout,
            keep=frozenset(sys.stdin.read().split()) if flags.keep == "-" else frozenset(),
        )
        clock = Clock(wall_s=time.time, now_s=time.monotonic, pause=time.sleep)  # noqa: TID251 - a shell
        fetch = Fetch(wanted, ModelCache(Path(flags.cache)), config.inherited(), clock)
        with _Teller(fetch.progress, shown(flags.uri), flags.timeout):
            kept = fetch.run()
    except FetchError as error:
        _say({"failed": str(error), "final": error.is_final and not error.is_absent})
        return 1
    except OSError as error:
        where = error.filename or flags.cache
        _say({"failed": f"the cache: {where}: {error.strerror or error}", "final": False})
        return 1
    _say({"done": str(kept.path), "digest": kept.digest})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="predictor.fetch", allow_abbrev=False)
    parser.add_argument("uri", metavar="URI", help="http(s)://, s3://, gs:// or hf://")
    parser.add_argument("--cache", required=True, metavar="DIR", help="the cache's folder")
    parser.add_argument("--digest", default="", help="sha256:<64 hex> that it must have")
    of = Wanted(uri="")
    parser.add_argument("--max-bytes", type=int, default=of.bytes_max, metavar="N")
    parser.add_argument("--max-cache-bytes", type=int, default=of.cache_bytes_max, metavar="N")
    parser.add_argument("--timeout", type=float, default=of.within_s, metavar="S")
    parser.add_argument("--keep", choices=("-",), help="read digests not to evict from stdin")
    return parser


def _digest(text: str) -> str:
    if text and not _DIGEST.fullmatch(text):
        raise FetchError(f"--digest: expected sha256:<64 hex>, got '{text}'")
    return text


class _Teller:
    """Says how far it is, while it lasts. Whom nobody hears any more ends.

    So does what lasts a tenth longer than it may: a server that sends the head of its answer letter
    by letter is never silent, and never done.
    """

    def __init__(self, progress: Progress, name: str, within_s: float) -> None:
        self._progress = progress
        self._name = name
        self._within_s = within_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="teller", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _tell(self) -> None:
        ends_s = time.monotonic() + self._within_s * _PATIENCE
        while not self._ended.wait(_TELL_S):
            now = self._progress
            if time.monotonic() > ends_s:
                words = f"{self._name} was not fetched within {self._within_s:.0f} s"
                _say({"failed": words, "final": False})
                os._exit(1)
            try:
                _say({"bytes": now.done, "total": now.total, "file": now.file})
            except OSError:
                os._exit(1)  # what came so far is gone on with another time


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
