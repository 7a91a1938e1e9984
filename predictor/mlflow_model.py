"""An MLflow folder: the model file in it by our own formats, or with consent by MLflow itself.

For: models as they were logged, with the columns they were logged with, and no MLflow to install.
Must not know: HTTP, JSON of requests, or where the folder came from.

A model is answered as its flavour's `predict` would: classes where an XGBClassifier was logged.
"""

import dataclasses
import importlib
import importlib.metadata
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from api.modelfiles import Kind
from predictor import config, datatypes, fitting, formats, huggingface_model, mlflow_folder
from predictor.config import Settings
from predictor.datatypes import check_wanted
from predictor.errors import Fault, LoadError, RequestError
from predictor.loaded import Loaded
from predictor.mlflow_folder import Declared, Folder, Inner
from predictor.model import Signature, Tensor, TensorSpec
from predictor.refusals import words

_LOG = logging.getLogger(__name__)
PLATFORM = "mlflow"
_OUTPUT = "output-0"
# Read at import.
ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_TABULAR = (Kind.SKOPS, Kind.PICKLE, Kind.XGBOOST, Kind.LIGHTGBM)
_CLASSES = "multi:softmax"  # XGBoost's objective that answers with classes itself

Answer = Callable[[dict[str, Tensor]], Mapping[str, Tensor]]


def open_model(path: Path, kind: Kind, settings: Settings) -> Loaded:
    """Open an MLflow folder as the settings ask; LoadError names what is wrong in it."""
    del kind  # there is one
    try:
        folder = mlflow_folder.read(path)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LoadError(f"{path / 'MLmodel'} is not as MLflow writes it: {words(error)}") from None
    told = mlflow_folder.differences(path, _installed)
    if told:
        sentence = "WARNING: %s was saved with other versions than are here: %s"
        _LOG.warning(sentence, path, ", ".join(told))
    facts = {"flavor": folder.loader}
    if folder.inner is None:
        return _by_mlflow(folder, settings, facts)
    loaded = _by_us(folder.inner, settings)
    loaded = dataclasses.replace(loaded, facts={**loaded.facts, **facts})
    if folder.inner.kind is Kind.HUGGINGFACE:
        return loaded
    return _as_declared(loaded, folder.inner, folder.declared)


def _by_us(inner: Inner, settings: Settings) -> Loaded:
    if inner.method not in ("predict", "predict_proba"):
        raise LoadError(f"{inner.path}: MLmodel asks for {inner.method}, which is not served")
    if inner.method == "predict_proba":
        settings = dataclasses.replace(settings, predict_proba=True)
    if inner.kind is Kind.HUGGINGFACE:
        return huggingface_model.open_folder(inner.path, settings, tokenizer=inner.tokenizer)
    loaded = formats.opener(inner.kind)(inner.path, inner.kind, settings)
    if inner.model_class.endswith("Classifier") and not settings.predict_proba:
        loaded = _classifying(loaded)
    return loaded


