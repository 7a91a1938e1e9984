"""The OpenAPI v3 schema and the printed columns of each kind.

For: `kubectl explain`, `kubectl apply` and `kubectl get`, and the CRDs made from them.
Must not know: how an API server publishes them. Validation is not done from here: these
say what fields there are, `serving.py` and `autoscaling.py` what may stand in them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api import keys, kinds
from api.kinds import Resource

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of `kubectl get`."""

    name: str
    type: str  # of OpenAPI: "string", "integer", "date" ...
    json_path: str  # from the object, as in a CRD: ".status.url"
    priority: int = 0  # above 0: only with `-o wide`


def _text(description: str, *, choices: Sequence[str] = ()) -> Schema:
    schema = {"type": "string", "description": description}
    return {**schema, "enum": list(choices)} if choices else schema


def _integer(description: str, **bounds: int) -> Schema:
    return {"type": "integer", "format": "int64", "description": description, **bounds}


def _boolean(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def _list(description: str, items: Schema) -> Schema:
    return {"type": "array", "description": description, "items": items}


def _map(description: str, values: Schema) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": values}


def _object(
    description: str, properties: Mapping[str, Schema], *, required: Sequence[str] = ()
) -> Schema:
    schema = {"type": "object", "description": description, "properties": dict(properties)}
    return {**schema, "required": list(required)} if required else schema


_STRING = {"type": "string"}
_QUANTITY = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}


def _kind(description: str, spec: Schema, status: Schema) -> Schema:
    return _object(
        description,
        {
            "apiVersion": _text("The group and version of this object's kind."),
            "kind": _text("The kind of this object."),
            "metadata": {
                "type": "object",
                "description": "The name, namespace, labels and annotations of the object.",
            },
            "spec": spec,
            "status": status,
        },
    )


_ENV = _object(
    "One variable of the environment.",
    {
        "name": _text("The name; PORT, K_SERVICE, K_CONFIGURATION and K_REVISION are reserved."),
        "value": _text("The value; empty by default."),
    },
    required=("name",),
)
_PORT = _object(
    "The port on which the container takes requests.",
    {
        "containerPort": _integer("The number of the port; 8080 by default."),
        "name": _text("Empty or http1."),
        "protocol": _text("TCP, the default."),
    },
)
_RESOURCES = _object(
    "How much of the machine one replica needs and may use.",
    {
        "limits": _map("The most it may use, by resource: cpu, memory ...", _QUANTITY),
        "requests": _map("What is set aside for it, by resource: cpu, memory ...", _QUANTITY),
    },
)
_CONTAINER = _object(
    "What runs in each replica.",
    {
        "name": _text("The name of the container; user-container by default."),
        "image": _text(
            "The image; relight/predictor is Relight's own predictor, configured by args."
        ),
        "command": _list("The program to run in place of the image's own.", _STRING),
        "args": _list(
            "The arguments of the program; for relight/predictor: --model and the like.", _STRING
        ),
        "env": _list("The environment of the program.", _ENV),
        "ports": _list("The one port that takes requests; 8080 if none is named.", _PORT),
        "resources": _RESOURCES,
    },
    required=("image",),
)
_REVISION_SPEC: Mapping[str, Schema] = {
    "containers": _list("What runs in each replica: exactly one container.", _CONTAINER),
    "containerConcurrency": _integer(
        "The most requests one replica executes at a time; 0, the default, is no limit.",
        minimum=0,
        maximum=1000,
    ),
    "timeoutSeconds": _integer(
        "The most seconds a request may take, waiting included; 300 by default.",
        minimum=0,
        maximum=600,
    ),
    "enableServiceLinks": _boolean(
        "False, which always holds: no variables for other services are set."
    ),
}
_TEMPLATE = _object(
    "What the next Revision is made from; every change of it makes a new Revision.",
    {
        "metadata": _object(
            "The labels and annotations of the Revision; autoscaling annotations go here.",
            {
                "name": _text(
                    "The name of the next Revision, which starts with that of its parent; "
                    "made from the generation by default."
                ),
                "labels": _map("Labels of the Revision and its Pods.", _STRING),
                "annotations": _map(
                    "Annotations of the Revision, such as autoscaling.knative.dev/min-scale.",
                    _STRING,
                ),
            },
        ),
        "spec": _object(
            "What the Revision runs, and how much of it at once.",
            _REVISION_SPEC,
            required=("containers",),
        ),
    },
)

_PERCENT = _integer(
    "The share of the requests, in percent; all targets sum to 100.", minimum=0, maximum=100
)
_TAG = _text("A name under which this target alone is reached: <tag>-<name>.<namespace>.<domain>.")
_REVISION_NAME = _text("The Revision that gets the requests.")
_LATEST = _boolean("Whether the latest ready Revision gets the requests, whichever it is.")
_CONFIGURATION_NAME = _text("The Configuration whose latest ready Revision gets the requests.")
_SERVICE_TARGET: Mapping[str, Schema] = {
    "revisionName": _REVISION_NAME,
    "latestRevision": _LATEST,
    "percent": _PERCENT,
    "tag": _TAG,
}
_ROUTE_TARGET = {**_SERVICE_TARGET, "configurationName": _CONFIGURATION_NAME}
_STATUS_TARGET = {**_SERVICE_TARGET, "url": _text("The address of the tag.")}


