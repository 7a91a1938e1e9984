"""Open one of several models on a thread, and see what it took.

For: a packed predictor, which decides by time and memory which models stay open.
Must not know: which models are open, loops, requests.
"""

import dataclasses
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from predictor import heap, loading
from predictor.config import Settings
from predictor.errors import LoadError
from predictor.loaded import Loaded
from predictor.warmups import OnStuck

_LOG = logging.getLogger(__name__)
_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A model, or why there is none."""

    settings: Settings  # with what the model's own settings files say
    loaded: Loaded | None = None
    failure: str = ""
    is_stuck: bool = False  # it did not return, and may do so later
    load_s: float = 0.0
    memory_bytes: int = 0  # by which this process grew; what ran beside it is in it


def open_measured(settings: Settings, on_stuck: OnStuck | None = None) -> Opened:
    """Open, warm up and measure; whatever goes wrong is told and not raised."""
    before = own_bytes()
    started_s = time.perf_counter()
    try:
        # Its name is settled; whether its own files contradict that is asked as of one alone.
        loaded = loading.load(dataclasses.replace(settings, is_name_given=False), on_stuck)
    except LoadError as error:
        return Opened(settings=settings, failure=str(error))
    except BaseException as error:  # noqa: BLE001 - one model of many: logged, and told
        _LOG.exception("opening %s failed", settings.model_name)
        return Opened(settings=settings, failure=f"{type(error).__name__}; the log says more")
    load_s = time.perf_counter() - started_s
    heap.give_back()  # the file's own bytes, and what the library read it into, are no more needed
    return Opened(
        settings=loading.completed(settings, loaded),
        loaded=loaded,
        load_s=load_s,
        memory_bytes=max(0, own_bytes() - before),
    )


def own_bytes() -> int:
    """Memory of this process that is no file's, in use now; 0 where nobody says."""
    try:
        _, resident, shared, *_ = _STATM.read_text().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
