"""The schemas of what stands in a spec: templates, containers, traffic.

For: describing each field once, for every kind in which it stands.
Must not know: in which kinds that is.
"""

from collections.abc import Mapping

from api.openapi import QUANTITY, STRING, Schema, array, boolean, integer, mapping, record, text

_ENV = record(
    "One variable of the environment.",
    {
        "name": text("The name; PORT, K_SERVICE, K_CONFIGURATION and K_REVISION are reserved."),
        "value": text("The value; empty by default."),
    },
    required=("name",),
)
_PORT = record(
    "The port on which the container takes requests.",
    {
        "containerPort": integer("The number of the port; 8080 by default."),
        "name": text("Empty or http1."),
        "protocol": text("TCP, the default."),
    },
)
_RESOURCES = record(
    "How much of the machine one replica needs and may use.",
    {
        "limits": mapping("The most it may use, by resource: cpu, memory ...", QUANTITY),
        "requests": mapping("What is set aside for it, by resource: cpu, memory ...", QUANTITY),
    },
)
_CONTAINER = record(
    "What runs in each replica.",
    {
        "name": text("The name of the container; user-container by default."),
        "image": text(
            "The image; relight/predictor is Relight's own predictor, configured by args."
        ),
        "command": array("The program to run in place of the image's own.", STRING),
        "args": array(
            "The arguments of the program; for relight/predictor: --model and the like.",
            STRING,
        ),
        "env": array("The environment of the program.", _ENV),
        "ports": array("The one port that takes requests; 8080 if none is named.", _PORT),
        "resources": _RESOURCES,
    },
    required=("image",),
)
REVISION_SPEC: Mapping[str, Schema] = {
    "containers": array("What runs in each replica: exactly one container.", _CONTAINER),
    "containerConcurrency": integer(
        "The most requests one replica executes at a time; 0, the default, is no limit.",
        minimum=0,
        maximum=1000,
    ),
    "timeoutSeconds": integer(
        "The most seconds a request may take, waiting included; 300 by default.",
        minimum=0,
        maximum=600,
    ),
    "enableServiceLinks": boolean(
        "False, which always holds: no variables for other services are set."
    ),
}
TEMPLATE = record(
    "What the next Revision is made from; every change of it makes a new Revision.",
    {
        "metadata": record(
            "The labels and annotations of the Revision; autoscaling annotations go here.",
            {
                "name": text(
                    "The name of the next Revision, which starts with that of its parent; "
                    "made from the generation by default."
                ),
                "labels": mapping("Labels of the Revision and its Pods.", STRING),
                "annotations": mapping(
                    "Annotations of the Revision, such as autoscaling.knative.dev/min-scale.",
                    STRING,
                ),
            },
        ),
        "spec": record(
            "What the Revision runs, and how much of it at once.",
            REVISION_SPEC,
            required=("containers",),
        ),
    },
)

_PERCENT = integer(
    "The share of the requests, in percent; all targets sum to 100.", minimum=0, maximum=100
)
_TAG = text("A name under which this target alone is reached: <tag>-<name>.<namespace>.<domain>.")
_REVISION_NAME = text("The Revision that gets the requests.")
_LATEST = boolean("Whether the latest ready Revision gets the requests, whichever it is.")
_CONFIGURATION_NAME = text("The Configuration whose latest ready Revision gets the requests.")
SERVICE_TARGET: Mapping[str, Schema] = {
    "revisionName": _REVISION_NAME,
    "latestRevision": _LATEST,
    "percent": _PERCENT,
    "tag": _TAG,
}
ROUTE_TARGET = {**SERVICE_TARGET, "configurationName": _CONFIGURATION_NAME}
STATUS_TARGET = {**SERVICE_TARGET, "url": text("The address of the tag.")}


def traffic(target: Mapping[str, Schema], description: str) -> Schema:
    """A `traffic` list whose targets have these fields."""
    return array(description, record("One Revision's share of the requests, or its tag.", target))
