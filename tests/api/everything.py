"""Objects in which every field that is served has a value."""

from typing import Any

Raw = dict[str, Any]

_HANDLERS: list[Raw] = [
    {"exec": {"command": ["true"]}},
    {"grpc": {"port": 9000, "service": "s"}},
    {
        "httpGet": {
            "host": "localhost",
            "httpHeaders": [{"name": "h", "value": "v"}],
            "path": "/ok",
            "port": 8080,
            "scheme": "HTTP",
        }
    },
    {"tcpSocket": {"host": "localhost", "port": 8080}},
]
_TIMES: Raw = {
    "initialDelaySeconds": 1,
    "periodSeconds": 2,
    "timeoutSeconds": 1,
    "successThreshold": 1,
    "failureThreshold": 4,
}


def _probes(handler: Raw) -> Raw:
    return {
        "livenessProbe": {**handler, **_TIMES, "terminationGracePeriodSeconds": 5},
        "readinessProbe": {**handler, **_TIMES},
        "startupProbe": {**handler, **_TIMES, "terminationGracePeriodSeconds": 5},
    }


_RESOURCE: Raw = {"containerName": "main", "resource": "limits.memory", "divisor": "1Mi"}
_FIELD: Raw = {"apiVersion": "v1", "fieldPath": "metadata.name"}
_KEY: Raw = {"name": "n", "key": "k", "optional": True}
_PROFILE: Raw = {"type": "Localhost", "localhostProfile": "p.json"}


