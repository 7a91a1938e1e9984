"""The servers that must behave alike: ours by call, ours over HTTP, a real Kubernetes'.

One port for all of them, in the terms of HTTP: a verb, a resource, a name, a body and query
parameters as Kubernetes spells them.
"""

import asyncio
import contextlib
import copy
import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import orjson
import yaml

from api.kinds import CUSTOMRESOURCEDEFINITIONS as CRD
from api.kinds import NAMESPACES, Resource
from cluster.auth import Address
from cluster.errors import AlreadyExistsError, ApiError, NotFoundError, from_status
from cluster.options import DeleteOptions, ListOptions, Selection, WatchOptions, WriteOptions
from embedded.apiserver import ApiServer
from tests.conformance.exceptions import LACKS

DEADLINE_S = 30.0
PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_TRY_AGAIN = 429  # a kind whose definition is new: "storage is (re)initializing"
_RETRY_S = 0.1
CRDS = Path(__file__).parent.parent.parent / "manifests" / "300-crds"

# What a server may be able to do; ours can do all of it.
EVERYTHING = frozenset(LACKS)
BY_CALL = EVERYTHING - {"aggregated-discovery", "field-validation", "http", "openapi-v3"}
# On all that a run makes and that is of no namespace.
MARK = {"relight.dev/conformance-run": uuid.uuid4().hex[:10]}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
NODES = Resource("", "v1", "nodes", "Node", "node", is_namespaced=False)
_SINCE = {  # the minor version of Kubernetes 1
    "cel": 25,
    "field-validation": 25,
    "http": 0,
    "owners-of-parts": 22,
    "recent": 25,
    "watch-list": 34,
}

Query = Mapping[str, str]


class Api(Protocol):
    """One server under test, and a namespace of its own in it."""

    name: str
    features: frozenset[str]
    namespace: str

    async def do(
        self,
        verb: str,
        resource: Resource,
        name: str = "",
        body: Any = None,
        *,
        part: str = "",
        patch: str = "merge",
        **query: str,
    ) -> dict[str, Any]:
        """get, list, create, replace, patch, delete or deletecollection; ApiError."""
        ...

    def watch(self, resource: Resource, **query: str) -> AsyncIterator[dict[str, Any]]:
        """Events as they stand on the wire: {"type", "object"}; ApiError for an ERROR."""
        ...


@dataclass
class ByCall:
    """Our server, by function call."""

    server: ApiServer
    namespace: str = "default"
    name: str = "call"
    features: frozenset[str] = BY_CALL

    async def do(
        self,
        verb: str,
        resource: Resource,
        name: str = "",
        body: Any = None,
        *,
        part: str = "",
        patch: str = "merge",
        **query: str,
    ) -> dict[str, Any]:
        # The server shares what it returns; a test may change what it was given.
        return copy.deepcopy(
            self._do(verb, resource, name, copy.deepcopy(body), part=part, patch=patch, query=query)
        )

    def _do(
        self,
        verb: str,
        resource: Resource,
        name: str,
        body: Any,
        *,
        part: str,
        patch: str,
        query: Query,
    ) -> dict[str, Any]:
        home = self.namespace if resource.is_namespaced else None
        server, write = self.server, _write_options(part, query)
        match verb:
            case "get" if part == "scale":
                return server.get_scale(resource, home, name)
            case "get":
                return server.get(resource, home, name)
            case "list":
                found = server.list(resource, self._selection(resource, query), _list(query))
                metadata = {
                    "resourceVersion": found.resource_version,
                    "continue": found.continue_token,
                    "remainingItemCount": found.remaining,
                }
                shown = {key: value for key, value in metadata.items() if value}
                return {"items": found.items, "metadata": shown}
            case "create":
                return server.create(resource, home, body, write)
            case "replace":
                return server.replace(resource, home, name, body, write)
            case "patch":
                return server.patch(resource, (home, name), body, patch, write)  # type: ignore[arg-type] # a str here
            case "delete":
                return server.delete(resource, home, name, _delete(body, query))
            case "deletecollection":
                selection = self._selection(resource, query)
                return {
                    "items": server.delete_collection(
                        resource, selection, _delete(body, query)
                    ).items
                }
        raise ValueError(verb)

    def _selection(self, resource: Resource, query: Query) -> Selection:
        return Selection(
            namespace=self.namespace if resource.is_namespaced else None,
            labels=query.get("labelSelector", ""),
            fields=query.get("fieldSelector", ""),
        )

    async def watch(self, resource: Resource, **query: str) -> AsyncIterator[dict[str, Any]]:
        options = WatchOptions(
            resource_version=query.get("resourceVersion", ""),
            has_bookmarks=query.get("allowWatchBookmarks") == "true",
            send_initial_events=query.get("sendInitialEvents") == "true",
        )
        watcher = self.server.watch(resource, self._selection(resource, query), options)
        try:
            while (event := await watcher.next()) is not None:
                yield {"type": event.type, "object": event.object}
        finally:
            watcher.close()


