"""The OpenAPI v3 schemas of the built-in kinds, as far as they mean something here.

For: `kubectl explain`, and telling a slip of the pen from a field of Kubernetes.
Must not know: requests. A field named here may still be refused by who has to honour it:
a Pod that this machine cannot run says so in its conditions.
"""

from collections.abc import Mapping
from typing import Final

from api.kinds import DEPLOYMENTS, EVENTS, NAMESPACES, PODS, Resource
from api.openapi import QUANTITY, STRING, Schema, array, integer, mapping, record, text
from embedded import core_schemas

_ANYTHING: Final[Schema] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}


def _kubernetes(*names: str) -> dict[str, Schema]:
    """Fields of Kubernetes, of any form here: who acts upon one reads it, or refuses it by name."""
    note = "A field of Kubernetes. What one machine does of it is in its reference."
    return {
        name: {"x-kubernetes-preserve-unknown-fields": True, "description": note} for name in names
    }


def _time(description: str) -> Schema:
    return _TIME | {"description": description}


_METADATA: Final = record(
    "The name, namespace, labels and annotations of the object.",
    {
        "name": text("The name, one for each kind and namespace."),
        "generateName": text("The beginning of a name that the server completes."),
        "namespace": text("The namespace; default if none is given."),
        "labels": mapping("Names by which objects are selected.", STRING),
        "annotations": mapping("Facts for programs.", STRING),
        "finalizers": array("Who must agree before the object goes.", STRING),
        "ownerReferences": array(
            "The objects whose deletion deletes this one.",
            record(
                "One owner.",
                {
                    "apiVersion": STRING,
                    "kind": STRING,
                    "name": STRING,
                    "uid": STRING,
                    "controller": {"type": "boolean"},
                    "blockOwnerDeletion": {"type": "boolean"},
                },
            ),
        ),
        "uid": text("What tells this object from another of the same name; the server's."),
        "resourceVersion": text("Which write this is the result of; the server's."),
        "generation": integer("Counts the changes of spec; the server's."),
        "creationTimestamp": _time("When it was created; the server's."),
        "deletionTimestamp": _time("When it will be gone; the server's."),
        "deletionGracePeriodSeconds": integer("Seconds it has to finish; the server's."),
        "managedFields": array("Who wrote last; the server's.", _ANYTHING),
        "selfLink": STRING,
    },
)
_CONDITION: Final = record(
    "One thing that is true of the object, false, or not known yet.",
    {
        "type": text("What the condition is about."),
        "status": text("True, False or Unknown."),
        "reason": text("Why, in one word for programs."),
        "message": text("Why, in a sentence for people."),
        "lastTransitionTime": _time("When the status last changed."),
        "lastUpdateTime": _time("When the condition was last written."),
        "lastProbeTime": _time("When the condition was last checked."),
        "observedGeneration": integer("The generation it speaks of."),
    },
)
_CONTAINER: Final = record(
    "What runs in the Pod.",
    {
        "name": text("The name of the container."),
        "image": text("relight/predictor, our predictor; any other needs a command."),
        "command": array("The program to run, as a process of this machine.", STRING),
        "args": array("Its arguments; for relight/predictor: --model and the like.", STRING),
        "workingDir": text("The directory it runs in."),
        "env": array(
            "Its environment.",
            record("One variable.", {"name": STRING, "value": STRING, **_kubernetes("valueFrom")}),
        ),
        "ports": array(
            "The ports it takes requests on.",
            record(
                "One port.",
                {
                    "containerPort": integer("The number of the port."),
                    "name": text("The name of the port."),
                    "protocol": text("TCP."),
                    **_kubernetes("hostPort", "hostIP"),
                },
            ),
        ),
        "resources": record(
            "What it needs and may use.",
            {
                "limits": mapping("The most it may use.", QUANTITY),
                "requests": mapping("What is set aside for it.", QUANTITY),
                **_kubernetes("claims"),
            },
        ),
        **_kubernetes(
            "envFrom",
            "imagePullPolicy",
            "lifecycle",
            "livenessProbe",
            "readinessProbe",
            "resizePolicy",
            "restartPolicy",
            "securityContext",
            "startupProbe",
            "stdin",
            "stdinOnce",
            "terminationMessagePath",
            "terminationMessagePolicy",
            "tty",
            "volumeDevices",
            "volumeMounts",
        ),
    },
    required=("name",),
)
_POD_SPEC: Final = record(
    "What the Pod runs; it never changes.",
    {
        "containers": array("What runs in it, beside each other.", _CONTAINER),
        "terminationGracePeriodSeconds": integer("Seconds to finish in; 30 by default."),
        "nodeName": text("Where it runs; set by this machine when it takes the Pod."),
        **_kubernetes(
            "activeDeadlineSeconds",
            "affinity",
            "automountServiceAccountToken",
            "dnsConfig",
            "dnsPolicy",
            "enableServiceLinks",
            "ephemeralContainers",
            "hostAliases",
            "hostIPC",
            "hostNetwork",
            "hostPID",
            "hostUsers",
            "hostname",
            "imagePullSecrets",
            "initContainers",
            "nodeSelector",
            "os",
            "overhead",
            "preemptionPolicy",
            "priority",
            "priorityClassName",
            "readinessGates",
            "resourceClaims",
            "resources",
            "restartPolicy",
            "runtimeClassName",
            "schedulerName",
            "schedulingGates",
            "securityContext",
            "serviceAccount",
            "serviceAccountName",
            "setHostnameAsFQDN",
            "shareProcessNamespace",
            "subdomain",
            "tolerations",
            "topologySpreadConstraints",
            "volumes",
        ),
    },
    required=("containers",),
)
_POD_STATUS: Final = record(
    "How the Pod is.",
    {
        "phase": text("Pending, Running, Succeeded or Failed."),
        "conditions": array("What is true of the Pod.", _CONDITION),
        "containerStatuses": array(
            "How its container is.",
            record(
                "How one container is.",
                {
                    "name": text("The name of the container."),
                    "ready": {"type": "boolean", "description": "Whether it takes requests."},
                    "started": {"type": "boolean", "description": "Whether it has started."},
                    "restartCount": integer("How often it was started again."),
                    "state": _ANYTHING | {"description": "Running, waiting or terminated."},
                    "lastState": _ANYTHING | {"description": "How the run before ended."},
                    "image": text("The image as it was asked for."),
                    "imageID": text("The image as it was found."),
                    "containerID": text("The name of the process."),
                    **_kubernetes(
                        "allocatedResources",
                        "allocatedResourcesStatus",
                        "resources",
                        "stopSignal",
                        "user",
                        "volumeMounts",
                    ),
                },
            ),
        ),
        "startTime": _time("When this machine took the Pod."),
        "podIP": text("The address of the Pod."),
        "hostIP": text("The address of the machine."),
        "message": text("Why it is so, for people."),
        "reason": text("Why it is so, for programs."),
        **_kubernetes(
            "ephemeralContainerStatuses",
            "hostIPs",
            "initContainerStatuses",
            "nominatedNodeName",
            "observedGeneration",
            "podIPs",
            "qosClass",
            "resize",
        ),
    },
)
_SELECTOR: Final = record(
    "Which Pods belong to it; never changes.",
    {
        "matchLabels": mapping("Labels that a Pod must have.", STRING),
        **_kubernetes("matchExpressions"),
    },
)
_DEPLOYMENT_SPEC: Final = record(
    "What is wanted.",
    {
        "replicas": integer("How many Pods; 1 by default.", minimum=0),
        "selector": _SELECTOR,
        "template": record(
            "What each Pod is made from.",
            {"metadata": _METADATA, "spec": _POD_SPEC},
        ),
        **_kubernetes(
            "minReadySeconds",
            "paused",
            "progressDeadlineSeconds",
            "revisionHistoryLimit",
            "strategy",
        ),
    },
    required=("selector", "template"),
)
_DEPLOYMENT_STATUS: Final = record(
    "What is so.",
    {
        "replicas": integer("How many Pods there are."),
        "readyReplicas": integer("How many of them are ready."),
        "availableReplicas": integer("How many of them take requests."),
        "unavailableReplicas": integer("How many are still missing."),
        "updatedReplicas": integer("How many are made from the present template."),
        "observedGeneration": integer("The generation of the spec that this status speaks of."),
        "conditions": array("What is true of the Deployment.", _CONDITION),
        **_kubernetes("collisionCount", "terminatingReplicas"),
    },
)


