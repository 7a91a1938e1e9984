"""Which libraries belong together: the sets that have a zygote of their own where one is wanted.

For: who starts such a zygote, and the zygote itself, speaking of the same sets.
Must not know: how a library is imported, processes, who wants one.
"""

from collections.abc import Mapping

from api.modelfiles import Kind

# By the name of the extra that brings a set: import names, in the order they are imported in.
SETS: Mapping[str, tuple[str, ...]] = {
    "sklearn": ("sklearn", "skops.io", "joblib"),
    "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",),
    "pmml": ("sklearn_pmml_model",),
    "pfa": ("titus",),
    "tflite": ("ai_edge_litert.interpreter",),
    "tensorflow": ("tensorflow",),
    "torch": ("torch",),
    "torch-export": ("torch", "torch.export"),
    "huggingface": ("torch", "transformers"),
    "mlflow": ("pandas", "mlflow.pyfunc"),
}
PACKAGES = frozenset(package for packages in SETS.values() for package in packages)

_BY_KIND = {  # ONNX Runtime is in every zygote; an MLflow folder needs what its flavour does
    Kind.SKOPS: "sklearn",
    Kind.PICKLE: "sklearn",
    Kind.XGBOOST: "xgboost",
    Kind.LIGHTGBM: "lightgbm",
    Kind.PMML: "pmml",
    Kind.PFA: "pfa",
    Kind.SAVED_MODEL: "tensorflow",
    Kind.TFLITE: "tflite",
    Kind.TORCHSCRIPT: "torch",
    Kind.TORCH_EXPORT: "torch-export",
    Kind.HUGGINGFACE: "huggingface",
}
_BY_FLAVOUR = {
    "mlflow.sklearn": "sklearn",
    "mlflow.xgboost": "xgboost",
    "mlflow.lightgbm": "lightgbm",
    "mlflow.onnx": "",
    "mlflow.pytorch": "torch",
    "mlflow.tensorflow": "tensorflow",
    "mlflow.transformers": "huggingface",
}


def of_kind(kind: Kind) -> str:
    """The set that models of a kind need; "" for none."""
    return _BY_KIND.get(kind, "")


def of_flavour(loader: str) -> str:
    """The set that an MLflow folder needs, by the loader_module it names."""
    return _BY_FLAVOUR.get(loader, "mlflow")
