from typing import Any

import pytest

from controller.failures import Fault
from controller.pod_events import is_lasting, is_stuck, told
from tests.controller.test_phases import CREATING, FETCHING, LOADING, UNPLACED


def event(reason: str, message: str = "", at: str = "2027-01-01T00:00:00Z") -> dict[str, Any]:
    return {"metadata": {}, "reason": reason, "message": message, "lastTimestamp": at}


@pytest.mark.parametrize(
    ("pod", "stuck"),
    [
        (CREATING, True),
        (UNPLACED, False),
        (FETCHING, False),
        (LOADING, False),
        ({"metadata": {"name": "p"}}, False),
        ({**CREATING, "metadata": {"name": "p", "deletionTimestamp": "2027"}}, False),
    ],
)
def test_which_pods_do_not_say_why_they_do_not_start(pod: dict[str, Any], stuck: bool) -> None:
    assert is_stuck(pod) is stuck


def test_the_latest_word_counts() -> None:
    missing = 'MountVolume.SetUp failed for volume "s" : secret "nope" not found'
    mount = event("FailedMount", missing, "2027-01-01T00:00:05Z")
    pulling = event("Pulling", 'Pulling image "i"', "2027-01-01T00:00:01Z")
    assert told([mount, pulling]) == Fault(reason="FailedMount", message=missing)
    assert told([pulling, event("Scheduled")]) == Fault(
        reason="PullingImage", message='Pulling image "i"'
    )
    assert told([mount, event("Started", at="2027-01-01T00:00:06Z")]) is None
    assert told([]) is None
    series = {**pulling, "series": {"lastObservedTime": "2027-01-01T00:00:09Z"}}
    assert told([mount, series]) == told([pulling])


@pytest.mark.parametrize(
    ("message", "lasting"),
    [
        ('MountVolume.SetUp failed for volume "s" : secret "nope" not found', True),
        ('MountVolume.SetUp failed for volume "c" : configmap "nope" not found', True),
        ('configmap references non-existent config key: "k"', True),
        ("hostPath type check failed: /models is not a directory", True),
        ("Unable to attach or mount volumes: timed out waiting for the condition", False),
    ],
)
def test_what_only_somebody_can_change(message: str, lasting: bool) -> None:
    assert is_lasting(Fault(reason="FailedMount", message=message)) is lasting
