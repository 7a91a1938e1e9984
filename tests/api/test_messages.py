"""Every message of Knative's validation, by the manifest that earns it.

Each case changes a valid object at some paths and gives the whole text of the refusal. The
texts and paths are Knative's; where ours differ on purpose, the case says so.
"""

import copy
from typing import Any

import pytest

from api import kinds
from api.admission import admit
from api.errors import InvalidObjectError

Raw = dict[str, Any]
Changes = dict[str, Any]  # "a/b/0/c": value

POD = "spec/template/spec"
C0 = f"{POD}/containers/0"
META = "spec/template/metadata"
SAYS = f"{META}/annotations"

P = "spec.template.spec"
PC0 = f"{P}.containers[0]"
PA = "spec.template.metadata.annotations"
SCALING = "autoscaling.knative.dev"

DNS_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
DNS_1123_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    r"for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)

BASES: dict[str, Raw] = {
    "Service": {
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {
            "template": {"metadata": {}, "spec": {"containers": [{"image": "a/b"}]}},
            "traffic": [{"percent": 100}],
        },
    },
    "Configuration": {
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {"template": {"metadata": {}, "spec": {"containers": [{"image": "a/b"}]}}},
    },
    "Revision": {
        "metadata": {"name": "iris-1", "namespace": "default"},
        "spec": {"containers": [{"image": "a/b"}]},
    },
    "Route": {
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {"traffic": [{"configurationName": "iris", "percent": 100}]},
    },
    "DomainMapping": {
        "metadata": {"name": "iris.example.com", "namespace": "default"},
        "spec": {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "a"}},
    },
}
RESOURCES = {
    "Service": kinds.SERVICES,
    "Configuration": kinds.CONFIGURATIONS,
    "Revision": kinds.REVISIONS,
    "Route": kinds.ROUTES,
    "DomainMapping": kinds.DOMAINMAPPINGS,
}


def changed(raw: Raw, changes: Changes) -> Raw:
    """A copy of the object with other values at some paths; steps that lack are made."""
    result = copy.deepcopy(raw)
    for path, value in changes.items():
        # A slash in a key is written as ~1, as in JSON pointers.
        *steps, last = (step.replace("~1", "/") for step in path.split("/"))
        inner: Any = result
        for step in steps:
            inner = inner[int(step)] if isinstance(inner, list) else inner.setdefault(step, {})
        inner[int(last) if isinstance(inner, list) else last] = value
    return result


def refusal(kind: str, changes: Changes, *, old: Changes | None = None) -> str:
    before = (
        None if old is None else admit(RESOURCES[kind], changed(BASES[kind], old), None, user="")
    )
    with pytest.raises(InvalidObjectError) as caught:
        admit(RESOURCES[kind], changed(BASES[kind], changes), before, user="")
    return str(caught.value)


def annotated(key: str, value: str) -> Changes:
    return {f"{SAYS}/{key.replace('/', '~1')}": value}


