from typing import Any

import pytest

from api.pod_defaults import pod_defaulted

PORT = {"ports": [{"containerPort": 80}]}


def names(*given: str, init: tuple[str, ...] = ()) -> list[str]:
    spec = {
        "containers": [{"name": each, "image": "i"} for each in given],
        "initContainers": [{"name": each, "image": "i"} for each in init],
    }
    found = pod_defaulted(spec)
    return [each["name"] for part in ("containers", "initContainers") for each in found[part]]


def test_names() -> None:
    assert names("") == ["user-container"]
    assert names("mine") == ["mine"]
    assert names("", "b", "") == ["user-container-0", "b", "user-container-1"]
    assert names("user-container-0", "") == ["user-container-0", "user-container-1"]
    assert names("", init=("user-container",)) == ["user-container-0", "user-container"]
    assert names("a", init=("",)) == ["a", "init-container"]
    assert names("a", init=("", "")) == ["a", "init-container-0", "init-container-1"]


@pytest.mark.parametrize("port", [{}, {"containerPort": None}, {"containerPort": 0}])
def test_a_port_without_a_number_is_8080(port: dict[str, Any]) -> None:
    spec = {"containers": [{"ports": [{"name": "http1", **port}]}], "initContainers": [PORT]}
    found = pod_defaulted(spec)
    assert found["containers"][0]["ports"] == [{"name": "http1", "containerPort": 8080}]
    assert found["initContainers"][0]["ports"] == [{"containerPort": 80}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {"tcpSocket": {"port": 0}, "successThreshold": 1}),
        ({"exec": {}}, {"exec": {}, "successThreshold": 1}),
        (
            {"periodSeconds": 5},
            {
                "periodSeconds": 5,
                "tcpSocket": {"port": 0},
                "successThreshold": 1,
                "failureThreshold": 3,
                "timeoutSeconds": 1,
            },
        ),
        ({"grpc": {"port": 1}}, {"grpc": {"port": 1, "service": ""}, "successThreshold": 1}),
    ],
)
def test_readiness(given: Any, expected: dict[str, Any]) -> None:
    (found,) = pod_defaulted({"containers": [{"readinessProbe": given}]})["containers"]
    assert found["readinessProbe"] == expected


def test_only_the_serving_one_of_several_is_probed_unasked() -> None:
    side, main = pod_defaulted({"containers": [{}, PORT]})["containers"]
    assert "readinessProbe" not in side
    assert main["readinessProbe"] == {"tcpSocket": {"port": 0}, "successThreshold": 1}
    asked = {"tcpSocket": {"port": 1}}
    side, _ = pod_defaulted({"containers": [{"readinessProbe": asked}, PORT]})["containers"]
    assert side["readinessProbe"] == {**asked, "successThreshold": 1}


def test_what_can_not_be_written_is_mounted_read_only() -> None:
    mounts = [{"name": each, "mountPath": f"/{each}"} for each in ("e", "p", "c")]
    volumes = [
        {"name": "e", "emptyDir": {}},
        {"name": "p", "persistentVolumeClaim": {"claimName": "p"}},
        {"name": "c", "configMap": {"name": "c"}},
    ]
    spec = {"containers": [{"volumeMounts": mounts}], "volumes": volumes}
    (found,) = pod_defaulted(spec)["containers"]
    assert [each.get("readOnly") for each in found["volumeMounts"]] == [None, None, True]
    assert "readOnly" not in mounts[2]


def test_links_are_not_made_unless_asked_for() -> None:
    assert pod_defaulted({})["enableServiceLinks"] is False
    assert pod_defaulted({"enableServiceLinks": True})["enableServiceLinks"] is True
