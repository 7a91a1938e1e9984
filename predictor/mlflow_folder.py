"""What an MLflow folder holds, read from MLmodel and requirements.txt without MLflow.

For: the model file inside and its kind, the columns or tensors it was logged with, what differs.
Must not know: MLflow, pandas, or how a model is run.
"""

import importlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.modelfiles import Kind
from predictor.errors import LoadError
from predictor.model import TensorSpec

_COLUMNS = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
    "binary": "BYTES",
    "datetime": "BYTES",
}
_TENSORS = {
    "bool": "BOOL",
    **{f"{sign}int{bits}": f"{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16)},
    **{f"{sign}int{bits}": f"{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (32, 64)},
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "str": "BYTES",
    "object": "BYTES",
    "bytes": "BYTES",
}
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*===?\s*([^\s;,#]+)")
_MLMODEL_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """The model file inside that one of our own formats opens."""

    path: Path
    kind: Kind
    method: str = "predict"  # of a scikit-learn estimator
    model_class: str = ""  # of XGBoost's and LightGBM's: theirs, or of scikit-learn's manners
    tokenizer: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The signature a model was logged with."""

    columns: tuple[TensorSpec, ...] = ()  # of a data frame
    tensors: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    optional: frozenset[str] = frozenset()  # columns
    dates: frozenset[str] = frozenset()  # columns
    binaries: frozenset[str] = frozenset()  # columns whose bytes are no text


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """An MLflow folder."""

    path: Path
    loader: str  # MLflow's module for it: mlflow.sklearn
    inner: Inner | None  # None: only MLflow itself can open it
    declared: Declared


def read(path: Path) -> Folder:
    """Read MLmodel; LoadError names it and what is wrong in it."""
    file = path / "MLmodel"
    raw = _yaml(file)
    flavors = raw.get("flavors")
    if not isinstance(flavors, dict) or not flavors:
        raise LoadError(f"{file} names no flavors")
    function = flavors.get("python_function")
    function = function if isinstance(function, dict) else {}
    loader = str(function.get("loader_module") or f"mlflow.{next(iter(flavors))}")
    inner = None
    if not function.get("code"):  # code of the author's: MLflow knows what to do with it
        own = flavors.get(loader.removeprefix("mlflow."))
        find = _INNER.get(loader)
        inner = find(path, own if isinstance(own, dict) else {}, function) if find else None
    return Folder(path=path, loader=loader, inner=inner, declared=_declared(file, raw))


def differences(path: Path, installed: Callable[[str], str]) -> list[str]:
    """Pinned requirements that are not what is here; `installed` gives a version, or ''."""
    try:
        lines = (path / "requirements.txt").read_text(errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        pinned = _PINNED.match(line.strip())
        if pinned is None or pinned[1].lower().startswith("mlflow"):
            continue
        here = installed(pinned[1])
        if here.partition("+")[0] != pinned[2].partition("+")[0]:
            found.append(f"{pinned[1]} {pinned[2]} ({f'{here} here' if here else 'not here'})")
    return found


def _yaml(file: Path) -> dict[str, Any]:
    yaml = importlib.import_module("yaml")
    try:
        if file.stat().st_size > _MLMODEL_BYTES_MAX:
            raise LoadError(f"{file} is larger than {_MLMODEL_BYTES_MAX} bytes")
        raw = yaml.safe_load(file.read_bytes())
    except FileNotFoundError:
        raise LoadError(f"there is no {file}") from None
    except OSError as error:
        raise LoadError(f"cannot read {file}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise LoadError(f"{file} is not YAML: {said}") from None
    if not isinstance(raw, dict):
        raise LoadError(f"{file} is not a YAML mapping")
    return raw


def _at(folder: Path, name: object) -> Path:
    """A file of the folder's; names that lead out of it are refused."""
    path = folder / str(name)
    if not name or not path.resolve().is_relative_to(folder.resolve()):
        raise LoadError(f"{folder / 'MLmodel'} names the file '{name}', which is not in the folder")
    if not path.exists():
        raise LoadError(f"{folder / 'MLmodel'} names {name}, which is not there")
    return path


_Raw = Mapping[str, Any]


def _sklearn(folder: Path, own: _Raw, function: _Raw) -> Inner | None:
    path = _at(folder, own.get("pickled_model") or function.get("model_path"))
    kind = Kind.SKOPS if path.suffix == ".skops" else Kind.PICKLE
    return Inner(path=path, kind=kind, method=str(function.get("predict_fn") or "predict"))


def _xgboost(folder: Path, own: _Raw, function: _Raw) -> Inner | None:
    path = _at(folder, own.get("data") or function.get("data"))
    if path.suffix not in (".ubj", ".json", ".xgb"):
        return None
    return Inner(path=path, kind=Kind.XGBOOST, model_class=str(own.get("model_class") or ""))


def _lightgbm(folder: Path, own: _Raw, function: _Raw) -> Inner | None:
    path = _at(folder, own.get("data") or function.get("data"))
    kind = {".pkl": Kind.PICKLE, ".lgb": Kind.LIGHTGBM, ".txt": Kind.LIGHTGBM}.get(path.suffix)
    return Inner(path=path, kind=kind) if kind else None


def _onnx(folder: Path, own: _Raw, function: _Raw) -> Inner | None:
    path = _at(folder, own.get("data") or function.get("data"))
    return Inner(path=path, kind=Kind.ONNX) if path.suffix == ".onnx" else None


def _pytorch(folder: Path, own: _Raw, function: _Raw) -> Inner | None:
    data = _at(folder, own.get("model_data") or function.get("data"))
    for name, kind in (("model.pt2", Kind.TORCH_EXPORT), ("model.pth", Kind.TORCHSCRIPT)):
        if (data / name).is_file():
            return Inner(path=data / name, kind=kind)
    return None


def _tensorflow(folder: Path, own: _Raw, function: _Raw) -> Inner | None:
    names = [own.get("saved_model_dir"), function.get("data"), own.get("data")]
    for name in filter(None, names):
        base = _at(folder, name)
        for path in (base, base / "model", base / "tf2model"):
            if (path / "saved_model.pb").is_file():
                return Inner(path=path, kind=Kind.SAVED_MODEL)
    return None


def _transformers(folder: Path, own: _Raw, function: _Raw) -> Inner | None:
    del function
    name = own.get("model_binary")
    if not name or own.get("peft_adaptor"):
        return None
    path, tokenizer = _at(folder, name), folder / "components" / "tokenizer"
    if not (path / "config.json").is_file():
        return None
    return Inner(
        path=path, kind=Kind.HUGGINGFACE, tokenizer=tokenizer if tokenizer.is_dir() else None
    )


_INNER: dict[str, Callable[[Path, _Raw, _Raw], Inner | None]] = {
    "mlflow.sklearn": _sklearn,
    "mlflow.xgboost": _xgboost,
    "mlflow.lightgbm": _lightgbm,
    "mlflow.onnx": _onnx,
    "mlflow.pytorch": _pytorch,
    "mlflow.tensorflow": _tensorflow,
    "mlflow.transformers": _transformers,
}


def _declared(file: Path, raw: Mapping[str, Any]) -> Declared:
    signature = raw.get("signature")
    if not isinstance(signature, dict):
        return Declared()
    given = _specs(file, signature, "inputs")
    columns, tensors = [], []
    for index, one in enumerate(given):
        if one.get("type") == "tensor":
            tensors.append(_tensor(file, one, f"input-{index}"))
        else:
            columns.append(_column(file, one, f"input-{index}"))
    if columns and tensors:
        raise LoadError(f"{file}: its signature mixes columns and tensors")
    taken = [
        _tensor(file, one, f"output-{index}")
        if one.get("type") == "tensor"
        else _column(file, one, f"output-{index}")
        for index, one in enumerate(_specs(file, signature, "outputs"))
        if one.get("type") == "tensor" or one.get("type") in _COLUMNS
    ]
    return Declared(
        columns=tuple(columns),
        tensors=tuple(tensors),
        outputs=tuple(taken),
        optional=frozenset(str(one.get("name")) for one in given if not one.get("required", True)),
        dates=_of_type(given, "datetime"),
        binaries=_of_type(given, "binary"),
    )


def _of_type(given: Sequence[Mapping[str, Any]], kind: str) -> frozenset[str]:
    return frozenset(str(one.get("name")) for one in given if one.get("type") == kind)


def _specs(file: Path, signature: Mapping[str, Any], part: str) -> Sequence[Mapping[str, Any]]:
    text = signature.get(part)
    if not text:
        return []
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{file}: signature.{part} is not JSON: {error}") from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise LoadError(f"{file}: signature.{part} is not a list of objects")
    return found


def _tensor(file: Path, raw: Mapping[str, Any], name: str) -> TensorSpec:
    spec = raw.get("tensor-spec")
    spec = spec if isinstance(spec, dict) else {}
    datatype = _TENSORS.get(re.sub(r"^[<>|=]", "", str(spec.get("dtype"))))
    shape = spec.get("shape")
    if datatype is None or not isinstance(shape, list) or not all(type(s) is int for s in shape):
        raise LoadError(
            f"{file}: the signature's tensor '{raw.get('name', name)}' is {spec.get('dtype')} "
            f"{shape}, which the V2 protocol cannot express"
        )
    return TensorSpec(name=str(raw.get("name") or name), datatype=datatype, shape=tuple(shape))


def _column(file: Path, raw: Mapping[str, Any], name: str) -> TensorSpec:
    datatype = _COLUMNS.get(str(raw.get("type")))
    name = str(raw.get("name") or name)
    if datatype is None:
        raise LoadError(
            f"{file}: the signature's column '{name}' is of type {raw.get('type')}, "
            "which has no form in V2; a column holds one value a row"
        )
    return TensorSpec(name=name, datatype=datatype, shape=(-1,))