TRAFFIC: list[tuple[str, Changes, str]] = [
    (
        "Service",
        {"spec/traffic": [{"percent": 60}, {"percent": 60}]},
        "Traffic targets sum to 120, want 100: spec.traffic",
    ),
    ("Route", {"spec/traffic": []}, "Traffic targets sum to 0, want 100: spec.traffic"),
    (
        "Service",
        {"spec/traffic": [{"tag": "x", "percent": 50}, {"tag": "x", "percent": 50}]},
        'Multiple definitions for "x": spec.traffic[0].tag, spec.traffic[1].tag',
    ),
    (
        "Service",
        {"spec/traffic": [{"percent": 101}, {"percent": -1}]},
        "expected 0 <= -1 <= 100: spec.traffic[1].percent\n"
        "expected 0 <= 101 <= 100: spec.traffic[0].percent",
    ),
    (
        "Service",
        {"spec/traffic": [{"revisionName": "x", "latestRevision": True, "percent": 100}]},
        'may not set revisionName "x" when latestRevision is true: spec.traffic[0].latestRevision',
    ),
    (
        "Service",
        {"spec/traffic": [{"latestRevision": False, "percent": 100}]},
        'may not set revisionName "" when latestRevision is false: spec.traffic[0].latestRevision',
    ),
    (
        "Service",
        {"spec/traffic": [{"configurationName": "iris", "percent": 100}]},
        "must not set the field(s): spec.traffic[0].configurationName",
    ),
    (
        "Route",
        {"spec/traffic": [{"configurationName": "a", "revisionName": "b", "percent": 100}]},
        "expected exactly one, got both: spec.traffic[0].configurationName, "
        "spec.traffic[0].revisionName",
    ),
    (
        "Route",
        {"spec/traffic": [{"percent": 100}]},
        "expected exactly one, got neither: spec.traffic[0].configurationName, "
        "spec.traffic[0].revisionName",
    ),
    (
        "Service",
        {"spec/traffic": [{"tag": "A", "percent": 100}]},
        f"invalid value: not a DNS 1035 label: [{DNS_1035}]: spec.traffic[0].tag",
    ),
    (
        "Service",
        {"spec/traffic": [{"tag": "a", "url": "http://x", "percent": 100}]},
        "must not set the field(s): spec.traffic[0].url",
    ),
]
TEMPLATES: list[tuple[str, Changes, str]] = [
    (
        "Service",
        {f"{META}/name": "iris-X"},
        f"invalid value: not a DNS 1035 label: [{DNS_1035}]: spec.template.metadata.name",
    ),
    (
        "Configuration",
        {f"{META}/name": "x"},
        'invalid value: "x" must have prefix "iris-": spec.template.metadata.name',
    ),
    (
        "Service",
        {"metadata": {"generateName": "iris-"}, f"{META}/name": "iris-x"},
        "must not set the field(s): spec.template.metadata.name",
    ),
    (
        "Service",
        {f"{POD}/timeoutSeconds": 601},
        f"expected 0 <= 601 <= 600: {P}.timeoutSeconds",
    ),
    (
        "Service",
        {f"{POD}/containerConcurrency": -1},
        f"expected 0 <= -1 <= 1000: {P}.containerConcurrency",
    ),
    (
        "Service",
        {f"{POD}/containerConcurrency": 1001},
        f"expected 0 <= 1001 <= 1000: {P}.containerConcurrency",
    ),
    # Knative takes a negative one, and then has no meaning for it.
    (
        "Service",
        {f"{POD}/responseStartTimeoutSeconds": -1},
        f"expected 0 <= -1 <= 9223372036854775807: {P}.responseStartTimeoutSeconds",
    ),
    (
        "Service",
        {f"{POD}/idleTimeoutSeconds": -1},
        f"expected 0 <= -1 <= 9223372036854775807: {P}.idleTimeoutSeconds",
    ),
]
NEVER_ALLOWED: dict[str, Any] = {
    "restartPolicy": "Never",
    "terminationGracePeriodSeconds": 30,
    "activeDeadlineSeconds": 30,
    "nodeName": "n",
    "hostname": "h",
    "subdomain": "s",
    "priority": 1,
    "readinessGates": [{"conditionType": "x"}],
    "hostNetwork": True,
    "hostPID": True,
    "hostIPC": True,
    "automountServiceAccountToken": True,
}
NEVER_IN_CONTAINERS: dict[str, Any] = {
    "lifecycle": {"preStop": {"exec": {"command": ["x"]}}},
    "stdin": True,
    "stdinOnce": True,
    "tty": True,
    "volumeDevices": [{"name": "d", "devicePath": "/dev/d"}],
    "resources.claims": [{"name": "gpu"}],
    "ports[0].hostPort": 80,
    "ports[0].hostIP": "1.2.3.4",
    "securityContext.privileged": True,
    "securityContext.procMount": "Default",
    "securityContext.seLinuxOptions": {"level": "s0"},
    "securityContext.capabilities.add": ["NET_ADMIN"],
}


