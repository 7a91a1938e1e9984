from collections.abc import Callable
from typing import Any

import pytest

from api import pods, refusals
from api.errors import InvalidObjectError
from api.fields import NOT_SUPPORTED, Faults, Fields
from api.pods import Container, ContainerPort, EnvVar, Resources

C0 = "spec.containers[0]"


def containers_of(raw: Any) -> tuple[Container, ...]:
    faults = Faults()
    found = pods.read_containers(Fields({"containers": raw}, "spec", faults))
    faults.raise_any()
    return found


def fault_of(container: dict[str, Any]) -> str:
    with pytest.raises(InvalidObjectError) as caught:
        containers_of([{"image": "a/b", **container}])
    return str(caught.value)


def test_a_full_container() -> None:
    raw = {
        "name": "c",
        "image": "a/b:1",
        "command": ["run"],
        "args": ["-v", ""],
        "env": [{"name": "A", "value": "1"}, {"name": "B"}],
        "ports": [{"containerPort": 9000, "name": "http1", "protocol": "TCP"}],
        "resources": {
            "limits": {"cpu": 1, "memory": "1Gi", "nvidia.com/gpu": 1},
            "requests": {"cpu": 0.5, "memory": "1024Mi"},
        },
    }
    (found,) = containers_of([raw])
    assert found == Container(
        name="c",
        image="a/b:1",
        command=("run",),
        args=("-v", ""),
        env=(EnvVar(name="A", value="1"), EnvVar(name="B", value="")),
        ports=(ContainerPort(name="http1", container_port=9000, protocol="TCP"),),
        resources=Resources(
            limits={"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"},
            requests={"cpu": "0.5", "memory": "1024Mi"},
        ),
    )


def test_defaults() -> None:
    (found,) = containers_of([{"image": "a/b"}])
    assert found == Container(name="user-container", image="a/b")
    (found,) = containers_of([{"image": "a/b", "ports": [{}]}])
    assert [port.container_port for port in found.ports] == [8080]


@pytest.mark.parametrize("raw", [None, []])
def test_no_container(raw: object, refused: Callable[..., str]) -> None:
    assert refused(containers_of, raw) == "missing field(s): spec.containers"


def test_containers_of_the_wrong_type_are_told_once(refused: Callable[..., str]) -> None:
    assert refused(containers_of, {}).startswith("invalid value: {...}: spec.containers\n")


def test_one_container_with_one_port(refused: Callable[..., str]) -> None:
    one = {"image": "a/b", "ports": [{}]}
    assert refused(containers_of, [one, one]).splitlines() == [
        "more than one container port is set: spec.containers[*].ports",
        "Only a single port is allowed across all containers",
        "multi-container is off, but found 2 containers: spec.containers",
        NOT_SUPPORTED,
    ]


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
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {}}}]},
            f"must not set the field(s): {C0}.env[0].valueFrom\n{NOT_SUPPORTED}",
        ),
        (
            {"ports": [{"containerPort": 8022}]},
            f"invalid value: 8022 is a reserved port: {C0}.ports[0].containerPort\n"
            "8022 is a reserved port, please use a different value",
        ),
        (
            {"ports": [{"containerPort": 65536}]},
            f"expected 0 <= 65536 <= 65535: {C0}.ports[0].containerPort",
        ),
        (
            {"ports": [{"containerPort": -1}]},
            f"expected 0 <= -1 <= 65535: {C0}.ports[0].containerPort",
        ),
        ({"ports": [{"protocol": "UDP"}]}, f"invalid value: UDP: {C0}.ports[0].protocol"),
        (
            {"ports": [{"name": "web"}]},
            f"Port name web is not allowed: {C0}.ports\n"
            "Name must be empty, or one of: 'h2c', 'http1'",
        ),
        (
            {"ports": [{"name": "h2c"}]},
            f"invalid value: h2c: {C0}.ports[0].name\n{NOT_SUPPORTED}",
        ),
        ({"ports": [{"hostPort": 80}]}, f"must not set the field(s): {C0}.ports[0].hostPort"),
        (
            {"resources": {"claims": [{"name": "x"}]}},
            f"must not set the field(s): {C0}.resources.claims",
        ),
        (
            {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1001m"}}},
            f"invalid value: 1001m: {C0}.resources.requests.cpu\n"
            "must be less than or equal to cpu limit of 1",
        ),
        (
            {"resources": {"limits": {"cpu": "-1"}}},
            f"invalid value: -1: {C0}.resources.limits.cpu\nmust be greater than or equal to 0",
        ),
        (
            {"resources": {"limits": {"gpu": "1"}}},
            f'invalid key name "gpu": {C0}.resources.limits\n'
            "must be a standard resource for containers",
        ),
        (
            {"resources": {"limits": {"cpu": "lots"}}},
            f"invalid value: lots: {C0}.resources.limits.cpu\n"
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        ({"comand": ["x"]}, f"unknown field: {C0}.comand"),
    ],
)
def test_a_wrong_container_is_refused_by_path(container: dict[str, Any], expected: str) -> None:
    assert fault_of(container) == expected


@pytest.mark.parametrize("value", [True, None, [], {}])
def test_an_amount_must_be_one(value: object) -> None:
    found = fault_of({"resources": {"limits": {"cpu": value}}})
    assert found.startswith("invalid value: ")
    assert f"{C0}.resources.limits.cpu\nquantities must match" in found


@pytest.mark.parametrize("name", ["1A", "A=B", "A B", "ü"])
def test_names_of_variables(name: str) -> None:
    found = fault_of({"env": [{"name": name}]})
    assert found.startswith(
        f"invalid value: {name}: {C0}.env[0].name\na valid environment variable name must consist"
    )


@pytest.mark.parametrize("name", ["PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"])
def test_reserved_variables(name: str) -> None:
    assert fault_of({"env": [{"name": name}]}) == (
        f'"{name}" is a reserved environment variable: {C0}.env[0].name'
    )


@pytest.mark.parametrize("port", [8008, 8012, 8013, 8022, 9090, 9091])
def test_reserved_ports(port: int) -> None:
    assert f"{port} is a reserved port" in fault_of({"ports": [{"containerPort": port}]})


@pytest.mark.parametrize("name", sorted(refusals.UNSUPPORTED_CONTAINER))
def test_what_knative_takes_and_we_do_not(name: str) -> None:
    expected = f"must not set the field(s): {C0}.{name}\n{NOT_SUPPORTED}"
    assert fault_of({name: {"x": 1}}) == expected


@pytest.mark.parametrize("name", sorted(refusals.DISALLOWED_CONTAINER))
def test_what_knative_never_takes(name: str) -> None:
    assert fault_of({name: {"x": 1}}) == f"must not set the field(s): {C0}.{name}"
