"""The frozen tier with real processes: scaled away, stopped, gone on with, ended."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from api import keys
from api.kinds import DEPLOYMENTS
from embedded.frozen import Bounds, Memory
from tests.embedded.machine import (
    FAHRENHEIT,
    Machine,
    container_status,
    deployment,
    running,
)

GIB = 1 << 30
PLENTY = Memory(total_bytes=16 * GIB, available_bytes=12 * GIB)
DIGEST = "sha256:" + hashlib.sha256(FAHRENHEIT.read_bytes()).hexdigest()
# A model that says who it is, and prints a line for each request.
TALKER = """
import os, sys
import numpy as np
from predictor.model import Model, Signature, TensorSpec

class Talker(Model):
    def predict(self, inputs):
        print("asked", flush=True)
        return {"pid": np.array([os.getpid()])}
"""


def plenty() -> Memory:
    return PLENTY


def revision(replicas: int, *, name: str = "r-1", **container: Any) -> dict[str, Any]:
    """A Deployment as the controller makes them: of a Revision, its model pinned."""
    annotations = {keys.MODEL_DIGEST: container.pop("digest", DIGEST)}
    made = deployment(replicas, **container)
    made["metadata"]["name"] = f"{name}-deployment"
    labels = {"app": name, keys.REVISION: name, keys.REVISION_UID: f"uid-of-{name}"}
    made["spec"]["selector"] = {"matchLabels": {"app": name}}
    made["spec"]["template"]["metadata"] = {"labels": labels, "annotations": annotations}
    return made


class Scene:
    """A machine that freezes, and one Deployment at a time."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.client = machine.client

    @property
    def frozen(self) -> dict[str, Any]:
        assert self.machine.freezer is not None
        return dict(self.machine.freezer.figures())

    async def scale(self, replicas: int, name: str = "r-1") -> None:
        patch = {"spec": {"replicas": replicas}}
        await self.client.patch(DEPLOYMENTS, "default", f"{name}-deployment", patch)

    async def until_ready(self, count: int = 1) -> list[dict[str, Any]]:
        async def are_ready() -> bool:
            pods = await self.machine.pods()
            timed = [keys.START_TIMING in each["metadata"]["annotations"] for each in pods]
            ready = [container_status(each).get("ready") for each in pods]
            return len(pods) == count and all(timed) and all(ready)

        await self.machine.until(are_ready, f"{count} ready Pods")
        return await self.machine.pods()

    async def until_gone(self) -> None:
        async def is_gone() -> bool:
            return not await self.machine.pods()

        await self.machine.until(is_gone, "no Pods")

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        async def holds() -> bool:
            return condition()

        await self.machine.until(holds, what)

    def replicas(self) -> list[int]:
        """Everything the zygote forked, spares too."""
        zygote = self.machine.zygote._process
        assert zygote is not None
        children = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children")
        return [int(each) for each in children.read_text().split()]

    def stopped(self) -> list[int]:
        return [pid for pid in self.replicas() if state(pid) == "T"]

    async def freeze(self, count: int = 1) -> list[int]:
        """From one replica to none, which stays stopped."""
        await self.until_ready(count)
        await self.scale(0)
        await self.until_gone()
        await self.until(lambda: len(self.stopped()) == count, f"{count} are stopped")
        return self.stopped()


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_gone(pid: int) -> bool:
    return state(pid) in ("", "Z")


async def timing(scene: Scene) -> dict[str, Any]:
    (pod,) = await scene.until_ready()
    found: dict[str, Any] = orjson.loads(pod["metadata"]["annotations"][keys.START_TIMING])
    return found


async def test_the_same_process_serves_the_next_pod() -> None:
    async with running(bounds=Bounds(), memory=plenty) as machine:
        scene = Scene(machine)
        await scene.client.create(DEPLOYMENTS, revision(1))
        assert "load_ms" in await timing(scene)
        (pid,) = await scene.freeze()
        assert scene.frozen["revisions"] == {"default/r-1": 1}
        assert scene.frozen["mebibytes"] > 0
        assert machine.released, "the activator let go before"
        await scene.scale(1)
        told = await timing(scene)
        assert told["resumed_ms"] > 0
        assert "fork_ms" not in told
        assert not scene.stopped()
        assert not is_gone(pid)
        (pod,) = await machine.pods()
        answer = await machine.ask(pod["metadata"]["name"])
        assert answer.startswith(b"HTTP/1.1 200")
        assert scene.frozen["replicas"] == 0
        assert scene.frozen["resumed"] == 1
        assert await scene.freeze() == [pid], "and once more"
