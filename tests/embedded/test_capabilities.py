from typing import Any

import pytest

from embedded.capabilities import TABLE, Machine, refusals
from embedded.security import Owner

LABELS = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": "here"}


def paths(machine: Machine | None = None, **spec: Any) -> list[str]:
    made = {"containers": [{"name": "c"}], **spec}
    machine = machine or Machine(labels=LABELS)
    return [each.paths[0] for each in refusals(made, path="spec", machine=machine)]


def of(**container: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", **container}]}


REQUIRED = {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}
SOFT = {"preferredDuringSchedulingIgnoredDuringExecution": [{}]}


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        # What one machine truthfully does.
        ({"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["a"]}]}, []),
        ({"tolerations": [{"operator": "Exists"}], "imagePullSecrets": [{"name": "x"}]}, []),
        ({"schedulerName": "default-scheduler", "dnsPolicy": "ClusterFirst"}, []),
        ({"enableServiceLinks": True, "shareProcessNamespace": True, "hostNetwork": True}, []),
        (
            {"nodeSelector": {"kubernetes.io/os": "linux"}, "affinity": {"podAntiAffinity": SOFT}},
            [],
        ),
        ({"serviceAccountName": "x", "automountServiceAccountToken": False}, []),
        ({"serviceAccountName": "default"}, []),
        ({"nodeName": "localhost"}, []),
        ({"nodeName": "another"}, ["spec.nodeName"]),
        ({"topologySpreadConstraints": [{"topologyKey": "kubernetes.io/hostname"}]}, []),
        ({"initContainers": [], "volumes": [], "nodeSelector": {}, "affinity": {}}, []),
        (of(imagePullPolicy="Always", stdin=False), []),
        (of(livenessProbe={"httpGet": {"host": "127.0.0.1"}}), []),
        # What it does not.
        ({"nodeSelector": {"gpu": "yes"}}, ["spec.nodeSelector"]),
        (
            {"affinity": {"nodeAffinity": REQUIRED}},
            [f"spec.affinity.nodeAffinity.{next(iter(REQUIRED))}"],
        ),
        (
            {"topologySpreadConstraints": [{"topologyKey": "zone"}]},
            ["spec.topologySpreadConstraints[0]"],
        ),
        ({"runtimeClassName": "x"}, ["spec.runtimeClassName"]),
        ({"priorityClassName": "x"}, ["spec.priorityClassName"]),
        ({"schedulerName": "mine"}, ["spec.schedulerName"]),
        ({"dnsConfig": {"nameservers": ["1.1.1.1"]}}, ["spec.dnsConfig"]),
        ({"serviceAccountName": "x"}, ["spec.serviceAccountName"]),
        ({"automountServiceAccountToken": True}, ["spec.automountServiceAccountToken"]),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}]},
            ["spec.volumes[0].persistentVolumeClaim"],
        ),
        (
            {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]},
            ["spec.volumes[0].emptyDir.sizeLimit"],
        ),
        (
            {"volumes": [{"name": "v", "hostPath": {"path": "/x", "type": "Socket"}}]},
            ["spec.volumes[0].hostPath.type"],
        ),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {}}]}}]},
            ["spec.volumes[0].projected.sources[0].serviceAccountToken"],
        ),
        (
            of(lifecycle={"preStop": {}}, tty=True),
            ["spec.containers[0].lifecycle", "spec.containers[0].tty"],
        ),
        (
            of(resources={"limits": {"ephemeral-storage": "1Gi"}}),
            ["spec.containers[0].resources.limits.ephemeral-storage"],
        ),
        (of(ports=[{"hostPort": 80}]), ["spec.containers[0].ports[0].hostPort"]),
        (
            of(env=[{"valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]),
            ["spec.containers[0].env[0].valueFrom.fieldRef.fieldPath"],
        ),
        (
            of(volumeMounts=[{"mountPropagation": "Bidirectional"}]),
            ["spec.containers[0].volumeMounts[0].mountPropagation"],
        ),
        (
            of(readinessProbe={"httpGet": {"host": "example.org"}}),
            ["spec.containers[0].readinessProbe.httpGet.host"],
        ),
        (
            {"initContainers": [{"name": "i", "restartPolicy": "Always"}]},
            ["spec.initContainers[0].restartPolicy"],
        ),
        ({"securityContext": {"sysctls": [{}]}}, ["spec.securityContext.sysctls"]),
        # A form that is wrong is another's to refuse.
        ({"volumes": "x", "affinity": 3, "nodeSelector": [1], "containers": [4]}, []),
    ],
)
def test_each_is_served_or_refused_by_its_path(spec: dict[str, Any], refused: list[str]) -> None:
    assert paths(**spec) == refused


def test_a_kernel_that_lets_us_mount_nothing_refuses_what_needs_it() -> None:
    machine = Machine(no_mounts="cannot make a mount namespace: Operation not permitted")
    container = {
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        "terminationMessagePath": "/x",
        "securityContext": {"readOnlyRootFilesystem": True},
    }
    assert paths(machine, hostAliases=[{"ip": "1.1.1.1"}]) == ["spec.hostAliases"]
    (first, *_) = refusals(of(**container), path="spec", machine=machine)
    assert first.details.endswith("Operation not permitted")
    assert paths(machine, **of(**container)) == [
        "spec.containers[0].volumeMounts",
        "spec.containers[0].terminationMessagePath",
        "spec.containers[0].securityContext.readOnlyRootFilesystem",
    ]


def test_who_may_not_become_another_says_so() -> None:
    machine = Machine(owner=Owner(uid=1000, gid=1000))
    assert paths(machine, **of(securityContext={"runAsUser": 5})) == [
        "spec.containers[0].securityContext.runAsUser"
    ]


def test_the_table_names_each_thing_once_with_a_reason() -> None:
    names = [row.path for row in TABLE]
    assert len(names) == len(set(names))
    assert all(row.why for row in TABLE)
