"""InferenceServices and runtimes for tests: by hand, as users write them."""

from typing import Any

GROUP = "serving.kserve.io"


def isvc(
    name: str = "iris",
    *args: str,
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    model: dict[str, Any] | None = None,
    others: dict[str, Any] | None = None,
    **predictor: Any,
) -> dict[str, Any]:
    """An InferenceService of format `toy`, whose arguments decide its fate in `world`."""
    shape = {"modelFormat": {"name": "toy"}, "args": list(args) or ["good"], **(model or {})}
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": "default",
            "annotations": annotations or {},
            "labels": labels or {},
        },
        "spec": {"predictor": {"model": shape, **predictor}, **(others or {})},
    }


def runtime(
    name: str = "toys",
    formats: list[dict[str, Any]] | None = None,
    *,
    cluster: bool = False,
    container: dict[str, Any] | None = None,
    created: str = "",
    **spec: Any,
) -> dict[str, Any]:
    """A runtime for format `toy` with a command of its own."""
    serving = {"name": "kserve-container", "image": "example.com/serve", "command": ["/bin/serve"]}
    metadata: dict[str, Any] = {"name": name}
    if not cluster:
        metadata["namespace"] = "default"
    if created:
        metadata["creationTimestamp"] = created
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "ClusterServingRuntime" if cluster else "ServingRuntime",
        "metadata": metadata,
        "spec": {
            "supportedModelFormats": formats or [{"name": "toy", "autoSelect": True}],
            "containers": [{**serving, **(container or {})}],
            **spec,
        },
    }
