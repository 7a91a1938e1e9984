"""The runtimes that come with Relight: our predictor, for each format it loads.

For: one definition behind what `relight up` makes and what `manifests/` installs.
Must not know: how an object is created, or how a model is loaded.

A name of KServe's stands for our predictor where it serves the same files by the same
protocol, so that manifests that name it work. They are never chosen by themselves.
"""

from typing import Any

from api import keys, kinds
from api.component_pods import CONTAINER

_ONNX = ("onnx", ("1",))
_SKLEARN = ("sklearn", ("0", "1"))
_PROTOCOLS = ["v1", "v2"]


def built_in() -> tuple[dict[str, Any], ...]:
    """Every ClusterServingRuntime of ours."""
    return (
        _runtime("relight-onnx", *_ONNX, is_auto_selected=True),
        _runtime("relight-sklearn", *_SKLEARN, is_auto_selected=True),
        _runtime("kserve-sklearnserver", *_SKLEARN, is_auto_selected=False),
        _runtime("kserve-mlserver", *_SKLEARN, is_auto_selected=False),
        _runtime("kserve-tritonserver", *_ONNX, is_auto_selected=False),
    )


def _runtime(
    name: str, model_format: str, versions: tuple[str, ...], *, is_auto_selected: bool
) -> dict[str, Any]:
    return {
        "apiVersion": kinds.CLUSTERSERVINGRUNTIMES.api_version,
        "kind": kinds.CLUSTERSERVINGRUNTIMES.kind,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "relight"}},
        "spec": {
            "supportedModelFormats": [
                {
                    "name": model_format,
                    "version": each,
                    "autoSelect": is_auto_selected,
                    "priority": 1,
                }
                for each in versions
            ],
            "protocolVersions": _PROTOCOLS,
            # --model, --model-name and the rest are put there for each model.
            "containers": [{"name": CONTAINER, "image": keys.PREDICTOR_IMAGE}],
        },
    }
