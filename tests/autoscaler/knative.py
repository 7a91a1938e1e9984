"""A double of Knative Serving's data plane: what our autoscaler sees of it, over real sockets.

It has an activator with metrics, one queue-proxy a replica, and a controller that follows
ServerlessServices and Deployments. Requests are numbers: `load` is how many are there. At zero the
activator holds them; else it passes them on in mode Proxy, and is not asked in mode Serve.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp import web

from api.kinds import (
    CORE_SERVICES,
    CUSTOMRESOURCEDEFINITIONS,
    DEPLOYMENTS,
    NAMESPACES,
    PODAUTOSCALERS,
    PODS,
    SERVERLESSSERVICES,
    Resource,
)
from cluster.direct import DirectClient
from cluster.errors import NotFoundError
from cluster.informer import Informer
from embedded.apiserver import ApiServer
from tests.autoscaler.queue_proxy import QueueProxy

SYSTEM = "knative-serving"
CLASS = "autoscaler.relight.dev"
_OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
# Of config/core/300-resources/serverlessservice.yaml, with what matters of its schema.
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "serverlessservices.networking.internal.knative.dev"},
    "spec": {
        "group": SERVERLESSSERVICES.group,
        "names": {
            "kind": SERVERLESSSERVICES.kind,
            "plural": SERVERLESSSERVICES.plural,
            "singular": SERVERLESSSERVICES.singular,
            "shortNames": ["sks"],
        },
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["objectRef", "protocolType"],
                                "properties": {
                                    "mode": {"type": "string"},
                                    "numActivators": {"type": "integer", "format": "int32"},
                                    "objectRef": {
                                        "type": "object",
                                        "properties": {
                                            "apiVersion": {"type": "string"},
                                            "kind": {"type": "string"},
                                            "name": {"type": "string"},
                                        },
                                    },
                                    "protocolType": {"type": "string"},
                                },
                            },
                            "status": _OPEN,
                        },
                    }
                },
            }
        ],
    },
}


class Knative:
    """Everything of it but the objects. One Revision, `default/r-00001`."""

    name = "r-00001"

    def __init__(self, server: ApiServer) -> None:
        self.client = DirectClient(server)
        self.server = server
        self.load = 0
        self.shows_metrics = True
        self.activator_port = 0
        with socket.socket() as free:
            free.bind(("127.0.0.2", 0))
            self.queue_port = int(free.getsockname()[1])  # of every replica, each on its own IP
        self.probes: list[tuple[str, str]] = []  # path, and who answered
        self._proxies: dict[str, AsyncExitStack] = {}  # by Pod
        self._stack = AsyncExitStack()

    @property
    def sks(self) -> dict[str, Any]:
        """The ServerlessService."""
        return dict(self.server.get(SERVERLESSSERVICES, "default", self.name))

    @property
    def mode(self) -> str:
        """By which way callers are led."""
        return str(self.sks["spec"]["mode"]) if self._has(SERVERLESSSERVICES) else "Proxy"

    @property
    def status(self) -> dict[str, Any]:
        """Of the PodAutoscaler."""
        return dict(self.server.get(PODAUTOSCALERS, "default", self.name).get("status") or {})

    def condition(self, type_: str) -> tuple[str, str] | None:
        """Status and reason of one of its conditions."""
        for each in self.status.get("conditions", ()):
            if each["type"] == type_:
                return each["status"], each.get("reason", "")
        return None

    @property
    def replicas(self) -> int:
        """Wanted ones."""
        raw = self.server.get(DEPLOYMENTS, "default", f"{self.name}-deployment")
        return int(raw["spec"]["replicas"])

    @asynccontextmanager
    async def running(self, **annotations: str) -> AsyncIterator[None]:
        """With its objects made, as Knative's controller makes them for a Revision."""
        async with self._stack, asyncio.TaskGroup() as tasks:
            self.activator_port = await _listen(self._stack, "127.0.0.1", 0, self._activator)
            await self._make(annotations)
            changes: asyncio.Queue[None] = asyncio.Queue()
            work = [tasks.create_task(self._reconcile(changes))]
            for kind in (SERVERLESSSERVICES, DEPLOYMENTS):
                informer = Informer(self.client, kind)
                informer.on_change(lambda *_: changes.put_nowait(None))
                work.append(tasks.create_task(informer.run()))
            yield
            for each in work:
                each.cancel()

    async def _make(self, annotations: dict[str, str]) -> None:
        await self.client.create(CUSTOMRESOURCEDEFINITIONS, CRD)
        await self.client.create(
            NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}
        )
        await self._pod(SYSTEM, "activator-1", {"app": "activator"}, "127.0.0.1")
        name, labels = self.name, {"serving.knative.dev/revision": self.name}
        template = {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "user-container", "image": "relight/predictor"}]},
        }
        await self.client.create(
            DEPLOYMENTS,
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": f"{name}-deployment", "namespace": "default"},
                "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
            },
        )
        await self.client.create(
            PODAUTOSCALERS,
            {
                "apiVersion": PODAUTOSCALERS.api_version,
                "kind": "PodAutoscaler",
                "metadata": {
                    "name": name,
                    "namespace": "default",
                    "labels": {**labels, "serving.knative.dev/service": "r"},
                    # Knative's own webhook adds the empty one, where a class is none of its own.
                    "annotations": {
                        "autoscaling.knative.dev/class": CLASS,
                        "autoscaling.knative.dev/metric": "",
                        **annotations,
                    },
                },
                "spec": {
                    "containerConcurrency": 1,
                    "protocolType": "http1",
                    "reachability": "Reachable",
                    "scaleTargetRef": {
                        "apiVersion": "apps/v1",
                        "kind": "Deployment",
                        "name": f"{name}-deployment",
                    },
                },
            },
        )

        conditions = [
            {"type": "Active", "status": "False", "reason": "NoTraffic"},
            {"type": "ScaleTargetInitialized", "status": "True"},
        ]
        status = {"status": {"conditions": conditions, "serviceName": name, "desiredScale": 0}}
        await self.client.patch(PODAUTOSCALERS, "default", name, status, subresource="status")

    async def _pod(self, namespace: str, name: str, labels: dict[str, str], ip: str) -> None:
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        containers = [{"name": "c", "image": "i"}]
        await self.client.create(
            PODS,
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": {"containers": containers},
            },
        )
        ready = [{"type": "Ready", "status": "True"}]
        status = {"status": {"phase": "Running", "podIP": ip, "conditions": ready}}
        await self.client.patch(PODS, namespace, name, status, subresource="status")

    async def _reconcile(self, changes: "asyncio.Queue[None]") -> None:
        """The controllers, and the kubelet."""
        while True:
            await changes.get()
            await self._follow_deployment()
            if self._has(SERVERLESSSERVICES):
                await self._follow_sks()

    def _has(self, resource: Resource) -> bool:
        try:
            self.server.get(resource, "default", self.name)
        except NotFoundError:
            return False
        return True

    async def _follow_deployment(self) -> None:
        count = self.replicas
        for index in range(len(self._proxies), count):
            ip = str(ipaddress.ip_address("127.0.0.2") + index)
            proxy = QueueProxy(f"{self.name}-{index}")
            stack = self._proxies[proxy.name] = AsyncExitStack()
            await self._stack.enter_async_context(stack)
            await _listen(stack, ip, self.queue_port, self._asked(proxy))
            await self._pod("default", proxy.name, {"serving.knative.dev/revision": self.name}, ip)
        for name in list(self._proxies)[count:]:
            await self._proxies.pop(name).aclose()
            await self.client.delete(PODS, "default", name, grace_period_s=0)
        status = {"status": {"readyReplicas": len(self._proxies)}}
        deployment = f"{self.name}-deployment"
        await self.client.patch(DEPLOYMENTS, "default", deployment, status, subresource="status")

    async def _follow_sks(self) -> None:
        if not self._has(CORE_SERVICES):
            ports = [{"name": "http", "port": self.activator_port, "protocol": "TCP"}]
            metadata = {"name": self.name, "namespace": "default"}
            await self.client.create(
                CORE_SERVICES,
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "metadata": metadata,
                    "spec": {"clusterIP": "127.0.0.1", "ports": ports},
                },
            )
        status = {
            "serviceName": self.name,
            "privateServiceName": f"{self.name}-private",
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        if self.sks.get("status") != status:
            await self.client.patch(
                SERVERLESSSERVICES, "default", self.name, {"status": status}, subresource="status"
            )

    def _asked(self, proxy: QueueProxy) -> Any:
        async def answer(request: web.Request) -> web.Response:
            share = self.load / max(1, len(self._proxies))
            proxy.concurrency = share
            proxy.proxied = share if self.mode == "Proxy" else 0.0
            return await proxy.metrics(request)

        return answer

    async def _activator(self, request: web.Request) -> web.Response:
        if "K-Network-Probe" in request.headers:  # this is the Revision's Service
            is_proxy = self.mode == "Proxy"
            who = "activator" if is_proxy or not self._proxies else "queue"
            self.probes.append((request.path, who))
            return web.Response(text=who)
        if not self.shows_metrics:
            return web.Response(status=404)
        carries = not self._proxies or self.mode == "Proxy"
        labels = f'{{k8s_namespace_name="default",kn_revision_name="{self.name}"}}'
        concurrency = self.load if carries else 0
        queued = self.load if not self._proxies else 0
        return web.Response(
            text="# TYPE go_goroutines gauge\ngo_goroutines 9\n"
            f"kn_revision_request_queued{labels} {queued}\n"
            f"kn_revision_request_concurrency{labels} {concurrency}\n"
        )


async def _listen(stack: AsyncExitStack, host: str, port: int, handler: Any) -> int:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    await web.SockSite(runner, bound).start()
    return int(bound.getsockname()[1])
