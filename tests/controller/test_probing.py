from typing import Any

import pytest

from controller.probing import probes_at, readiness, serving_port

OURS = {"image": "relight/predictor"}


def test_the_port_that_takes_the_requests() -> None:
    assert serving_port({}) == 8080
    assert serving_port({"ports": [{"name": "h2c"}]}) == 8080
    assert serving_port({"ports": [{"containerPort": 9000}]}) == 9000


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"httpGet": {"path": "/"}}, {"httpGet": {"path": "/", "port": 9}}),
        ({"httpGet": {"port": 0}}, {"httpGet": {"port": 9}}),
        ({"httpGet": {"port": "h2c"}}, {"httpGet": {"port": 9}}),
        ({"httpGet": {"port": 7}}, {"httpGet": {"port": 7}}),
        ({"tcpSocket": None}, {"tcpSocket": {"port": 9}}),
        ({"grpc": {"service": ""}}, {"grpc": {"service": "", "port": 9}}),
        ({"exec": {"command": ["x"]}}, {"exec": {"command": ["x"]}}),
    ],
)
def test_a_probe_gets_the_port(action: dict[str, Any], expected: dict[str, Any]) -> None:
    container = {"ports": [{"containerPort": 9, "name": "h2c"}]}
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        found = probes_at({**container, kind: {**action, "periodSeconds": 4}}, 9)
        assert found == {kind: {**expected, "periodSeconds": 4}}


def test_no_probe_stays_none() -> None:
    assert probes_at({"livenessProbe": None}, 9) == {}


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, {"tcpSocket": {"port": 9}, "periodSeconds": 1}),
        (OURS, {"httpGet": {"path": "/v2/health/ready", "port": 9}, "periodSeconds": 1}),
        (
            {**OURS, "readinessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 7}},
            {"tcpSocket": {"port": 9}, "periodSeconds": 7},
        ),
        (
            {"readinessProbe": {"exec": {"command": ["x"]}, "periodSeconds": 0}},
            {"exec": {"command": ["x"]}, "periodSeconds": 1},
        ),
    ],
)
def test_readiness(container: dict[str, Any], expected: dict[str, Any]) -> None:
    assert readiness(container, 9) == expected