def _kind(description: str, fields: Mapping[str, Schema]) -> Schema:
    return record(
        description,
        {
            "apiVersion": text("The group and version of this object's kind."),
            "kind": text("The kind of this object."),
            "metadata": _METADATA,
            **fields,
        },
    )


SCHEMAS: Final[Mapping[Resource, Schema]] = {
    **core_schemas.SCHEMAS,
    NAMESPACES: _kind(
        "A Namespace keeps the names of one group of objects apart from those of others.",
        {
            "spec": record("What is wanted.", {"finalizers": array("Not used here.", STRING)}),
            "status": record(
                "What is so.",
                {"phase": text("Active or Terminating."), **_kubernetes("conditions")},
            ),
        },
    ),
    PODS: _kind(
        "A Pod is one running copy of a program: here, a process.",
        {"spec": _POD_SPEC, "status": _POD_STATUS},
    ),
    DEPLOYMENTS: _kind(
        "A Deployment keeps a number of Pods running.",
        {"spec": _DEPLOYMENT_SPEC, "status": _DEPLOYMENT_STATUS},
    ),
    EVENTS: _kind(
        "An Event says what happened to an object; it is kept for an hour.",
        {
            "involvedObject": _ANYTHING | {"description": "The object it happened to."},
            "type": text("Normal or Warning."),
            "reason": text("What happened, in one word for programs."),
            "message": text("What happened, in a sentence for people."),
            "source": _ANYTHING | {"description": "Who reports it."},
            "count": integer("How often it happened."),
            "firstTimestamp": _time("When it happened first."),
            "lastTimestamp": _time("When it happened last."),
            "reportingComponent": text("Who reports it."),
            "reportingInstance": text("Which copy of who reports it."),
            **_kubernetes("action", "eventTime", "related", "series"),
        },
    ),
}
METADATA: Final = _METADATA
