"""A real API server that serves EndpointSlices, as some cluster's does, and a real controller."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from api.kinds import (
    CORE_SERVICES,
    CUSTOMRESOURCEDEFINITIONS,
    ENDPOINTSLICES,
    ENDPOINTSLICES_V1BETA1,
    INFERENCESERVICES,
    PODAUTOSCALERS,
    PODS,
    ROUTES,
    SERVICES,
    Resource,
)
from cluster.errors import ForbiddenError, NotFoundError, UnavailableError
from cluster.informer import Informer
from controller.predictor_pods import PredictorPods
from controller.publisher import served_slices
from controller.publishing import Publishing
from tests.controller.world import FaultyClient, World, a_world, ksvc


def definition(version: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "endpointslices.discovery.k8s.io"},
        "spec": {
            "group": "discovery.k8s.io",
            "scope": "Namespaced",
            "names": {
                "plural": "endpointslices",
                "singular": "endpointslice",
                "kind": "EndpointSlice",
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


class Cluster:
    """A world with core Services: what they lead to, and Pods that come and go."""

    def __init__(self, world: World, slices: Resource) -> None:
        self.world = world
        self.slices = Informer(world.client, slices)
        self.services = Informer(world.client, CORE_SERVICES)
        self.changes = asyncio.Event()
        for informer in (self.slices, self.services):
            informer.on_change(lambda old, new: self.changes.set())
        self.slice_writes = 0
        self.slices.on_change(self._count)

    def _count(self, old: Any, new: Any) -> None:
        self.slice_writes += 1

    def leads(self, service: str) -> set[str]:
        """Where, as names of Pods with their ports."""
        return {
            f"{one['targetRef']['name']}:{each['ports'][0]['port']}"
            for each in self.slices.objects.values()
            if each["metadata"]["labels"]["kubernetes.io/service-name"] == service
            for one in each["endpoints"]
        }

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changes.clear()
                await self.changes.wait()

    async def pod(self, name: str, ip: str, labels: dict[str, str]) -> None:
        raw = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        await self.world.client.create(PODS, raw)
        await self.is_ready(name, ip, is_so=True)

    async def is_ready(self, name: str, ip: str, *, is_so: bool) -> None:
        ready = {"type": "Ready", "status": "True" if is_so else "False"}
        status = {"podIP": ip, "conditions": [ready]}
        client = self.world.client
        await client.patch(PODS, "default", name, {"status": status}, subresource="status")

    async def mode(self, revision: str, mode: str) -> None:
        status = {"mode": mode, "activators": 2}
        client = self.world.client
        await client.patch(
            PODAUTOSCALERS, "default", revision, {"status": status}, subresource="status"
        )


@asynccontextmanager
async def a_cluster(
    path: Path,
    slices: Resource = ENDPOINTSLICES,
    before: Callable[[int, str, Resource, Any], None] | None = None,
) -> AsyncIterator[Cluster]:
    """`before` each write of the controller's."""
    async with a_world(path / "store.db") as world:
        await world.client.create(CUSTOMRESOURCEDEFINITIONS, definition(slices.version))
        (path / "good").write_bytes(b"a model")
        cluster = Cluster(world, slices)
        settings: dict[str, Any] = {
            "publishing": Publishing(system_namespace="default"),
            "predictor": PredictorPods(linger_s=5),
            "model_root": path,
        }
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(each.run()) for each in (cluster.slices, cluster.services)]
            client = FaultyClient(world.server)
            client.before = before or client.before
            async with world.controller(client, **settings):
                yield cluster
            for task in running:
                task.cancel()


def predictor(name: str, **changes: Any) -> dict[str, Any]:
    made = ksvc(name, **changes)
    container = made["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": "relight/predictor", "args": ["--model", "good"]}
    del container["command"]
    return made


