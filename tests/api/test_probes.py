from typing import Any

import pytest

from tests.api.test_containers import C0, fault_of

R = f"{C0}.readinessProbe"
L = f"{C0}.livenessProbe"
EXEC = {"exec": {"command": ["true"]}}


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        ({}, f"exactly one, got neither: {R}.exec, {R}.grpc, {R}.httpGet, {R}.tcpSocket"),
        ({**EXEC, "tcpSocket": {}}, f"exactly one, got both: {R}.exec, {R}.tcpSocket"),
        ({"exec": {}}, f"missing field(s): {R}.exec.command"),
        ({"tcpSocket": {}}, ""),
        ({"httpGet": {"port": 9999}}, ""),
        ({"httpGet": {"port": "http"}}, ""),
        (
            {"httpGet": {"port": "web"}},
            f"invalid value: web: {R}.httpGet.port\nProbe port must match container port",
        ),
        ({"httpGet": {"port": 1.5}}, f"invalid value: 1.5: {R}.httpGet.port\nmust be a number or"),
        ({**EXEC, "periodSeconds": -1}, f"expected 0 <= -1 <= 2147483647: {R}.periodSeconds"),
        ({**EXEC, "successThreshold": -1}, f"expected 1 <= -1 <= 2147483647: {R}.successThr"),
        (
            {**EXEC, "failureThreshold": 2},
            f"failureThreshold is disallowed when periodSeconds is zero: {R}.failureThreshold",
        ),
        (
            {**EXEC, "timeoutSeconds": 2},
            f"timeoutSeconds is disallowed when periodSeconds is zero: {R}.timeoutSeconds",
        ),
        (
            {**EXEC, "timeoutSeconds": -2, "periodSeconds": 1},
            f"expected 1 <= -2 <= 2147483647: {R}.timeoutSeconds",
        ),
        ({**EXEC, "timeoutSeconds": 2, "failureThreshold": 2, "periodSeconds": 1}, ""),
        (
            {**EXEC, "terminationGracePeriodSeconds": 5},
            f"must not set the field(s): {R}.terminationGracePeriodSeconds\nmust not be set for",
        ),
    ],
)
def test_readiness(probe: dict[str, Any], expected: str) -> None:
    found = fault_of({"readinessProbe": probe})
    assert found.removeprefix("expected ").startswith(expected.removeprefix("expected "))
    assert bool(found) == bool(expected)


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        ({**EXEC, "timeoutSeconds": 2, "terminationGracePeriodSeconds": 5}, ""),
        (
            {**EXEC, "successThreshold": 2},
            f"invalid value: 2: {L}.successThreshold\nmust be 1 for liveness and startup probes",
        ),
        ({**EXEC, "failureThreshold": -1}, f"expected 0 <= -1 <= 2147483647: {L}.failureThreshold"),
    ],
)
def test_liveness(probe: dict[str, Any], expected: str) -> None:
    assert fault_of({"livenessProbe": probe}) == expected


def test_a_sidecar_has_no_port_to_take_for_granted() -> None:
    main = {"name": "main", "image": "a/b", "ports": [{}]}
    side = {"name": "side", "readinessProbe": {"tcpSocket": {}}, "image": "a/b"}
    assert fault_of({}, containers=[main, side]) == (
        "invalid value: 0: spec.containers[1].readinessProbe.tcpSocket.port\n"
        "Probe port must be specified"
    )
    side["readinessProbe"] = {"tcpSocket": {"port": 81}}
    assert fault_of({}, containers=[main, side]) == ""
