"""The schemas of what stands in a spec: templates, containers, traffic.

For: describing each field once, for every kind in which it stands.
Must not know: in which kinds that is, or what containers and volumes look like.
"""

from collections.abc import Mapping

from api.openapi import STRING, Schema, array, boolean, integer, mapping, record, text
from api.pod_schemas import LIMITS, POD_SPEC

REVISION_SPEC: Mapping[str, Schema] = {**POD_SPEC, **LIMITS}
# Clients written in Go say `creationTimestamp: null` here, which the schema must let pass; what
# else it lets pass, validation does not.
_TEMPLATE_METADATA: Schema = {
    **record(
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
    "x-kubernetes-preserve-unknown-fields": True,
}
TEMPLATE = record(
    "What the next Revision is made from; every change of it makes a new Revision.",
    {
        "metadata": _TEMPLATE_METADATA,
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
