"""The schema and the printed columns of ServingRuntime and ClusterServingRuntime.

For: `kubectl explain servingruntimes`, `kubectl get servingruntimes`, and the CRDs.
Must not know: how they are published; validation is done by `runtimes.py`.
"""

from api.inference_names import PROTOCOLS, RUNTIME_POD_FIELDS, RUNTIME_PROTOCOLS
from api.openapi import STRING, Schema, array, boolean, integer, mapping, record, text
from api.pod_schemas import POD_SPEC

COLUMNS = (
    ("Disabled", "boolean", ".spec.disabled"),
    ("ModelType", "string", ".spec.supportedModelFormats[*].name"),
    ("Containers", "string", ".spec.containers[*].name"),
    ("Age", "date", ".metadata.creationTimestamp"),
)

_FORMAT = record(
    "A format that the runtime serves.",
    {
        "name": text("sklearn, onnx ..."),
        "version": text("The version of the format."),
        "autoSelect": boolean("Whether models that name no runtime may get this one."),
        "priority": integer("The greater is chosen first.", minimum=1),
    },
    required=("name",),
)


def schema() -> Schema:
    """The whole object."""
    return record(
        "A runtime is what serves models of some formats: containers, and where they may run.",
        {
            "apiVersion": text("The group and version of this object's kind."),
            "kind": text("The kind of this object."),
            "metadata": {"type": "object", "description": "The name, labels and annotations."},
            "spec": record(
                "What the runtime serves, and runs.",
                {
                    "supportedModelFormats": array("What it serves.", _FORMAT),
                    "disabled": boolean("Whether no model may get it."),
                    "multiModel": boolean("False, which always holds."),
                    "protocolVersions": array(
                        f"What it speaks: {', '.join(RUNTIME_PROTOCOLS)}, of which "
                        f"{' and '.join(PROTOCOLS)} can be asked for; any by default.",
                        STRING,
                    ),
                    "containers": POD_SPEC["containers"],
                    **{name: POD_SPEC[name] for name in RUNTIME_POD_FIELDS},
                    "labels": mapping("Labels of the Revisions and Pods.", STRING),
                    "annotations": mapping("Annotations of the Revisions and Pods.", STRING),
                },
                required=("containers",),
            ),
            "status": {"type": "object", "description": "Nothing is told."},
        },
    )
