"""How many threads OpenMP and BLAS may start inside the library that runs a model.

For: replicas of one machine that do not fight for its processors.
Must not know: which library it is, or why it has so many threads.
"""

import importlib

from predictor import config

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def before_import(count: int) -> None:
    """Say it in the environment, which such libraries read when they are imported."""
    config.adopt(dict.fromkeys(_VARIABLES, str(count)))


def after_import(count: int) -> None:
    """Say it to those that a zygote had imported before; for good: `with` would undo it."""
    try:
        control = importlib.import_module("threadpoolctl")
    except ModuleNotFoundError:
        return  # it comes with scikit-learn; without it the environment was in time
    control.threadpool_limits(count)
