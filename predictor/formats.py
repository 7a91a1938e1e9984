"""Which module opens which kind of model, and what it needs installed.

For: importing a format's library when a model of that kind is opened, and never before.
Must not know: files, settings, or how a model is run.
"""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from api.modelfiles import Kind
from predictor.config import Settings
from predictor.errors import LoadError
from predictor.loaded import Loaded
from predictor.providers import CPU

Opener = Callable[[Path, Kind, Settings], Loaded]


class Format(NamedTuple):
    """One kind: our module for it, the packages it imports, and the extra that brings them."""

    module: str  # has open_model(path, kind, settings) -> Loaded, without a digest
    packages: tuple[str, ...]  # import names, in the order in which a zygote imports them
    extra: str  # of pip install 'relight[...]'


FORMATS: dict[Kind, Format] = {
    Kind.ONNX: Format("predictor.onnx_model", ("onnxruntime",), "cpu"),
    Kind.SKOPS: Format("predictor.sklearn_model", ("sklearn", "skops.io"), "sklearn"),
    Kind.PICKLE: Format("predictor.sklearn_model", ("sklearn", "joblib"), "sklearn"),
    Kind.XGBOOST: Format("predictor.xgboost_model", ("xgboost",), "xgboost"),
    Kind.LIGHTGBM: Format("predictor.lightgbm_model", ("lightgbm",), "lightgbm"),
    Kind.PMML: Format("predictor.pmml_model", ("sklearn_pmml_model",), "pmml"),
    Kind.PFA: Format("predictor.pfa_model", ("titus",), "pfa"),
    Kind.SAVED_MODEL: Format("predictor.tensorflow_model", ("tensorflow",), "tensorflow"),
    Kind.TFLITE: Format("predictor.tflite_model", ("ai_edge_litert.interpreter",), "tflite"),
    Kind.TORCHSCRIPT: Format("predictor.torch_model", ("torch",), "torch"),
    Kind.TORCH_EXPORT: Format("predictor.torch_model", ("torch",), "torch"),
    Kind.MLFLOW: Format("predictor.mlflow_model", ("yaml",), "mlflow"),
    Kind.HUGGINGFACE: Format(
        "predictor.huggingface_model", ("torch", "transformers"), "huggingface"
    ),
}


WITH_SIGNATURES = frozenset({Kind.SAVED_MODEL, Kind.TFLITE})  # several, of which one is served
ON_CPU = frozenset(
    {Kind.SKOPS, Kind.PICKLE, Kind.LIGHTGBM, Kind.PMML, Kind.PFA, Kind.TFLITE}
)  # and nowhere else


def unused(kind: Kind, settings: Settings) -> list[str]:
    """What is asked of the hardware and makes no difference to a kind, in words."""
    found = []
    cards = [name for name in settings.providers if name != CPU]
    if cards and kind in ON_CPU:
        found.append(f"{kind.value} runs on the CPU, and not on {', '.join(cards)}")
    if settings.provider_options and kind not in (Kind.ONNX, Kind.MLFLOW):
        found.append(f"{kind.value} is not run by ONNX Runtime: --provider-options are not used")
    return found


def opener(kind: Kind) -> Opener:
    """What opens models of a kind; it imports the kind's packages when it is called."""
    found: Opener = importlib.import_module(FORMATS[kind].module).open_model
    return found


def imported(packages: Sequence[str], *, extra: str) -> None:
    """Import a format's packages, or LoadError that says how to install them."""
    for package in packages:
        try:
            importlib.import_module(package)
        except ModuleNotFoundError as error:
            raise LoadError(missing(str(error.name), extra)) from None


def missing(package: str, extra: str) -> str:
    """What to say of a package that is not installed."""
    return f"the package {package} is not installed; pip install 'relight[{extra}]'"
