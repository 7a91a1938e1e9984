"""Waiting until what was applied runs."""

import asyncio
import io
from typing import Any

import pytest

from relight.connection import Connection
from relight.errors import FailedError
from relight.progress import Progress
from relight.settling import is_rolled_out, is_trusted, settled
from tests.relight.conftest import Cluster

META = {"name": "controller", "namespace": "relight-system", "generation": 2}
DONE = {"observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 2, "replicas": 2}
HOOK = {"metadata": {"name": "h"}, "webhooks": [{"clientConfig": {"caBundle": "QQ=="}}]}


def deployment(**status: int) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": META, "spec": {"replicas": 2}, "status": status}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"observedGeneration": 1}, False),
        ({"updatedReplicas": 1}, False),
        ({"availableReplicas": 1}, False),
        ({"replicas": 3}, False),
    ],
)
def test_rolled_out(changed: dict[str, int], *, expected: bool) -> None:
    assert is_rolled_out(deployment(**{**DONE, **changed})) is expected


def test_trusted() -> None:
    assert is_trusted(HOOK)
    assert not is_trusted({"webhooks": [*HOOK["webhooks"], {"clientConfig": {}}]})
    assert not is_trusted({})


def wanted() -> list[dict[str, Any]]:
    return [deployment(), {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "h"}}]


async def test_it_waits_for_pods_and_trust(cluster: Cluster, connection: Connection) -> None:
    shown = io.StringIO()
    progress = Progress(shown, asyncio.get_running_loop().time)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(settled(connection, wanted(), timeout_s=20, progress=progress))
        async with asyncio.timeout(10):
            while "controller is not ready" not in shown.getvalue():
                await asyncio.sleep(0.005)
        cluster.put("apps/v1", "deployments", deployment(**DONE))
        async with asyncio.timeout(10):
            while "has not said which certificate" not in shown.getvalue():
                await asyncio.sleep(0.005)
        assert not waiting.done()
        plural = "mutatingwebhookconfigurations"
        cluster.put("admissionregistration.k8s.io/v1", plural, HOOK)


async def test_the_end_of_patience_says_what_is_in_the_way(
    cluster: Cluster, connection: Connection
) -> None:
    waiting = {"reason": "ErrImagePull", "message": "no such image"}
    status = {"containerStatuses": [{"name": "c", "image": "i", "state": {"waiting": waiting}}]}
    for name in ("a-stranger", "controller"):
        labels = {"app.kubernetes.io/name": name}
        metadata = {"name": f"{name}-1", "namespace": "relight-system", "labels": labels}
        cluster.put("v1", "pods", {"metadata": metadata, "status": status})
    progress = Progress(io.StringIO(), asyncio.get_running_loop().time)
    with pytest.raises(
        FailedError, match="controller is not ready: pod controller-1: the image i can"
    ):
        await settled(connection, wanted(), timeout_s=1.5, progress=progress)
