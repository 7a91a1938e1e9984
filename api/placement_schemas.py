"""The schemas of placement: on which nodes replicas may, should and must not run.

For: describing each field of node selectors, affinities, tolerations and spreading once.
Must not know: nodes, or who chooses one.
"""

from api.container_schemas import INT32_MAX
from api.openapi import STRING, Schema, array, integer, mapping, record, text, whole

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_KEY = text("The key of the label.")
_VALUES = array("The values it is compared with.", STRING)
_LABEL_SELECTOR = record(
    "Which Pods are meant, by their labels; all conditions must hold.",
    {
        "matchLabels": mapping("Labels they have, with these values.", STRING),
        "matchExpressions": array(
            "Conditions on their labels.",
            record(
                "One condition.",
                {
                    "key": _KEY,
                    "operator": text("In, NotIn, Exists or DoesNotExist.", enum=_OPERATORS),
                    "values": _VALUES,
                },
                required=("key", "operator"),
            ),
        ),
    },
)
_NODE_REQUIREMENTS = array(
    "Conditions; all must hold.",
    record(
        "One condition.",
        {
            "key": text("The key of the label, or the name of the field."),
            "operator": text(
                "In, NotIn, Exists, DoesNotExist, Gt or Lt.", enum=(*_OPERATORS, "Gt", "Lt")
            ),
            "values": _VALUES,
        },
        required=("key", "operator"),
    ),
)
_NODE_TERM = record(
    "Which nodes are meant.",
    {"matchExpressions": _NODE_REQUIREMENTS, "matchFields": _NODE_REQUIREMENTS},
)
_WEIGHT = integer("How much it counts.", minimum=1, maximum=100)
_MATCH_KEYS = array("Keys of labels whose values must be those of the replica itself.", STRING)
_POD_TERM = record(
    "Near which other Pods, and what near means.",
    {
        "labelSelector": _LABEL_SELECTOR,
        "matchLabelKeys": _MATCH_KEYS,
        "mismatchLabelKeys": array(
            "Keys of labels whose values must not be those of the replica itself.", STRING
        ),
        "namespaceSelector": _LABEL_SELECTOR,
        "namespaces": array("The namespaces of those Pods; its own by default.", STRING),
        "topologyKey": text("The label of nodes that are near one another."),
    },
    required=("topologyKey",),
)


def _pod_affinity(description: str) -> Schema:
    return record(
        description,
        {
            "requiredDuringSchedulingIgnoredDuringExecution": array("What must hold.", _POD_TERM),
            "preferredDuringSchedulingIgnoredDuringExecution": array(
                "What should hold.",
                record(
                    "One wish.",
                    {"weight": _WEIGHT, "podAffinityTerm": _POD_TERM},
                    required=("weight", "podAffinityTerm"),
                ),
            ),
        },
    )


AFFINITY = record(
    "On which nodes, and near which Pods, replicas must or should run.",
    {
        "nodeAffinity": record(
            "Which nodes.",
            {
                "requiredDuringSchedulingIgnoredDuringExecution": record(
                    "What must hold.",
                    {"nodeSelectorTerms": array("One of these must hold.", _NODE_TERM)},
                    required=("nodeSelectorTerms",),
                ),
                "preferredDuringSchedulingIgnoredDuringExecution": array(
                    "What should hold.",
                    record(
                        "One wish.",
                        {"weight": _WEIGHT, "preference": _NODE_TERM},
                        required=("weight", "preference"),
                    ),
                ),
            },
        ),
        "podAffinity": _pod_affinity("Near which Pods."),
        "podAntiAffinity": _pod_affinity("Away from which Pods."),
    },
)
NODE_SELECTOR = whole(mapping("Labels that a node must have to run replicas.", STRING))
TOLERATION = record(
    "A taint of nodes that replicas put up with.",
    {
        "key": text("The key of the taint; empty for all."),
        "operator": text("Equal, the default, or Exists.", enum=("Equal", "Exists")),
        "value": text("The value of the taint, for Equal."),
        "effect": text(
            "The effect of the taint; empty for all.",
            enum=("NoSchedule", "PreferNoSchedule", "NoExecute"),
        ),
        "tolerationSeconds": integer("How long a NoExecute taint is put up with."),
    },
)
_HONOR = ("Honor", "Ignore")
SPREAD = record(
    "How evenly replicas are spread over parts of the cluster.",
    {
        "labelSelector": _LABEL_SELECTOR,
        "matchLabelKeys": _MATCH_KEYS,
        "maxSkew": integer(
            "By how many replicas two parts may differ.", minimum=1, maximum=INT32_MAX
        ),
        "minDomains": integer("How many parts there must be.", minimum=1, maximum=INT32_MAX),
        "nodeAffinityPolicy": text("Honor, the default, or Ignore.", enum=_HONOR),
        "nodeTaintsPolicy": text("Honor, or Ignore, the default.", enum=_HONOR),
        "topologyKey": text("The label of nodes that are of one part."),
        "whenUnsatisfiable": text(
            "What is done if it can not be: DoNotSchedule or ScheduleAnyway.",
            enum=("DoNotSchedule", "ScheduleAnyway"),
        ),
    },
    required=("maxSkew", "topologyKey", "whenUnsatisfiable"),
)
