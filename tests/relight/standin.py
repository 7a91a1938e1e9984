"""Just enough of what is behind the API server for the command line to talk to."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from api import keys, kinds
from api.objects import owner_reference_to
from cluster.direct import DirectClient
from cluster.errors import NotFoundError
from cluster.informer import Informer
from relight import splitting
from relight.connection import find

BROKEN = "broken"  # a model with this in its name never becomes ready


class Controller:
    """A revision for every template, a replica for every revision, a Route; all at once."""

    def __init__(self, client: DirectClient, activator: str) -> None:
        self._client = client
        self._port = activator.rpartition(":")[2]
        self._templates: dict[str, list[tuple[Any, str]]] = {}  # of a Service: template, revision

    async def run(self) -> None:
        """Until cancelled."""
        services = Informer(self._client, kinds.SERVICES)
        changed: asyncio.Queue[tuple[Any, Any]] = asyncio.Queue()
        services.on_change(lambda old, new: changed.put_nowait((old, new)))
        async with asyncio.TaskGroup() as group:
            group.create_task(services.run())
            while True:
                old, new = await changed.get()
                if new is None:
                    await self._forget(old["metadata"]["name"])
                elif (new.get("status") or {}).get("observedGeneration") != new["metadata"][
                    "generation"
                ]:
                    await self._reconcile(new)

    async def _reconcile(self, service: Mapping[str, Any]) -> None:
        name, template = service["metadata"]["name"], service["spec"]["template"]
        made = self._templates.setdefault(name, [])
        if not made or made[-1][0] != template:
            revision = (template.get("metadata") or {}).get("name") or f"{name}-{len(made) + 1:05d}"
            made.append((template, revision))
            configuration = await self._make_configuration(service)
            await self._make_revision(service, configuration, revision, len(made))
        is_ready = {revision: BROKEN not in str(template) for template, revision in made}
        latest = made[-1][1]
        latest_ready = next((r for _, r in reversed(made) if is_ready[r]), None)
        traffic = self._traffic(service, latest_ready)
        await self._make_route(service, traffic)
        ready = {"type": "Ready", "status": str(is_ready[latest])}
        if not is_ready[latest]:
            ready |= {"reason": "RevisionFailed", "message": f'Revision "{latest}" failed.'}
        status = {
            "observedGeneration": service["metadata"]["generation"],
            "latestCreatedRevisionName": latest,
            "conditions": [ready],
            "url": self._url(name),
            "traffic": traffic,
        }
        if latest_ready:
            status["latestReadyRevisionName"] = latest_ready
        await self._write_status(kinds.SERVICES, name, status)

    def _url(self, name: str) -> str:
        return f"http://{name}.default.localhost:{self._port}"

    def _traffic(self, service: Mapping[str, Any], latest: str | None) -> list[dict[str, Any]]:
        targets = []
        for target in service["spec"]["traffic"]:
            is_latest = splitting.target_name(target) == splitting.LATEST
            found = {**target, "latestRevision": is_latest}
            if is_latest:
                found["revisionName"] = latest
            if target.get("tag"):
                found["url"] = self._url(f"{target['tag']}-{service['metadata']['name']}")
            targets.append(found)
        return targets if latest else []

    async def _make_configuration(self, service: Mapping[str, Any]) -> dict[str, Any]:
        name = service["metadata"]["name"]
        found = await find(self._client, kinds.CONFIGURATIONS, "default", name)
        if found is not None:
            return found
        metadata = {
            "name": name,
            "namespace": "default",
            "ownerReferences": [owner_reference_to(service)],
        }
        configuration = {
            "apiVersion": kinds.CONFIGURATIONS.api_version,
            "kind": "Configuration",
            "metadata": metadata,
            "spec": {"template": service["spec"]["template"]},
        }
        return await self._client.create(kinds.CONFIGURATIONS, configuration)

    async def _make_revision(
        self, service: Mapping[str, Any], configuration: Mapping[str, Any], name: str, number: int
    ) -> None:
        template = service["spec"]["template"]
        is_broken = BROKEN in str(template)
        labels = {
            keys.SERVICE: service["metadata"]["name"],
            keys.CONFIGURATION: service["metadata"]["name"],
            keys.CONFIGURATION_GENERATION: str(number),
        }
        metadata = {
            "name": name,
            "namespace": "default",
            "labels": labels,
            "ownerReferences": [owner_reference_to(configuration)],
        }
        revision = {
            "apiVersion": kinds.REVISIONS.api_version,
            "kind": "Revision",
            "metadata": metadata,
            "spec": template["spec"],
        }
        await self._client.create(kinds.REVISIONS, revision)
        ready = {"type": "Ready", "status": str(not is_broken)}
        if is_broken:
            ready |= {"reason": "ExitCode1", "message": "Container failed with: no ONNX model"}
        status = {"conditions": [ready], "actualReplicas": int(not is_broken)}
        await self._write_status(kinds.REVISIONS, name, status)
        if not is_broken:
            await self.make_pod(f"{name}-deployment-abc", {**labels, keys.REVISION: name})

    async def make_pod(self, name: str, labels: Mapping[str, str]) -> None:
        """A replica that runs."""
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": dict(labels)},
            "spec": {"containers": [{"name": "user-container", "image": "relight/predictor"}]},
        }
        await self._client.create(kinds.PODS, pod)
        container = {
            "name": "user-container",
            "image": "relight/predictor",
            "ready": True,
            "restartCount": 0,
            "state": {"running": {}},
        }
        status = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [container],
        }
        await self._write_status(kinds.PODS, name, status)

    async def _make_route(self, service: Mapping[str, Any], traffic: list[dict[str, Any]]) -> None:
        name = service["metadata"]["name"]
        targets = [
            {key: value for key, value in target.items() if key != "url"} for target in traffic
        ]
        for target in targets:
            if target.get("latestRevision"):
                target["configurationName"] = name
                del target["revisionName"]
        if not targets:
            return
        try:
            await self._client.patch(kinds.ROUTES, "default", name, {"spec": {"traffic": targets}})
        except NotFoundError:
            metadata = {
                "name": name,
                "namespace": "default",
                "ownerReferences": [owner_reference_to(service)],
            }
            route = {
                "apiVersion": kinds.ROUTES.api_version,
                "kind": "Route",
                "metadata": metadata,
                "spec": {"traffic": targets},
            }
            await self._client.create(kinds.ROUTES, route)
        found = await self._client.get(kinds.ROUTES, "default", name)
        status = {
            "observedGeneration": found["metadata"]["generation"],
            "conditions": [{"type": "Ready", "status": "True"}],
            "url": self._url(name),
            "traffic": traffic,
        }
        await self._write_status(kinds.ROUTES, name, status)

    async def _write_status(self, resource: kinds.Resource, name: str, status: Any) -> None:
        await self._client.patch(
            resource, "default", name, {"status": status}, subresource="status"
        )

    async def _forget(self, name: str) -> None:
        self._templates.pop(name, None)
        pods = await self._client.list(
            kinds.PODS, "default", label_selector=f"{keys.SERVICE}={name}"
        )
        for pod in pods.items:
            await self._client.delete(
                kinds.PODS, "default", pod["metadata"]["name"], grace_period_s=0
            )


class Activator:
    """Answers every request with what it was asked; `status` and `body` may be set."""

    def __init__(self) -> None:
        self.status = 200
        self.body: bytes | None = None
        self.is_silent = False
        self.seen: list[web.Request] = []
        self.bodies: list[bytes] = []

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        self.bodies.append(await request.read())
        if self.is_silent:
            await asyncio.Event().wait()
        headers = {
            keys.HEADER_REVISION: "iris-00001",
            keys.HEADER_MODEL_DIGEST: "sha256:aa",
            keys.HEADER_SERVER_TIMING: "queue;dur=0.2, run;dur=1.5",
        }
        body = self.body if self.body is not None else b'{"path":"%s"}' % request.path.encode()
        return web.Response(
            status=self.status, body=body, headers=headers, content_type="application/json"
        )
