"""The runtimes that come with Relight: our predictor, for each format it loads.

For: one definition behind what `relight up` makes and what `manifests/` installs.
Must not know: how an object is created, or how a model is loaded.

A name of KServe's stands for our predictor where it serves the same files by the same
protocol, so that manifests that name it work. They are never chosen by themselves.
"""

from typing import Any

from api import keys, kinds
from api.component_pods import CONTAINER

_PROTOCOLS = ["v1", "v2", "grpc-v2"]
# Versions as KServe's runtimes count them.
_FORMATS: dict[str, tuple[str, ...]] = {
    "onnx": ("1",),
    "sklearn": ("0", "1"),
    "xgboost": ("1", "2", "3"),
    "lightgbm": ("2", "3", "4"),
    "pmml": ("3", "4"),
    "pfa": ("0",),
    "tensorflow": ("1", "2"),
    "tflite": ("3",),
    "pytorch": ("1", "2"),
    "mlflow": ("1", "2", "3"),
    "huggingface": ("1",),
    "triton": ("2",),  # a repository in Triton's layout, of a model that is served here
}
_KSERVES = {
    "kserve-sklearnserver": ("sklearn",),
    "kserve-xgbserver": ("xgboost",),
    "kserve-lgbserver": ("lightgbm",),
    "kserve-predictiveserver": ("sklearn", "xgboost", "lightgbm"),
    "kserve-mlserver": ("sklearn", "xgboost", "lightgbm", "mlflow"),
    "kserve-tritonserver": ("onnx", "tensorflow", "pytorch", "triton"),
    "kserve-tensorflow-serving": ("tensorflow",),
    "kserve-torchserve": ("pytorch",),
    "kserve-pmmlserver": ("pmml",),
    "kserve-huggingfaceserver": ("huggingface",),
}


def built_in() -> tuple[dict[str, Any], ...]:
    """Every ClusterServingRuntime of ours."""
    ours = (_runtime(f"relight-{name}", (name,), is_auto_selected=True) for name in _FORMATS)
    theirs = (_runtime(name, formats, is_auto_selected=False) for name, formats in _KSERVES.items())
    return (*ours, *theirs)


def _runtime(name: str, formats: tuple[str, ...], *, is_auto_selected: bool) -> dict[str, Any]:
    return {
        "apiVersion": kinds.CLUSTERSERVINGRUNTIMES.api_version,
        "kind": kinds.CLUSTERSERVINGRUNTIMES.kind,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "relight"}},
        "spec": {
            "supportedModelFormats": [
                {
                    "name": each,
                    "version": version,
                    "autoSelect": is_auto_selected,
                    "priority": 1,
                }
                for each in formats
                for version in _FORMATS[each]
            ],
            "protocolVersions": _PROTOCOLS,
            # --model, --model-name and the rest are put there for each model.
            "containers": [{"name": CONTAINER, "image": keys.PREDICTOR_IMAGE}],
        },
    }
