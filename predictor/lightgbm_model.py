"""A LightGBM text model: its columns, and what it answers, as KServe serves it.

For: opening a Booster, and one sentence for a person when that fails.
Must not know: HTTP, JSON, or where the file came from.
"""

import importlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from api.modelfiles import Kind
from predictor import formats, library_threads, lightgbm_files, matrices, tabular
from predictor.config import Settings
from predictor.datatypes import check_wanted
from predictor.errors import LoadError
from predictor.loaded import Loaded, Trees
from predictor.model import Tensor
from predictor.refusals import first_line, guarded

_LOG = logging.getLogger(__name__)
PLATFORM = "lightgbm"
_NUMBERS = (np.dtype(np.float32), np.dtype(np.float64))


class LightgbmModel:
    """One Booster. A word of a categorical column that it never saw is a missing value to it."""

    def __init__(self, path: Path, *, threads: int) -> None:
        self.path = path
        self.booster: Any = None
        self.document: lightgbm_files.Document
        self._threads = threads
        self._categories: dict[int, dict[str, int]] = {}

    def load(self) -> None:
        """Read and check the file, then let the library have it; LoadError names it."""
        library_threads.before_import(self._threads)
        formats.imported(["lightgbm"], extra="lightgbm")
        library_threads.after_import(self._threads)
        lightgbm = importlib.import_module("lightgbm")
        lightgbm.register_logger(_LOG)
        try:
            data = self.path.read_bytes()
            self.document = lightgbm_files.read(data)
            self.booster = lightgbm.Booster(model_str=data.decode())
        except OSError as error:
            raise LoadError(f"cannot read {self.path}: {error.strerror}") from None
        except LoadError as error:
            raise LoadError(f"{self.path} {error}") from None
        except MemoryError:
            raise LoadError(f"{self.path} needs more memory than there is") from None
        except Exception as error:  # noqa: BLE001 - whatever a file makes it raise
            _LOG.debug("loading %s failed", self.path, exc_info=True)
            said = f"LightGBM {lightgbm.__version__}: {first_line(error)}"
            raise LoadError(f"{self.path} cannot be loaded with {said}") from None
        self._categories = _codes(self.booster.pandas_categorical, self.document.categorical)

    def run(self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> dict[str, Tensor]:
        """What the objective makes of each row, as `output-0`: values or probabilities."""
        numbers = self._numbers(inputs)
        outputs = {tabular.OUTPUT: guarded(lambda: self._predict(numbers))}
        check_wanted(outputs, wanted)
        return outputs

    def facts(self) -> dict[str, Any]:
        """What else the metadata tells: the objective, the columns and the classes."""
        found: dict[str, Any] = {
            "objective": self.document.objective,
            "feature_names": list(self.document.feature_names),
        }
        if (classes := self.booster.num_model_per_iteration()) > 1:
            found["classes"] = classes
        return found

    def trees(self) -> Trees:
        """What explains its answers."""
        return Trees(
            model=self.booster,
            matrix=self._numbers,
            scores=lambda rows: self._summed(rows, raw_score=True),
            contributions=self._contributions,
        )

    def _summed(self, rows: Tensor, **asked: bool) -> Tensor:
        """What the trees say together: the library adds them up also where their mean is meant."""
        rounds = self.booster.current_iteration() if self.document.is_mean else 1
        return np.asarray(self._of_matrix(rows, **asked)) / max(rounds, 1)

    def _contributions(self, rows: Tensor) -> Tensor:
        found = self._summed(rows, pred_contrib=True)
        columns = len(self.document.feature_names) + 1
        return found.reshape(len(rows), -1, columns).transpose(0, 2, 1)

    def _numbers(self, inputs: Mapping[str, Tensor]) -> Tensor:
        names = self.document.feature_names
        rows = matrices.matrix(inputs, names, len(names))
        return tabular.numbers(rows, names, self._categories, unknown=np.nan)

    def _of_matrix(self, rows: Tensor, **asked: bool) -> Any:
        taken = rows if rows.dtype in _NUMBERS else rows.astype(np.float64)
        return self.booster.predict(taken, num_threads=self._threads, **asked)

    def _predict(self, rows: Tensor) -> Tensor:
        if not len(rows):
            shape = self._predict(np.zeros((1, len(self.document.feature_names)))).shape
            return np.empty((0, *shape[1:]))
        return np.asarray(self._of_matrix(rows))


def open_model(path: Path, kind: Kind, settings: Settings) -> Loaded:
    """Open a Booster as the settings ask; LoadError names its file."""
    del kind  # there is one
    model = LightgbmModel(path, threads=settings.threads)
    model.load()
    width = len(model.document.feature_names)
    return Loaded(
        run=model.run,
        signature=None,
        platform=PLATFORM,
        described=tabular.described(model.run, datatype="FP64", width=width),
        facts=model.facts(),
        is_rowwise=True,
        trees=model.trees(),
    )


def _codes(raw: Any, categorical: tuple[int, ...]) -> dict[int, dict[str, int]]:
    """The code of each word, where the file tells which columns its words are of."""
    if not raw or len(raw) != len(categorical):
        return {}
    return {
        column: {str(word): code for code, word in enumerate(words)}
        for column, words in zip(categorical, raw, strict=True)
    }
