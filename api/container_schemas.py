"""The schemas of containers: what runs, its environment, probes, mounts and rights.

For: describing each field of a container once, for every kind in which it stands.
Must not know: in which kinds that is, or what may not stand beside what.
"""

from collections.abc import Mapping

from api.openapi import (
    QUANTITY,
    STRING,
    Schema,
    array,
    boolean,
    integer,
    keyed,
    mapping,
    port,
    quantity,
    record,
    text,
    whole,
)

INT32_MAX = 2**31 - 1
PORT_MAX = 65535

LOCAL_REFERENCE = record(
    "The name of an object in the same namespace.",
    {"name": text("The name of the object.")},
    required=("name",),
)
SECCOMP_PROFILE = record(
    "Which system calls are let through.",
    {
        "type": text(
            "RuntimeDefault, Localhost or Unconfined.",
            enum=("RuntimeDefault", "Localhost", "Unconfined"),
        ),
        "localhostProfile": text("The file of the profile on the node, for Localhost."),
    },
)
FIELD_REF = record(
    "A field of the Pod, such as metadata.name.",
    {
        "apiVersion": text("The version in which the path is written; v1 by default."),
        "fieldPath": text("The path of the field."),
    },
    required=("fieldPath",),
)
RESOURCE_FIELD_REF = record(
    "What a container of the Pod needs or may use, such as limits.memory.",
    {
        "containerName": text("The container; in a variable, its own by default."),
        "resource": text("limits or requests, a dot, and the name of the resource."),
        "divisor": quantity("The unit in which the amount is told; 1 by default."),
    },
    required=("resource",),
)


def user_or_group(description: str) -> Schema:
    """The number of a user or a group."""
    return integer(description, minimum=0, maximum=INT32_MAX)


def _key_of(kind: str) -> Schema:
    return record(
        f"One key of a {kind}.",
        {
            "name": text(f"The name of the {kind}."),
            "key": text("The key."),
            "optional": boolean("Whether it may be absent; the variable is then not set."),
        },
        required=("key",),
    )


def _all_of(kind: str) -> Schema:
    return record(
        f"Every key of a {kind}, as a variable.",
        {
            "name": text(f"The name of the {kind}."),
            "optional": boolean("Whether it may be absent; no variable is then set."),
        },
    )


_ENV = record(
    "One variable of the environment.",
    {
        "name": text("The name; PORT, K_SERVICE, K_CONFIGURATION and K_REVISION are reserved."),
        "value": text("The value; empty by default."),
        "valueFrom": record(
            "Where the value is taken from when the container starts: exactly one of these.",
            {
                "configMapKeyRef": whole(_key_of("ConfigMap")),
                "secretKeyRef": whole(_key_of("Secret")),
                "fieldRef": whole(FIELD_REF),
                "resourceFieldRef": whole(RESOURCE_FIELD_REF),
            },
        ),
    },
    required=("name",),
)
_ENV_FROM = record(
    "Variables taken from one object: exactly one of configMapRef and secretRef.",
    {
        "prefix": text("What is put before each key to make the name of its variable."),
        "configMapRef": whole(_all_of("ConfigMap")),
        "secretRef": whole(_all_of("Secret")),
    },
)
_PORT = record(
    "The port on which the container takes requests.",
    {
        "containerPort": integer(
            "The number of the port; 8080 by default.", minimum=0, maximum=PORT_MAX
        ),
        "name": text("Empty or http1."),
        "protocol": text("TCP, the default."),
    },
)
RESOURCES = record(
    "How much of the machine one replica needs and may use.",
    {
        "limits": mapping("The most it may use, by resource: cpu, memory ...", QUANTITY),
        "requests": mapping("What is set aside for it, by resource: cpu, memory ...", QUANTITY),
    },
)
_HTTP_HEADER = record(
    "One header of the request.",
    {"name": text("The name of the header."), "value": text("Its value.")},
    required=("name",),
)
_HTTP_GET = record(
    "A GET request; any answer from 200 to 399 is a success.",
    {
        "host": text("The host to ask; the container's own by default."),
        "httpHeaders": array("Headers of the request.", _HTTP_HEADER),
        "path": text("The path of the request; / by default."),
        "port": port("The port to ask; the one that takes requests by default."),
        "scheme": text("HTTP, the default, or HTTPS.", enum=("HTTP", "HTTPS")),
    },
)
_TCP_SOCKET = record(
    "A connection; it is a success if it can be made.",
    {
        "host": text("The host to connect to; the container's own by default."),
        "port": port("The port to connect to; the one that takes requests by default."),
    },
)
_EXEC = record(
    "A command run beside the program; exit status 0 is a success.",
    {"command": array("The command and its arguments; no shell runs it.", STRING)},
)
_GRPC = record(
    "A check by gRPC's health protocol.",
    {
        "port": integer("The number of the port.", minimum=0, maximum=PORT_MAX),
        "service": text("The name of the service to ask about; empty by default."),
    },
)


