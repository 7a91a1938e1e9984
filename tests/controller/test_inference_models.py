"""How a predictor's model is, from its Revisions and Pods."""

from typing import Any

import pytest

from controller.inference_models import Replicas, model_status
from tests.controller.objects import NOW, a_revision, ready, saying, stored

LOADED, STANDBY, PENDING = "Loaded", "Standby", "Pending"


def pod(name: str = "p", *, serves: bool = True, ended: dict[str, Any] | None = None) -> Any:
    raw = stored("Pod", name, {}, api="v1")
    raw = saying(raw, ready("True" if serves else "False"))
    state = {"terminated": ended} if ended else {"running": {}}
    raw["status"]["containerStatuses"] = [{"name": "kserve-container", "state": state}]
    return raw


def replicas(status: str = "True", *pods: Any, message: str = "") -> Replicas:
    return Replicas(revision=saying(a_revision(), ready(status, message=message)), pods=pods)


def states(found: dict[str, Any]) -> tuple[str, str, str]:
    inner = found["states"]
    return found["transitionStatus"], inner["activeModelState"], inner["targetModelState"]


NOTHING = Replicas()


@pytest.mark.parametrize(
    ("latest", "active", "is_same", "wanted"),
    [
        (NOTHING, NOTHING, True, ("InProgress", "", PENDING)),
        (replicas("Unknown"), NOTHING, False, ("InProgress", "", PENDING)),
        (replicas("Unknown", pod(serves=False)), NOTHING, False, ("InProgress", "", "Loading")),
        (replicas("True", pod()), replicas("True", pod()), True, ("UpToDate", LOADED, LOADED)),
        (replicas(), replicas(), True, ("UpToDate", STANDBY, STANDBY)),
        (
            replicas("Unknown", pod(serves=False)),
            replicas("True", pod()),
            False,
            ("InProgress", LOADED, "Loading"),
        ),
        (
            replicas("False", message="no"),
            replicas(),
            False,
            ("BlockedByFailedLoad", STANDBY, "FailedToLoad"),
        ),
    ],
)
def test_states(
    latest: Replicas,
    active: Replicas,
    is_same: bool,
    wanted: tuple[str, str, str],
) -> None:
    assert states(model_status(latest, active, is_same=is_same, failure=None)) == wanted


def test_a_failure_has_the_predictors_sentence() -> None:
    ended = {"exitCode": 3, "message": "model.onnx is empty", "reason": "Error"}
    latest = replicas("False", pod("good"), pod("bad", serves=False, ended=ended), message="x")
    found = model_status(latest, NOTHING, is_same=False, failure=None)
    assert found["lastFailureInfo"] == {
        "location": "bad",
        "reason": "ModelLoadFailed",
        "message": "model.onnx is empty",
        "modelRevisionName": "mnist-00001",
        "time": NOW,
        "exitCode": 3,
    }
    assert found["copies"] == {"failedCopies": 1, "totalCopies": 1}


def test_without_a_pod_the_revision_speaks() -> None:
    latest = replicas("False", message="model.onnx is missing")
    info = model_status(latest, NOTHING, is_same=False, failure=None)["lastFailureInfo"]
    assert info["message"] == "model.onnx is missing"
    assert not {"location", "exitCode"} & set(info)


@pytest.mark.parametrize(
    ("reason", "transition"),
    [
        ("ModelLoadFailed", "BlockedByFailedLoad"),
        ("NoSupportingRuntime", "InvalidSpec"),
        ("RuntimeDisabled", "InvalidSpec"),
        ("InvalidPredictorSpec", "InvalidSpec"),
    ],
)
def test_a_spec_that_can_not_run(reason: str, transition: str) -> None:
    serving = replicas("True", pod())
    failure = {"reason": reason, "message": "why"}
    found = model_status(serving, serving, is_same=True, failure=failure)
    assert states(found) == (transition, LOADED, "FailedToLoad")
    assert found["lastFailureInfo"] == failure


def test_a_pod_that_goes_serves_no_more() -> None:
    going = pod()
    going["metadata"]["deletionTimestamp"] = NOW
    assert replicas("True", going).ready == 0
