"""One sentence for each way a Pod does not run."""

from typing import Any

import pytest

from relight.podproblems import problem_of


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "status": status}


def waiting(reason: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "c",
        "image": "i:1",
        "state": {"waiting": {"reason": reason, "message": "m"}},
    } | more


def again(*, ready: bool) -> dict[str, Any]:
    return {"name": "c", "ready": ready, "state": {"running": {}}, "lastState": WRONG_FLAG}


ENDED = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
WRONG_FLAG = {
    "terminated": {
        "reason": "Error",
        "exitCode": 2,
        "message": "usage:\n--warm-pool lots: a number\n",
    }
}
UNSCHEDULABLE = {"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, ""),
        ({"containerStatuses": [{"name": "c", "state": {"running": {}}}]}, ""),
        ({"containerStatuses": [waiting("ContainerCreating")]}, ""),
        ({"conditions": [UNSCHEDULABLE]}, "pod p: fits on no node: 0/1 nodes"),
        (
            {"initContainerStatuses": [waiting("ImagePullBackOff")]},
            "pod p: the image i:1 can not be pulled (ImagePullBackOff): m",
        ),
        (
            {"containerStatuses": [waiting("CrashLoopBackOff", lastState=ENDED)]},
            "pod p: c ends again and again: OOMKilled, exit code 137",
        ),
        (
            {"containerStatuses": [{"name": "c", "state": WRONG_FLAG}]},
            "pod p: c ended: Error, exit code 2: --warm-pool lots: a number",
        ),
        (
            {"containerStatuses": [again(ready=False)]},
            "pod p: c is not ready again since it ended: Error, exit code 2: "
            "--warm-pool lots: a number",
        ),
        ({"containerStatuses": [again(ready=True)]}, ""),
        ({"initContainerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 0}}}]}, ""),
        (
            {"containerStatuses": [waiting("CreateContainerConfigError")]},
            "pod p: CreateContainerConfigError: m",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "disk"}, "pod p: Evicted: disk"),
    ],
)
def test_problems(status: dict[str, Any], said: str) -> None:
    assert problem_of(pod(**status)) == said