def _seconds(description: str, *, low: int = 0) -> Schema:
    return integer(description, minimum=low, maximum=INT32_MAX)


def _probe(description: str, **more: Schema) -> Schema:
    return record(
        f"{description} Exactly one of exec, grpc, httpGet and tcpSocket is asked.",
        {
            "exec": _EXEC,
            "grpc": _GRPC,
            "httpGet": _HTTP_GET,
            "tcpSocket": _TCP_SOCKET,
            "initialDelaySeconds": _seconds("How long to wait before the first probe."),
            "periodSeconds": _seconds(
                "How often to probe; 0, in a readiness probe, is as often as it takes."
            ),
            "timeoutSeconds": integer("How long one probe may take; 1 by default."),
            "successThreshold": integer("How many successes in a row it takes; 1 by default."),
            "failureThreshold": integer("How many failures in a row it takes; 3 by default."),
            **more,
        },
    )


_GRACE = {
    "terminationGracePeriodSeconds": _seconds(
        "How long the container may take to end when the probe fails.", low=1
    )
}
PROBES: Mapping[str, Schema] = {
    "livenessProbe": _probe("Whether the container is alive; it is restarted if not.", **_GRACE),
    "readinessProbe": _probe(
        "Whether the container can take requests; by default, whether its port is open."
    ),
    "startupProbe": _probe(
        "Whether the container has started; the other probes wait for it.", **_GRACE
    ),
}
SECURITY_CONTEXT = record(
    "Which rights the container has; it takes precedence over the Pod's.",
    {
        "allowPrivilegeEscalation": boolean("Whether it may get more rights than its parent."),
        "capabilities": record(
            "Rights taken from the container.",
            {"drop": array("The capabilities taken away; ALL for all of them.", STRING)},
        ),
        "privileged": boolean("False: no container gets all rights of the machine."),
        "readOnlyRootFilesystem": boolean("Whether its own files can not be written."),
        "runAsGroup": user_or_group("The group it runs as."),
        "runAsNonRoot": boolean("Whether it is not started as user 0."),
        "runAsUser": user_or_group("The user it runs as."),
        "seccompProfile": SECCOMP_PROFILE,
    },
)
_MOUNT = record(
    "Where the container sees a volume.",
    {
        "mountPath": text("The path in the container; /, /dev and /dev/log are reserved."),
        "name": text("The name of the volume."),
        "readOnly": boolean(
            "Whether it can not be written; always so but for emptyDir and persistentVolumeClaim."
        ),
        "subPath": text("The path in the volume; its root by default."),
    },
    required=("mountPath", "name"),
)
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_CONTAINER: Mapping[str, Schema] = {
    "name": text("The name of the container; user-container by default."),
    "image": text("The image; relight/predictor is Relight's own predictor, configured by args."),
    "imagePullPolicy": text("When the image is pulled.", enum=_PULL_POLICIES),
    "command": array("The program to run in place of the image's own.", STRING),
    "args": array(
        "The arguments of the program; for relight/predictor: --model and the like.",
        STRING,
    ),
    "workingDir": text("The folder in which the program starts; the image's by default."),
    "env": keyed("The environment of the program.", _ENV, by=("name",)),
    "envFrom": array("Objects whose keys become variables; env takes precedence.", _ENV_FROM),
    "ports": array("The one port that takes requests; 8080 if none is named.", _PORT),
    "resources": RESOURCES,
    "securityContext": SECURITY_CONTEXT,
    "terminationMessagePath": text(
        "The file that says why the program ended; /dev/termination-log by default."
    ),
    "terminationMessagePolicy": text(
        "Where that is read from: File or, where the file is empty, FallbackToLogsOnError.",
        enum=("File", "FallbackToLogsOnError"),
    ),
    "volumeMounts": keyed("Where the container sees which volumes.", _MOUNT, by=("mountPath",)),
}
CONTAINER = record("What runs in each replica.", {**_CONTAINER, **PROBES}, required=("image",))
INIT_CONTAINER = record(
    "What runs to its end before the containers start.",
    {**_CONTAINER, "name": text("The name of the container; init-container by default.")},
    required=("image",),
)
