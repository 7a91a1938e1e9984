from typing import Any

import pytest

from embedded.launching import (
    CommandLaunch,
    PredictorLaunch,
    Refusal,
    backoff_s,
    has_default_readiness,
    is_mounted,
    launch_of,
    sidecar_ports,
    with_model,
    with_transformer,
)

POD = {"metadata": {"name": "p", "annotations": {"relight.dev/model-digest": "sha256:ab"}}}


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "user-container", **fields}


@pytest.mark.parametrize("args", [["--model", "m.onnx", "--threads", "2"], ["--model=m.onnx"]])
def test_a_predictor_is_launched_with_its_model_and_pinned_digest(args: list[str]) -> None:
    launch = launch_of(POD, container(image="relight/predictor", args=args), {"A": "1"})
    assert isinstance(launch, PredictorLaunch)
    assert (launch.model, launch.digest) == ("m.onnx", "sha256:ab")
    assert launch.env == {"A": "1"}
    assert "x/y.onnx" in " ".join(with_model(launch.args, "x/y.onnx"))
    assert "m.onnx" not in " ".join(with_model(launch.args, "x/y.onnx"))


@pytest.mark.parametrize("args", [["--python", "a/m.py:Mine"], ["--python=a/m.py:Mine"]])
def test_a_class_is_launched_from_another_file_of_the_same_code(args: list[str]) -> None:
    launch = launch_of(POD, container(image="relight/predictor", args=args), {})
    assert isinstance(launch, PredictorLaunch)
    assert (launch.model, launch.code) == ("", "a/m.py:Mine")
    moved = with_model(launch.args, "/copies/m.py")
    assert " ".join(moved).replace("=", " ") == "--python /copies/m.py:Mine"


def test_the_code_around_a_model_can_lie_elsewhere_too() -> None:
    args = ["--model", "m.onnx", "--transformer", "a/t.py:Towns"]
    launch = launch_of(POD, container(image="relight/predictor", args=args), {})
    assert isinstance(launch, PredictorLaunch)
    assert (launch.model, launch.transformer) == ("m.onnx", "a/t.py:Towns")
    moved = with_transformer(with_model(launch.args, "/copies/m.onnx"), "/copies/t.py")
    assert moved == ("--model", "/copies/m.onnx", "--transformer", "/copies/t.py:Towns")


def test_variables_in_a_command_are_expanded_as_kubernetes_does() -> None:
    words = ["-p=$(PORT)", "$$(PORT)", "$(UNKNOWN)", "$(A)$(A)", "$PORT"]
    launch = launch_of(POD, container(command=words[:2], args=words[2:]), {"PORT": "80", "A": "x"})
    assert isinstance(launch, CommandLaunch)
    assert launch.argv == ("-p=80", "$(PORT)", "$(UNKNOWN)", "xx", "$PORT")


def test_an_image_without_a_command_is_refused_by_name() -> None:
    launch = launch_of(POD, container(image="nginx:1"), {})
    assert isinstance(launch, Refusal)
    assert launch.reason == "ErrImageNeverPull"
    assert '"nginx:1"' in launch.message


def test_back_off_doubles_within_its_bounds() -> None:
    assert [backoff_s(n) for n in (1, 2, 3, 7, 99)] == [1.0, 2.0, 4.0, 60.0, 60.0]


@pytest.mark.parametrize(
    ("fields", "is_default"),
    [
        ({}, True),
        ({"readinessProbe": {"tcpSocket": {}}}, True),
        ({"readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}}, True),
        ({"readinessProbe": {"tcpSocket": {"port": 81}}}, False),
        ({"readinessProbe": {"tcpSocket": {}, "initialDelaySeconds": 5}}, False),
        ({"readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 80}}}, True),
        ({"readinessProbe": {"httpGet": {"path": "/", "port": 80}}}, False),
        (
            {
                "command": ["x"],
                "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 80}},
            },
            False,
        ),
        ({"readinessProbe": {"exec": {"command": ["true"]}}}, False),
    ],
)
def test_what_a_process_tells_by_itself_needs_no_probe(
    fields: dict[str, Any], is_default: bool
) -> None:
    made = container(image="relight/predictor", ports=[{"containerPort": 80}], **fields)
    assert has_default_readiness(made, is_knative=True) is is_default
    assert has_default_readiness(made, is_knative=False) is ("readinessProbe" not in fields)


def test_a_port_that_a_container_beside_insists_on_is_kept() -> None:
    beside = container(env=[{"name": "PORT", "value": "8882"}])
    serving = {"name": "s", "ports": [{}], "env": [{"name": "PORT", "value": "8080"}]}
    assert sidecar_ports({"containers": [beside, serving]}) == {"user-container": 8882}


def test_a_file_of_a_volume_is_told_from_one_of_the_machine() -> None:
    made = container(volumeMounts=[{"mountPath": "/mnt/models"}])
    assert is_mounted("/mnt/models/m.onnx", made)
    assert not is_mounted("/mnt/models-too/m.onnx", made)
