"""A cluster's API server, as far as the verbs of clusters look at one; old or new by its tables."""

import asyncio
import json
import re
from typing import Any

from aiohttp import web

# apiVersion: kind, plural, whether it is namespaced.
SERVED: dict[str, list[tuple[str, str, bool]]] = {
    "v1": [
        ("Namespace", "namespaces", False),
        ("Node", "nodes", False),
        ("Pod", "pods", True),
        ("ServiceAccount", "serviceaccounts", True),
        ("ConfigMap", "configmaps", True),
        ("Secret", "secrets", True),
        ("Service", "services", True),
    ],
    "apps/v1": [
        ("Deployment", "deployments", True),
        ("StatefulSet", "statefulsets", True),
        ("DaemonSet", "daemonsets", True),
    ],
    "policy/v1": [("PodDisruptionBudget", "poddisruptionbudgets", True)],
    "autoscaling/v2": [("HorizontalPodAutoscaler", "horizontalpodautoscalers", True)],
    "discovery.k8s.io/v1": [("EndpointSlice", "endpointslices", True)],
    "networking.k8s.io/v1": [("NetworkPolicy", "networkpolicies", True)],
    "coordination.k8s.io/v1": [("Lease", "leases", True)],
    "rbac.authorization.k8s.io/v1": [
        ("Role", "roles", True),
        ("RoleBinding", "rolebindings", True),
        ("ClusterRole", "clusterroles", False),
        ("ClusterRoleBinding", "clusterrolebindings", False),
    ],
    "apiextensions.k8s.io/v1": [("CustomResourceDefinition", "customresourcedefinitions", False)],
    "admissionregistration.k8s.io/v1": [
        ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations", False),
        ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", False),
    ],
    "serving.knative.dev/v1": [("Service", "services", True)],
    "serving.kserve.io/v1alpha1": [("ClusterServingRuntime", "clusterservingruntimes", False)],
}
_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/[^/]))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?"
)


class Kubernetes:
    """Objects by apiVersion, plural, namespace and name; what was asked; what is refused."""

    def __init__(self) -> None:
        self.served = {version: list(kinds) for version, kinds in SERVED.items()}
        self.objects: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self.asked: list[str] = []
        self.refused: dict[str, tuple[int, str]] = {}  # by "VERB path"
        self.unknown_fields: tuple[str, ...] = ()  # names no applied object may have
        self._version = 0
        self._changed = asyncio.Event()

    def put(self, version: str, plural: str, obj: dict[str, Any]) -> dict[str, Any]:
        """Store it, whoever asks."""
        metadata = obj["metadata"]
        key = (version, plural, metadata.get("namespace", ""), metadata["name"])
        self._version += 1
        stored = json.loads(json.dumps(obj))
        stored["metadata"]["resourceVersion"] = str(self._version)
        self.objects[key] = stored
        self._changed.set()
        self._changed = asyncio.Event()
        return stored

    def get(self, plural: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """One stored object, at whichever version."""
        found = [obj for key, obj in self.objects.items() if key[1:] == (plural, namespace, name)]
        return found[0] if found else None

    def names(self, plural: str) -> set[str]:
        """The names of all of a kind."""
        return {key[3] for key in self.objects if key[1] == plural}

    def app(self) -> web.Application:
        """The server."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        said = f"{request.method} {request.path}"
        self.asked.append(said)
        if said in self.refused:
            return _status(*self.refused[said])
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.99.0"})
        version = request.path.removeprefix("/apis/").removeprefix("/api/")
        if version in self.served:
            return web.json_response({"resources": self._resources(version)})
        if request.path.endswith("/selfsubjectaccessreviews"):
            return web.json_response({"status": {"allowed": True}}, status=201)
        if "/proxy/" in request.path:
            return web.Response(text="ok")
        return await self._object(request)

    def _resources(self, version: str) -> list[dict[str, Any]]:
        return [
            {"name": plural, "kind": kind, "namespaced": is_namespaced, "singularName": ""}
            for kind, plural, is_namespaced in self.served[version]
        ]

    async def _object(self, request: web.Request) -> web.StreamResponse:
        found = _PATH.fullmatch(request.path)
        version = found and (found["core"] or found["group"])
        if not found or version not in self.served:
            return _status(404, "the server could not find the requested resource")
        assert version is not None
        plural, namespace, name = found["plural"], found["namespace"] or "", found["name"] or ""
        if not name and request.method == "GET":
            return await self._list(request, version, plural, namespace)
        key = (version, plural, namespace, name)
        if request.method == "POST":
            obj = await request.json()
            if request.query.get("dryRun"):
                return web.json_response(obj, status=201)
            return web.json_response(self.put(version, plural, obj), status=201)
        if request.method == "PATCH":
            return self._apply(version, plural, await request.json())
        if key not in self.objects:
            return _status(404, f'{plural} "{name}" not found')
        if request.method == "DELETE":
            del self.objects[key]
            self._version += 1
            self._changed.set()
            self._changed = asyncio.Event()
            return web.json_response({"kind": "Status", "status": "Success"})
        return web.json_response(self.objects[key])

    def _apply(self, version: str, plural: str, obj: dict[str, Any]) -> web.StreamResponse:
        paths = [path for name in self.unknown_fields for path in _paths(obj, name)]
        if paths:
            told = " ".join(f"{path}: field not declared in schema" for path in paths)
            return _status(500, f"failed to create typed patch object: errors:\n {told}")
        metadata = obj["metadata"]
        before = self.get(plural, metadata["name"], metadata.get("namespace", ""))
        if plural == "customresourcedefinitions":
            established = {"type": "Established", "status": "True"}
            obj = {**obj, "status": {"conditions": [established]}}
        return web.json_response(self.put(version, plural, {**(before or {}), **obj}))

    async def _list(
        self, request: web.Request, version: str, plural: str, namespace: str
    ) -> web.StreamResponse:
        if request.query.get("watch"):
            # Something changed: the caller lists again, as it is told to.
            response = web.StreamResponse()
            await response.prepare(request)
            if request.query["resourceVersion"] == str(self._version):
                await self._changed.wait()
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
            await response.write(json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n")
            return response
        name, _, value = request.query.get("labelSelector", "").partition("=")
        items = [
            obj
            for key, obj in self.objects.items()
            if key[:2] == (version, plural)
            and (not namespace or key[2] == namespace)
            and (not name or _has(obj, name, value))
        ]
        listed = {"items": items, "metadata": {"resourceVersion": str(self._version)}}
        return web.json_response(listed)


def _has(obj: dict[str, Any], name: str, value: str) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return name in labels and (not value or labels[name] == value)


def _paths(raw: Any, name: str, at: str = "") -> list[str]:
    """Where a field of that name is, nearest the root: as a server tells it."""
    if isinstance(raw, list):
        return [path for i, each in enumerate(raw) for path in _paths(each, name, f"{at}[{i}]")]
    if not isinstance(raw, dict):
        return []
    if name in raw:
        return [f"{at}.{name}"]
    return [path for key, each in raw.items() for path in _paths(each, name, f"{at}.{key}")]


def _status(code: int, message: str) -> web.Response:
    reasons = {403: "Forbidden", 404: "NotFound", 500: "InternalError"}
    raw = {"kind": "Status", "code": code, "reason": reasons.get(code, ""), "message": message}
    return web.json_response(raw, status=code)
