"""An XGBoost model: .json or .ubj, its columns, and what it answers, as KServe serves it.

For: opening a Booster, and one sentence for a person when that fails.
Must not know: HTTP, JSON, or where the file came from.

XGBoost is imported when the first such model is loaded: a second and 130 MB, most of it pandas,
SciPy and scikit-learn, which it takes where it finds them.
"""

import importlib
import logging
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from api.modelfiles import Kind
from predictor import formats, library_threads, matrices, providers, tabular, xgboost_files
from predictor.config import Settings
from predictor.datatypes import check_wanted
from predictor.errors import LoadError
from predictor.loaded import Loaded, Run, Trees
from predictor.model import Tensor
from predictor.refusals import first_line, guarded

_LOG = logging.getLogger(__name__)
PLATFORM = "xgboost"
_IN_PLACE = "gbtree"  # the booster that answers the same from plain arrays, in less time
_NO_TREES = "gblinear"
_LABELS = ("multi:softmax", "binary:hinge")


class XgboostModel:
    """One Booster on one device."""

    def __init__(self, path: Path, *, threads: int, wants_gpu: bool) -> None:
        self.path = path
        self.device = "cpu"
        self.booster: Any = None
        self.document: xgboost_files.Document
        self._threads = threads
        self._wants_gpu = wants_gpu
        self._xgboost: ModuleType | None = None
        self._width = 0
        self._features: tuple[str, ...] = ()

    def load(self) -> None:
        """Read and check the file, then let the library have it; LoadError names it."""
        library_threads.before_import(self._threads)
        formats.imported(["xgboost"], extra="xgboost")
        library_threads.after_import(self._threads)
        xgboost = importlib.import_module("xgboost")
        self._xgboost = xgboost
        self._read(xgboost)
        self._width = int(self.booster.num_features())
        self._features = tuple(self.booster.feature_names or ())
        if self._wants_gpu:
            self._use_gpu(xgboost)

    def run(self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> dict[str, Tensor]:
        """What the objective makes of each row, as `output-0`: values, classes, probabilities."""
        numbers = self._numbers(inputs)
        outputs = {tabular.OUTPUT: guarded(lambda: self._predict(numbers))}
        check_wanted(outputs, wanted)
        return outputs

    def facts(self) -> dict[str, Any]:
        """What else the metadata tells: the objective, the columns, the device."""
        found: dict[str, Any] = {"objective": self.document.objective, "device": self.device}
        if self._features:
            found["feature_names"] = list(self._features)
        if self.document.classes:
            found["classes"] = self.document.classes
        return found

    def trees(self) -> Trees | None:
        """What explains its answers; a linear booster has none."""
        if self.document.booster == _NO_TREES:
            return None
        return Trees(
            model=self.booster,
            matrix=self._numbers,
            scores=lambda rows: np.asarray(self._of_matrix(rows, output_margin=True)),
            contributions=self._contributions,
        )

    def scores(self) -> Run | None:
        """What classes are chosen by, where the objective answers with a class alone."""
        if self.document.objective not in _LABELS:
            return None

        def run(inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
            del wanted
            rows = self._numbers(inputs)
            margins = guarded(lambda: self._of_matrix(rows, output_margin=True))
            return {"margin": np.asarray(margins)}

        return run

    def _contributions(self, rows: Tensor) -> Tensor:
        found = np.asarray(self._of_matrix(rows, pred_contribs=True))
        return found[:, :, None] if found.ndim == 2 else found.transpose(0, 2, 1)

    def _numbers(self, inputs: Mapping[str, Tensor]) -> Tensor:
        rows = matrices.matrix(inputs, self._features, self._width)
        return tabular.numbers(rows, self._features, self.document.categories, unknown=None)

    def _of_matrix(self, rows: Tensor, **asked: bool) -> Any:
        """What the library gives for its own kind of matrix."""
        assert self._xgboost is not None, "load comes first"
        names = list(self._features) or None
        matrix = self._xgboost.DMatrix(rows, feature_names=names, nthread=self._threads)
        return self.booster.predict(matrix, **asked)

    def _predict(self, rows: Tensor) -> Tensor:
        assert self._xgboost is not None, "load comes first"
        if not len(rows):
            shape = self._predict(np.zeros((1, self._width))).shape
            return np.empty((0, *shape[1:]), np.float32)
        if self.document.booster == _IN_PLACE:
            return np.asarray(self.booster.inplace_predict(rows))
        return np.asarray(self._of_matrix(rows))

    def _read(self, xgboost: ModuleType) -> None:
        here = xgboost.__version__
        try:
            data = self.path.read_bytes()
            self.document = xgboost_files.read(data)
            self.booster = xgboost.Booster({"nthread": self._threads})
            self.booster.load_model(bytearray(data))
        except OSError as error:
            raise LoadError(f"cannot read {self.path}: {error.strerror}") from None
        except LoadError as error:
            raise LoadError(f"{self.path} {error}") from None
        except MemoryError:
            raise LoadError(f"{self.path} needs more memory than there is") from None
        except Exception as error:  # noqa: BLE001 - whatever a file makes it raise
            _LOG.debug("loading %s failed", self.path, exc_info=True)
            if "bad_alloc" in str(error):
                raise LoadError(f"{self.path} needs more memory than there is") from None
            wrote = ".".join(map(str, self.document.version))
            said = f"written by XGBoost {wrote}, {here} here: {first_line(error)}"
            raise LoadError(f"{self.path} cannot be loaded; {said}") from None
        if self.document.version > _numbers(here):
            wrote = ".".join(map(str, self.document.version))
            sentence = "WARNING: %s was written by XGBoost %s and is loaded by %s, which is older"
            _LOG.warning(sentence, self.path, wrote, here)

    def _use_gpu(self, xgboost: ModuleType) -> None:
        """CUDA where this build and this machine have it, else the CPU, said aloud."""
        problem = "this build of XGBoost has no CUDA"
        if xgboost.build_info().get("USE_CUDA"):
            try:
                self.booster.set_param({"device": "cuda"})
                self._predict(np.zeros((1, self._width)))
            except Exception as error:  # noqa: BLE001 - it has one type for all it says
                problem = first_line(error)
                self.booster.set_param({"device": "cpu"})
            else:
                self.device = "cuda"
                return
        sentence = "WARNING: %s was asked for, but %s; %s runs on the CPU"
        _LOG.warning(sentence, providers.CUDA, problem, self.path)


def open_model(path: Path, kind: Kind, settings: Settings) -> Loaded:
    """Open a Booster as the settings ask; LoadError names its file."""
    del kind  # there is one
    wants_gpu = providers.CUDA in settings.providers
    model = XgboostModel(path, threads=settings.threads, wants_gpu=wants_gpu)
    model.load()
    return Loaded(
        run=model.run,
        signature=None,
        platform=PLATFORM,
        described=tabular.described(
            model.run, datatype="FP32", width=int(model.booster.num_features())
        ),
        facts=model.facts(),
        is_rowwise=True,
        trees=model.trees(),
        scores=model.scores(),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
