"""The schema of a PodSpec, as far as a Revision may set one.

For: describing what runs in each replica once, for every kind in which it stands.
Must not know: in which kinds that is, or what Kubernetes has beyond it.
"""

from collections.abc import Mapping

from api.container_schemas import (
    CONTAINER,
    INIT_CONTAINER,
    LOCAL_REFERENCE,
    SECCOMP_PROFILE,
    user_or_group,
)
from api.openapi import STRING, Schema, array, boolean, integer, keyed, record, text, whole
from api.placement_schemas import AFFINITY, NODE_SELECTOR, SPREAD, TOLERATION
from api.volume_schemas import VOLUME

_SECURITY = record(
    "Which rights all containers have.",
    {
        "fsGroup": user_or_group("The group that owns the volumes."),
        "runAsGroup": user_or_group("The group they run as."),
        "runAsNonRoot": boolean("Whether none is started as user 0."),
        "runAsUser": user_or_group("The user they run as."),
        "seccompProfile": SECCOMP_PROFILE,
        "supplementalGroups": array(
            "Further groups they run as.",
            {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**31 - 1},
        ),
    },
)
_DNS_CONFIG = record(
    "How names are looked up, beside what dnsPolicy says.",
    {
        "nameservers": array("The addresses of name servers.", STRING),
        "options": array(
            "Options of the resolver.",
            record(
                "One option.",
                {"name": text("The name of the option."), "value": text("Its value.")},
            ),
        ),
        "searches": array("The domains in which short names are looked up.", STRING),
    },
)
_HOST_ALIAS = record(
    "Names of one address, beside those that DNS knows.",
    {"ip": text("The address."), "hostnames": array("Its names.", STRING)},
    required=("ip",),
)
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")

POD_SPEC: Mapping[str, Schema] = {
    "containers": array(
        "What runs in each replica; the one with a port takes the requests.", CONTAINER
    ),
    "initContainers": array("What runs before the containers, one after another.", INIT_CONTAINER),
    "volumes": keyed("Files that containers can mount.", VOLUME, by=("name",)),
    "serviceAccountName": text("The ServiceAccount as which replicas ask the API server."),
    "automountServiceAccountToken": boolean(
        "False: containers get no token of the ServiceAccount. True can not be set."
    ),
    "imagePullSecrets": keyed(
        "Secrets with which images are pulled.", whole(LOCAL_REFERENCE), by=("name",)
    ),
    "enableServiceLinks": boolean(
        "Whether variables tell of the namespace's other services; false by default."
    ),
    "nodeSelector": NODE_SELECTOR,
    "affinity": AFFINITY,
    "tolerations": array("Taints of nodes that replicas put up with.", TOLERATION),
    "topologySpreadConstraints": array("How replicas are spread over the cluster.", SPREAD),
    "runtimeClassName": text("The RuntimeClass that runs the containers."),
    "priorityClassName": text("The PriorityClass by which replicas are scheduled."),
    "schedulerName": text("The scheduler that places replicas."),
    "securityContext": _SECURITY,
    "shareProcessNamespace": boolean("Whether containers see each other's processes."),
    "dnsPolicy": text("How names are looked up.", enum=_DNS_POLICIES),
    "dnsConfig": _DNS_CONFIG,
    "hostAliases": array("Names of addresses, beside those that DNS knows.", _HOST_ALIAS),
}
# What a Revision has beside a PodSpec.
LIMITS: Mapping[str, Schema] = {
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
    "responseStartTimeoutSeconds": integer(
        "The most seconds until the first byte of the answer; 0 is no limit; 300 by default where "
        "timeoutSeconds is more.",
        minimum=0,
    ),
    "idleTimeoutSeconds": integer(
        "The most seconds between two bytes of the answer; 0, the default, is no limit.",
        minimum=0,
    ),
}
