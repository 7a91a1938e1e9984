from typing import Any

import pytest

from api.volumes import is_writable
from tests.api.test_containers import C0, fault_of

V0 = "spec.volumes[0]"
M0 = f"{C0}.volumeMounts[0]"


def volume_fault(volume: dict[str, Any]) -> str:
    mount = {"name": volume.get("name", "v"), "mountPath": "/v", "readOnly": True}
    return fault_of({"volumeMounts": [mount]}, volumes=[volume])


def mount_fault(mount: dict[str, Any], **source: Any) -> str:
    source = source or {"emptyDir": {}}
    return fault_of({"volumeMounts": [{"name": "v", **mount}]}, volumes=[{"name": "v", **source}])


def projected(source: dict[str, Any]) -> dict[str, Any]:
    return {"name": "v", "projected": {"sources": [source]}}


S0 = f"{V0}.projected.sources[0]"


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}, ""),
        ({"name": "V_", "emptyDir": {}}, f"invalid value: V_: {V0}.name"),
        (
            {"name": "v"},
            f"expected exactly one, got neither: {V0}.configMap, {V0}.emptyDir, {V0}.hostPath, "
            f"{V0}.persistentVolumeClaim, {V0}.projected, {V0}.secret",
        ),
        (
            {"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}},
            f"expected exactly one, got both: {V0}.emptyDir, {V0}.hostPath",
        ),
        ({"name": "v", "emptyDir": {"medium": "Tape"}}, f"invalid value: Tape: {V0}.emptyDir.medi"),
        (
            {"name": "v", "secret": {"secretName": "s", "items": [{"key": "k"}]}},
            f"missing field(s): {V0}.secret.items[0].path",
        ),
        (
            {"name": "v", "secret": {"secretName": "s", "items": [{"key": "k", "path": "../x"}]}},
            f"invalid value: ../x: {V0}.secret.items[0].path\nmust be a relative path without '..'",
        ),
        ({"name": "v", "secret": {}}, f"missing field(s): {V0}.secret.secretName"),
        (
            projected({}),
            f"expected exactly one, got neither: {S0}.configMap, {S0}.downwardAPI, {S0}.secret, "
            f"{S0}.serviceAccountToken",
        ),
        (projected({"configMap": {}}), f"missing field(s): {S0}.configMap.name"),
        (projected({"serviceAccountToken": {}}), f"missing field(s): {S0}.serviceAccountToken.pat"),
        (
            projected({"downwardAPI": {"items": [{"path": "a"}]}}),
            f"expected exactly one, got neither: {S0}.downwardAPI.items[0].fieldRef, "
            f"{S0}.downwardAPI.items[0].resourceFieldRef",
        ),
        (
            projected(
                {
                    "downwardAPI": {
                        "items": [
                            {
                                "path": "a",
                                "fieldRef": {"fieldPath": "metadata.name"},
                                "resourceFieldRef": {"resource": "limits.cpu"},
                            }
                        ]
                    }
                }
            ),
            f"Within a single item, cannot set both: {S0}.downwardAPI.items[0].fieldRef, "
            f"{S0}.downwardAPI.items[0].resourceFieldRef",
        ),
    ],
)
def test_volumes(volume: dict[str, Any], expected: str) -> None:
    found = volume_fault(volume)
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_two_of_a_name_and_one_nobody_mounts() -> None:
    volumes = [{"name": name, "emptyDir": {}} for name in ("v", "v", "w")]
    mounts = [{"name": "v", "mountPath": "/v"}]
    assert fault_of({"volumeMounts": mounts}, volumes=volumes) == (
        'duplicate volume name "v": spec.volumes[1].name\n'
        'volume with name "w" not mounted: spec.volumes[2].name'
    )


@pytest.mark.parametrize("kind", ["csi", "ephemeral", "image"])
def test_sources_behind_a_flag_that_is_off(kind: str) -> None:
    name = {"csi": "CSI", "ephemeral": "Ephemeral", "image": "Image"}[kind]
    found = volume_fault({"name": "v", kind: {"x": 1}})
    assert f"{name} volume support is disabled, but found {name} volume v: {V0}.{kind}" in found
    assert f"must not set the field(s): {V0}.{kind}" in found


@pytest.mark.parametrize(
    ("mount", "source", "expected"),
    [
        ({"mountPath": "/v", "subPath": "a/b"}, {}, ""),
        ({}, {}, f"missing field(s): {M0}.mountPath"),
        ({"mountPath": "v"}, {}, f"invalid value: v: {M0}.mountPath"),
        (
            {"mountPath": "//dev/log/"},
            {},
            f'mountPath "/dev/log" is a reserved path: {M0}.mountPat',
        ),
        ({"mountPath": "/v/.."}, {}, f'mountPath "/" is a reserved path: {M0}.mountPath'),
        (
            {"mountPath": "/v", "subPath": "../b"},
            {},
            f"invalid value: ../b: {M0}.subPath\nmust be a relative path without '..'",
        ),
        (
            {"mountPath": "/v"},
            {"configMap": {"name": "c"}},
            f"volume mount should be readOnly for this type of volume: {M0}.readOnly",
        ),
        (
            {"mountPath": "/v"},
            {"persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
            f"volume is readOnly but volume mount is not: {M0}.readOnly",
        ),
        ({"mountPath": "/v"}, {"persistentVolumeClaim": {"claimName": "c"}}, ""),
        (
            {"mountPath": "/v", "mountPropagation": "None"},
            {},
            "Volume Mount Propagation support is disabled, but found volume mount v with mount "
            f"propagation: {M0}.mountPropagation\n"
            f"must not set the field(s): {M0}.mountPropagation",
        ),
    ],
)
def test_mounts(mount: dict[str, Any], source: dict[str, Any], expected: str) -> None:
    found = mount_fault(mount, **source)
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_a_mount_path_is_used_once_by_a_container() -> None:
    mounts = [{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/v/"}]
    assert fault_of({"volumeMounts": mounts}, volumes=[{"name": "v", "emptyDir": {}}]) == (
        f'invalid value: "/v/" must be unique: {C0}.volumeMounts[1].mountPath'
    )


def test_which_volumes_can_be_written() -> None:
    assert is_writable({"emptyDir": {}})
    assert is_writable({"persistentVolumeClaim": {"claimName": "c"}})
    assert not is_writable({"hostPath": {"path": "/"}})


def told_in_file(path: str) -> str:
    item = {"path": "a", "fieldRef": {"fieldPath": path}}
    return volume_fault(projected({"downwardAPI": {"items": [item]}}))


def told_in_variable(path: str) -> str:
    return fault_of({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}]})


@pytest.mark.parametrize("path", ["metadata.labels", "metadata.annotations"])
def test_only_a_file_can_be_told_all_labels(path: str) -> None:
    assert told_in_file(path) == ""
    assert told_in_variable(path).startswith(f"invalid value: {path}: ")


def test_only_a_variable_can_be_told_where_the_pod_runs() -> None:
    assert told_in_variable("status.podIP") == ""
    assert told_in_file("status.podIP").startswith("invalid value: status.podIP: ")


@pytest.mark.parametrize("path", ["metadata.name", "metadata.labels['app']"])
def test_both_can_be_told(path: str) -> None:
    assert told_in_file(path) == told_in_variable(path) == ""
