"""A controller beside a real API server, with stand-ins for what the controller does not do.

The stand-in is the rest of the platform in three rules: a Revision of a good model gets its
replicas and its PodAutoscaler says so; one of a broken model gets a Pod that ends with a
message; one of a slow model gets nothing until it is let go.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from api.admission import admit
from api.kinds import (
    CONFIGMAPS,
    CONFIGURATIONS,
    DEPLOYMENTS,
    DOMAINMAPPINGS,
    EVENTS,
    INFERENCESERVICES,
    NAMESPACES,
    PODAUTOSCALERS,
    PODS,
    REVISIONS,
    ROUTES,
    SERVICES,
    SERVINGRUNTIMES,
    Resource,
)
from cluster.direct import DirectClient
from cluster.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError
from cluster.informer import Informer
from controller.config import Settings
from controller.server import Controller, Tell
from embedded.apiserver import ApiServer
from embedded.store import Store

NOW_S = 1_800_000_000.0
DEADLINE_S = 10.0
OURS = (
    *(SERVICES, CONFIGURATIONS, ROUTES, REVISIONS, DEPLOYMENTS, PODAUTOSCALERS),
    *(INFERENCESERVICES, SERVINGRUNTIMES),
)
FAILURE = "model.onnx is not an ONNX model: it begins with b'hello'"


def ksvc(
    name: str,
    model: str = "good",
    *,
    traffic: list[dict[str, Any]] | None = None,
    revision: str = "",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    template_annotations: dict[str, str] | None = None,
    **container: Any,
) -> dict[str, Any]:
    """A Service; its container runs `/bin/serve <model>`, whose first letters decide its fate."""
    metadata = {"name": revision} if revision else {}
    if template_annotations:
        metadata["annotations"] = template_annotations
    image = {"image": "example.com/serve", "command": ["/bin/serve"], "args": [model]}
    spec: dict[str, Any] = {
        "template": {"metadata": metadata, "spec": {"containers": [{**image, **container}]}}
    }
    if traffic is not None:
        spec["traffic"] = traffic
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": labels or {},
            "annotations": annotations or {},
        },
        "spec": spec,
    }


class FaultyClient(DirectClient):
    """Interferes with writes, by verb and count; Events are let through and not counted."""

    def __init__(self, server: ApiServer) -> None:
        super().__init__(server, user="controller")
        self.writes = 0
        self.before: Callable[[int, str, Resource, Any], None] = lambda *_: None
        self.after: Callable[[int, str, Resource, Any], None] = lambda *_: None

    async def create(self, resource: Resource, obj: Any) -> dict[str, Any]:
        if resource == EVENTS:
            return await super().create(resource, obj)
        number = self._count()
        self.before(number, "create", resource, obj)
        made = await super().create(resource, obj)
        self.after(number, "create", resource, obj)
        return made

    async def replace(
        self, resource: Resource, obj: Any, *, subresource: str = ""
    ) -> dict[str, Any]:
        number = self._count()
        self.before(number, "replace", resource, obj)
        made = await super().replace(resource, obj, subresource=subresource)
        self.after(number, "replace", resource, obj)
        return made

    def _count(self) -> int:
        self.writes += 1
        return self.writes


class StandIn:
    """Kubelet and autoscaler, as far as a controller sees them."""

    def __init__(self, client: DirectClient, informers: dict[Resource, Informer]) -> None:
        self._client = client
        self._informers = informers
        self._wake = asyncio.Event()
        self.held: set[str] = {"slow"}  # models whose replicas do not come up yet
        for resource in (DEPLOYMENTS, PODAUTOSCALERS, PODS):
            informers[resource].on_change(lambda old, new: self._wake.set())

    def release(self, model: str) -> None:
        self.held.discard(model)
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for key, autoscaler in list(self._informers[PODAUTOSCALERS].objects.items()):
                deployment = self._informers[DEPLOYMENTS].objects.get(
                    (key[0], autoscaler["spec"]["scaleTargetRef"]["name"])
                )
                if deployment is not None:
                    with contextlib.suppress(ConflictError, NotFoundError):
                        await self._play(autoscaler, deployment)

    async def _play(self, autoscaler: dict[str, Any], deployment: dict[str, Any]) -> None:
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        model = container["args"][-1]
        replicas = deployment["spec"]["replicas"]
        if model in self.held:
            return
        if model.startswith("broken"):
            await self._crash(deployment, replicas)
            return
        counts = {"replicas": replicas, "availableReplicas": replicas, "readyReplicas": replicas}
        await self._status(DEPLOYMENTS, deployment, {k: v for k, v in counts.items() if v})
        active = {"type": "Active", "status": "True" if replicas else "False"}
        if not replicas:
            active |= {"reason": "NoTraffic", "message": "The target is not receiving traffic."}
        initialized = {"type": "ScaleTargetInitialized", "status": "True"}
        status = {
            "actualScale": replicas,
            "desiredScale": replicas,
            "conditions": [active, initialized],
        }
        await self._status(PODAUTOSCALERS, autoscaler, status)

    async def _crash(self, deployment: dict[str, Any], replicas: int) -> None:
        await self._status(DEPLOYMENTS, deployment, {"replicas": replicas})
        name = f"{deployment['metadata']['name']}-pod"
        key = (deployment["metadata"]["namespace"], name)
        if not replicas:
            return
        if key not in self._informers[PODS].objects:
            pod = broken_pod(deployment, name)
            status = pod.pop("status")
            with contextlib.suppress(ApiError):
                made = await self._client.create(PODS, pod)
                await self._status(PODS, made, status)

    async def _status(self, resource: Resource, obj: dict[str, Any], status: Any) -> None:
        if obj.get("status") != status:
            await self._client.replace(resource, {**obj, "status": status}, subresource="status")


def broken_pod(deployment: dict[str, Any], name: str) -> dict[str, Any]:
    template = deployment["spec"]["template"]
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": FAILURE}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": deployment["metadata"]["namespace"],
            "labels": template["metadata"]["labels"],
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": deployment["metadata"]["name"],
                    "uid": deployment["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": template["spec"],
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {"name": "user-container", "ready": False, "restartCount": 0, "state": ended}
            ],
        },
    }


class World:
    """The store, the server, the stand-in and (while `controller` is open) a controller."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.server = ApiServer(self.store, clock=lambda: NOW_S, rng=random.Random(7), admit=admit)
        self.client = DirectClient(self.server, user="somebody")
        self._changed = asyncio.Event()
        self.informers = {
            resource: Informer(self.client, resource)
            for resource in (*OURS, PODS, EVENTS, DOMAINMAPPINGS)
        }
        for informer in self.informers.values():
            informer.on_change(lambda old, new: self._changed.set())
        self.stand_in = StandIn(self.client, self.informers)
        self.running: Controller | None = None
        self.now_s = NOW_S  # what the controller takes the time to be

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for informer in self.informers.values():
                tasks.create_task(informer.run())
            tasks.create_task(self.stand_in.run())

    @contextlib.asynccontextmanager
    async def controller(
        self, client: DirectClient | None = None, mishaps: Tell | None = None, **settings: Any
    ) -> AsyncIterator[Controller]:
        controller = Controller(
            client or DirectClient(self.server, user="controller"),
            Settings(**{"external_port": 8080, **settings}),
            clock=lambda: self.now_s,
            mishaps=mishaps,
        )
        self.running = controller
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(controller.run())
            try:
                yield controller
            finally:
                task.cancel()

    async def until(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Wait until the condition holds; look again after each change of any object."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not (answer := condition()):
                    await self._changed.wait()
                    self._changed.clear()
                return answer
        except TimeoutError:
            raise AssertionError(f"never came true: {what or condition}") from None

    async def apply(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Create, or replace the spec and the labels, as `kubectl apply` does."""
        resource = next(each for each in OURS if each.kind == obj["kind"])
        metadata = obj["metadata"]
        try:
            before = await self.client.get(resource, metadata["namespace"], metadata["name"])
        except NotFoundError:
            return await self.client.create(resource, obj)
        kept = {
            **before["metadata"],
            "labels": metadata.get("labels") or {},
            "annotations": {
                **(before["metadata"].get("annotations") or {}),
                **(metadata.get("annotations") or {}),
            },
        }
        return await self.client.replace(
            resource, {**before, "metadata": kept, "spec": obj["spec"]}
        )

    async def configure(self, name: str, **data: str) -> None:
        """Put a ConfigMap where whoever runs a cluster keeps settings."""
        namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "knative-serving"},
        }
        with contextlib.suppress(AlreadyExistsError):
            await self.client.create(NAMESPACES, namespace)
        raw = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "knative-serving"},
            "data": {key.replace("_", "-"): text for key, text in data.items()},
        }
        try:
            await self.client.create(CONFIGMAPS, raw)
        except AlreadyExistsError:
            await self.client.replace(CONFIGMAPS, raw)

    def get(self, resource: Resource, name: str) -> dict[str, Any]:
        """The object as it is known by now; empty if it is not."""
        return self.informers[resource].objects.get(("default", name), {})

    def condition(self, resource: Resource, name: str, type_: str = "Ready") -> dict[str, Any]:
        conditions = self.get(resource, name).get("status", {}).get("conditions", ())
        return next((each for each in conditions if each["type"] == type_), {})

    def says(self, resource: Resource, name: str, status: str, type_: str = "Ready") -> bool:
        """Whether the condition has that status, of the object's present generation."""
        raw = self.get(resource, name)
        is_observed = (
            raw and raw.get("status", {}).get("observedGeneration") == raw["metadata"]["generation"]
        )
        return bool(is_observed and self.condition(resource, name, type_).get("status") == status)

    def traffic(self, name: str) -> list[tuple[str, int, str]]:
        """What the Service's status says of traffic: (Revision, percent, tag)."""
        return [
            (each["revisionName"], each["percent"], each.get("tag", ""))
            for each in self.get(SERVICES, name).get("status", {}).get("traffic", ())
        ]

    def events(self, reason: str) -> list[str]:
        return [
            event["message"]
            for event in self.informers[EVENTS].objects.values()
            if event["reason"] == reason
        ]

    def state(self) -> dict[str, Any]:
        """Everything that is stored of our kinds, without what differs from run to run."""
        found = {}
        for resource in OURS:
            for obj in self.store.select(resource):
                found[f"{resource.kind} {obj['metadata']['name']}"] = _plain(obj)
        names = {
            obj["metadata"]["uid"]: f"uid of {resource.kind} {obj['metadata']['name']}"
            for resource in OURS
            for obj in self.store.select(resource)
        }
        return dict(_renamed(found, names))


_VOLATILE = {"resourceVersion", "creationTimestamp", "managedFields"}
# How often a child was written depends on the order of events; what it says does not.
_COUNTED = {"generation", "serving.knative.dev/deployment-hash"}
_CHILDREN = {DEPLOYMENTS.kind, PODAUTOSCALERS.kind}


def _plain(obj: dict[str, Any]) -> dict[str, Any]:
    volatile = _VOLATILE | (_COUNTED if obj["kind"] in _CHILDREN else set())
    return dict(_without(obj, volatile))


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(each, names) for name, each in value.items() if name not in names}
    return [_without(each, names) for each in value] if isinstance(value, list) else value


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _renamed(each, names) for name, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


@contextlib.asynccontextmanager
async def a_world(path: Path) -> AsyncIterator[World]:
    world = World(path)
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(world.run())
            for informer in world.informers.values():
                await informer.synced()
            yield world
            task.cancel()
    finally:
        world.store.close()
