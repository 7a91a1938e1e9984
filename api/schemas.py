"""The OpenAPI v3 schema and the printed columns of each kind.

For: `kubectl explain`, `kubectl apply` and `kubectl get`, and the CRDs made from them.
Must not know: how an API server publishes them. Validation is not done from here: these
say what fields there are, `serving.py` and `autoscaling.py` what may stand in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from api import inference_schemas, keys, kinds, runtime_schemas
from api.kinds import Resource
from api.openapi import STRING, Schema, array, integer, mapping, record, text
from api.spec_schemas import (
    REVISION_SPEC,
    ROUTE_TARGET,
    SERVICE_TARGET,
    STATUS_TARGET,
    TEMPLATE,
    traffic,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of `kubectl get`."""

    name: str
    type: str  # of OpenAPI: "string", "integer", "date" ...
    json_path: str  # from the object, as in a CRD: ".status.url"
    priority: int = 0  # above 0: only with `-o wide`


def _kind(description: str, spec: Schema, status: Schema) -> Schema:
    return record(
        description,
        {
            "apiVersion": text("The group and version of this object's kind."),
            "kind": text("The kind of this object."),
            "metadata": {
                "type": "object",
                "description": "The name, namespace, labels and annotations of the object.",
            },
            "spec": spec,
            "status": status,
        },
    )


_CONDITION = record(
    "One thing that is true of the object, false, or not known yet.",
    {
        "type": text("What the condition is about; Ready sums up the others."),
        "status": text("True, False or Unknown."),
        "severity": text("Empty for an error, else Warning or Info; Info does not gate Ready."),
        "reason": text("Why, in one word for programs."),
        "message": text("Why, in a sentence for people."),
        "lastTransitionTime": {
            "type": "string",
            "format": "date-time",
            "description": "When the condition last changed.",
        },
    },
    required=("type", "status"),
)
_OBSERVED: Mapping[str, Schema] = {
    "observedGeneration": integer("The generation of the spec that this status speaks of."),
    "conditions": array("What is true of the object, and why not.", _CONDITION),
    "annotations": mapping("Further facts for programs.", STRING),
}
_LATEST_NAMES: Mapping[str, Schema] = {
    "latestCreatedRevisionName": text("The Revision made from the current template."),
    "latestReadyRevisionName": text("The newest Revision that can take requests."),
}
_ADDRESSES: Mapping[str, Schema] = {
    "url": text("The address for requests from anywhere."),
    "address": record(
        "The address for requests from inside the cluster.",
        {"url": text("The cluster-local address.")},
    ),
    "traffic": traffic(STATUS_TARGET, "Which Revisions get what share of the requests now."),
}
_CONTAINER_STATUS = record(
    "What one container was pinned to.",
    {
        "name": text("The name of the container."),
        "imageDigest": text("The image by its digest."),
    },
)

_SERVICE = _kind(
    "A Service is a model or program behind one address: a template and its traffic.",
    record(
        "What is wanted: what to run, and which Revisions get what share of the requests.",
        {
            "template": TEMPLATE,
            "traffic": traffic(
                SERVICE_TARGET,
                "Which Revisions get what share of the requests; all of them to the latest ready "
                "Revision by default.",
            ),
        },
        required=("template",),
    ),
    record("What is so.", {**_OBSERVED, **_LATEST_NAMES, **_ADDRESSES}),
)
_CONFIGURATION = _kind(
    "A Configuration is the current template; every change of it makes a new Revision.",
    record("What is wanted.", {"template": TEMPLATE}, required=("template",)),
    record("What is so.", {**_OBSERVED, **_LATEST_NAMES}),
)
_REVISION = _kind(
    "A Revision is an immutable snapshot of a template.",
    record(
        "What the Revision runs, and how much of it at once; it never changes.",
        REVISION_SPEC,
        required=("containers",),
    ),
    record(
        "What is so.",
        {
            **_OBSERVED,
            "actualReplicas": integer("How many replicas are ready."),
            "desiredReplicas": integer("How many replicas the autoscaler wants."),
            "containerStatuses": array("What each container was pinned to.", _CONTAINER_STATUS),
            "initContainerStatuses": array("The same of those that run first.", _CONTAINER_STATUS),
            "logUrl": text("Where the logs of the Revision are found."),
        },
    ),
)
_ROUTE = _kind(
    "A Route is an address, and which Revisions get what share of the requests to it.",
    record(
        "What is wanted.",
        {"traffic": traffic(ROUTE_TARGET, "Which Revisions get what share of the requests.")},
        required=("traffic",),
    ),
    record("What is so.", {**_OBSERVED, **_ADDRESSES}),
)
_PODAUTOSCALER = _kind(
    "A PodAutoscaler is the autoscaling request for one Revision, tuned by its annotations.",
    record(
        "What is to be scaled.",
        {
            "scaleTargetRef": record(
                "The Deployment to scale.",
                {
                    "apiVersion": text("apps/v1."),
                    "kind": text("Deployment."),
                    "name": text("The name of the Deployment."),
                },
                required=("apiVersion", "kind", "name"),
            ),
            "containerConcurrency": REVISION_SPEC["containerConcurrency"],
            "reachability": text(
                "Whether some Route points at the Revision: Reachable, Unreachable, or empty if "
                "that is not known.",
                enum=("", "Reachable", "Unreachable"),
            ),
            "protocolType": text(
                "The protocol of requests: http1 or h2c.", enum=("", "h2c", "http1")
            ),
        },
        required=("scaleTargetRef",),
    ),
    record(
        "What is so.",
        {
            **_OBSERVED,
            "desiredScale": integer("How many replicas are wanted; -1 if that is not known."),
            "actualScale": integer("How many replicas are ready."),
            "mode": text(
                "Proxy: requests go through the activator. Serve: there is room for a burst "
                "(target-burst-capacity), and they could go straight to the replicas.",
                enum=("Proxy", "Serve"),
            ),
            "activators": integer("How many activators should carry the requests."),
            "serviceName": text("The name by which the Revision's replicas are reached."),
            "metricsServiceName": text("The name by which the Revision's load is read."),
        },
    ),
)