def _traffic(target: Mapping[str, Schema], description: str) -> Schema:
    return _list(description, _object("One Revision's share of the requests, or its tag.", target))


_CONDITION = _object(
    "One thing that is true of the object, false, or not known yet.",
    {
        "type": _text("What the condition is about; Ready sums up the others."),
        "status": _text("True, False or Unknown."),
        "severity": _text("Empty for an error, else Warning or Info; Info does not gate Ready."),
        "reason": _text("Why, in one word for programs."),
        "message": _text("Why, in a sentence for people."),
        "lastTransitionTime": {
            "type": "string",
            "format": "date-time",
            "description": "When the condition last changed.",
        },
    },
    required=("type", "status"),
)
_OBSERVED: Mapping[str, Schema] = {
    "observedGeneration": _integer("The generation of the spec that this status speaks of."),
    "conditions": _list("What is true of the object, and why not.", _CONDITION),
    "annotations": _map("Further facts for programs.", _STRING),
}
_LATEST_NAMES: Mapping[str, Schema] = {
    "latestCreatedRevisionName": _text("The Revision made from the current template."),
    "latestReadyRevisionName": _text("The newest Revision that can take requests."),
}
_ADDRESSES: Mapping[str, Schema] = {
    "url": _text("The address for requests from anywhere."),
    "address": _object(
        "The address for requests from inside the cluster.",
        {"url": _text("The cluster-local address.")},
    ),
    "traffic": _traffic(_STATUS_TARGET, "Which Revisions get what share of the requests now."),
}
_CONTAINER_STATUS = _object(
    "What one container was pinned to.",
    {
        "name": _text("The name of the container."),
        "imageDigest": _text("The image by its digest."),
    },
)

_SERVICE = _kind(
    "A Service is a model or program behind one address: a template and its traffic.",
    _object(
        "What is wanted: what to run, and which Revisions get what share of the requests.",
        {
            "template": _TEMPLATE,
            "traffic": _traffic(
                _SERVICE_TARGET,
                "Which Revisions get what share of the requests; all of them to the latest ready "
                "Revision by default.",
            ),
        },
        required=("template",),
    ),
    _object("What is so.", {**_OBSERVED, **_LATEST_NAMES, **_ADDRESSES}),
)
_CONFIGURATION = _kind(
    "A Configuration is the current template; every change of it makes a new Revision.",
    _object("What is wanted.", {"template": _TEMPLATE}, required=("template",)),
    _object("What is so.", {**_OBSERVED, **_LATEST_NAMES}),
)
_REVISION = _kind(
    "A Revision is an immutable snapshot of a template.",
    _object(
        "What the Revision runs, and how much of it at once; it never changes.",
        _REVISION_SPEC,
        required=("containers",),
    ),
    _object(
        "What is so.",
        {
            **_OBSERVED,
            "actualReplicas": _integer("How many replicas are ready."),
            "desiredReplicas": _integer("How many replicas the autoscaler wants."),
            "containerStatuses": _list("What each container was pinned to.", _CONTAINER_STATUS),
            "logUrl": _text("Where the logs of the Revision are found."),
        },
    ),
)
_ROUTE = _kind(
    "A Route is an address, and which Revisions get what share of the requests to it.",
    _object(
        "What is wanted.",
        {"traffic": _traffic(_ROUTE_TARGET, "Which Revisions get what share of the requests.")},
        required=("traffic",),
    ),
    _object("What is so.", {**_OBSERVED, **_ADDRESSES}),
)
_PODAUTOSCALER = _kind(
    "A PodAutoscaler is the autoscaling request for one Revision, tuned by its annotations.",
    _object(
        "What is to be scaled.",
        {
            "scaleTargetRef": _object(
                "The Deployment to scale.",
                {
                    "apiVersion": _text("apps/v1."),
                    "kind": _text("Deployment."),
                    "name": _text("The name of the Deployment."),
                },
                required=("apiVersion", "kind", "name"),
            ),
            "containerConcurrency": _REVISION_SPEC["containerConcurrency"],
            "reachability": _text(
                "Whether some Route points at the Revision: Reachable, Unreachable, or empty if "
                "that is not known."
            ),
            "protocolType": _text("The protocol of requests: http1."),
        },
        required=("scaleTargetRef",),
    ),
    _object(
        "What is so.",
        {
            **_OBSERVED,
            "desiredScale": _integer("How many replicas are wanted; -1 if that is not known."),
            "actualScale": _integer("How many replicas are ready."),
            "serviceName": _text("The name by which the Revision's replicas are reached."),
            "metricsServiceName": _text("The name by which the Revision's load is read."),
        },
    ),
)

SCHEMAS: Mapping[Resource, Schema] = {
    kinds.SERVICES: _SERVICE,
    kinds.CONFIGURATIONS: _CONFIGURATION,
    kinds.REVISIONS: _REVISION,
    kinds.ROUTES: _ROUTE,
    kinds.PODAUTOSCALERS: _PODAUTOSCALER,
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
    kinds.PODAUTOSCALERS: (
        Column(name="DesiredScale", type="integer", json_path=".status.desiredScale"),
        Column(name="ActualScale", type="integer", json_path=".status.actualScale"),
        *_READY,
    ),
}