def _write_options(part: str, query: Query) -> WriteOptions:
    return WriteOptions(
        user="conformance",
        field_manager=query.get("fieldManager", ""),
        subresource=part,
        is_dry_run=query.get("dryRun") == "All",
        is_forced=query.get("force") == "true",
    )


def _list(query: Query) -> ListOptions:
    return ListOptions(
        limit=int(query.get("limit", "0")),
        continue_token=query.get("continue", ""),
        resource_version=query.get("resourceVersion", ""),
        resource_version_match=query.get("resourceVersionMatch", ""),
    )


def _delete(body: Any, query: Query) -> DeleteOptions:
    given = {**(body or {}), **query}
    preconditions = given.get("preconditions") or {}
    return DeleteOptions(
        propagation=given.get("propagationPolicy", ""),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        grace_period_s=given.get("gracePeriodSeconds"),
        is_dry_run="All" in (given.get("dryRun") or ()),
    )


@dataclass
class OverHttp:
    """Any server, over HTTP: ours or a real one."""

    name: str
    url: str
    session: aiohttp.ClientSession
    features: frozenset[str]
    namespace: str = "default"
    token: str | None = None

    async def do(
        self,
        verb: str,
        resource: Resource,
        name: str = "",
        body: Any = None,
        *,
        part: str = "",
        patch: str = "merge",
        **query: str,
    ) -> dict[str, Any]:
        method = {
            "get": "GET",
            "list": "GET",
            "create": "POST",
            "replace": "PUT",
            "patch": "PATCH",
            "delete": "DELETE",
            "deletecollection": "DELETE",
        }[verb]
        headers = {"Accept": "application/json", **self._credentials()}
        if body is not None:
            headers["Content-Type"] = PATCH_TYPES[patch] if verb == "patch" else "application/json"
        data = None if body is None else orjson.dumps(body)
        url = self.path(resource, name, part)
        async with asyncio.timeout(DEADLINE_S):
            while True:
                async with self.session.request(
                    method, url, params=query, data=data, headers=headers
                ) as response:
                    if response.status != _TRY_AGAIN:
                        return _decoded(response.status, await response.read())
                await asyncio.sleep(_RETRY_S)  # as every client of Kubernetes does

    def path(self, resource: Resource, name: str = "", part: str = "") -> str:
        root = f"apis/{resource.group}" if resource.group else "api"
        home = ["namespaces", self.namespace] if resource.is_namespaced else []
        parts = [self.url.rstrip("/"), root, resource.version, *home, resource.plural, name, part]
        return "/".join(each for each in parts if each)

    async def raw(self, path: str, accept: str = "application/json") -> Any:
        """GET of a path that is no object's: discovery, OpenAPI, version."""
        headers = {"Accept": accept, **self._credentials()}
        async with self.session.get(self.url.rstrip("/") + path, headers=headers) as response:
            return _decoded(response.status, await response.read())

    async def watch(self, resource: Resource, **query: str) -> AsyncIterator[dict[str, Any]]:
        wanted = {**query, "watch": "true"}
        headers = {"Accept": "application/json", **self._credentials()}
        async with self.session.get(
            self.path(resource), params=wanted, headers=headers
        ) as response:
            if response.status != 200:
                _decoded(response.status, await response.read())
            async for line in response.content:
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise from_status(event["object"])
                yield event

    def _credentials(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def _decoded(status: int, answer: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        found = {"message": answer[:300].decode(errors="replace")}
    if status >= 400:
        raise from_status({**found, "code": status})
    return found  # type: ignore[no-any-return] # whatever the server says


@asynccontextmanager
async def reached(address: Address, name: str) -> AsyncIterator[OverHttp]:
    """A real server, with what it can do found out."""
    connector = aiohttp.TCPConnector(ssl=address.ssl_context() or False)
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        api = OverHttp(name, address.url, session, frozenset(), token=address.token)
        api.features = await _features(api)
        yield api


async def _features(api: OverHttp) -> frozenset[str]:
    paths = {"apps": "/apis/apps/v1", "core": "/api/v1", "openapi-v3": "/openapi/v3"}
    found = {name for name, path in paths.items() if await _answers(api, path)}
    with contextlib.suppress(ApiError):
        document = await api.raw("/apis", AGGREGATED)
        found |= {"aggregated-discovery"} if document["kind"] == "APIGroupDiscoveryList" else set()
    version = await api.raw("/version")
    minor = int(re.sub(r"\D", "", str(version["minor"])))
    return frozenset(found | {name for name, since in _SINCE.items() if minor >= since})


async def _answers(api: OverHttp, path: str) -> bool:
    try:
        await api.raw(path)
    except ApiError:
        return False
    return True


async def install(api: OverHttp, created: list[str]) -> None:
    """Create our CRDs where absent and wait until they are served; `created` gets their names."""
    for path in sorted(CRDS.glob("*.yaml")):
        definition = yaml.safe_load(path.read_text())
        name = definition["metadata"]["name"]
        if "cel" not in api.features:
            definition = without_rules(definition)
        with contextlib.suppress(NotFoundError):
            found = await api.do("get", CRD, name)
            if "deletionTimestamp" in found["metadata"]:
                await _gone(api, name)
        try:
            await api.do("create", CRD, body=definition)
        except AlreadyExistsError:
            pass  # somebody's: it stays
        else:
            created.append(name)
        await _established(api, name)


async def clean(api: OverHttp, created: list[str]) -> None:
    """Take away what this run made, as far as tests have left any of it."""
    [(key, value)] = MARK.items()
    of_core = (NAMESPACES, NODES) if "core" in api.features else ()
    for resource in (*of_core, CRD):
        found = await api.do("list", resource, labelSelector=f"{key}={value}")
        for each in found["items"]:
            with contextlib.suppress(NotFoundError):
                await api.do("delete", resource, each["metadata"]["name"])
    for name in created:
        with contextlib.suppress(NotFoundError):
            await api.do("delete", CRD, name)
    for name in created:
        await _gone(api, name)


async def _gone(api: OverHttp, name: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        with contextlib.suppress(NotFoundError):
            while True:
                await api.do("get", CRD, name)
                await asyncio.sleep(0.1)


async def _established(api: OverHttp, name: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = await api.do("get", CRD, name)
            conditions = (found.get("status") or {}).get("conditions") or ()
            if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
                return
            await asyncio.sleep(0.05)


def without_rules(definition: Any) -> Any:
    """The same without CEL, which servers before 1.25 do not know."""
    text = json.dumps(definition)
    return json.loads(text, object_hook=_plain)


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != "x-kubernetes-validations"}
