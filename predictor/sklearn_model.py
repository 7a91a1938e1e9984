"""A scikit-learn model: its file, its columns, and what it answers, as KServe serves it.

For: opening .skops files safely and pickles with consent, and one sentence when that fails.
Must not know: HTTP, JSON, or where the file came from.

scikit-learn is imported when the first such model is loaded: 0.3 s and 60 MB that nobody else
pays. `libraries` does it ahead, for a zygote of this format.
"""

import importlib
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from api.modelfiles import Kind
from predictor import (
    datatypes,
    library_threads,
    matrices,
    sklearn_columns,
    sklearn_explaining,
)
from predictor.config import Settings
from predictor.datatypes import check_wanted
from predictor.errors import Fault, LoadError, RequestError
from predictor.loaded import Loaded, Run, Trees
from predictor.model import Signature, Tensor, TensorSpec
from predictor.refusals import NAMES_MAX, rejected, words

_LOG = logging.getLogger(__name__)
PLATFORM = "sklearn"
INSTALL = "pip install 'relight[sklearn]'"
_CONSENT = (
    '--trust-pickle (of an InferenceService: the annotation relight.dev/trust-pickle: "true")'
)
# skops leaves open whether it is safe; its reader makes one of the type of a plain array alone.
_SAFE = frozenset({"numpy.dtype"})
_INPUT, _OUTPUT = "input-0", "output-0"  # KServe's names
_MISSING = re.compile(  # pickle's two ways of saying it
    r"Can't get attribute '(?P<name>\S+)' on <module '(?P<of>\S+)'"
    r"|module '(?P<module>\S+)' has no attribute '(?P<attribute>\S+)'"
)


def libraries(kind: Kind) -> tuple[ModuleType, ModuleType]:
    """scikit-learn and the reader of such files, or LoadError that says how to install them."""
    reader = "skops.io" if kind is Kind.SKOPS else "joblib"
    try:
        return importlib.import_module("sklearn"), importlib.import_module(reader)
    except ModuleNotFoundError as error:
        raise LoadError(f"the package {error.name} is not installed; {INSTALL}") from None


