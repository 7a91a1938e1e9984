"""Import what a set of formats needs, before the fork of what serves them.

For: a zygote in which libraries are there that would take a replica a second each.
Must not know: control messages, which models are served, or who wants a zygote.

Next to nothing else is done: a pool of threads that a library starts when it first works would be
lost in a child, or waited for. Each library here was tried: there is one thread after its import,
and a child loads a model, starts its own and answers (tests/predictor/test_importing.py).
"""

import importlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

import numpy as np

from predictor import config, forking, formats, libraries, library_threads
from predictor.errors import LoadError

_LOG = logging.getLogger(__name__)
# What opening a model imports beside a package, where it is there.
_MORE: Mapping[str, tuple[str, ...]] = {
    "sklearn": (
        "encodings.cp437",  # names in zip archives
        "pandas",
        "sklearn.ensemble",
        "sklearn.compose",
        "sklearn.neural_network",
        "sklearn.naive_bayes",
        "sklearn.cluster",
        "sklearn.impute",
        "sklearn.feature_extraction.text",
    ),
    "torch.export": (
        "torch._export.serde.serialize",
        "torch.export.pt2_archive._package",
        "torch.export.passes",
    ),
    "transformers": (
        "transformers.modeling_utils",
        "transformers.generation.utils",
        "transformers.models.auto.modeling_auto",
        "transformers.models.auto.tokenization_auto",
        "transformers.tokenization_utils_tokenizers",
    ),
}


def import_ahead(packages: Sequence[str]) -> None:
    """Import packages that formats use, and our own modules for them; LoadError."""
    for package in packages:
        if package not in libraries.PACKAGES:
            expected = ", ".join(sorted(libraries.PACKAGES))
            raise LoadError(f"{package} is a library of no format: expected some of {expected}")
    for module in _ours(packages):
        config.adopt(getattr(module, "ENVIRONMENT", {}))
    for package in packages:
        try:
            _import(package)
        except LoadError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever is wrong with it
            said = f"{type(error).__name__}: {error}"
            raise LoadError(f"the package {package} cannot be imported: {said}") from None
    if "sklearn" in packages:
        try:
            _rehearse()
        except Exception:  # noqa: BLE001 - whatever a version makes of it: nothing needs it
            _LOG.warning("a rehearsal of scikit-learn failed", exc_info=True)
    library_threads.remember()
    try:
        forking.check_safe()
    except forking.UnsafeForkError:
        raise LoadError(
            f"importing {', '.join(packages)} leaves threads running, which a fork does not copy"
        ) from None


def _ours(packages: Sequence[str]) -> Iterator[ModuleType]:
    """Our modules of the formats that need no more than these packages."""
    for form in formats.FORMATS.values():
        if set(form.packages) <= set(packages):
            yield importlib.import_module(form.module)
    if "mlflow.pyfunc" in packages:
        yield importlib.import_module("predictor.mlflow_model")


def _import(package: str) -> None:
    if package == "titus":  # it needs names that others have dropped
        importlib.import_module("predictor.pfa_model").import_titus()
    elif package == "sklearn_pmml_model":  # unless Java evaluates documents here
        importlib.import_module("predictor.pmml_model").import_engine()
    else:
        extra = next(name for name, found in libraries.SETS.items() if package in found)
        formats.imported([package], extra=extra)
    for module in _MORE.get(package, ()):
        with suppress(ImportError):  # of another version, or not installed
            importlib.import_module(module)


def _rehearse() -> None:
    """Do what every estimator does at first: sums in one thread, and looks for plug-ins."""
    pipeline: Any = importlib.import_module("sklearn.pipeline")
    scaler: Any = importlib.import_module("sklearn.preprocessing").StandardScaler()
    linear: Any = importlib.import_module("sklearn.linear_model").LogisticRegression()
    rows = np.array([[0.0], [1.0], [2.0], [3.0]])
    model = pipeline.make_pipeline(scaler, linear).fit(rows, [0, 0, 1, 1])
    with suppress(ImportError):
        skops: Any = importlib.import_module("skops.io")
        model = skops.loads(skops.dumps(model))
    model.predict(rows)
