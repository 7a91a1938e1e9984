"""The frozen tier with real processes: scaled away, stopped, gone on with, ended."""

import asyncio
import contextlib
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from api import keys
from api.kinds import DEPLOYMENTS, EVENTS, NODES, PODS, SECRETS
from embedded import resting
from embedded.frozen import Bounds, Memory
from embedded.process import ReplicaProcess
from tests.embedded.machine import (
    DEADLINE_S,
    FAHRENHEIT,
    Machine,
    container_status,
    deployment,
    running,
)
from tests.predictor.talking import infer_body, read_reply, request

GIB = 1 << 30
PLENTY = Memory(total_bytes=16 * GIB, available_bytes=12 * GIB)
DIGEST = "sha256:" + hashlib.sha256(FAHRENHEIT.read_bytes()).hexdigest()
INFER = request("POST", "/v2/models/m/infer", infer_body([[1.0, 2.0]]))
# A model that says which process it is, prints a line for each request, and can be held.
TALKER = """
import os, pathlib, time
import numpy as np
from predictor.model import Model

HERE = pathlib.Path(__file__).parent

class Talker(Model):
    def predict(self, inputs):
        print("asked", flush=True)
        (HERE / "asked").touch()
        while (HERE / "hold").exists():
            time.sleep(0.002)
        return {"pid": np.array([os.getpid()])}
"""


