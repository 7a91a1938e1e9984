"""Our controller and autoscaler beside a server under test, and a kubelet that only pretends.

The kubelet plays a Node of its own, so that behaviours need no image and no machine: what it is
told to run is ready at once, except what `args` says is broken. On a real cluster the real
scheduler and deployment controller do their parts; beside our server, our stand-ins do.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from api.kinds import PODS, Resource
from autoscaler.config import Settings as AutoscalerSettings
from autoscaler.server import Autoscaler
from cluster.client import Client
from cluster.direct import DirectClient
from cluster.errors import ApiError, NotFoundError
from cluster.events import EventRecorder
from cluster.http import HttpClient
from cluster.informer import Informer
from controller.config import Settings as ControllerSettings
from controller.server import Controller
from embedded.deployments import DeploymentController
from tests.conformance.servers import MARK, NODES, Api, ByCall, OverHttp

DEADLINE_S = 60.0
NODE_LABEL = "relight.dev/conformance"
HEARTBEAT_S = 8.0
MESSAGE = "model.onnx is not an ONNX model"
NODE_STATUS = {
    "capacity": {"cpu": "64", "memory": "256Gi", "pods": "500"},
    "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "500"},
}


@dataclass
class Kubelet:
    """Says of every Pod of its node what a kubelet would."""

    client: Client
    namespace: str
    pods: Informer = field(init=False)

    def __post_init__(self) -> None:
        self.pods = Informer(self.client, PODS, self.namespace)
        self._changed = asyncio.Event()
        self.pods.on_change(lambda old, new: self._changed.set())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.pods.run())
            while True:
                await self._changed.wait()
                self._changed.clear()
                for pod in list(self.pods.objects.values()):
                    with contextlib.suppress(ApiError):  # it changed: there is another event
                        await self._play(pod)

    async def _play(self, pod: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp"):
            await self.client.delete(
                PODS, self.namespace, metadata["name"], grace_period_s=0, uid=metadata["uid"]
            )
            return
        status = {**(pod.get("status") or {}), **_status_of(pod)}
        if status != pod.get("status"):
            await self.client.replace(PODS, {**pod, "status": status}, subresource="status")


def _status_of(pod: dict[str, Any]) -> dict[str, Any]:
    started = pod["metadata"]["creationTimestamp"]
    is_broken = any("broken" in (each.get("args") or ()) for each in pod["spec"]["containers"])
    if is_broken:
        ended = {"exitCode": 1, "reason": "Error", "message": MESSAGE, "startedAt": started}
        state: dict[str, Any] = {"terminated": {**ended, "finishedAt": started}}
    else:
        state = {"running": {"startedAt": started}}
    conditions = [
        {"type": each, "status": str(not is_broken), "lastTransitionTime": started}
        for each in ("Ready", "ContainersReady")
    ]
    fixed = [
        {"type": each, "status": "True", "lastTransitionTime": started}
        for each in ("Initialized", "PodScheduled")
    ]
    return {
        "phase": "Running",
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "startTime": started,
        "conditions": [*conditions, *fixed],
        "containerStatuses": [
            {
                "name": each["name"],
                "image": each["image"],
                "imageID": "",
                "ready": not is_broken,
                "started": not is_broken,
                "restartCount": 1 if is_broken else 0,
                "state": state,
                "lastState": {},
            }
            for each in pod["spec"]["containers"]
        ],
    }


@dataclass
class Platform:
    """A server with the platform running beside it."""

    api: Api
    client: Client
    selector: dict[str, str]

    def service(self, name: str = "s", **template: Any) -> dict[str, Any]:
        """A Service whose Pods go to the pretended node."""
        spec = {
            "containers": [{"image": "relight/predictor:dev", "command": ["serve"]}],
            **({"nodeSelector": self.selector} if self.selector else {}),
            **template.pop("spec", {}),
        }
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": self.api.namespace},
            "spec": {"template": {**template, "spec": spec}},
        }

    async def until(
        self, resource: Resource, name: str, holds: Callable[[dict[str, Any]], Any]
    ) -> dict[str, Any]:
        """Wait until the object is there and `holds`; returns it."""
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    with contextlib.suppress(NotFoundError):
                        found = await self.api.do("get", resource, name)
                        if holds(found):
                            return found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{resource.kind} {name} never came to that: {found}") from None

    async def ready(self, resource: Resource, name: str, status: str = "True") -> dict[str, Any]:
        """Wait until Ready has that status, of the present generation."""
        return await self.until(
            resource, name, lambda o: is_observed(o) and condition(o)["status"] == status
        )

    async def gone(self, resource: Resource, name: str) -> None:
        """Wait until there is no such object."""
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(NotFoundError):
                while True:
                    await self.api.do("get", resource, name)
                    await asyncio.sleep(0.05)


def is_observed(obj: dict[str, Any]) -> bool:
    observed = (obj.get("status") or {}).get("observedGeneration")
    return bool(observed == obj["metadata"]["generation"])


def condition(obj: dict[str, Any], type_: str = "Ready") -> dict[str, Any]:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == type_), {"status": "absent"})


@contextlib.asynccontextmanager
async def running(api: Api) -> AsyncIterator[Platform]:
    """The platform beside a server, until left."""
    client = _client(api)
    async with _node(api) as selector, asyncio.TaskGroup() as tasks:
        settings = ControllerSettings(external_port=8080)
        parts = [
            tasks.create_task(Controller(client, settings, clock=time.time).run()),
            tasks.create_task(Autoscaler(client, AutoscalerSettings(), clock=time.time).run()),
            tasks.create_task(Kubelet(client, api.namespace).run()),
        ]
        if not selector:
            events = EventRecorder(client, "deployments")
            deployments = DeploymentController(
                client, events=events, rng=random.Random(1), clock=time.time
            )
            parts += [tasks.create_task(events.run()), tasks.create_task(deployments.run())]
        yield Platform(api, client, selector)
        for part in parts:
            part.cancel()


def _client(api: Api) -> Client:
    if isinstance(api, ByCall):
        return DirectClient(api.server)
    assert isinstance(api, OverHttp)
    return HttpClient(api.url, api.session, api.token)


@contextlib.asynccontextmanager
async def _node(api: Api) -> AsyncIterator[dict[str, str]]:
    """A Node nobody runs, on a real cluster; nothing beside our server, which needs none."""
    if api.name != "kubernetes":
        yield {}
        return
    name = f"pretended-{api.namespace}"
    labels = {NODE_LABEL: api.namespace}
    await api.do("create", NODES, body={"metadata": {"name": name, "labels": labels | MARK}})
    try:
        async with asyncio.TaskGroup() as tasks:
            beat = tasks.create_task(_beat(api, name))
            yield labels
            beat.cancel()
    finally:
        await api.do("delete", NODES, name)
        # Nobody else would say that they have ended; those that take their place have no node.
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
        await api.do("deletecollection", PODS, body=options)


async def _beat(api: Api, name: str) -> None:
    while True:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "Pretended",
            "message": "a node of the conformance suite",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        status = {"status": {**NODE_STATUS, "conditions": [ready]}}
        await api.do("patch", NODES, name, status, part="status")
        # The controller that taints new nodes until they are ready may do so after this.
        await api.do("patch", NODES, name, {"spec": {"taints": None}})
        await asyncio.sleep(HEARTBEAT_S)