def _container_changes(name: str, value: Any) -> Changes:
    if name.startswith("ports[0]."):
        return {f"{C0}/ports": [{name.removeprefix("ports[0]."): value}]}
    return {f"{C0}/{name.replace('.', '/')}": value}


NEVER: list[tuple[str, Changes, str]] = [
    *(
        ("Service", {f"{POD}/{name}": value}, f"must not set the field(s): {P}.{name}")
        for name, value in NEVER_ALLOWED.items()
    ),
    *(
        ("Service", _container_changes(name, value), f"must not set the field(s): {PC0}.{name}")
        for name, value in NEVER_IN_CONTAINERS.items()
    ),
]


def mounted(volume: Raw, **mount: Any) -> Changes:
    name = volume.get("name", "v")
    return {
        f"{POD}/volumes": [volume],
        f"{C0}/volumeMounts": [{"name": name, "mountPath": "/v", **mount}],
    }


EMPTY = {"name": "v", "emptyDir": {}}
V0 = f"{P}.volumes[0]"
M0 = f"{PC0}.volumeMounts[0]"
R0 = f"{PC0}.readinessProbe"

PORTS: list[tuple[str, Changes, str]] = [
    (
        "Service",
        {f"{C0}/ports": [{"containerPort": 80}, {"containerPort": 81}]},
        f"more than one container port is set: {P}.containers[*].ports\n"
        "Only a single port is allowed across all containers",
    ),
    (
        "Service",
        {f"{POD}/containers": [{"image": "a/b"}, {"image": "a/c"}]},
        f"missing field(s): {P}.containers[*].ports",
    ),
    (
        "Service",
        {f"{C0}/ports": [{"name": "arbitrary"}]},
        f"Port name arbitrary is not allowed: {PC0}.ports\n"
        "Name must be empty, or one of: 'h2c', 'http1'",
    ),
    (
        "Service",
        {f"{C0}/ports": [{"protocol": "UDP"}]},
        f"invalid value: UDP: {PC0}.ports[0].protocol",
    ),
    (
        "Service",
        {f"{C0}/ports": [{"containerPort": 65536}]},
        f"expected 0 <= 65536 <= 65535: {PC0}.ports[0].containerPort",
    ),
    *(
        (
            "Service",
            {f"{C0}/ports": [{"containerPort": port}]},
            f"invalid value: {port} is a reserved port: {PC0}.ports[0].containerPort\n"
            f"{port} is a reserved port, please use a different value",
        )
        for port in (8008, 8012, 8013, 8022, 9090, 9091)
    ),
]
CONTAINERS: list[tuple[str, Changes, str]] = [
    ("Service", {f"{POD}/containers": []}, f"missing field(s): {P}.containers"),
    ("Service", {f"{C0}/image": ""}, f"missing field(s): {PC0}.image"),
    (
        "Service",
        {f"{C0}/image": "A b"},
        f"Failed to parse image reference: {PC0}.image\n"
        'image: "A b", error: could not parse reference: A b',
    ),
    *(
        (
            "Service",
            {f"{C0}/env": [{"name": name}]},
            f'"{name}" is a reserved environment variable: {PC0}.env[0].name',
        )
        for name in ("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION")
    ),
    (
        "Service",
        {
            f"{POD}/containers": [
                {"image": "a/b", "ports": [{}]},
                {"image": "a/c", "env": [{"name": "PORT"}, {"name": "K_SERVICE"}]},
            ]
        },
        f'"K_SERVICE" is a reserved environment variable: {P}.containers[1].env[1].name',
    ),
    (
        "Service",
        {f"{C0}/env": [{"name": "A"}, {"name": "B"}, {"name": "A", "value": "x"}]},
        f'Duplicate value: "A": {PC0}.env[2].name',
    ),
    ("Service", {f"{C0}/lifecycle": {}}, f"must not set the field(s): {PC0}.lifecycle"),
    ("Service", {f"{C0}/env": [{"value": "x"}]}, f"missing field(s): {PC0}.env[0].name"),
    (
        "Service",
        {f"{C0}/envFrom": [{}]},
        f"expected exactly one, got neither: {PC0}.envFrom[0].configMapRef, "
        f"{PC0}.envFrom[0].secretRef",
    ),
    (
        "Service",
        {f"{C0}/envFrom": [{"configMapRef": {"name": "c"}, "secretRef": {"name": "s"}}]},
        f"expected exactly one, got both: {PC0}.envFrom[0].configMapRef, "
        f"{PC0}.envFrom[0].secretRef",
    ),
    (
        "Service",
        {f"{C0}/name": "queue-proxy"},
        f'"queue-proxy" is a reserved container name: {PC0}.name',
    ),
    (
        "Service",
        {
            f"{POD}/containers": [
                {"name": "x", "image": "a/b", "ports": [{}]},
                {"name": "x", "image": "a/c"},
            ]
        },
        f'duplicate container name "x": {P}.containers[1].name',
    ),
    (
        "Service",
        {f"{C0}/terminationMessagePolicy": "Never"},
        f"invalid value: Never: {PC0}.terminationMessagePolicy",
    ),
    (
        "Service",
        {f"{C0}/securityContext": {"runAsUser": -10, "runAsGroup": 2**31}},
        f"expected 0 <= -10 <= 2147483647: {PC0}.securityContext.runAsUser\n"
        f"expected 0 <= 2147483648 <= 2147483647: {PC0}.securityContext.runAsGroup",
    ),
    (
        "Service",
        {f"{POD}/securityContext": {"fsGroup": -1, "supplementalGroups": [1, -2]}},
        f"expected 0 <= -1 <= 2147483647: {P}.securityContext.fsGroup\n"
        f"expected 0 <= -2 <= 2147483647: {P}.securityContext.supplementalGroups[1]",
    ),
    (
        "Service",
        {f"{POD}/serviceAccountName": "Bad_Name"},
        f"invalid value: Bad_Name: {P}.serviceAccountName\n{DNS_1123_SUBDOMAIN}",
    ),
    *(
        (
            "Service",
            {f"{POD}/initContainers": [{"image": "a/b", name: value}]},
            f"field not allowed in an init container: {P}.initContainers[0].{name}",
        )
        for name, value in {
            "livenessProbe": {"exec": {"command": ["x"]}},
            "readinessProbe": {"exec": {"command": ["x"]}},
            "startupProbe": {"exec": {"command": ["x"]}},
            "lifecycle": {"preStop": {}},
        }.items()
    ),
]
VOLUMES: list[tuple[str, Changes, str]] = [
    # "/" is told clean, and so are the others.
    *(
        (
            "Service",
            mounted(EMPTY, mountPath=path),
            f'mountPath "{clean}" is a reserved path: {M0}.mountPath',
        )
        for path, clean in (("/", "/"), ("/dev/", "/dev"), ("/dev/log", "/dev/log"))
    ),
    ("Service", mounted(EMPTY, mountPath=""), f"missing field(s): {M0}.mountPath"),
    ("Service", mounted(EMPTY, mountPath="v"), f"invalid value: v: {M0}.mountPath"),
    (
        "Service",
        {f"{POD}/volumes": [EMPTY]},
        f'volume with name "v" not mounted: {V0}.name',
    ),
    (
        "Service",
        {f"{C0}/volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        f"volumeMount has no matching volume: {M0}.name",
    ),
    (
        "Service",
        {
            f"{POD}/volumes": [EMPTY, EMPTY],
            f"{C0}/volumeMounts": [{"name": "v", "mountPath": "/v"}],
        },
        f'duplicate volume name "v": {P}.volumes[1].name',
    ),
    (
        "Service",
        {
            f"{POD}/volumes": [EMPTY],
            f"{C0}/volumeMounts": [
                {"name": "v", "mountPath": "/v"},
                {"name": "v", "mountPath": "/v"},
            ],
        },
        f'invalid value: "/v" must be unique: {PC0}.volumeMounts[1].mountPath',
    ),
    # Defaulting makes such mounts of the containers read-only, but not those of init containers.
    (
        "Service",
        {
            f"{POD}/volumes": [{"name": "v", "configMap": {"name": "c"}}],
            f"{POD}/initContainers": [
                {"image": "a/b", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
            ],
        },
        "volume mount should be readOnly for this type of volume: "
        f"{P}.initContainers[0].volumeMounts[0].readOnly",
    ),
    (
        "Service",
        mounted({"name": "v", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}}),
        f"volume is readOnly but volume mount is not: {M0}.readOnly",
    ),
    (
        "Service",
        mounted(EMPTY, mountPropagation="HostToContainer"),
        "Volume Mount Propagation support is disabled, but found volume mount v with mount "
        f"propagation: {M0}.mountPropagation\n"
        f"must not set the field(s): {M0}.mountPropagation",
    ),
    (
        "Service",
        mounted({"name": "v"}),
        f"expected exactly one, got neither: {V0}.configMap, {V0}.emptyDir, {V0}.hostPath, "
        f"{V0}.persistentVolumeClaim, {V0}.projected, {V0}.secret",
    ),
    (
        "Service",
        mounted({"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}),
        f"expected exactly one, got both: {V0}.emptyDir, {V0}.secret",
    ),
    *(
        (
            "Service",
            mounted({"name": "v", "emptyDir": {}, field: {"x": 1}}),
            f"{name} volume support is disabled, but found {name} volume v: {V0}.{field}\n"
            f"must not set the field(s): {V0}.{field}",
        )
        for field, name in (("csi", "CSI"), ("ephemeral", "Ephemeral"), ("image", "Image"))
    ),
    (
        "Service",
        mounted({"name": "v", "emptyDir": {"medium": "Tape", "sizeLimit": "-1"}}),
        f"invalid value: -1: {V0}.emptyDir.sizeLimit\nmust be greater than or equal to 0\n"
        f"invalid value: Tape: {V0}.emptyDir.medium",
    ),
    (
        "Service",
        mounted({"name": "v", "secret": {"secretName": "s", "items": [{}]}}),
        f"missing field(s): {V0}.secret.items[0].key, {V0}.secret.items[0].path",
    ),
    (
        "Service",
        mounted({"name": "v", "projected": {"sources": [{}]}}),
        "expected exactly one, got neither: "
        f"{V0}.projected.sources[0].configMap, {V0}.projected.sources[0].downwardAPI, "
        f"{V0}.projected.sources[0].secret, {V0}.projected.sources[0].serviceAccountToken",
    ),
    (
        "Service",
        mounted({"name": "v", "projected": {"sources": [{"serviceAccountToken": {}}]}}),
        f"missing field(s): {V0}.projected.sources[0].serviceAccountToken.path",
    ),
]
PROBES: list[tuple[str, Changes, str]] = [
    (
        "Service",
        {f"{C0}/readinessProbe": {"httpGet": {"port": "web"}}},
        f"invalid value: web: {R0}.httpGet.port\nProbe port must match container port",
    ),
    (
        "Service",
        {f"{C0}/livenessProbe": {"tcpSocket": {"port": "web"}}},
        f"invalid value: web: {PC0}.livenessProbe.tcpSocket.port\n"
        "Probe port must match container port",
    ),
    (
        "Service",
        {
            f"{POD}/containers": [
                {"image": "a/b", "ports": [{}]},
                {"image": "a/c", "readinessProbe": {"tcpSocket": {}}},
            ]
        },
        f"invalid value: 0: {P}.containers[1].readinessProbe.tcpSocket.port\n"
        "Probe port must be specified",
    ),
    (
        "Service",
        {f"{C0}/readinessProbe": {"tcpSocket": {}, "failureThreshold": 3, "timeoutSeconds": 1}},
        f"failureThreshold is disallowed when periodSeconds is zero: {R0}.failureThreshold\n"
        f"timeoutSeconds is disallowed when periodSeconds is zero: {R0}.timeoutSeconds",
    ),
    (
        "Service",
        {
            f"{C0}/readinessProbe": {
                "tcpSocket": {},
                "periodSeconds": 1,
                "timeoutSeconds": -1,
                "failureThreshold": -2,
                "successThreshold": -3,
                "initialDelaySeconds": -4,
            }
        },
        f"expected 0 <= -4 <= 2147483647: {R0}.initialDelaySeconds\n"
        f"expected 1 <= -1 <= 2147483647: {R0}.timeoutSeconds\n"
        f"expected 1 <= -2 <= 2147483647: {R0}.failureThreshold\n"
        f"expected 1 <= -3 <= 2147483647: {R0}.successThreshold",
    ),
    (
        "Service",
        {f"{C0}/livenessProbe": {}},
        "expected exactly one, got neither: "
        + ", ".join(f"{PC0}.livenessProbe.{name}" for name in ("exec", "grpc", "httpGet"))
        + f", {PC0}.livenessProbe.tcpSocket",
    ),
    (
        "Service",
        {f"{C0}/startupProbe": {"exec": {"command": ["x"]}, "tcpSocket": {"port": 80}}},
        f"expected exactly one, got both: {PC0}.startupProbe.exec, {PC0}.startupProbe.tcpSocket",
    ),
]
METADATA: list[tuple[str, Changes, str]] = [
    *(
        (kind, {"metadata/name": "Iris"}, f"not a DNS 1035 label: [{DNS_1035}]: metadata.name")
        for kind in ("Configuration", "Route")
    ),
    (
        "Service",
        {"metadata/name": "a" * 64},
        "not a DNS 1035 label: [must be no more than 63 characters]: metadata.name",
    ),
    *(
        (
            kind,
            {"metadata/labels": {"serving.knative.dev/service": "iris"}},
            "missing field(s): metadata.labels.serving.knative.dev/service",
        )
        for kind in ("Configuration", "Route")
    ),
    (
        "Revision",
        {"metadata/labels": {"serving.knative.dev/configuration": "iris"}},
        "missing field(s): metadata.labels.serving.knative.dev/configuration",
    ),
    *(
        (
            kind,
            {"metadata/annotations": {f"{SCALING}/minScale": "1"}},
            f'invalid key name "{SCALING}/minScale": metadata.annotations\n'
            'autoscaling annotations must be put under "spec.template.metadata.annotations" '
            "to work",
        )
        for kind in ("Service", "Configuration", "Route")
    ),
    (
        "Service",
        {"metadata/labels": {"networking.knative.dev/visibility": "private"}},
        "invalid value: private: metadata.labels.networking.knative.dev/visibility",
    ),
    (
        "Service",
        annotated("networking.knative.dev/foo", "x"),
        f'invalid key name "networking.knative.dev/foo": {PA}',
    ),
    (
        "DomainMapping",
        {"metadata/generateName": "x"},
        "must not set the field(s): metadata.generateName",
    ),
    (
        "DomainMapping",
        {"metadata/name": "iris"},
        'invalid name "iris": name: Invalid value: "iris": should be a domain with at least two '
        "segments separated by dots: metadata.name",
    ),
    (
        "DomainMapping",
        {"metadata/name": "a.b.svc.cluster.local"},
        'invalid name "a.b.svc.cluster.local": must not be a subdomain of cluster local domain '
        '"cluster.local": metadata.name',
    ),
    (
        "DomainMapping",
        {"spec/ref": {}},
        "missing field(s): spec.ref.apiVersion, spec.ref.kind, spec.ref.name",
    ),
    (
        "DomainMapping",
        {"spec/ref/namespace": "other"},
        "mismatched namespaces: spec.ref.namespace\n"
        'parent namespace: "default" does not match ref: "other"',
    ),
]
# Reference 1.12: name, value, message; {} is the path of the annotation.
AUTOSCALING = [
    ("class", "foo.knative.dev", "invalid value: foo.knative.dev: {}"),
    ("metric", "memory", "invalid value: memory: {}"),
    ("target", "0.001", "target 0.001 should be at least 0.01: {}"),
    ("target", "x", "invalid value: x: {}"),
    ("target-utilization-percentage", "0.5", "expected 1 <= 0.5 <= 100: {}"),
    ("targetUtilizationPercentage", "101", "expected 1 <= 101 <= 100: {}"),
    ("target-burst-capacity", "-2", "invalid value: -2: {}"),
    ("min-scale", "-1", "expected 0 <= -1 <= 2147483647: {}"),
    ("minScale", "x", "invalid value: x: {}"),
    ("max-scale", "2147483648", "expected 0 <= 2147483648 <= 2147483647: {}"),
    ("initial-scale", "0", "invalid value: 0: {}=0 not allowed by cluster"),
    ("initial-scale", "-1", "invalid value: -1: {} must be greater than 0"),
    ("activation-scale", "1", "activation-scale=1 must be greater than 1: {}"),
    ("scale-down-delay", "2h", "expected 0s <= 2h <= 1h0m0s: {}"),
    ("scale-down-delay", "1500ms", "must be specified with at most second precision: {}"),
    ("scale-to-zero-pod-retention-period", "-1s", "expected 0s <= -1s <= 1h0m0s: {}"),
    ("window", "5s", "expected 6s <= 5s <= 1h0m0s: {}"),
    ("window", "6500ms", "must be specified with at most second precision: {}"),
    ("panic-window-percentage", "0.1", "expected 1 <= 0.1 <= 100: {}"),
    ("panic-threshold-percentage", "109", "expected 110 <= 109 <= 1000: {}"),
    ("metric-aggregation-algorithm", "median", "invalid value: median: {}"),
]
ANNOTATIONS: list[tuple[str, Changes, str]] = [
    *(
        (
            "Service",
            annotated(f"{SCALING}/{name}", value),
            text.format(f"{PA}.{SCALING}/{name}"),
        )
        for name, value, text in AUTOSCALING
    ),
    (
        "Service",
        {SAYS: {f"{SCALING}/min-scale": "3", f"{SCALING}/max-scale": "2"}},
        f"max-scale=2 is less than min-scale=3: {PA}.{SCALING}/max-scale, {PA}.{SCALING}/min-scale",
    ),
    (
        "Service",
        {SAYS: {f"{SCALING}/min-scale": "3", f"{SCALING}/activation-scale": "2"}},
        f"min-scale=3 is greater than activation-scale=2: {PA}.{SCALING}/activation-scale",
    ),
    (
        "Service",
        {SAYS: {f"{SCALING}/max-scale": "3", f"{SCALING}/activation-scale": "4"}},
        f"max-scale=3 is less than activation-scale=4: {PA}.{SCALING}/activation-scale",
    ),
    *(
        (
            "Service",
            annotated("serving.knative.dev/progress-deadline", value),
            text.format(f"{PA}.serving.knative.dev/progress-deadline"),
        )
        for value, text in (
            ("soon", "invalid value: soon: {}"),
            ("1500ms", "progress-deadline=1500ms is not at second precision: {}"),
            ("-1s", "progress-deadline=-1s must be positive: {}"),
        )
    ),
    (
        "Service",
        annotated(f"{SCALING}/class", "x.autoscaling.knative.dev"),
        f"invalid value: x.autoscaling.knative.dev: {PA}.{SCALING}/class",
    ),
    # Reference 1.14.
    *(
        (
            kind,
            {"metadata/annotations": {f"serving.knative.dev/{name}": value}},
            text.format(f"metadata.annotations.serving.knative.dev/{name}"),
        )
        for kind in ("Service", "Route")
        for name in ("rollout-duration", "rolloutDuration")
        for value, text in (
            ("soon", "invalid value: soon: {}"),
            ("1500ms", "rollout-duration=1500ms is not at second precision: {}"),
            ("-1s", "rollout-duration=-1s must be positive: {}"),
        )
    ),
]
ALL = [
    *(TRAFFIC + TEMPLATES + NEVER + PORTS + CONTAINERS),
    *(VOLUMES + PROBES + METADATA + ANNOTATIONS),
]


@pytest.mark.parametrize(
    ("kind", "changes", "expected"), ALL, ids=[text.splitlines()[0][:90] for _, _, text in ALL]
)
def test_message(kind: str, changes: Changes, expected: str) -> None:
    assert refusal(kind, changes) == expected


CLAIM = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
# Messages of the reference that no manifest earns here, with one that would where they can be
# earned: the feature is on, or the setting behind it is not Relight's.
NEVER_SAID: dict[str, Changes] = {
    "multi-container is off, but found %d containers": {
        f"{POD}/containers": [{"image": "a/b", "ports": [{}]}, {"image": "a/c"}]
    },
    "pod spec support for init-containers is off, but found %d init containers": {
        f"{POD}/initContainers": [{"image": "a/b"}]
    },
    "Persistent volume claim support is disabled, but found persistent volume claim %s": mounted(
        CLAIM, readOnly=True
    ),
    "Persistent volume write support is disabled, but found persistent volume claim %s that is "
    "not read-only": mounted(CLAIM),
    "EmptyDir volume support is disabled, but found EmptyDir volume %s": mounted(EMPTY),
    "HostPath volume support is disabled, but found HostPath volume %s": mounted(
        {"name": "v", "hostPath": {"path": "/srv"}}
    ),
    "must not set the field(s): spec.template.spec.nodeSelector": {
        f"{POD}/nodeSelector": {"gpu": "h100"}
    },
    "must not set the field(s): spec.template.spec.tolerations": {
        f"{POD}/tolerations": [{"operator": "Exists"}]
    },
    "must not set the field(s): ...valueFrom.fieldRef": {
        f"{C0}/env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    },
    "must not set the field(s): ...livenessProbe (of a sidecar)": {
        f"{POD}/containers": [
            {"image": "a/b", "ports": [{}]},
            {"image": "a/c", "livenessProbe": {"tcpSocket": {"port": 81}}},
        ]
    },
    "max-scale=0 (unlimited), must be less than %d": annotated(f"{SCALING}/max-scale", "0"),
    "expected 1 <= %d <= max-scale-limit": annotated(f"{SCALING}/max-scale", "1000000"),
    "metric-aggregation-algorithm of another class": {
        SAYS: {
            f"{SCALING}/class": "mine.example.com",
            f"{SCALING}/metric-aggregation-algorithm": "median",
        }
    },
}


@pytest.mark.parametrize("message", NEVER_SAID)
def test_never_said(message: str) -> None:
    admit(kinds.SERVICES, changed(BASES["Service"], NEVER_SAID[message]), None, user="")


@pytest.mark.parametrize("kind", BASES)
def test_what_the_cases_change_is_right(kind: str) -> None:
    admit(RESOURCES[kind], BASES[kind], None, user="")


def test_a_name_used_twice() -> None:
    named = {f"{META}/name": "iris-blue"}
    assert refusal("Service", {**named, f"{POD}/timeoutSeconds": 9}, old=named) == (
        "Saw the following changes without a name change (-old +new): spec.template.metadata.name\n"
        "spec.template.spec.timeoutSeconds:\n\t-: 300\n\t+: 9"
    )


def test_a_revision_that_changes() -> None:
    assert refusal("Revision", {"spec/containers/0/image": "a/c"}, old={}) == (
        "Immutable fields changed (-old +new): spec\n"
        'spec.containers[0].image:\n\t-: "a/b"\n\t+: "a/c"'
    )


def test_history_rewritten() -> None:
    path = "metadata.annotations.serving.knative.dev"
    users = "metadata/annotations"
    old = {users: {f"serving.knative.dev/{name}": "ann" for name in ("creator", "lastModifier")}}
    new = {users: {f"serving.knative.dev/{name}": "bob" for name in ("creator", "lastModifier")}}
    assert refusal("Service", new, old=old) == (
        f"annotation value is immutable: {path}/creator\ninvalid value: bob: {path}/lastModifier"
    )