_DOMAINMAPPING = _kind(
    "A DomainMapping is a host of your own, which is its name, in front of a Service.",
    record(
        "What is wanted.",
        {
            "ref": record(
                "What the host leads to: a Service or Route of the same namespace.",
                {
                    "apiVersion": text("serving.knative.dev/v1."),
                    "kind": text("Service or Route."),
                    "name": text("The name of the object."),
                    "namespace": text("The namespace of the object: that of the DomainMapping."),
                },
                required=("apiVersion", "kind", "name"),
            ),
        },
        required=("ref",),
    ),
    record(
        "What is so.",
        {
            **_OBSERVED,
            "url": _ADDRESSES["url"],
            "address": _ADDRESSES["address"],
        },
    ),
)

SCHEMAS: Mapping[Resource, Schema] = {
    kinds.SERVICES: _SERVICE,
    kinds.CONFIGURATIONS: _CONFIGURATION,
    kinds.REVISIONS: _REVISION,
    kinds.ROUTES: _ROUTE,
    kinds.DOMAINMAPPINGS: _DOMAINMAPPING,
    kinds.PODAUTOSCALERS: _PODAUTOSCALER,
    kinds.INFERENCESERVICES: inference_schemas.schema(_OBSERVED),
    kinds.SERVINGRUNTIMES: runtime_schemas.schema(),
    kinds.CLUSTERSERVINGRUNTIMES: runtime_schemas.schema(),
}


def _label(key: str) -> str:
    escaped = key.replace(".", "\\.")
    return f".metadata.labels['{escaped}']"


_URL = Column(name="URL", type="string", json_path=".status.url")
_CREATED = Column(
    name="LatestCreated", type="string", json_path=".status.latestCreatedRevisionName"
)
_READY_NAME = Column(name="LatestReady", type="string", json_path=".status.latestReadyRevisionName")
_READY = (
    Column(
        name="Ready",
        type="string",
        json_path=".status.conditions[?(@.type=='Ready')].status",
    ),
    Column(
        name="Reason",
        type="string",
        json_path=".status.conditions[?(@.type=='Ready')].reason",
    ),
)


def _columns(*rows: tuple[str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=type_, json_path=path) for name, type_, path in rows)


PRINTER_COLUMNS: Mapping[Resource, tuple[Column, ...]] = {
    kinds.SERVICES: (_URL, _CREATED, _READY_NAME, *_READY),
    kinds.CONFIGURATIONS: (_CREATED, _READY_NAME, *_READY),
    kinds.REVISIONS: (
        Column(name="Config Name", type="string", json_path=_label(keys.CONFIGURATION)),
        Column(name="Generation", type="string", json_path=_label(keys.CONFIGURATION_GENERATION)),
        *_READY,
        Column(name="Actual Replicas", type="integer", json_path=".status.actualReplicas"),
        Column(name="Desired Replicas", type="integer", json_path=".status.desiredReplicas"),
    ),
    kinds.ROUTES: (_URL, *_READY),
    kinds.DOMAINMAPPINGS: (_URL, *_READY),
    kinds.PODAUTOSCALERS: (
        Column(name="DesiredScale", type="integer", json_path=".status.desiredScale"),
        Column(name="ActualScale", type="integer", json_path=".status.actualScale"),
        *_READY,
        Column(name="Mode", type="string", json_path=".status.mode", priority=1),
        Column(name="Activators", type="integer", json_path=".status.activators", priority=1),
    ),
    kinds.INFERENCESERVICES: _columns(*inference_schemas.COLUMNS),
    kinds.SERVINGRUNTIMES: _columns(*runtime_schemas.COLUMNS),
    kinds.CLUSTERSERVINGRUNTIMES: _columns(*runtime_schemas.COLUMNS),
}
