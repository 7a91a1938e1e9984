"""The protobuf messages of Kubernetes that are read, by field number.

For: the kinds that kubectl's typed commands create, and what they ask of access.
Must not know: bytes. A field that stands here is one the JSON form has by that name; one that
does not is refused by its number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `form` is "string", "bytes", "int", "bool", "time", "microtime" or a message."""

    name: str
    form: Any = "string"
    is_repeated: bool = False
    is_map: bool = False  # from strings; `form` is that of the values
    is_plain: bool = False  # in Go no pointer: its zero says nothing


Message = Mapping[int, Field]


def _strings(*names: str) -> Message:
    return {number: Field(name) for number, name in enumerate(names, start=1)}


def _map(name: str, form: Any = "string") -> Field:
    return Field(name, form, is_map=True)


def _many(name: str, form: Any = "string") -> Field:
    return Field(name, form, is_repeated=True)


def _plain(name: str, form: Any) -> Field:
    return Field(name, form, is_plain=True)


_OWNER: Final[Message] = {
    1: Field("kind"),
    3: Field("name"),
    4: Field("uid"),
    5: Field("apiVersion"),
    6: Field("controller", "bool"),
    7: Field("blockOwnerDeletion", "bool"),
}
_META: Final[Message] = {
    **_strings("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion"),
    7: _plain("generation", "int"),
    8: Field("creationTimestamp", "time"),
    9: Field("deletionTimestamp", "time"),
    10: Field("deletionGracePeriodSeconds", "int"),
    11: _map("labels"),
    12: _map("annotations"),
    13: _many("ownerReferences", _OWNER),
    14: _many("finalizers"),
}
_METADATA: Final = Field("metadata", _META)
_REFERENCE: Final = _strings(
    "kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"
)
_NAMESPACE: Final[Message] = {
    1: _METADATA,
    2: _plain("spec", {1: _many("finalizers")}),
    3: _plain("status", {1: Field("phase")}),
}
_CONFIG_MAP: Final[Message] = {
    1: _METADATA,
    2: _map("data"),
    3: _map("binaryData", "bytes"),
    4: Field("immutable", "bool"),
}
_SECRET: Final[Message] = {
    1: _METADATA,
    2: _map("data", "bytes"),
    3: Field("type"),
    4: _map("stringData"),
    5: Field("immutable", "bool"),
}
_SERVICE_ACCOUNT: Final[Message] = {
    1: _METADATA,
    2: _many("secrets", _REFERENCE),
    3: _many("imagePullSecrets", _strings("name")),
    4: Field("automountServiceAccountToken", "bool"),
}
_LEASE: Final[Message] = {
    1: _METADATA,
    2: _plain(
        "spec",
        {
            1: Field("holderIdentity"),
            2: Field("leaseDurationSeconds", "int"),
            3: Field("acquireTime", "microtime"),
            4: Field("renewTime", "microtime"),
            5: Field("leaseTransitions", "int"),
            6: Field("strategy"),
            7: Field("preferredHolder"),
        },
    ),
}
_EVENT: Final[Message] = {
    1: _METADATA,
    2: Field("involvedObject", _REFERENCE),
    3: Field("reason"),
    4: Field("message"),
    5: _plain("source", _strings("component", "host")),
    6: Field("firstTimestamp", "time"),
    7: Field("lastTimestamp", "time"),
    8: _plain("count", "int"),
    9: Field("type"),
    10: Field("eventTime", "microtime"),
    11: Field("series", {1: _plain("count", "int"), 2: Field("lastObservedTime", "microtime")}),
    12: Field("action"),
    13: Field("related", _REFERENCE),
    14: Field("reportingComponent"),
    15: Field("reportingInstance"),
}
_RESOURCE: Final = _strings(
    "namespace", "verb", "group", "version", "resource", "subresource", "name"
)
_ASKED: Final[Message] = {
    1: Field("resourceAttributes", _RESOURCE),
    2: Field("nonResourceAttributes", _strings("path", "verb")),
}
_STATUS: Final = _plain(
    "status",
    {
        1: _plain("allowed", "bool"),
        2: Field("reason"),
        3: Field("evaluationError"),
        4: _plain("denied", "bool"),
    },
)
_ACCESS_REVIEW: Final[Message] = {1: _METADATA, 2: Field("spec", _ASKED), 3: _STATUS}
_SUBJECT_REVIEW: Final[Message] = {
    1: _METADATA,
    2: Field(
        "spec",
        {
            **_ASKED,
            3: Field("user"),
            4: _many("groups"),
            5: _map("extra", {1: _many("items")}),
            6: Field("uid"),
        },
    ),
    3: _STATUS,
}
_RULES_STATUS: Final[Message] = {3: _plain("incomplete", "bool"), 4: Field("evaluationError")}
_RULES_REVIEW: Final[Message] = {
    1: _METADATA,
    2: Field("spec", _strings("namespace")),
    3: _plain("status", _RULES_STATUS),
}
_SELF_REVIEW: Final[Message] = {
    1: _METADATA,
    2: _plain("status", {1: _plain("userInfo", _strings("username", "uid"))}),
}
_TOKEN_REVIEW: Final[Message] = {
    1: _METADATA,
    2: Field("spec", {1: Field("token"), 2: _many("audiences")}),
    3: _plain(
        "status",
        {1: _plain("authenticated", "bool"), 2: _plain("user", {}), 3: Field("error")},
    ),
}
_DELETE_OPTIONS: Final[Message] = {
    1: Field("gracePeriodSeconds", "int"),
    2: Field("preconditions", _strings("uid", "resourceVersion")),
    3: Field("orphanDependents", "bool"),
    4: Field("propagationPolicy"),
    5: _many("dryRun"),
}
_PORT: Final[Message] = {
    1: Field("name"),
    2: _plain("hostPort", "int"),
    3: Field("containerPort", "int"),
    4: Field("protocol"),
    5: Field("hostIP"),
}
_CONTAINER: Final[Message] = {
    1: Field("name"),
    2: Field("image"),
    3: _many("command"),
    4: _many("args"),
    5: Field("workingDir"),
    6: _many("ports", _PORT),
    7: _many("env", _strings("name", "value")),
    8: _plain("resources", {}),
    13: Field("terminationMessagePath"),
    14: Field("imagePullPolicy"),
    16: _plain("stdin", "bool"),
    17: _plain("stdinOnce", "bool"),
    18: _plain("tty", "bool"),
    20: Field("terminationMessagePolicy"),
}
_POD_SPEC: Final[Message] = {
    2: _many("containers", _CONTAINER),
    3: Field("restartPolicy"),
    6: Field("dnsPolicy"),
    8: Field("serviceAccountName"),
    9: Field("serviceAccount"),
    10: Field("nodeName"),
    11: _plain("hostNetwork", "bool"),
    12: _plain("hostPID", "bool"),
    13: _plain("hostIPC", "bool"),
    16: Field("hostname"),
    17: Field("subdomain"),
    19: Field("schedulerName"),
    24: Field("priorityClassName"),
}
# What `kubectl create deployment` sends; other fields come as JSON.
_DEPLOYMENT: Final[Message] = {
    1: _METADATA,
    2: Field(
        "spec",
        {
            1: Field("replicas", "int"),
            2: Field("selector", {1: _map("matchLabels")}),
            3: Field("template", {1: _plain("metadata", _META), 2: Field("spec", _POD_SPEC)}),
            4: _plain("strategy", _strings("type")),
            5: _plain("minReadySeconds", "int"),
            6: Field("revisionHistoryLimit", "int"),
            7: _plain("paused", "bool"),
            9: Field("progressDeadlineSeconds", "int"),
        },
    ),
    3: _plain("status", {number: _plain(f"n{number}", "int") for number in range(1, 10)}),
}
_ACCESS: Final = "authorization.k8s.io/v1"
_IDENTITY: Final = "authentication.k8s.io/v1"

# By apiVersion and kind; "" is any version.
KINDS: Final[Mapping[tuple[str, str], Message]] = {
    ("v1", "Namespace"): _NAMESPACE,
    ("v1", "ConfigMap"): _CONFIG_MAP,
    ("v1", "Secret"): _SECRET,
    ("v1", "ServiceAccount"): _SERVICE_ACCOUNT,
    ("v1", "Event"): _EVENT,
    ("coordination.k8s.io/v1", "Lease"): _LEASE,
    ("apps/v1", "Deployment"): _DEPLOYMENT,
    (_ACCESS, "SelfSubjectAccessReview"): _ACCESS_REVIEW,
    (_ACCESS, "SubjectAccessReview"): _SUBJECT_REVIEW,
    (_ACCESS, "SelfSubjectRulesReview"): _RULES_REVIEW,
    (_IDENTITY, "SelfSubjectReview"): _SELF_REVIEW,
    (_IDENTITY, "TokenReview"): _TOKEN_REVIEW,
    ("", "DeleteOptions"): _DELETE_OPTIONS,
}
