"""A predictor's own model, where that is fetched: by another process, before it is loaded.

For: `python -m predictor --model s3://…`, on a cluster or alone; a platform fetches for its own.
Must not know: how a model is fetched, or how it is loaded.
"""

import dataclasses
import json
import logging
import subprocess
import sys
import time
from typing import Any

from api.storage_uris import is_fetched
from predictor import config
from predictor.config import Settings
from predictor.errors import LoadError
from predictor.fetch_cache import ModelCache
from predictor.fetch_uris import progress

_LOG = logging.getLogger(__name__)
_TOLD_EVERY = 10  # lines, one a second


def local(settings: Settings) -> Settings:
    """The settings of a model that lies here, and is pinned; LoadError says why there is none.

    Blocks for as long as it takes, unless it is in the cache. What fetches ends with this process.
    """
    if not is_fetched(settings.model):
        return settings
    if settings.model_digest:
        now_s = time.time()  # noqa: TID251 - files say when they were used by this clock
        kept = ModelCache(settings.cache_dir).find(settings.model_digest, now_s=now_s)
        if kept is not None:
            return dataclasses.replace(settings, model=str(kept.path))
    last = _last_words(settings)
    if "done" not in last:
        raise LoadError(str(last.get("failed") or f"{settings.model} was not fetched"))
    _LOG.info("fetched %s", last["digest"])
    return dataclasses.replace(settings, model=str(last["done"]), model_digest=str(last["digest"]))


def _last_words(settings: Settings) -> dict[str, Any]:
    pinned = ("--digest", settings.model_digest) if settings.model_digest else ()
    command = [sys.executable, "-m", "predictor.fetch", "--cache", str(settings.cache_dir)]
    command += ["--max-cache-bytes", str(settings.fetched_bytes_max)]
    last: dict[str, Any] = {}
    with subprocess.Popen(  # noqa: S603 - ourselves
        [*command, *pinned, "--", settings.model],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=config.inherited(),
    ) as child:
        assert child.stdout is not None
        for count, line in enumerate(child.stdout):
            last = json.loads(line)
            if "bytes" in last and count % _TOLD_EVERY == 0:
                words = progress(int(last["bytes"]), last["total"], settings.model)
                _LOG.info("fetching %s", words)
    return last
