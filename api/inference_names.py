"""The words of KServe's kinds: frameworks, protocols, metrics, fields that come from a Pod.

For: the parser and the schema, which must agree on them.
Must not know: what any word means.
"""

# The older way to write `model`: the name of the framework in its place.
FRAMEWORKS = (
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
    "paddle",
)
METRICS = ("concurrency", "rps")
LOGGER_MODES = ("all", "request", "response")
PROTOCOLS = ("v1", "v2", "grpc-v2")  # that a model can ask for
RUNTIME_PROTOCOLS = ("v1", "v2", "grpc-v1", "grpc-v2")  # in order of preference
# What a runtime says of the Pods it runs in, beside their containers.
RUNTIME_POD_FIELDS = (
    "affinity",
    "imagePullSecrets",
    "nodeSelector",
    "schedulerName",
    "tolerations",
    "volumes",
)
# Domains of annotations that KServe's controllers read from an InferenceService itself.
KSERVE_DOMAINS = ("serving.kserve.io/", "internal.serving.kserve.io/", "storage.kserve.io/")
