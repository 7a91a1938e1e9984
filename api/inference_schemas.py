"""The schema and the printed columns of InferenceService: what is served of it.

For: `kubectl explain isvc`, `kubectl get isvc`, and the CRD made from them.
Must not know: how they are published; validation is done by `inference.py`.
"""

from collections.abc import Mapping

from api.container_schemas import CONTAINER
from api.inference_names import FRAMEWORKS, LOGGER_MODES, METRICS, PROTOCOLS
from api.openapi import STRING, Schema, array, integer, mapping, record, text
from api.pod_schemas import POD_SPEC
from api.spec_schemas import STATUS_TARGET, traffic

# Name, type, and where the value stands: KServe's seven.
_TRAFFIC = ".status.components.predictor.traffic"
COLUMNS = (
    ("URL", "string", ".status.url"),
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
    ("Prev", "integer", f"{_TRAFFIC}[?(@.tag=='prev')].percent"),
    ("Latest", "integer", f"{_TRAFFIC}[?(@.latestRevision==true)].percent"),
    ("PrevRolledoutRevision", "string", f"{_TRAFFIC}[?(@.tag=='prev')].revisionName"),
    ("LatestReadyRevision", "string", f"{_TRAFFIC}[?(@.latestRevision==true)].revisionName"),
    ("Age", "date", ".metadata.creationTimestamp"),
)

_LOGGER = record(
    "Copies of requests and responses, sent as CloudEvents; never in the way of a request.",
    {
        "url": text("Where the events go."),
        "mode": text("all, the default, request or response.", enum=LOGGER_MODES),
        "metadataHeaders": array("Request headers to put into the events.", STRING),
    },
)
_BATCHER = record(
    "Requests that arrive together run together.",
    {
        "maxBatchSize": integer("The most instances in a batch; 32 by default."),
        "maxLatency": integer("The most milliseconds a request waits for others."),
    },
)
EXTENSION: Mapping[str, Schema] = {
    "minReplicas": integer("The fewest replicas; 1 by default, 0 to leave none when idle."),
    "maxReplicas": integer("The most replicas; 0, the default, is no limit."),
    "scaleTarget": integer("How much of the metric one replica is to carry."),
    "scaleMetric": text("concurrency, the default, or rps.", enum=METRICS),
    "containerConcurrency": integer("The most requests one replica executes at a time; 0: any."),
    "timeout": integer("The most seconds a request may take, and may take to begin its answer."),
    "canaryTrafficPercent": integer(
        "The share of the newest Revision; the rest goes to the last that had everything. "
        "Without it the newest Revision gets everything.",
        minimum=0,
        maximum=100,
    ),
    "logger": _LOGGER,
    "labels": mapping("Labels of the component's Revisions and Pods.", STRING),
    "annotations": mapping("Annotations of the component's Revisions and Pods.", STRING),
}
_CONTAINER_FIELDS: Mapping[str, Schema] = {
    name: schema for name, schema in CONTAINER["properties"].items() if name != "name"
}
_OF_MODEL: Mapping[str, Schema] = {
    "storageUri": text("Where the model is: a path, file:// or, on a cluster, pvc://."),
    "runtimeVersion": text("The tag of the runtime's image."),
    "protocolVersion": text("v1 or v2.", enum=PROTOCOLS),
    **_CONTAINER_FIELDS,
}
_MODEL = record(
    "A model in a known format; what else stands here overrides the runtime's container.",
    {
        "modelFormat": record(
            "The format of the model.",
            {
                "name": text("sklearn, onnx ..."),
                "version": text("The version of the format; any by default."),
            },
            required=("name",),
        ),
        "runtime": text("The runtime that serves the model; by default the best that can."),
        **_OF_MODEL,
    },
    required=("modelFormat",),
)
PREDICTOR: Mapping[str, Schema] = {
    "model": _MODEL,
    **{
        name: record(f"An older way to write a model of format {name}.", _OF_MODEL)
        for name in FRAMEWORKS
    },
    "batcher": _BATCHER,
    **EXTENSION,
    **POD_SPEC,
}
COMPONENT: Mapping[str, Schema] = {**EXTENSION, **POD_SPEC}

_URL = text("The address for requests from anywhere.")
_ADDRESS = record(
    "The address for requests from inside the cluster.", {"url": text("The cluster-local address.")}
)
_COMPONENT_STATUS = record(
    "How one component is.",
    {
        "url": _URL,
        "address": _ADDRESS,
        "latestCreatedRevision": text("The Revision made from the current spec."),
        "latestReadyRevision": text("The newest Revision that can take requests."),
        "latestRolledoutRevision": text("The last Revision that got all requests."),
        "previousRolledoutRevision": text("The one that got them all before it."),
        "traffic": traffic(STATUS_TARGET, "Which Revisions get what share of the requests."),
    },
)
_MODEL_STATUS = record(
    "How the predictor's model is.",
    {
        "transitionStatus": text("UpToDate, InProgress, BlockedByFailedLoad or InvalidSpec."),
        "states": record(
            "Pending, Standby (not loaded, no replica), Loading, Loaded or FailedToLoad.",
            {
                # It may be "", which some old API servers take for null.
                "activeModelState": {
                    **text("Of the model that answers requests; empty if there is none."),
                    "nullable": True,
                },
                "targetModelState": text("Of the model of the current spec."),
            },
        ),
        "lastFailureInfo": record(
            "Why the model of the current spec does not load.",
            {
                "location": text("The Pod that failed."),
                "reason": text("ModelLoadFailed, NoSupportingRuntime ..."),
                "message": text("The predictor's or the runtime's sentence."),
                "modelRevisionName": text("The Revision that failed."),
                "time": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When it failed.",
                },
                "exitCode": integer("Of the container."),
            },
        ),
        "copies": record(
            "How many replicas there are.",
            {
                "failedCopies": integer("How many of them failed."),
                "totalCopies": integer("How many serve."),
            },
        ),
    },
)


def schema(observed: Mapping[str, Schema]) -> Schema:
    """The whole object; `observed` is what every status has."""
    metadata: Schema = {
        "type": "object",
        "description": "The name, namespace, labels and annotations of the object.",
    }
    spec = record(
        "What is wanted.",
        {
            "predictor": record("What answers: a model, or containers.", PREDICTOR),
            "transformer": record("What stands before the predictor, and calls it.", COMPONENT),
            "explainer": record("What answers `:explain`, and calls the predictor.", COMPONENT),
        },
        required=("predictor",),
    )
    status = record(
        "What is so.",
        {
            **observed,
            "url": _URL,
            "address": _ADDRESS,
            "components": mapping("By name: predictor, transformer, explainer.", _COMPONENT_STATUS),
            "modelStatus": _MODEL_STATUS,
            "deploymentMode": text("Knative."),
            "servingRuntimeName": text("The runtime in use, if it is of the namespace."),
            "clusterServingRuntimeName": text("The runtime in use, if it is of the cluster."),
        },
    )
    return record(
        "An InferenceService is a model behind one address, served by a predictor.",
        {
            "apiVersion": text("The group and version of this object's kind."),
            "kind": text("The kind of this object."),
            "metadata": metadata,
            "spec": spec,
            "status": status,
        },
    )
