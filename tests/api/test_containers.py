from typing import Any

import pytest

from api import pods
from api.errors import InvalidObjectError
from api.fields import Faults

C0 = "spec.containers[0]"


def fault_of(container: dict[str, Any], **pod: Any) -> str:
    faults = Faults()
    spec = {"containers": [{"image": "a/b", **container}], **pod}
    pods.read_revision_spec(spec, "spec", faults)
    try:
        faults.raise_any()
    except InvalidObjectError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"image": None}, f"missing field(s): {C0}.image"),
        ({"image": ""}, f"missing field(s): {C0}.image"),
        ({"image": 1}, f"invalid value: 1: {C0}.image\nmust be a string"),
        (
            {"image": "A b"},
            f"Failed to parse image reference: {C0}.image\n"
            'image: "A b", error: could not parse reference: A b',
        ),
        ({"name": "queue-proxy"}, f'"queue-proxy" is a reserved container name: {C0}.name'),
        ({"env": [{"value": "1"}]}, f"missing field(s): {C0}.env[0].name"),
        (
            {"env": [{"name": "A", "value": 1}]},
            f"invalid value: 1: {C0}.env[0].value\nmust be a string",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {}}]},
            "expected exactly one, got neither: "
            f"{C0}.env[0].valueFrom.configMapKeyRef, {C0}.env[0].valueFrom.fieldRef, "
            f"{C0}.env[0].valueFrom.resourceFieldRef, {C0}.env[0].valueFrom.secretKeyRef",
        ),
        (
            {
                "env": [
                    {"name": "A", "value": "1", "valueFrom": {"secretKeyRef": {"key": "k"}}},
                ]
            },
            f"expected exactly one, got both: {C0}.env[0].value, {C0}.env[0].valueFrom",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.containers"}}}]},
            f"invalid value: spec.containers: {C0}.env[0].valueFrom.fieldRef.fieldPath\n"
            "not a field a container can be told",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "gpu"}}}]},
            f"invalid value: gpu: {C0}.env[0].valueFrom.resourceFieldRef.resource\n"
            "must be limits or requests, a dot, and cpu, memory or ephemeral-storage",
        ),
        (
            {"envFrom": [{}]},
            f"expected exactly one, got neither: {C0}.envFrom[0].configMapRef, "
            f"{C0}.envFrom[0].secretRef",
        ),
        ({"ports": [{"protocol": "UDP"}]}, f"invalid value: UDP: {C0}.ports[0].protocol"),
        ({"ports": [{"hostPort": 80}]}, f"must not set the field(s): {C0}.ports[0].hostPort"),
        ({"ports": [{"hostPort": 0, "hostIP": ""}]}, ""),
        (
            {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1001m"}}},
            f"invalid value: 1001m: {C0}.resources.requests.cpu\n"
            "must be less than or equal to cpu limit of 1",
        ),
        (
            {"resources": {"limits": {"gpu": "1"}}},
            f'invalid key name "gpu": {C0}.resources.limits\n'
            "must be a standard resource for containers",
        ),
        (
            {"resources": {"limits": {"cpu": 1, "memory": "1Gi", "nvidia.com/gpu": 1}}},
            "",
        ),
        ({"securityContext": {"privileged": False}}, ""),
        (
            {"securityContext": {"privileged": True}},
            f"must not set the field(s): {C0}.securityContext.privileged",
        ),
        (
            {"imagePullPolicy": "Sometimes"},
            f"invalid value: Sometimes: {C0}.imagePullPolicy\n"
            "must be one of: Always, IfNotPresent, Never",
        ),
        ({"comand": ["x"]}, f"unknown field: {C0}.comand"),
    ],
)
def test_a_container_is_taken_or_refused_by_path(container: dict[str, Any], expected: str) -> None:
    assert fault_of(container) == expected


@pytest.mark.parametrize("value", [True, None, [], {}])
def test_an_amount_must_be_one(value: object) -> None:
    found = fault_of({"resources": {"limits": {"cpu": value}}})
    assert found.startswith("invalid value: ")
    assert f"{C0}.resources.limits.cpu\nquantities must match" in found


@pytest.mark.parametrize("name", ["1A", "A=B", "A B", "ü"])
def test_names_of_variables(name: str) -> None:
    sentence = "a valid environment variable name must consist"
    assert fault_of({"env": [{"name": name}]}).startswith(
        f"invalid value: {name}: {C0}.env[0].name\n{sentence}"
    )
    assert fault_of({"envFrom": [{"prefix": name, "secretRef": {"name": "s"}}]}).startswith(
        f"invalid value: {name}: {C0}.envFrom[0].prefix\n{sentence}"
    )


@pytest.mark.parametrize(
    "path", ["metadata.name", "metadata.labels['a.b/c']", "status.podIP", "spec.nodeName"]
)
def test_fields_a_container_can_be_told(path: str) -> None:
    assert not fault_of({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}]})
