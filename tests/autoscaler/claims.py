"""Pods that are warm, ReplicaSets that want some, and calls that are answered as told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from api import pool
from api.kinds import REPLICASETS, Resource
from autoscaler.claim_calls import Call, CallError, Told
from cluster.client import ALL, ObjectList, Page, WatchEvent
from cluster.direct import DirectClient
from embedded.apiserver import ApiServer

DEPLOYMENT = "r-deployment"
SPEC: dict[str, Any] = {
    "containers": [
        {
            "name": "user-container",
            "image": "relight/predictor:1",
            "args": ["--model", "http://m/m.onnx"],
            "ports": [{"name": "user-port", "containerPort": 8080}],
            "env": [{"name": "K_REVISION", "value": "r"}],
        }
    ]
}
LABELS = {"serving.knative.dev/revision": "r", "app": "r", "pod-template-hash": "h1"}


def replica_set(
    replicas: int = 0, *, version: int = 1, observed: int | None = None, age: int = 1
) -> dict[str, Any]:
    """The ReplicaSet of Deployment r; `version` is its generation and resourceVersion."""
    owner = {"kind": "Deployment", "name": DEPLOYMENT, "controller": True, "uid": "d"}
    template = {"metadata": {"labels": LABELS, "annotations": {"a": "b"}}, "spec": SPEC}
    return {
        "metadata": {
            "name": f"r-{age}",
            "namespace": "default",
            "uid": f"rs-{age}",
            "resourceVersion": str(version),
            "generation": version,
            "annotations": {"deployment.kubernetes.io/revision": str(age)},
            "ownerReferences": [owner],
        },
        "spec": {"replicas": replicas, "template": template},
        "status": {"observedGeneration": version if observed is None else observed},
    }


def warm_pod(name: str, *, is_ready: bool = True, version: str = "7") -> dict[str, Any]:
    """A warm Pod that fits."""
    made = pool.make_pod("default", pool.class_of(SPEC), SPEC, name=name, key=f"key-{name}")
    made["metadata"] |= {"uid": f"uid-{name}", "resourceVersion": version}
    made["status"] = status_of(is_ready=is_ready)
    return made


def status_of(*, is_ready: bool = True) -> dict[str, Any]:
    said = "True" if is_ready else "False"
    conditions = [{"type": "Ready", "status": said}]
    return {"podIP": "10.0.0.1", "phase": "Running", "conditions": conditions}


class Sets:
    """A client that has ReplicaSets beside all that our own server has."""

    def __init__(self, server: ApiServer, user: str = "test") -> None:
        self.inner = DirectClient(server, user=user)
        self.current = replica_set()
        self.changes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.patches = 0

    def become(self, found: dict[str, Any]) -> None:
        self.current = found
        self.changes.put_nowait(found)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        page: Page = ALL,
    ) -> ObjectList:
        if resource == REPLICASETS:
            version = self.current["metadata"]["resourceVersion"]
            return ObjectList(items=[self.current], resource_version=version)
        return await self.inner.list(
            resource,
            namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            page=page,
        )

    async def watch(
        self, resource: Resource, namespace: str | None = None, **words: Any
    ) -> AsyncIterator[WatchEvent]:
        if resource != REPLICASETS:
            async for event in self.inner.watch(resource, namespace, **words):
                yield event
            return
        while True:
            yield WatchEvent(type="MODIFIED", object=await self.changes.get())

    async def patch(self, *args: Any, **words: Any) -> dict[str, Any]:
        self.patches += 1
        return await self.inner.patch(*args, **words)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Calls:
    """Answers claims as told; by default every Pod serves at once."""

    def __init__(self) -> None:
        self.made: list[Call] = []
        self.answers: list[Told | CallError] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def claim(self, call: Call, *, wait_s: float) -> Told:
        self.made.append(call)
        await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else Told(is_serving=True, load_ms=3.0)
        if isinstance(answer, CallError):
            raise answer
        return answer