class SklearnModel:
    """One fitted estimator. `threads` limits OpenMP, BLAS and joblib alike."""

    def __init__(
        self, path: Path, kind: Kind, *, trust_pickle: bool, threads: int, probabilities: bool
    ) -> None:
        self.path = path
        self._kind = kind
        self._trust_pickle = trust_pickle
        self._threads = threads
        self._method = "predict_proba" if probabilities else "predict"
        self._estimator: Any = None
        self._features: tuple[str, ...] = ()
        self._width = 0
        self._texts: dict[str, str] = {}  # columns that hold words, and one of them
        self._takes_texts = False  # a row is one text
        self._pandas: ModuleType | None = None

    def load(self) -> None:
        """Read the file; LoadError names it. A pickle is not even opened without consent."""
        if self._kind is Kind.PICKLE and not self._trust_pickle:
            raise LoadError(
                f"{self.path} is a pickle, which can run any code while it is loaded: "
                f"if you trust whoever wrote it, say so with {_CONSENT}; "
                "otherwise have the model saved with skops"
            )
        library_threads.before_import(self._threads)
        sklearn, reader = libraries(self._kind)
        library_threads.after_import(self._threads)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self._estimator = self._read(reader, sklearn.__version__)
        for sentence in _told(caught, sklearn.__version__):
            _LOG.warning("WARNING: %s: %s", self.path, sentence)
        self._check()
        self._features = tuple(map(str, getattr(self._estimator, "feature_names_in_", ())))
        self._width = int(getattr(self._estimator, "n_features_in_", 0) or 0)
        self._takes_texts = sklearn_columns.takes_texts(self._estimator)
        self._texts = sklearn_columns.text_columns(self._estimator, self._features)
        if sklearn_columns.needs_frame(self._estimator):
            self._pandas = self._import_pandas()
        _limit_jobs(self._estimator, self._threads)

    def run(self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> dict[str, Tensor]:
        """The predictions as `output-0`, one row for each row that came."""
        outputs = _outputs(self._asked(self._method, self._rows(inputs)))
        check_wanted(outputs, wanted)
        return outputs

    def trees(self) -> Trees | None:
        """What explains its answers, where it is a tree, or many."""
        scored = sklearn_explaining.scored_by(self._estimator)
        if not scored or self._pandas is not None:
            return None
        return Trees(
            model=self._estimator,
            matrix=self._rows,
            scores=lambda rows: np.asarray(self._asked(scored, rows)),
        )

    def scores(self) -> Run | None:
        """Probabilities or decisions, where it answers with labels alone."""
        method = sklearn_explaining.scores_of(self._estimator, self._method)
        if not method:
            return None

        def run(inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
            del wanted
            return {method: np.asarray(self._asked(method, self._rows(inputs)))}

        return run

    def _asked(self, method: str, rows: Any) -> Any:
        """What a method of the estimator gives."""
        try:
            with warnings.catch_warnings():
                if self._features and self._pandas is None:
                    warnings.filterwarnings("ignore", "X does not have valid feature names")
                return getattr(self._estimator, method)(rows)
        except (ValueError, TypeError) as error:  # ValueError: of input that it can not use
            which = self._unexpected_texts(rows)
            if isinstance(error, TypeError) and not which:
                raise self._failed(method, rows, error) from None
            _LOG.info("the model refused an input", exc_info=True)
            raise rejected(f"{which}the model: {words(error)}") from None
        except Exception as error:  # noqa: BLE001 - anybody's code; logged, and answered 500
            raise self._failed(method, rows, error) from None

    def _failed(self, method: str, rows: Any, error: Exception) -> RequestError:
        _LOG.error("%s failed on an input of shape %s", method, rows.shape, exc_info=error)
        return RequestError(Fault.MODEL_RAISED, kind=type(error).__name__)

    def _unexpected_texts(self, rows: Any) -> str:
        """The columns that came as text, and are not known to hold any: those may be why."""
        if self._pandas is None:
            return ""
        found = [
            f"'{name}'"
            for name, dtype in rows.dtypes.items()
            if dtype.kind not in "biufc" and name not in self._texts
        ]
        return f"with text in {_listed(found)}: " if found else ""

    def describe(self) -> Signature:
        """What the metadata says. The outputs are those of a row of zeros, where it takes one."""
        inputs, row = self._made_up()
        outputs: list[TensorSpec] = []
        try:
            answer = self.run(row, None) if row else {}
        except RequestError:
            answer = {}
        for name, array in answer.items():
            datatype = datatypes.of_array(array)
            if datatype is not None:
                described = (-1, *array.shape[1:])
                spec = TensorSpec(name=name, datatype=datatype.name, shape=described)
                outputs.append(spec)
        return Signature(inputs=inputs, outputs=outputs)

    def _made_up(self) -> tuple[list[TensorSpec], dict[str, Tensor]]:
        """What it takes, and a row of that kind, empty where no width is known.

        Columns one by one where some of them hold words: no matrix of numbers is such a row.
        """
        if self._takes_texts:
            text = np.array([""], object)
            return [TensorSpec(name=_INPUT, datatype="BYTES", shape=(-1,))], {_INPUT: text}
        if not self._texts:
            rows: dict[str, Tensor] = {_INPUT: np.zeros((1, self._width))} if self._width else {}
            shape = (-1, self._width or -1)
            return [TensorSpec(name=_INPUT, datatype="FP64", shape=shape)], rows
        row: dict[str, Tensor] = dict.fromkeys(self._features, np.zeros(1))
        row |= {name: np.array([word], object) for name, word in self._texts.items()}
        kinds = {name: "BYTES" if name in self._texts else "FP64" for name in row}
        return [TensorSpec(name=n, datatype=kind, shape=(-1,)) for n, kind in kinds.items()], row

    def facts(self) -> dict[str, Any]:
        """What else the metadata tells: the columns and the classes, by name."""
        found: dict[str, Any] = {}
        if self._features:
            found["feature_names"] = list(self._features)
        classes = getattr(self._estimator, "classes_", None)
        if isinstance(classes, np.ndarray) and classes.dtype.kind in "biufUO":
            found["classes"] = classes.tolist()
        return found

    def _rows(self, inputs: dict[str, Tensor]) -> Any:
        for name, array in inputs.items():
            if (self._takes_texts or name in self._texts) and array.dtype.kind != "O":
                raise _wrong_kind(name, "BYTES", expected="text", got="numbers")
        if self._pandas is None:
            return matrices.matrix(inputs, self._features, self._width)
        if len(inputs) == 1 and next(iter(inputs)) not in self._features:
            whole = matrices.matrix(inputs, self._features, self._width)
            return self._pandas.DataFrame(whole, columns=list(self._features))
        return self._pandas.DataFrame(matrices.columns(inputs, self._features, self._width))

    def _read(self, reader: ModuleType, version: str) -> Any:
        try:
            if self._kind is Kind.PICKLE:
                return reader.load(self.path)
            unknown = set(reader.get_untrusted_types(file=self.path))
            untrusted = sorted(unknown - _SAFE)
            if self._trust_pickle or not untrusted:
                if untrusted:
                    _LOG.info("%s holds, with your consent: %s", self.path, _listed(untrusted))
                return reader.load(self.path, trusted=sorted(unknown))
        except MemoryError:
            raise LoadError(f"{self.path} needs more memory than there is") from None
        except BaseException as error:  # noqa: BLE001 - whatever a file makes it raise
            _LOG.debug("loading %s failed", self.path, exc_info=True)
            raise LoadError(self._explain(error, version)) from None
        raise LoadError(
            f"{self.path} holds types that are not known to be safe to load: "
            f"{_listed(untrusted)}; if you trust whoever wrote it, say so with {_CONSENT}"
        )

    def _explain(self, error: BaseException, version: str) -> str:
        if isinstance(error, ModuleNotFoundError):
            return f"{self.path} needs the package {error.name}, which is not installed"
        if isinstance(error, KeyError) and "no item named 'schema.json'" in str(error):
            return f"{self.path} is an archive, but not one that skops wrote: no schema.json in it"
        if missing := _MISSING.match(str(error)):
            name = f"{missing['of'] or missing['module']}.{missing['name'] or missing['attribute']}"
            return (
                f"{self.path} needs {name}, which is not here: it was written by another version "
                f"of a library, or with code of its author's (scikit-learn {version} here)"
            )
        said = f"{type(error).__name__}: {words(error)}"
        return f"{self.path} cannot be loaded with scikit-learn {version}: {said}"

    def _check(self) -> None:
        kind = type(self._estimator).__name__
        if not callable(getattr(self._estimator, "predict", None)):
            raise LoadError(f"{self.path} holds a {kind}, which has no predict")
        if not callable(getattr(self._estimator, self._method, None)):
            raise LoadError(f"PREDICT_PROBA: the {kind} in {self.path} has no predict_proba")

    def _import_pandas(self) -> ModuleType:
        try:
            return importlib.import_module("pandas")
        except ModuleNotFoundError:
            raise LoadError(
                f"{self.path} selects columns by name, which needs the package pandas: "
                "pip install pandas"
            ) from None


def open_model(path: Path, kind: Kind, settings: Settings) -> Loaded:
    """Open a fitted estimator as the settings ask; LoadError names its file."""
    model = SklearnModel(
        path,
        kind,
        trust_pickle=settings.trust_pickle,
        threads=settings.threads,
        probabilities=settings.predict_proba,
    )
    model.load()
    return Loaded(
        run=model.run,
        signature=None,
        platform=PLATFORM,
        described=model.describe(),
        facts=model.facts(),
        is_rowwise=True,
        trees=model.trees(),
        scores=model.scores(),
    )


def _told(caught: list[warnings.WarningMessage], here: str) -> Iterator[str]:
    """Each thing that was warned of once; of other versions, one line for them all."""
    others: dict[str, set[str]] = {}
    seen: set[str] = set()
    for warning in caught:
        written = getattr(warning.message, "original_sklearn_version", None)
        if written is not None:
            name = str(getattr(warning.message, "estimator_name", "a model"))
            others.setdefault(str(written), set()).add(name)
        elif (said := words(warning.message)) not in seen:
            seen.add(said)
            yield said
    for version, names in others.items():
        listed = ", ".join(sorted(names)[:NAMES_MAX])
        yield (
            f"{listed} written by scikit-learn {version} and loaded by {here}: "
            "answers may differ or fail; save it again with this version"
        )


def _outputs(answer: Any) -> dict[str, Tensor]:
    parts = answer if isinstance(answer, list | tuple) and _are_arrays(answer) else [answer]
    return {f"output-{index}": _array(part) for index, part in enumerate(parts)}


def _are_arrays(parts: list[Any] | tuple[Any, ...]) -> bool:
    return bool(parts) and all(isinstance(part, np.ndarray) for part in parts)


def _array(part: Any) -> Tensor:
    dense = part.toarray() if hasattr(part, "toarray") else part
    array = np.asarray(dense)
    return array.astype(object) if array.dtype.kind == "U" else array


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more


def _wrong_kind(name: str, datatype: str, *, expected: str, got: str) -> RequestError:
    return RequestError(
        Fault.WRONG_VALUES, name=name, datatype=datatype, expected=expected, got=got
    )


def _limit_jobs(estimator: Any, threads: int) -> None:
    """A model saved with n_jobs=-1 would take every processor of the machine."""
    for part in sklearn_columns.parts(estimator):
        if getattr(part, "n_jobs", None) not in (None, 1):
            part.n_jobs = threads