@pytest.mark.parametrize("slices", [ENDPOINTSLICES, ENDPOINTSLICES_V1BETA1])
async def test_a_service_leads_to_activators_then_to_pods_and_back(
    tmp_path: Path, slices: Resource
) -> None:
    async with a_cluster(tmp_path, slices) as cluster:
        world = cluster.world
        labels = {"app.kubernetes.io/name": "activator"}
        await cluster.pod("activator-1", "10.9.0.1", labels)
        await world.apply(predictor("mnist"))
        await world.until(lambda: world.says(SERVICES, "mnist", "True"))
        world.stand_in.held |= {"good", "--model"}
        both = ("mnist", "mnist-00001")
        to_activators = {"activator-1:8080"}
        await cluster.until(lambda: all(cluster.leads(each) == to_activators for each in both))
        revision = world.get(PODAUTOSCALERS, "mnist-00001")
        assert revision["metadata"]["annotations"]["relight.dev/direct"] == "true"
        own = {
            name: revision["metadata"]["labels"][name]
            for name in ("serving.knative.dev/revision", "serving.knative.dev/revisionUID")
        }
        await cluster.pod("p1", "10.1.0.1", own)
        await cluster.mode("mnist-00001", "Serve")
        await cluster.until(lambda: all(cluster.leads(each) == {"p1:8080"} for each in both))
        await cluster.pod("p2", "10.1.0.2", own)
        to_pods = {"p1:8080", "p2:8080"}
        await cluster.until(lambda: all(cluster.leads(each) == to_pods for each in both))
        await cluster.is_ready("p1", "10.1.0.1", is_so=False)
        await cluster.until(lambda: all(cluster.leads(each) == {"p2:8080"} for each in both))
        before = cluster.slice_writes
        await cluster.mode("mnist-00001", "Proxy")
        await cluster.until(lambda: all(cluster.leads(each) == to_activators for each in both))
        assert cluster.slice_writes - before == 2, "one for each Service"
        await cluster.is_ready("p2", "10.1.0.2", is_so=False)
        await cluster.is_ready("activator-1", "10.9.0.1", is_so=False)
        await cluster.pod("activator-0", "10.9.0.3", labels)
        await cluster.is_ready("activator-0", "10.9.0.3", is_so=False)
        both_unready = {"activator-0:8080", "activator-1:8080"}
        await cluster.until(lambda: all(cluster.leads(each) == both_unready for each in both))
        await cluster.is_ready("activator-1", "10.9.0.1", is_so=True)
        await cluster.until(lambda: all(cluster.leads(each) == to_activators for each in both))
        await cluster.pod("activator-2", "10.9.0.2", labels)
        await cluster.until(lambda: all(len(cluster.leads(each)) == 2 for each in both))


async def test_what_is_somebody_elses_is_not_stolen_and_the_route_says_so(tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as cluster:
        theirs = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "mnist", "namespace": "default"},
            "spec": {"selector": {"app": "x"}, "ports": [{"port": 5000}]},
        }
        world = cluster.world
        await world.client.create(CORE_SERVICES, theirs)
        await world.apply(ksvc("mnist"))
        await world.until(lambda: world.says(ROUTES, "mnist", "False"))
        [found] = [
            each
            for each in world.get(ROUTES, "mnist")["status"]["conditions"]
            if each["type"] == "IngressReady"
        ]
        assert found["reason"] == "NotOwned"
        assert found["message"] == (
            'There is an existing placeholder Service "mnist" that we do not own.'
        )
        kept = await world.client.get(CORE_SERVICES, "default", "mnist")
        assert kept["spec"] == theirs["spec"]


async def test_a_revision_whose_name_is_taken_says_so(tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as cluster:
        world = cluster.world
        theirs = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "mnist-00001", "namespace": "default"},
            "spec": {"ports": [{"port": 5000}]},
        }
        await world.client.create(CORE_SERVICES, theirs)
        await world.apply(ksvc("mnist"))
        await world.until(lambda: world.says(SERVICES, "mnist", "False"))
        ready = world.get(SERVICES, "mnist")["status"]["conditions"]
        assert any(
            'There is an existing Service "mnist-00001" that we do not own.' in each["message"]
            for each in ready
            if each.get("message")
        )


