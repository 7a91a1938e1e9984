"""The OpenAPI v3 schemas of Kubernetes' small kinds: configuration, accounts, leases, CRDs.

For: `kubectl explain`, and telling a slip of the pen from a field of Kubernetes.
Must not know: requests, or what may stand in the fields.
"""

from collections.abc import Mapping
from typing import Final

from api.kinds import (
    CONFIGMAPS,
    CORE_SERVICES,
    CUSTOMRESOURCEDEFINITIONS,
    LEASES,
    NODES,
    SECRETS,
    SERVICEACCOUNTS,
    Resource,
)
from api.openapi import STRING, Schema, array, boolean, integer, mapping, record, text

_FREE: Final[Schema] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_BYTES: Final[Schema] = {"type": "string", "format": "byte"}
_MICRO_TIME: Final[Schema] = {"type": "string", "format": "date-time"}


def _kind(description: str, parts: Mapping[str, Schema]) -> Schema:
    return record(
        description,
        {
            "apiVersion": text("The group and version of this object's kind."),
            "kind": text("The kind of this object."),
            "metadata": {
                "type": "object",
                "description": "The name, namespace, labels and annotations of the object.",
            },
            **parts,
        },
    )


_REFERENCE: Final = record(
    "An object by its name.",
    {
        "apiVersion": STRING,
        "fieldPath": STRING,
        "kind": STRING,
        "name": STRING,
        "namespace": STRING,
        "resourceVersion": STRING,
        "uid": STRING,
    },
)
_NAMES: Final = record(
    "What the kind is called.",
    {
        "plural": text("In URLs: widgets."),
        "singular": text("For people: widget."),
        "kind": text("In objects: Widget."),
        "listKind": text("In lists: WidgetList."),
        "shortNames": array("For kubectl.", STRING),
        "categories": array("Groups of kinds that kubectl gets together, such as all.", STRING),
    },
)
_CRD_VERSION: Final = record(
    "The kind at one version.",
    {
        "name": text("v1, v1beta1 ..."),
        "served": boolean("Whether it is served."),
        "storage": boolean("Whether it is the one objects are stored in; exactly one is."),
        "deprecated": boolean("Whether requests are answered with a warning."),
        "deprecationWarning": text("The text of the warning."),
        "schema": record("What objects look like.", {"openAPIV3Schema": _FREE}),
        "subresources": record(
            "Parts with URLs of their own.",
            {
                "status": _FREE,
                "scale": record(
                    "Where autoscaling/v1 Scale finds its fields.",
                    {
                        "specReplicasPath": text("Under .spec."),
                        "statusReplicasPath": text("Under .status."),
                        "labelSelectorPath": text("Under .spec or .status."),
                    },
                ),
            },
        ),
        "additionalPrinterColumns": array(
            "What kubectl get prints.",
            record(
                "A column.",
                {
                    "name": STRING,
                    "type": STRING,
                    "format": STRING,
                    "description": STRING,
                    "jsonPath": STRING,
                    "priority": integer("Above 0: only with -o wide."),
                },
            ),
        ),
        "selectableFields": array(
            "Fields that field selectors may name.", record("A field.", {"jsonPath": STRING})
        ),
    },
)

SCHEMAS: Final[Mapping[Resource, Schema]] = {
    CONFIGMAPS: _kind(
        "A ConfigMap holds configuration for programs to read.",
        {
            "data": mapping("Texts by key.", STRING),
            "binaryData": mapping("Bytes by key, in base64.", _BYTES),
            "immutable": boolean("Whether the data may never change."),
        },
    ),
    SECRETS: _kind(
        "A Secret holds data that not everybody may read.",
        {
            "type": text("What the data is for; Opaque by default."),
            "data": mapping("Bytes by key, in base64.", _BYTES),
            "stringData": mapping("Texts by key: written into data, never read.", STRING),
            "immutable": boolean("Whether the data may never change."),
        },
    ),
    SERVICEACCOUNTS: _kind(
        "A ServiceAccount is who programs in Pods are.",
        {
            "automountServiceAccountToken": boolean("Whether Pods get its token."),
            "imagePullSecrets": array(
                "Secrets for pulling images.", record("A Secret.", {"name": STRING})
            ),
            "secrets": array("Secrets that Pods of it may use.", _REFERENCE),
        },
    ),
    LEASES: _kind(
        "A Lease is held by one of several programs at a time.",
        {
            "spec": record(
                "Who holds it, and until when.",
                {
                    "holderIdentity": text("Who holds it."),
                    "leaseDurationSeconds": integer("How long it is held after a renewal."),
                    "acquireTime": _MICRO_TIME,
                    "renewTime": _MICRO_TIME,
                    "leaseTransitions": integer("How often it has changed hands."),
                    "strategy": text("How its holder is chosen."),
                    "preferredHolder": text("Who shall have it next."),
                },
            )
        },
    ),
    CUSTOMRESOURCEDEFINITIONS: _kind(
        "A CustomResourceDefinition makes this server serve another kind.",
        {
            "spec": record(
                "The kind.",
                {
                    "group": text("The API group: a domain."),
                    "names": _NAMES,
                    "scope": text("Namespaced or Cluster."),
                    "versions": array("The versions of the kind.", _CRD_VERSION),
                    "conversion": record(
                        "How objects come from one version to another.",
                        {"strategy": text("None."), "webhook": _FREE},
                    ),
                    "preserveUnknownFields": boolean("false: fields the schema has not go."),
                },
                required=("group", "names", "scope", "versions"),
            ),
            "status": record(
                "Whether the kind is served.",
                {
                    "acceptedNames": _NAMES,
                    "conditions": array("What is true of it.", _FREE),
                    "storedVersions": array("Versions objects may be stored in.", STRING),
                    "observedGeneration": integer("The generation this speaks of."),
                },
            ),
        },
    ),
    NODES: _kind(
        "The Node is this machine; the platform writes it.",
        {
            "spec": record(
                "The machine.",
                {
                    "podCIDR": STRING,
                    "podCIDRs": array("Networks of Pods.", STRING),
                    "providerID": STRING,
                    "taints": array("What keeps Pods away.", _FREE),
                    "unschedulable": boolean("Whether it takes no new Pods."),
                },
            ),
            "status": _FREE | {"description": "How the machine is."},
        },
    ),
    CORE_SERVICES: _kind(
        "A core Service, which one machine does not serve: use serving.knative.dev/v1.",
        {
            "spec": _FREE | {"description": "Which Pods, at which ports."},
            "status": _FREE | {"description": "How it is reached."},
        },
    ),
}