def _container(name: str) -> Raw:
    return {
        "name": name,
        "image": "a/b:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["run"],
        "args": ["-v"],
        "workingDir": "/app",
        "env": [
            {"name": "C", "valueFrom": {"configMapKeyRef": _KEY}},
            {"name": "S", "valueFrom": {"secretKeyRef": _KEY}},
            {"name": "F", "valueFrom": {"fieldRef": _FIELD}},
            {"name": "R", "valueFrom": {"resourceFieldRef": _RESOURCE}},
            {"name": "A", "value": "1"},
        ],
        "envFrom": [
            {"prefix": "P_", "configMapRef": {"name": "n", "optional": True}},
            {"secretRef": {"name": "n", "optional": True}},
        ],
        "resources": {
            "limits": {"cpu": "2", "memory": "1Gi", "nvidia.com/gpu": "1"},
            "requests": {"cpu": "1", "memory": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsGroup": 1,
            "runAsNonRoot": True,
            "runAsUser": 1,
            "seccompProfile": _PROFILE,
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": "empty", "mountPath": "/empty", "subPath": "a", "readOnly": False},
            {"name": "claim", "mountPath": "/claim", "readOnly": True},
            *(
                {"name": each, "mountPath": f"/{each}", "readOnly": True}
                for each in ("config", "secret", "projected", "host")
            ),
        ],
    }


_ITEMS: list[Raw] = [{"key": "k", "path": "p", "mode": 0o600}]
_VOLUMES: list[Raw] = [
    {"name": "empty", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
    {"name": "claim", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
    {
        "name": "config",
        "configMap": {"name": "n", "items": _ITEMS, "defaultMode": 0o600, "optional": True},
    },
    {
        "name": "secret",
        "secret": {"secretName": "n", "items": _ITEMS, "defaultMode": 0o600, "optional": True},
    },
    {
        "name": "projected",
        "projected": {
            "defaultMode": 0o600,
            "sources": [
                {"configMap": {"name": "n", "items": _ITEMS, "optional": True}},
                {"secret": {"name": "n", "items": _ITEMS, "optional": True}},
                {
                    "serviceAccountToken": {
                        "audience": "a",
                        "expirationSeconds": 600,
                        "path": "token",
                    }
                },
                {
                    "downwardAPI": {
                        "items": [
                            {"path": "f", "fieldRef": _FIELD, "mode": 0o600},
                            {"path": "r", "resourceFieldRef": _RESOURCE},
                        ]
                    }
                },
            ],
        },
    },
    {"name": "host", "hostPath": {"path": "/srv", "type": "Directory"}},
]
_SELECTOR: Raw = {
    "matchLabels": {"a": "b"},
    "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
}
_NODES: Raw = {
    "matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}],
    "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}],
}
_PODS: Raw = {
    "labelSelector": _SELECTOR,
    "matchLabelKeys": ["a"],
    "mismatchLabelKeys": ["b"],
    "namespaceSelector": _SELECTOR,
    "namespaces": ["n"],
    "topologyKey": "zone",
}
_NEAR: Raw = {
    "requiredDuringSchedulingIgnoredDuringExecution": [_PODS],
    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": _PODS}],
}
REVISION_SPEC: Raw = {
    "containers": [
        {
            **_container("main"),
            **_probes(_HANDLERS[0]),
            "ports": [{"containerPort": 8080, "name": "http1", "protocol": "TCP"}],
        },
        *(
            {"name": f"side-{index}", "image": "a/b", **_probes(handler)}
            for index, handler in enumerate(_HANDLERS[1:])
        ),
    ],
    "initContainers": [
        {
            **_container("first"),
            "ports": [{"containerPort": 81, "name": "x", "protocol": "UDP"}],
        }
    ],
    "volumes": _VOLUMES,
    "serviceAccountName": "me",
    "automountServiceAccountToken": False,
    "imagePullSecrets": [{"name": "s"}],
    "enableServiceLinks": True,
    "nodeSelector": {"gpu": "h100"},
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_NODES]},
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "preference": _NODES}
            ],
        },
        "podAffinity": _NEAR,
        "podAntiAffinity": _NEAR,
    },
    "tolerations": [
        {
            "key": "k",
            "operator": "Equal",
            "value": "v",
            "effect": "NoExecute",
            "tolerationSeconds": 1,
        }
    ],
    "topologySpreadConstraints": [
        {
            "labelSelector": _SELECTOR,
            "matchLabelKeys": ["a"],
            "maxSkew": 1,
            "minDomains": 2,
            "nodeAffinityPolicy": "Honor",
            "nodeTaintsPolicy": "Ignore",
            "topologyKey": "zone",
            "whenUnsatisfiable": "DoNotSchedule",
        }
    ],
    "runtimeClassName": "kata",
    "priorityClassName": "high",
    "schedulerName": "mine",
    "securityContext": {
        "fsGroup": 1,
        "runAsGroup": 1,
        "runAsNonRoot": True,
        "runAsUser": 1,
        "seccompProfile": _PROFILE,
        "supplementalGroups": [2],
    },
    "shareProcessNamespace": True,
    "dnsPolicy": "None",
    "dnsConfig": {
        "nameservers": ["1.1.1.1"],
        "options": [{"name": "ndots", "value": "2"}],
        "searches": ["example.com"],
    },
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["h"]}],
    "containerConcurrency": 4,
    "timeoutSeconds": 400,
    "responseStartTimeoutSeconds": 20,
    "idleTimeoutSeconds": 10,
}
_TEMPLATE: Raw = {
    "metadata": {"name": "iris-1", "labels": {"a": "b"}, "annotations": {"c": "d"}},
    "spec": REVISION_SPEC,
}
_META: Raw = {"name": "iris", "namespace": "default"}
_V1: Raw = {"apiVersion": "serving.knative.dev/v1"}
_TARGETS: list[Raw] = [
    {"revisionName": "iris-1", "latestRevision": False, "percent": 40, "tag": "a"},
]
OBJECTS: dict[str, Raw] = {
    "Service": {
        **_V1,
        "kind": "Service",
        "metadata": _META,
        "spec": {
            "template": _TEMPLATE,
            "traffic": [*_TARGETS, {"latestRevision": True, "percent": 60}],
        },
    },
    "Configuration": {
        **_V1,
        "kind": "Configuration",
        "metadata": _META,
        "spec": {"template": _TEMPLATE},
    },
    "Revision": {
        **_V1,
        "kind": "Revision",
        "metadata": {**_META, "name": "iris-1"},
        "spec": REVISION_SPEC,
    },
    "Route": {
        **_V1,
        "kind": "Route",
        "metadata": _META,
        "spec": {
            "traffic": [
                *_TARGETS,
                {"configurationName": "iris", "latestRevision": True, "percent": 60},
            ]
        },
    },
    "DomainMapping": {
        "apiVersion": "serving.knative.dev/v1beta1",
        "kind": "DomainMapping",
        "metadata": {"name": "iris.example.com", "namespace": "default"},
        "spec": {
            "ref": {
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Service",
                "name": "iris",
                "namespace": "default",
            }
        },
    },
    "PodAutoscaler": {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {"name": "iris-1", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": "iris-1-deployment",
            },
            "containerConcurrency": 1,
            "reachability": "Reachable",
            "protocolType": "http1",
        },
    },
}
