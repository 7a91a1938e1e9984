"""A controller whose models are found by Pods, beside a kubelet that plays what it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from api.kinds import DEPLOYMENTS, EVENTS, PODS, REVISIONS, SERVICES
from api.model_reports import FoundModel, NoModel, to_text
from api.objects import rfc3339
from cluster.direct import DirectClient
from cluster.errors import ApiError, ForbiddenError
from controller.config import Settings
from controller.mishaps import Mishaps
from controller.model_runs import ModelRuns
from controller.pinning import Digest, Problem
from controller.predictor_pods import STEP, PredictorPods
from controller.server import Controller
from tests.controller.world import World, a_world, ksvc

DIGEST = "sha256:" + "ab" * 32
FOUND = to_text(FoundModel(digest=DIGEST, size_bytes=7))
MISSING = to_text(NoModel(reason="ModelMissing", message="model m does not exist"))
PLACED = [{"type": "PodScheduled", "status": "True"}]
OURS = PredictorPods(image="example.com/relight/predictor:1", node_cache="/var/cache/r")
NAME = "web-00001-model"


def ended(message: str, now_s: float, code: int = 0) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "message": message, "finishedAt": rfc3339(now_s)}}
    return {"phase": "Failed" if code else "Succeeded", "containerStatuses": [one(state)]}


def one(state: dict[str, Any]) -> dict[str, Any]:
    return {"name": STEP, "ready": False, "restartCount": 0, "state": state}


def creating() -> dict[str, Any]:
    return {"containerStatuses": [one({"waiting": {"reason": "ContainerCreating"}})]}


@dataclass
class Stage:
    """A world whose Pods that find models say what a test wants."""

    world: World
    monotonic_s: float = 0.0
    made: list[dict[str, Any]] = field(default_factory=list)
    plays: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda _: None

    @contextlib.asynccontextmanager
    async def controller(self, client: DirectClient | None = None) -> AsyncIterator[ModelRuns]:
        client = client or DirectClient(self.world.server, user="controller")
        mishaps = Mishaps(client, now_s=self.later)
        models = ModelRuns(
            client,
            OURS,
            clock=lambda: self.world.now_s,
            mishaps=mishaps,
            stuck_s=0.01,
            tell=self.tell,
        )
        controller = Controller(
            client,
            replace(Settings(external_port=8080), predictor=OURS),
            clock=lambda: self.world.now_s,
            resolve_digest=models.resolve,
            progress=models.progress,
            mishaps=mishaps.of,
        )
        models.on_gone = controller.look_again
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(models.run()), tasks.create_task(controller.run())]
            try:
                yield models
            finally:
                for each in running:
                    each.cancel()

    async def tell(self, host: str, port: int) -> str:
        assert (host, port) == ("10.0.0.7", 8081)
        return "1.0 of 2.0 MB (50 %) of m"

    def later(self) -> float:
        """Each look is some seconds after the last."""
        self.monotonic_s += 4.0
        return self.monotonic_s

    async def play(self) -> None:
        """Be the kubelet: each new Pod gets its status; one that goes is gone."""
        changed = asyncio.Event()
        pods = self.world.informers[PODS]
        pods.on_change(lambda old, new: changed.set())
        seen = set[str]()
        while True:
            await changed.wait()
            changed.clear()
            for pod in list(pods.objects.values()):
                uid = pod["metadata"]["uid"]
                if uid in seen or "relight.dev/model-of" not in pod["metadata"]["labels"]:
                    continue
                seen.add(uid)
                self.made.append(pod)
                await self.says(self.plays(pod))

    async def says(self, status: dict[str, Any] | None) -> None:
        pod = self.world.get(PODS, NAME)
        if status is not None and pod:
            told = {"conditions": PLACED, **status}
            with contextlib.suppress(ApiError):
                await self.world.client.replace(PODS, {**pod, "status": told}, subresource="status")

    def condition(self, type_: str = "Ready") -> tuple[str, str, str]:
        found = self.world.condition(REVISIONS, "web-00001", type_)
        return found.get("status", ""), found.get("reason", ""), found.get("message", "")


@contextlib.asynccontextmanager
async def a_stage(path: Path) -> AsyncIterator[Stage]:
    async with a_world(path) as world, asyncio.TaskGroup() as tasks:
        stage = Stage(world)
        task = tasks.create_task(stage.play())
        try:
            yield stage
        finally:
            task.cancel()


def predictor(*args: str) -> dict[str, Any]:
    raw = ksvc("web")
    container = {"image": "relight/predictor", "args": [*(args or ("--model", "/mnt/m.onnx"))]}
    raw["spec"]["template"]["spec"]["containers"] = [container]
    return raw


async def test_a_pod_finds_the_model_and_goes(tmp_path: Path) -> None:
    async with a_stage(tmp_path / "db") as stage:
        stage.plays = lambda _: ended(FOUND, stage.world.now_s)
        world = stage.world
        async with stage.controller():
            await world.apply(predictor())
            made = await world.until(lambda: world.get(DEPLOYMENTS, "web-00001-deployment"))
            await world.until(lambda: not world.get(PODS, NAME))
            await world.until(lambda: world.events("Fetched"))
        annotations = world.get(REVISIONS, "web-00001")["metadata"]["annotations"]
        assert annotations["relight.dev/model-digest"] == DIGEST
        assert len(stage.made) == 1
        spec = made["spec"]["template"]["spec"]
        assert DIGEST in spec["initContainers"][0]["args"]
        assert spec["containers"][0]["image"] == OURS.image
        assert world.events("Fetched") == [f"Fetched /mnt/m.onnx ({DIGEST})"]


async def test_a_model_that_is_missing_is_told_and_looked_for_again(tmp_path: Path) -> None:
    async with a_stage(tmp_path / "db") as stage:
        stage.plays = lambda _: ended(MISSING, stage.world.now_s, 1)
        world = stage.world
        async with stage.controller() as models:
            await world.apply(predictor())
            await world.until(lambda: stage.condition()[0] == "False")
            assert stage.condition() == ("False", "ModelMissing", "model m does not exist")
            revision = world.get(REVISIONS, "web-00001")
            early = await models.resolve(revision)
            assert isinstance(early, Problem)
            assert early.retry_s == 10.0
            assert world.get(PODS, NAME)  # to be looked at
            world.now_s += 11.0
            stage.plays = lambda _: ended(FOUND, world.now_s)
            found = await models.resolve(revision)
            assert found == Digest(text=DIGEST, told=f"Fetched /mnt/m.onnx ({DIGEST})")
            assert await models.resolve(revision) == found  # it may not be written yet
        attempts = [each["metadata"]["annotations"]["relight.dev/attempt"] for each in stage.made]
        assert attempts == ["0", "1"]
        assert not world.get(DEPLOYMENTS, "web-00001-deployment")


async def test_who_takes_over_goes_on_with_the_same_pod(tmp_path: Path) -> None:
    async with a_stage(tmp_path / "db") as stage:
        stage.plays = lambda _: {"containerStatuses": [one({"running": {}})]}
        world = stage.world
        async with stage.controller():
            await world.apply(predictor())
            fetching = ("Unknown", "Fetching", "fetching /mnt/m.onnx")
            await world.until(lambda: stage.condition() == fetching)
            running = one({"running": {}})
            await stage.says(
                {"phase": "Running", "podIP": "10.0.0.7", "containerStatuses": [running]}
            )
            await world.until(lambda: stage.condition()[2] == "1.0 of 2.0 MB (50 %) of m")
        async with stage.controller():
            await stage.says(ended(FOUND, world.now_s))
            await world.until(lambda: world.get(DEPLOYMENTS, "web-00001-deployment"))
        assert len(stage.made) == 1


async def test_what_is_in_its_way_is_said_and_it_goes_on_when_it_is_not(tmp_path: Path) -> None:
    async with a_stage(tmp_path / "db") as stage:
        world = stage.world
        unplaced = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available",
        }
        stage.plays = lambda _: {"conditions": [unplaced]}
        async with stage.controller():
            await world.apply(predictor())
            await world.until(lambda: stage.condition("ResourcesAvailable")[1] == "Unschedulable")
            assert stage.condition()[0] == "Unknown"  # a node may come: nothing is given up
            secret = {"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}
            await stage.says({"containerStatuses": [one({"waiting": secret})]})
            await world.until(lambda: stage.condition()[0] == "False")
            assert stage.condition() == ("False", secret["reason"], secret["message"])
            await stage.says(ended(FOUND, world.now_s))
            await world.until(lambda: world.get(DEPLOYMENTS, "web-00001-deployment"))


async def test_a_volume_that_is_missing_is_told_by_events(tmp_path: Path) -> None:
    async with a_stage(tmp_path / "db") as stage:
        world = stage.world
        missing = 'MountVolume.SetUp failed for volume "s" : secret "nope" not found'

        stage.plays = lambda _: creating()
        async with stage.controller():
            await world.apply(predictor())
            pod = await world.until(lambda: world.get(PODS, NAME))
            await world.client.create(
                EVENTS,
                {
                    "apiVersion": "v1",
                    "kind": "Event",
                    "metadata": {"name": "e", "namespace": "default"},
                    "involvedObject": {
                        "kind": "Pod",
                        "namespace": "default",
                        "name": NAME,
                        "uid": pod["metadata"]["uid"],
                    },
                    "reason": "FailedMount",
                    "message": missing,
                    "type": "Warning",
                    "lastTimestamp": rfc3339(world.now_s),
                },
            )
            await world.until(lambda: stage.condition()[0] == "False")
        assert stage.condition("ResourcesAvailable") == ("False", "FailedMount", missing)


class Refusing(DirectClient):
    """A quota that has nothing left for Pods."""

    async def create(self, resource: Any, obj: Any) -> dict[str, Any]:
        if resource == PODS:
            raise ForbiddenError("exceeded quota: small")
        return await super().create(resource, obj)


async def test_a_pod_that_is_refused_is_told(tmp_path: Path) -> None:
    async with a_stage(tmp_path / "db") as stage:
        async with stage.controller(Refusing(stage.world.server, user="controller")):
            await stage.world.apply(predictor())
            await stage.world.until(lambda: stage.condition()[0] == "False")
        status, reason, message = stage.condition()
        assert (status, reason) == ("False", "FailedCreate")
        assert message == f"Pod {NAME}, which finds the model: exceeded quota: small"


async def test_a_pod_of_that_name_that_is_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    async with a_stage(tmp_path / "db") as stage:
        world = stage.world
        own = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": NAME,
                "namespace": "default",
                "labels": {"relight.dev/model-of": "x"},
            },
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        await world.client.create(PODS, own)
        async with stage.controller():
            await world.apply(predictor())
            await world.until(lambda: stage.condition()[0] == "False")
        assert stage.condition()[1] == "NotOwned"
        assert world.get(PODS, NAME)


async def test_what_no_pod_could_find_needs_none(tmp_path: Path) -> None:
    async with a_stage(tmp_path / "db") as stage:
        async with stage.controller():
            await stage.world.apply(predictor("--model", "hdfs://host/m"))
            await stage.world.until(lambda: stage.world.says(SERVICES, "web", "False"))
        assert stage.condition()[1] == "ModelUnsupported"
        assert stage.made == []


async def test_one_that_is_given_up_leaves_the_next_its_news(tmp_path: Path) -> None:
    async with a_world(tmp_path / "store.db") as world, asyncio.TaskGroup() as tasks:
        raw = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Revision",
            "metadata": {"name": "web-00001", "namespace": "default"},
            "spec": {"containers": [{"image": "relight/predictor", "args": ["--model", "s3://m"]}]},
        }
        revision = await world.client.create(REVISIONS, raw)
        mishaps = Mishaps(world.client, now_s=lambda: 0.0)
        models = ModelRuns(world.client, OURS, clock=lambda: world.now_s, mishaps=mishaps)
        following = tasks.create_task(models.run())
        first = tasks.create_task(models.resolve(revision))
        await world.until(lambda: world.get(PODS, NAME))
        second = tasks.create_task(models.resolve(revision))
        for _ in range(10):
            await asyncio.sleep(0)  # both wait for the Pod to change
        first.cancel()
        await asyncio.wait({first})
        status = ended(FOUND, world.now_s)
        pod = world.get(PODS, NAME)
        await world.client.replace(PODS, {**pod, "status": status}, subresource="status")
        async with asyncio.timeout(10):
            found = await second
        assert isinstance(found, Digest)
        assert found.text == DIGEST
        following.cancel()


async def test_one_that_ended_for_good_is_tried_again_when_its_pod_is_deleted(
    tmp_path: Path,
) -> None:
    final = to_text(NoModel(reason="ModelUnsupported", message="no such format", is_final=True))
    async with a_stage(tmp_path / "db") as stage:
        stage.plays = lambda _: ended(final, stage.world.now_s, 1)
        world = stage.world
        async with stage.controller() as models:
            await world.apply(predictor())
            await world.until(lambda: stage.condition()[1] == "ModelUnsupported")
            manager = models.on_gone.__self__._manager  # type: ignore[attr-defined]
            # All there is to do is done, but for a look in five minutes.
            async with asyncio.timeout(10):
                loop = asyncio.get_running_loop()
                while manager._working or (manager._queue.next_due_s() or 0) < loop.time() + 200:
                    await asyncio.sleep(0.01)
            stage.plays = lambda _: ended(FOUND, world.now_s)
            await world.client.delete(PODS, "default", NAME, grace_period_s=0)
            await world.until(lambda: world.get(DEPLOYMENTS, "web-00001-deployment"))
        assert len(stage.made) == 2