class Scene:
    """A machine that freezes, with memory as the test says."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.client = machine.client
        self.folder = folder
        self.memory = PLENTY

    # -- what is asked for ----------------------------------------------------------------------

    async def deploy(self, name: str = "r-1", **container: Any) -> None:
        """A Deployment as the controller makes them: of a Revision, its model pinned."""
        digest = container.pop("digest", DIGEST)
        made = deployment(1, **container)
        made["metadata"]["name"] = f"{name}-deployment"
        labels = {"app": name, keys.REVISION: name, keys.REVISION_UID: f"uid-of-{name}"}
        made["spec"]["selector"] = {"matchLabels": {"app": name}}
        made["spec"]["template"]["metadata"] = {
            "labels": labels,
            "annotations": {keys.MODEL_DIGEST: digest} if digest else {},
        }
        await self.client.create(DEPLOYMENTS, made)

    async def deploy_talker(self, **container: Any) -> None:
        path = self.folder / "talker.py"
        path.write_text(TALKER)
        digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        args = ["--python", f"{path}:Talker", "--model-name", "m"]
        await self.deploy(args=args, digest=digest, **container)

    async def change(self, patch: Any, name: str = "r-1") -> None:
        await self.client.patch(DEPLOYMENTS, "default", f"{name}-deployment", patch)

    async def scale(self, replicas: int, name: str = "r-1") -> None:
        await self.change({"spec": {"replicas": replicas}}, name)

    # -- what is so -----------------------------------------------------------------------------

    @property
    def frozen(self) -> dict[str, Any]:
        assert self.machine.freezer is not None
        return dict(self.machine.freezer.figures())

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        async def holds() -> bool:
            return condition()

        await self.machine.until(holds, what)

    async def until_ready(self, count: int = 1) -> list[dict[str, Any]]:
        async def are_ready() -> bool:
            pods = await self.machine.pods()
            timed = [
                keys.START_TIMING in (each["metadata"].get("annotations") or {}) for each in pods
            ]
            ready = [container_status(each).get("ready") for each in pods]
            return len(pods) == count and all(timed) and all(ready)

        await self.machine.until(are_ready, f"{count} ready Pods")
        return await self.machine.pods()

    async def until_no_pods(self) -> None:
        async def is_empty() -> bool:
            return not await self.machine.pods()

        await self.machine.until(is_empty, "no Pods")

    def replicas(self) -> list[int]:
        """Everything the zygote forked, spares too."""
        zygote = self.machine.zygote._process
        assert zygote is not None
        children = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children")
        return [int(each) for each in children.read_text().split()]

    def stopped(self) -> list[int]:
        return [pid for pid in self.replicas() if state(pid) == "T"]

    # -- what is done ---------------------------------------------------------------------------

    async def freeze(self) -> int:
        """From one replica to none; the process that stays, stopped."""
        await self.until_ready()
        await self.scale(0)
        await self.until_no_pods()
        await self.until(lambda: len(self.stopped()) == 1, "one is stopped")
        return self.stopped()[0]

    async def timing(self) -> dict[str, Any]:
        (pod,) = await self.until_ready()
        found: dict[str, Any] = orjson.loads(pod["metadata"]["annotations"][keys.START_TIMING])
        return found

    async def endpoint(self) -> str:
        (pod,) = await self.until_ready()
        return str(pod["metadata"]["annotations"][keys.ENDPOINT]).removeprefix("unix:")

    async def ask(self) -> int:
        """A request to the one Pod: the process that answered."""
        async with connected(await self.endpoint()) as (reader, writer):
            writer.write(INFER)
            return answered_by(await read_reply(reader))

    async def log(self) -> str:
        (pod,) = await self.machine.pods()
        name = pod["metadata"]["name"]
        pieces = [piece async for piece in self.machine.kubelet.logs("default", name)]
        return b"".join(pieces).decode()


def answered_by(reply: Any) -> int:
    assert reply.status == 200, reply.body
    return int(reply.json["outputs"][0]["data"][0])


@contextlib.asynccontextmanager
async def connected(path: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_gone(pid: int) -> bool:
    return state(pid) in ("", "Z")


@contextlib.asynccontextmanager
async def scene(folder: Path, bounds: Bounds | None = None) -> AsyncIterator[Scene]:
    scenes: list[Scene] = []
    memory = lambda: scenes[0].memory  # noqa: E731 - the machine is made with it
    async with running(bounds=bounds or Bounds(), memory=memory) as machine:
        scenes.append(Scene(machine, folder))
        yield scenes[0]
    assert not list((machine.folder / "run").glob("*")), "no socket is left"


# -- going on with it --------------------------------------------------------------------------


async def test_the_same_process_serves_the_next_pod(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy_talker()
        assert "load_ms" in await it.timing()
        pid = await it.ask()
        assert await it.freeze() == pid
        assert it.frozen["revisions"] == {"default/r-1": 1}
        assert it.frozen["mebibytes"] > 0
        assert len(it.machine.released) == 1, "the activator let go before"
        await it.scale(1)
        told = await it.timing()
        assert told["resumed_ms"] > 0
        assert "fork_ms" not in told
        assert await it.ask() == pid
        assert await it.ask() == pid
        assert not it.stopped()
        assert (it.frozen["replicas"], it.frozen["resumed"]) == (0, 1)
        assert it.frozen["seconds"] > 0
        assert await it.freeze() == pid, "and once more"
        await it.scale(1)
        assert await it.ask() == pid


async def test_each_pod_has_its_own_log(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy_talker()
        for _ in range(2):
            await it.ask()
            assert (await it.log()).count("asked") == 1
            await it.freeze()
            assert not list((it.machine.folder / "pods").iterdir()), "nor is one left"
            await it.scale(1)


async def test_people_are_told(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "localhost"}, "spec": {}}
        await it.client.create(NODES, node)
        await it.deploy()
        await it.freeze()

        async def is_on_the_node() -> bool:
            metadata = (await it.client.get(NODES, None, "localhost"))["metadata"]
            text = (metadata.get("annotations") or {}).get(keys.FROZEN, "{}")
            return bool(orjson.loads(text).get("revisions") == {"default/r-1": 1})

        await it.machine.until(is_on_the_node, "the Node's annotation")
        await it.scale(1)
        await it.until_ready()

        async def is_an_event() -> bool:
            events = (await it.client.list(EVENTS, "default")).items
            return any(each["message"] == "Went on with a frozen replica" for each in events)

        await it.machine.until(is_an_event, "the Event")


async def test_several_of_a_revision_are_kept_and_come_back(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy()
        await it.scale(3)
        await it.until_ready(3)
        await it.scale(1)
        await it.until(lambda: len(it.stopped()) == 2, "two are stopped")
        await it.until_ready(1)
        await it.scale(3)
        pods = await it.until_ready(3)
        texts = [each["metadata"]["annotations"][keys.START_TIMING] for each in pods]
        assert sum("resumed_ms" in text for text in texts) == 2
        assert not it.stopped()


# -- for whom it is not ------------------------------------------------------------------------


async def test_another_revision_of_the_same_model_starts_its_own(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy()
        pid = await it.freeze()
        await it.deploy("r-2")
        assert "load_ms" in await it.timing()
        assert it.stopped() == [pid]
        await it.scale(0, "r-2")
        await it.until(lambda: len(it.stopped()) == 2, "both are stopped")
        await it.scale(1)
        assert "resumed_ms" in await it.timing()
        assert is_gone(pid) is False
        assert state(pid) != "T", "a roll-back gets its own again"


async def test_a_changed_environment_is_not_gone_on_with(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
        await it.client.create(SECRETS, {**secret, "stringData": {"k": "one"}})
        source = {"secretKeyRef": {"name": "s", "key": "k"}}
        await it.deploy(env=[{"name": "K", "valueFrom": source}])
        pid = await it.freeze()
        await it.client.patch(SECRETS, "default", "s", {"stringData": {"k": "two"}})
        await it.scale(1)
        assert "load_ms" in await it.timing()
        assert it.stopped() == [pid], "nobody wants it any more; its hour is not over"


async def test_a_changed_template_ends_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy()
        pid = await it.freeze()
        annotations = {keys.RESTARTED_AT: "2026-11-23T05:00:00Z"}
        await it.change({"spec": {"template": {"metadata": {"annotations": annotations}}}})
        await it.until(lambda: is_gone(pid), "it is ended")
        assert it.frozen["ended"] == {"its template changed": 1}
        await it.scale(1)
        assert "load_ms" in await it.timing()


async def test_it_ends_with_its_revision(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy()
        pid = await it.freeze()
        await it.client.delete(DEPLOYMENTS, "default", "r-1-deployment")
        await it.until(lambda: is_gone(pid), "it is ended")
        assert it.frozen["replicas"] == 0


async def test_replicas_of_a_revision_that_is_deleted_are_not_kept(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy()
        await it.until_ready()
        await it.client.delete(DEPLOYMENTS, "default", "r-1-deployment")
        await it.until_no_pods()
        assert not it.stopped()
        assert it.frozen["replicas"] == 0


async def test_a_pod_deleted_by_hand_is_ended(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy_talker()
        pid = await it.ask()
        (pod,) = await it.machine.pods()
        await it.client.delete(PODS, "default", pod["metadata"]["name"])
        await it.until(lambda: is_gone(pid), "it is ended")
        assert "load_ms" in await it.timing(), "another takes its place"
        assert it.frozen["replicas"] == 0


@pytest.mark.parametrize(
    "container",
    [
        {"digest": ""},
        {"env": [{"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
        {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}},
    ],
    ids=["nothing pins its model", "it knows its Pod", "it has volumes"],
)
async def test_what_is_tied_to_its_pod_ends_with_it(
    tmp_path: Path, container: dict[str, Any]
) -> None:
    async with scene(tmp_path) as it:
        await it.deploy(**container)
        await it.until_ready()
        await it.scale(0)
        await it.until_no_pods()
        assert not it.stopped()


async def test_one_that_started_processes_ends_with_its_pod(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        path = tmp_path / "helped.py"
        loads = "    def load(self):\n        import subprocess\n"
        path.write_text(
            "from predictor.model import Model\nclass Helped(Model):\n"
            f"{loads}        subprocess.Popen(['sleep', '600'])\n"
        )
        digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        await it.deploy(args=["--python", f"{path}:Helped", "--model-name", "m"], digest=digest)
        await it.until_ready()
        await it.scale(0)
        await it.until_no_pods()
        assert not it.stopped()


# -- memory ------------------------------------------------------------------------------------


async def test_the_longest_unused_goes_when_memory_gets_scarce(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy()
        first = await it.freeze()
        await it.deploy("r-2")
        await it.until_ready()
        await it.scale(0, "r-2")
        await it.until(lambda: len(it.stopped()) == 2, "both are stopped")
        it.memory = replace(PLENTY, available_bytes=PLENTY.total_bytes // 10 - 1)
        await it.until(lambda: bool(it.frozen["ended"]), "one is told to end")
        it.memory = PLENTY  # before another look
        await it.until(lambda: is_gone(first), "the first is ended")
        assert it.frozen["revisions"] == {"default/r-2": 1}
        assert it.frozen["ended"] == {"memory is scarce": 1}


async def test_the_next_one_waits_for_what_the_first_gives_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as it:
        await it.deploy()
        await it.freeze()
        await it.deploy("r-2")
        await it.until_ready()
        await it.scale(0, "r-2")
        await it.until(lambda: len(it.stopped()) == 2, "both are stopped")
        freezer = it.machine.freezer
        assert freezer is not None
        it.memory = replace(PLENTY, available_bytes=PLENTY.total_bytes // 10 - 1)
        with monkeypatch.context() as patched:
            signals: list[int] = []
            patched.setattr(ReplicaProcess, "signal", lambda _, number: signals.append(number))
            freezer._look()
            freezer._look()  # nothing has gone yet
            assert signals == [signal.SIGTERM, signal.SIGCONT]
            assert it.frozen["ended"] == {"memory is scarce": 1}
        for pid in it.stopped():
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGTERM)
        await it.until(lambda: not freezer._going_bytes, "what it held is back")
        await it.until(lambda: it.frozen["replicas"] == 0, "the other one has ended by itself")


async def test_room_is_made_for_a_pod_that_asks_for_more_than_there_is(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.memory = replace(PLENTY, total_bytes=GIB, available_bytes=GIB // 4)
        await it.deploy()
        pid = await it.freeze()
        await it.deploy("r-2", resources={"requests": {"memory": "512Mi"}})
        await it.until_ready()
        assert it.frozen["ended"] == {"memory is scarce": 1}
        await it.until(lambda: is_gone(pid), "it is ended")


async def test_of_a_few_mebibytes_nothing_is_kept(tmp_path: Path) -> None:
    async with scene(tmp_path, Bounds(share=0, size_bytes=1 << 20)) as it:
        await it.deploy()
        await it.until_ready()
        await it.scale(0)
        await it.until_no_pods()
        assert not it.stopped()
        await it.scale(1)
        assert "load_ms" in await it.timing()


async def test_off_is_off(tmp_path: Path) -> None:
    async with scene(tmp_path, Bounds(share=0)) as it:
        await it.deploy()
        await it.until_ready()
        await it.scale(0)
        await it.until_no_pods()
        assert not it.stopped()


# -- no request is lost ------------------------------------------------------------------------


async def test_a_request_that_runs_is_answered_before_it_rests(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy_talker()
        (tmp_path / "hold").touch()
        async with connected(await it.endpoint()) as (reader, writer):
            writer.write(INFER)
            await it.until((tmp_path / "asked").exists, "it runs")
            await it.scale(0)
            await it.until(lambda: bool(it.machine.released), "the activator let go")
            (tmp_path / "hold").unlink()
            pid = answered_by(await read_reply(reader))
            assert await reader.read() == b"", "and its connection is closed"
        await it.until_no_pods()
        await it.until(lambda: it.stopped() == [pid], "it is stopped")


async def test_the_old_address_refuses_and_who_came_in_time_is_answered(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy_talker()
        path = await it.endpoint()
        pid = await it.ask()
        await it.freeze()
        with pytest.raises((FileNotFoundError, ConnectionRefusedError)):
            await asyncio.open_unix_connection(path)
        (hidden,) = (it.machine.folder / "run").iterdir()
        async with connected(str(hidden)) as (reader, writer):
            writer.write(INFER)
            await it.scale(1)
            assert answered_by(await read_reply(reader)) == pid


async def test_who_came_in_time_is_answered_as_it_ends(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy_talker()
        pid = await it.ask()
        await it.freeze()
        (hidden,) = (it.machine.folder / "run").iterdir()
        async with connected(str(hidden)) as (reader, writer):
            writer.write(INFER)
            await it.client.delete(DEPLOYMENTS, "default", "r-1-deployment")
            assert answered_by(await read_reply(reader)) == pid
        await it.until(lambda: is_gone(pid), "it is ended")


async def test_a_replica_that_dies_while_it_is_frozen_is_forgotten(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy()
        pid = await it.freeze()
        assert it.machine.freezer is not None
        (name,) = it.machine.freezer._parked
        it.machine.zygote.signal(name, signal.SIGKILL)
        await it.until(lambda: it.frozen["replicas"] == 0, "it is forgotten")
        assert is_gone(pid)
        assert not list((it.machine.folder / "run").iterdir())
        await it.scale(1)
        assert "load_ms" in await it.timing()


async def test_one_that_does_not_wake_is_replaced_and_requests_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as it:
        await it.deploy_talker()
        pid = await it.freeze()
        monkeypatch.setattr(resting, "_RESUME_S", 0.3)
        monkeypatch.setattr(ReplicaProcess, "resume", lambda *_: None)
        await it.scale(1)

        async def is_announced() -> bool:
            pods = await it.machine.pods()
            return any(keys.ENDPOINT in each["metadata"]["annotations"] for each in pods)

        await it.machine.until(is_announced, "an address")
        (pod,) = await it.machine.pods()
        path = pod["metadata"]["annotations"][keys.ENDPOINT].removeprefix("unix:")
        async with connected(path) as (reader, writer):
            writer.write(INFER)
            other = answered_by(await read_reply(reader))
        assert other != pid
        await it.until(lambda: is_gone(pid), "it was killed")
        (pod,) = await it.until_ready()
        assert container_status(pod)["restartCount"] == 0


# -- the end of everything -----------------------------------------------------------------------


async def test_nothing_is_left_when_the_platform_stops(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy()
        pid = await it.freeze()
    assert is_gone(pid)


async def test_the_zygotes_death_takes_it_along(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.deploy()
        pid = await it.freeze()
        zygote = it.machine.zygote._process
        assert zygote is not None
        zygote.kill()
        async with asyncio.timeout(DEADLINE_S):
            await zygote.wait()
        await it.until(lambda: is_gone(pid), "its parent's death kills it")
        await it.until(lambda: it.frozen["replicas"] == 0, "it is forgotten")
