"""How many threads OpenMP and BLAS may start inside the library that runs a model.

For: replicas of one machine that do not fight for its processors.
Must not know: which library it is, or why it has so many threads.
"""

import importlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from predictor import config

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(slots=True)
class _Known:
    """What a process has of its parent."""

    controller: Any = None


_KNOWN = _Known()


def before_import(count: int) -> None:
    """Say it in the environment, which such libraries read when they are imported."""
    config.adopt(dict.fromkeys(_VARIABLES, str(count)))


def remember() -> None:
    """Look for what was imported now, before the fork of who says how many: that takes 25 ms."""
    with suppress(ModuleNotFoundError):
        _KNOWN.controller = importlib.import_module("threadpoolctl").ThreadpoolController()


def after_import(count: int) -> None:
    """Say it to those that a zygote had imported before; for good: `with` would undo it."""
    if _KNOWN.controller is not None:
        _KNOWN.controller.limit(limits=count)  # what came after it read the environment
        return
    try:
        control = importlib.import_module("threadpoolctl")
    except ModuleNotFoundError:
        return  # it comes with scikit-learn; without it the environment was in time
    control.threadpool_limits(count)
