from typing import Any

import pytest

from controller.failures import Fault
from controller.phases import Phase, missing_claim, phase_of

NO_ROOM = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."


def pod(
    *, scheduled: bool = True, message: str = "", uid: str = "u", **status: Any
) -> dict[str, Any]:
    placed = {
        "type": "PodScheduled",
        "status": str(scheduled),
        **({} if scheduled else {"reason": "Unschedulable", "message": message}),
    }
    return {
        "metadata": {"name": "p", "uid": uid},
        "status": {"phase": "Pending", "conditions": [placed], **status},
    }


def container(name: str = "user-container", **state: Any) -> dict[str, Any]:
    return {"name": name, "state": state}


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def phase(*pods: dict[str, Any], model: str = "s3://b/m", **mishaps: Fault) -> Phase | None:
    return phase_of(pods, mishaps, step="relight-model", serving="user-container", model=model)


FETCHING = pod(
    initContainerStatuses=[container("relight-model", running={})],
    containerStatuses=[container(**waits("PodInitializing"))],
)
LOADING = pod(
    initContainerStatuses=[container("relight-model", terminated={"exitCode": 0})],
    containerStatuses=[container(running={})],
)
CREATING = pod(containerStatuses=[container(**waits("ContainerCreating"))])
UNPLACED = pod(scheduled=False, message=NO_ROOM)


@pytest.mark.parametrize(
    ("seen", "reason", "message", "pauses"),
    [
        (UNPLACED, "Unschedulable", NO_ROOM, True),
        (FETCHING, "FetchingModel", "having s3://b/m ready", True),
        (LOADING, "LoadingModel", "loading s3://b/m", True),
        (
            pod(containerStatuses=[container(**waits("ImagePullBackOff", "Back-off"))]),
            "ImagePullBackOff",
            "Back-off",
            False,
        ),
        (
            pod(scheduled=False, message='persistentvolumeclaim "m" not found.'),
            "Unschedulable",
            'persistentvolumeclaim "m" not found.',
            False,
        ),
    ],
)
def test_what_a_pod_waits_for(
    seen: dict[str, Any], reason: str, message: str, pauses: bool
) -> None:
    assert phase(seen) == Phase(reason=reason, message=message, pauses=pauses)


def test_what_says_nothing_is_no_phase() -> None:
    assert phase() is None
    assert phase(CREATING) is None
    assert phase(LOADING, model="") is None  # a program of the user's own starts as it likes
    assert phase({**LOADING, "metadata": {"name": "p", "deletionTimestamp": "2027"}}) is None
    ready = [*LOADING["status"]["conditions"], {"type": "Ready", "status": "True"}]
    assert phase({**LOADING, "status": {**LOADING["status"], "conditions": ready}}) is None
    assert phase({"metadata": {"name": "p"}, "status": {"phase": "Pending"}}) is None
    assert phase(pod(phase="Failed")) is None


def test_events_say_it_of_those_that_start_without_a_word() -> None:
    image = Fault(reason="PullingImage", message='Pulling image "i"')
    assert phase(CREATING, u=image) == Phase(
        reason="PullingImage", message=image.message, pauses=True
    )
    volume = Fault(reason="FailedMount", message="timed out")
    assert phase(CREATING, u=volume) == Phase(
        reason="FailedMount", message="timed out", pauses=False
    )
    assert phase(LOADING, u=volume) == phase(LOADING)  # old news


def test_the_one_that_is_furthest_counts() -> None:
    found = phase(UNPLACED, LOADING, FETCHING)
    assert found is not None
    assert found.reason == "LoadingModel"


def test_a_claim_that_is_not_there_is_told_from_one_without_a_place() -> None:
    assert missing_claim('1 persistentvolumeclaim "models" not found.') == "models"
    assert missing_claim("1 node(s) had volume node affinity conflict") == ""
