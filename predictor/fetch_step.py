"""Have a model ready before a container that serves it starts: `python -m predictor.fetch_step`.

For: Pods of a cluster: the one that pins a Revision to its model, and replicas, where it is
their first step.
Must not know: Pods, or who reads what it says.

In the end it writes, where `--report` says: with `--form json` what `api.model_reports` reads,
with `text` only the sentence of what is wrong.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from api import keys
from api.model_reports import FoundModel, NoModel, to_text
from predictor import config
from predictor.fetch_cache import ModelCache
from predictor.fetch_checks import Asked, find
from predictor.fetch_telling import Telling
from predictor.fetch_uris import amount, progress
from predictor.fetching import Clock, Progress

_LOG = logging.getLogger("predictor.fetch_step")
_TELL_S = 5.0
_ENDED_BY_SIGTERM = 143


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 once the model is here and the right one, 1 where it is not."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    flags = _parser().parse_args(list(arguments))
    asked = Asked(
        model=flags.model,
        python=flags.python,
        transformer=flags.transformer,
        digest=flags.digest,
        cache_bytes_max=flags.max_cache_bytes,
    )
    clock = Clock(wall_s=time.time, now_s=time.monotonic, pause=time.sleep)  # noqa: TID251 - a shell
    env = config.inherited()
    cache = ModelCache(Path(flags.cache or env.get(keys.ENV_CACHE) or "/tmp/relight"))  # noqa: S108 - its own file system
    with _Teller(asked.name) as teller, _telling(teller.said, flags.progress_port):
        found = find(asked, cache, env, clock, teller.follow)
    return _told(found, asked.name, flags.report, flags.form)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="predictor.fetch_step", allow_abbrev=False)
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument("--model", default="", metavar="URI", help="as the predictor's")
    one.add_argument("--python", default="", metavar="FILE.py", help="a model in Python")
    parser.add_argument("--transformer", default="", metavar="FILE.py", help="code around it")
    parser.add_argument("--digest", default="", help="sha256:<64 hex> that all of it must have")
    cache_help = f"the cache's folder (default: ${keys.ENV_CACHE})"
    parser.add_argument("--cache", default="", metavar="DIR", help=cache_help)
    most = Asked().cache_bytes_max
    parser.add_argument("--max-cache-bytes", type=int, default=most, metavar="N")
    port_help = "where it tells over HTTP how far it is"
    parser.add_argument("--progress-port", type=int, metavar="N", help=port_help)
    parser.add_argument("--report", default="", metavar="FILE", help="where the end is told")
    parser.add_argument("--form", choices=("json", "text"), default="json")
    return parser


def _told(found: FoundModel | NoModel, name: str, report: str, form: str) -> int:
    if isinstance(found, FoundModel):
        _LOG.info("%s is here: %s, %s", name, found.digest, amount(found.size_bytes))
    else:
        _LOG.error("%s: %s", found.reason, found.message)
    if report:
        text = to_text(found) if form == "json" else getattr(found, "message", "")
        Path(report).write_text(text, errors="replace")
    return 0 if isinstance(found, FoundModel) else 1


def _telling(said: Callable[[], str], port: int | None) -> AbstractContextManager[object]:
    if port is None:
        return nullcontext()
    try:
        return Telling(said, port=port)
    except OSError as error:
        _LOG.warning("port %d: %s: nobody is told how far it is", port, error.strerror)
        return nullcontext()


class _Teller:
    """Says in the log how far a download is, while it lasts."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._progress = Progress()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="teller", daemon=True)

    def __enter__(self) -> "_Teller":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def follow(self, found: Progress) -> None:
        """This is the download from now on."""
        self._progress = found

    def said(self) -> str:
        """How far it is; empty before anything came."""
        now = self._progress
        return progress(now.done, now.total, self._name) if now.done else ""

    def _tell(self) -> None:
        while not self._ended.wait(_TELL_S):
            if said := self.said():
                _LOG.info("fetching %s", said)


if __name__ == "__main__":
    # The first process of a container ignores a signal that it does not ask for.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(_ENDED_BY_SIGTERM))
    sys.exit(main(sys.argv[1:]))