def _classifying(loaded: Loaded) -> Loaded:
    """Classes in place of their probabilities, as scikit-learn's manners have it."""
    if loaded.facts.get("objective") == _CLASSES:
        return loaded

    def run(inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
        found = loaded.run(inputs, wanted)
        name, chances = next(iter(found.items()))
        best = chances.argmax(1) if chances.ndim == 2 else chances > 0.5
        return {name: best.astype(np.int64)}

    outputs = [TensorSpec(name=_OUTPUT, datatype="INT64", shape=(-1,))]
    described = loaded.described
    if described is not None:
        described = Signature(inputs=described.inputs, outputs=outputs)
    return dataclasses.replace(loaded, run=run, described=described)


def _as_declared(loaded: Loaded, inner: Inner, declared: Declared) -> Loaded:
    """The model behind the columns or tensors that it was logged with."""
    specs = declared.columns or declared.tensors
    if not specs or (loaded.signature is not None and declared.tensors):
        return loaded  # its own is the more exact one
    single = declared.tensors[0] if len(declared.tensors) == 1 else None

    def run(inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
        if declared.columns:
            return loaded.run(_feeds(loaded, _columns(inputs, declared)), wanted)
        if single is not None:
            return loaded.run({"input-0": _single(inputs, single)}, wanted)
        return loaded.run(_tensors(inputs, declared.tensors), wanted)

    known = loaded.described.outputs if loaded.described is not None else ()
    described = Signature(inputs=specs, outputs=known or declared.outputs)
    rowwise = inner.kind in _TABULAR
    return dataclasses.replace(
        loaded, run=run, signature=None, described=described, is_rowwise=rowwise
    )


def _feeds(loaded: Loaded, columns: dict[str, Tensor]) -> dict[str, Tensor]:
    """Columns as the model inside takes them: by name, or as one matrix."""
    signature = loaded.signature
    if signature is not None and {spec.name for spec in signature.inputs} == set(columns):
        found = {}
        for spec in signature.inputs:
            array = columns[spec.name]
            shaped = array.reshape(-1, 1) if len(spec.shape) == 2 else array
            found[spec.name] = fitting.fit(spec, shaped)
        return found
    if any(array.dtype.kind not in "biuf" for array in columns.values()):
        return columns
    matrix = np.column_stack(list(columns.values()))
    if signature is None:
        return {"input-0": matrix}
    if len(signature.inputs) != 1:
        expected = ", ".join(spec.name for spec in signature.inputs)
        raise RequestError(
            Fault.MISSING_INPUT,
            name=signature.inputs[0].name,
            expected=expected,
            got=", ".join(columns),
        )
    [spec] = signature.inputs
    datatypes.check_shape(spec, matrix.shape)
    return {spec.name: fitting.fit(spec, matrix)}


def _columns(inputs: dict[str, Tensor], declared: Declared) -> dict[str, Tensor]:
    """Inputs as the columns of the signature, in its order; one matrix is cut into them."""
    specs = declared.columns
    names = [spec.name for spec in specs]
    if len(inputs) == 1 and next(iter(inputs)) not in names:
        name, array = next(iter(inputs.items()))
        whole = TensorSpec(name=name, datatype="FP64", shape=(-1, len(names)))
        if array.ndim == 1 and len(names) == 1:
            array = array.reshape(-1, 1)
        datatypes.check_shape(whole, array.shape)
        inputs = {one: array[:, index] for index, one in enumerate(names)}
    for name in inputs:
        if name not in names:
            raise RequestError(Fault.UNKNOWN_INPUT, name=name, expected=", ".join(names))
    rows = max((len(array) for array in inputs.values() if array.ndim), default=0)
    found = {}
    for spec in specs:
        if spec.name in inputs:
            array = inputs[spec.name]
            flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
            datatypes.check_shape(spec, flat.shape)
            fitted = fitting.fit(spec, flat)
            found[spec.name] = fitted if spec.name in declared.binaries else _texts(spec, fitted)
        elif spec.name in declared.optional and spec.datatype.startswith("FP"):
            found[spec.name] = np.full(rows, np.nan)
        elif spec.name not in declared.optional or spec.datatype != "BYTES":
            got = ", ".join(inputs) or "none"
            raise RequestError(
                Fault.MISSING_INPUT, name=spec.name, expected=", ".join(names), got=got
            )
        else:
            found[spec.name] = np.full(rows, None, object)
    _check_rows(found)
    return found


def _texts(spec: TensorSpec, array: Tensor) -> Tensor:
    """Text as `str`, however it came."""
    if array.dtype.kind != "O":
        return array
    try:
        texts = [one.decode() if isinstance(one, bytes) else one for one in array]
    except UnicodeDecodeError:
        raise RequestError(
            Fault.BAD_FIELD, field=f"input '{spec.name}'", expected="UTF-8", got="other bytes"
        ) from None
    return np.array(texts, object)


def _check_rows(columns: Mapping[str, Tensor]) -> None:
    first = next(iter(columns))
    for name, array in columns.items():
        if len(array) != len(columns[first]):
            raise RequestError(
                Fault.UNEQUAL_SIZES,
                name=name,
                axis=0,
                got=len(array),
                dimension="rows",
                expected=len(columns[first]),
                other=first,
            )


def _single(inputs: dict[str, Tensor], spec: TensorSpec) -> Tensor:
    """One tensor by any name, as KServe takes it."""
    if len(inputs) != 1:
        got = ", ".join(inputs) or "none"
        raise RequestError(Fault.MISSING_INPUT, name=spec.name, expected=spec.name, got=got)
    name, array = next(iter(inputs.items()))
    named = dataclasses.replace(spec, name=name)
    datatypes.check_shape(named, array.shape)
    return fitting.fit(named, array)


def _tensors(inputs: dict[str, Tensor], specs: tuple[TensorSpec, ...]) -> dict[str, Tensor]:
    expected = ", ".join(spec.name for spec in specs)
    for name in inputs:
        if name not in expected.split(", "):
            raise RequestError(Fault.UNKNOWN_INPUT, name=name, expected=expected)
    found = {}
    for spec in specs:
        if spec.name not in inputs:
            got = ", ".join(inputs) or "none"
            raise RequestError(Fault.MISSING_INPUT, name=spec.name, expected=expected, got=got)
        datatypes.check_shape(spec, inputs[spec.name].shape)
        found[spec.name] = fitting.fit(spec, inputs[spec.name])
    return found


def _by_mlflow(folder: Folder, settings: Settings, facts: dict[str, Any]) -> Loaded:
    """Any flavour, through MLflow: it runs what the folder says, so it needs consent."""
    if not settings.trust_pickle:
        raise LoadError(
            f"{folder.path} is of the flavour {folder.loader}, which only MLflow can open, by "
            "running code from the folder: if you trust whoever wrote it, say so with "
            "--trust-pickle (of an InferenceService: the annotation "
            'relight.dev/trust-pickle: "true")'
        )
    config.adopt(ENVIRONMENT)
    formats.imported(("mlflow.pyfunc", "pandas"), extra="mlflow")
    pandas: Any = importlib.import_module("pandas")
    try:
        model = importlib.import_module("mlflow.pyfunc").load_model(str(folder.path))
    except MemoryError:
        raise LoadError(f"{folder.path} needs more memory than there is") from None
    except ModuleNotFoundError as error:
        raise LoadError(
            f"{folder.path} needs the package {error.name}, which is not installed"
        ) from None
    except BaseException as error:  # noqa: BLE001 - whatever a folder makes it raise
        _LOG.debug("loading %s failed", folder.path, exc_info=True)
        said = f"{type(error).__name__}: {words(error)}"
        raise LoadError(f"{folder.path} cannot be loaded by MLflow: {said}") from None
    declared = folder.declared

    def run(inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
        given = _frame(pandas, inputs, declared)
        try:
            answer = model.predict(given)
        except (ValueError, TypeError, KeyError) as error:
            _LOG.info("the model refused an input", exc_info=True)
            raise RequestError(Fault.REJECTED, detail=f"the model: {words(error)}") from None
        except Exception as error:  # noqa: BLE001 - anybody's code; logged, and answered 500
            if type(error).__name__ == "MlflowException":  # its schema check
                detail = f"the model: {words(error)}"
                raise RequestError(Fault.REJECTED, detail=detail) from None
            _LOG.exception("the model failed")
            raise RequestError(Fault.MODEL_RAISED, kind=type(error).__name__) from None
        outputs = _outputs(answer)
        check_wanted(outputs, wanted)
        return outputs

    described = None
    if specs := declared.columns or declared.tensors:
        described = Signature(inputs=specs, outputs=declared.outputs)
    return Loaded(run=run, signature=None, platform=PLATFORM, described=described, facts=facts)


def _frame(pandas: Any, inputs: dict[str, Tensor], declared: Declared) -> Any:
    """What MLflow's predict takes: a data frame of columns, an array, or arrays by name."""
    if declared.columns:
        found = dict(_columns(inputs, declared))
        for name in declared.dates:
            try:
                found[name] = pandas.to_datetime(found[name], format="ISO8601")
            except ValueError:
                raise RequestError(
                    Fault.BAD_FIELD, field=name, expected="dates as in ISO 8601", got="other text"
                ) from None
        return pandas.DataFrame(found)
    if len(declared.tensors) == 1 and not _is_named(declared.tensors[0]):
        return _single(inputs, declared.tensors[0])
    if declared.tensors:
        return _tensors(inputs, declared.tensors)
    if len(inputs) == 1:
        return next(iter(inputs.values()))
    return pandas.DataFrame({name: list(array) for name, array in inputs.items()})


def _is_named(spec: TensorSpec) -> bool:
    return spec.name != "input-0"


def _outputs(answer: Any) -> dict[str, Tensor]:
    """What a pyfunc returned: a frame by its columns, a mapping by its keys, else output-0."""
    if hasattr(answer, "columns") and hasattr(answer, "to_numpy"):
        return {str(name): _array(str(name), answer[name]) for name in answer.columns}
    if isinstance(answer, Mapping):
        return {str(name): _array(str(name), value) for name, value in answer.items()}
    return {_OUTPUT: _array(_OUTPUT, answer)}


def _array(name: str, value: Any) -> Tensor:
    try:
        found = value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)
    except ValueError:
        found = np.asarray(None)
    array: Tensor = np.asarray(found)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[ms]").astype(str)
    if array.dtype.kind in "US":
        return array.astype(object)
    is_text = array.dtype.kind == "O" and all(isinstance(one, str | bytes) for one in array.ravel())
    if array.dtype.kind not in "biuf" and not is_text:
        detail = f"output '{name}' is a {type(value).__name__} that is no tensor"
        raise RequestError(Fault.BAD_OUTPUT, detail=detail)
    return array


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