async def test_an_inference_service_is_published_unless_a_route_has_its_name(
    tmp_path: Path,
) -> None:
    async with a_cluster(tmp_path) as cluster:
        world = cluster.world
        await cluster.pod("activator-1", "10.9.0.1", {"app.kubernetes.io/name": "activator"})
        model = {"modelFormat": {"name": "onnx"}, "storageUri": "file:///good"}
        for name in ("mnist", "iris"):
            made = {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"predictor": {"model": model}},
            }
            if name == "mnist":
                await world.apply(ksvc(name))
                await world.until(lambda: world.says(SERVICES, "mnist", "True"))
            await world.client.create(INFERENCESERVICES, made)
        await cluster.until(lambda: cluster.leads("iris") == {"activator-1:8080"})
        owners = {
            name: cluster.services.objects["default", name]["metadata"]["ownerReferences"][0][
                "kind"
            ]
            for name in ("mnist", "iris")
        }
        assert owners == {"mnist": "Route", "iris": "InferenceService"}


async def test_a_service_that_is_refused_keeps_no_other_from_following(tmp_path: Path) -> None:
    def quota(_number: int, verb: str, resource: Resource, obj: Any) -> None:
        if verb == "create" and resource == CORE_SERVICES and obj["metadata"]["name"] == "blue-m":
            raise ForbiddenError("exceeded quota: services")

    async with a_cluster(tmp_path, before=quota) as cluster:
        world = cluster.world
        labels = {"app.kubernetes.io/name": "activator"}
        await cluster.pod("activator-1", "10.9.0.1", labels)
        traffic = [{"latestRevision": True, "percent": 100, "tag": "blue"}]
        await world.apply(ksvc("m", traffic=traffic))
        await world.until(lambda: world.says(SERVICES, "m", "True"))
        both = ("m", "m-00001")
        await cluster.until(lambda: all(cluster.leads(e) == {"activator-1:8080"} for e in both))
        await world.until(lambda: world.events("CreationFailed"))
        assert "exceeded quota" in world.events("CreationFailed")[0]
        await cluster.pod("activator-2", "10.9.0.2", labels)
        await cluster.until(lambda: all(len(cluster.leads(e)) == 2 for e in both))
        assert cluster.leads("blue-m") == set()


async def test_what_was_deleted_is_made_again(tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as cluster:
        world = cluster.world
        await world.apply(ksvc("mnist"))
        await cluster.until(lambda: ("default", "mnist-0") in cluster.slices.objects)
        await world.client.delete(ENDPOINTSLICES, "default", "mnist-0")
        await cluster.until(lambda: ("default", "mnist-0") not in cluster.slices.objects)
        await cluster.until(lambda: ("default", "mnist-0") in cluster.slices.objects)
        before = cluster.services.objects["default", "mnist"]["metadata"]["uid"]
        await world.client.delete(CORE_SERVICES, "default", "mnist")

        def is_again() -> bool:
            found = cluster.services.objects.get(("default", "mnist"))
            return found is not None and found["metadata"]["uid"] != before

        await cluster.until(is_again)


async def test_the_version_of_slices_is_found_by_asking(tmp_path: Path) -> None:
    async with a_world(tmp_path / "store.db") as world:
        assert await served_slices(world.client) == ENDPOINTSLICES_V1BETA1
        await world.client.create(CUSTOMRESOURCEDEFINITIONS, definition("v1"))
        assert await served_slices(world.client) == ENDPOINTSLICES


async def test_a_server_that_does_not_answer_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("controller.publisher._ASKED_AGAIN_S", 0.0)
    async with a_world(tmp_path / "store.db") as world:
        await world.client.create(CUSTOMRESOURCEDEFINITIONS, definition("v1"))
        inner = world.client.list
        failures = iter([UnavailableError("no answer"), ForbiddenError("not yet")])

        async def listed(*args: Any, **words: Any) -> Any:
            if error := next(failures, None):
                raise error
            return await inner(*args, **words)

        monkeypatch.setattr(world.client, "list", listed)
        assert await served_slices(world.client) == ENDPOINTSLICES
    assert "no answer; asking again" in caplog.text


async def test_one_machine_has_no_core_services(tmp_path: Path) -> None:
    async with a_world(tmp_path / "store.db") as world:
        async with world.controller():
            await world.apply(ksvc("mnist"))
            await world.until(lambda: world.says(SERVICES, "mnist", "True"))
        with pytest.raises(NotFoundError):
            await world.client.get(CORE_SERVICES, "default", "mnist")
        annotations = world.get(PODAUTOSCALERS, "mnist-00001")["metadata"].get("annotations") or {}
        assert "relight.dev/direct" not in annotations
