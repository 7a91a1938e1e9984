from typing import Any

import pytest

from embedded.launching import (
    CommandLaunch,
    ContainerFate,
    PredictorLaunch,
    Refusal,
    backoff_s,
    launch_of,
    pod_status,
    running,
    terminated,
    unschedulable_status,
    waiting,
    with_model,
    with_port,
)

NOW = "2026-11-22T00:00:00Z"


def pod(**container: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "annotations": {"relight.dev/model-digest": "sha256:ab"}},
        "spec": {"containers": [{"name": "user-container", **container}]},
    }


@pytest.mark.parametrize(
    "args",
    [["--model", "m.onnx", "--threads", "2"], ["--model=m.onnx"], ["--model_dir", "m.onnx"]],
)
def test_a_predictor_is_launched_with_its_model_and_pinned_digest(args: list[str]) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "EMPTY"}]
    launch = launch_of(pod(image="relight/predictor", args=args, env=env))
    assert isinstance(launch, PredictorLaunch)
    assert (launch.model, launch.digest) == ("m.onnx", "sha256:ab")
    assert launch.env == {"A": "1", "EMPTY": ""}
    assert "x/y.onnx" in " ".join(with_model(launch.args, "x/y.onnx"))
    assert "m.onnx" not in " ".join(with_model(launch.args, "x/y.onnx"))


def test_a_command_is_launched_on_a_port_of_its_own() -> None:
    env = [{"name": "PORT", "value": "8080"}]
    launch = launch_of(pod(image="any", command=["python", "-m"], args=["server"], env=env))
    assert launch == CommandLaunch(argv=("python", "-m", "server"), env={"PORT": "8080"})
    assert with_port(launch, 4711).env == {"PORT": "4711"}


def test_variables_in_a_command_are_expanded_as_kubernetes_does() -> None:
    words = ("-p=$(PORT)", "$$(PORT)", "$(UNKNOWN)", "$(A)$(A)", "$PORT")
    launch = with_port(CommandLaunch(argv=words, env={"A": "x"}), 80)
    assert launch.argv == ("-p=80", "$(PORT)", "$(UNKNOWN)", "xx", "$PORT")


def test_an_image_without_a_command_is_refused_by_name() -> None:
    launch = launch_of(pod(image="nginx:1"))
    assert isinstance(launch, Refusal)
    assert launch.reason == "ErrImageNeverPull"
    assert '"nginx:1"' in launch.message


def test_what_can_not_be_honoured_here_is_refused_by_path() -> None:
    made = pod(
        image="relight/predictor",
        workingDir="/x",
        env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {}}}],
    )
    made["spec"].update(volumes=[{"name": "v"}], restartPolicy="Never")
    launch = launch_of(made)
    assert isinstance(launch, Refusal)
    for path in (
        "spec.volumes",
        "spec.restartPolicy",
        "spec.containers[0].workingDir",
        "spec.containers[0].env[1].valueFrom",
    ):
        assert path in launch.message
    made = pod(image="relight/predictor", readinessProbe={"tcpSocket": {"port": 0}})
    made["spec"].update(volumes=[], restartPolicy="Always")
    assert isinstance(launch_of(made), PredictorLaunch)


def test_several_containers_are_refused() -> None:
    several = pod(image="a")
    several["spec"]["containers"] *= 2
    assert isinstance(launch_of(several), Refusal)


def test_back_off_doubles_within_its_bounds() -> None:
    assert [backoff_s(n) for n in (1, 2, 3, 7, 99)] == [1.0, 2.0, 4.0, 60.0, 60.0]


def test_a_ready_container_makes_a_ready_pod() -> None:
    fate = ContainerFate(state=running(NOW), last_state={}, is_ready=True)
    status = pod_status(pod(image="x"), fate, now=NOW)
    assert status["phase"] == "Running"
    assert status["containerStatuses"][0]["ready"] is True
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"


def test_a_container_that_ended_is_told_with_its_message() -> None:
    last = terminated(None, 9, "killed", NOW)
    assert last["terminated"]["exitCode"] == 137
    assert terminated(0, None, "", NOW)["terminated"]["reason"] == "Completed"
    fate = ContainerFate(state=waiting("CrashLoopBackOff", "soon"), last_state=last, restarts=2)
    status = pod_status(pod(image="x"), fate, now=NOW)
    told = status["containerStatuses"][0]
    assert told["restartCount"] == 2
    assert told["lastState"]["terminated"]["message"] == "killed"
    assert told["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "False"


def test_no_room_is_told_as_kubernetes_does() -> None:
    status = unschedulable_status(pod(image="x"), "Too many pods", now=NOW)
    fact = status["conditions"][0]
    assert (fact["type"], fact["reason"]) == ("PodScheduled", "Unschedulable")
    assert status["phase"] == "Pending"
