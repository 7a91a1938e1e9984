"""The client over HTTP, to any Kubernetes API server.

For: components that run apart from the API server they talk to.
Must not know: whether that server is ours or a cluster's.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Literal

import aiohttp
import orjson

from api.kinds import Resource
from api.objects import Raw
from cluster.client import ALL, ObjectList, Page, PatchKind, WatchEvent
from cluster.credentials import CredentialsError
from cluster.errors import ApiError, BadRequestError, GoneError, UnavailableError, from_status

_PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_FIELD_MANAGER = "relight"
_Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class HttpClient:
    """A `cluster.client.Client`. The session is the caller's: its TLS, its limits, its end."""

    def __init__(
        self,
        base_url: str,
        session: aiohttp.ClientSession,
        token: str | Callable[[], str] | None = None,
        *,
        request_timeout_s: float = 30.0,
        only_namespace: str | None = None,
        admit: Callable[[str, str], Awaitable[None]] | None = None,
    ) -> None:
        """`token`: the bearer's, or who knows the one of now.

        `only_namespace`: what would be read of all namespaces is read of this one.
        `admit(verb, subresource)` comes before each request but watches; it may raise ApiError.
        """
        self.is_lean = False  # what is listed and watched comes without managedFields
        self._base_url = base_url.rstrip("/")
        self._session = session
        self._token = token
        self._only_namespace = only_namespace
        self._admit = admit
        self._timeout = aiohttp.ClientTimeout(total=request_timeout_s)

    async def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        """Read one object; NotFoundError."""
        return await self._call("GET", self._url(resource, namespace, name))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        page: Page = ALL,
    ) -> ObjectList:
        """Read the objects of a kind, in one namespace or (None) in all."""
        params = _selectors(label_selector, field_selector)
        if page.limit:
            params["limit"] = str(page.limit)
        if page.continue_token:
            params["continue"] = page.continue_token
        namespace = namespace or self._only_namespace
        raw = await self._call("GET", self._url(resource, namespace), params=params)
        # Lists carry their kind once; objects read alone carry it each. Callers see one shape.
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        items = [item if "kind" in item else kind | item for item in raw.get("items") or []]
        if self.is_lean:
            items = [_lean(item) for item in items]
        metadata = raw.get("metadata") or {}
        return ObjectList(
            items=items,
            resource_version=str(metadata.get("resourceVersion", "")),
            continue_token=str(metadata.get("continue") or ""),
            remaining=metadata.get("remainingItemCount"),
        )

    async def create(self, resource: Resource, obj: Raw) -> dict[str, Any]:
        """Create in `obj.metadata.namespace`, or in "default"."""
        return await self._call("POST", self._url(resource, _namespace_of(obj)), body=obj)

    async def replace(
        self, resource: Resource, obj: Raw, *, subresource: str = ""
    ) -> dict[str, Any]:
        """Write a whole object, or one part of it."""
        name = str((obj.get("metadata") or {}).get("name") or "")
        if not name:
            raise BadRequestError("metadata.name: Required value: name is required to replace")
        url = self._url(resource, _namespace_of(obj), name, subresource)
        return await self._call("PUT", url, body=obj)

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: Any,
        *,
        kind: PatchKind = "merge",
        subresource: str = "",
    ) -> dict[str, Any]:
        """Change an object as `patch` says."""
        params = {"fieldManager": _FIELD_MANAGER, "force": "true"} if kind == "apply" else {}
        url = self._url(resource, namespace, name, subresource)
        headers = {"Content-Type": _PATCH_TYPES[kind]}
        return await self._call("PATCH", url, params=params, body=patch, headers=headers)

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        propagation: str = "Background",
        uid: str | None = None,
        grace_period_s: int | None = None,
    ) -> None:
        """Delete, or begin to."""
        body: dict[str, Any] = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": propagation,
        }
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        if grace_period_s is not None:
            body["gracePeriodSeconds"] = grace_period_s
        await self._call("DELETE", self._url(resource, namespace, name), body=body)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Changes after `resource_version`, in order; ends when the server closes the stream."""
        params = _selectors(label_selector, field_selector)
        params |= {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout.total)
        try:
            async with self._session.get(
                self._url(resource, namespace or self._only_namespace),
                params=params,
                headers=self._headers(),
                timeout=timeout,
            ) as response:
                if response.status != 200:
                    raise _error(response.status, await response.read())
                async for line in _lines(response.content):
                    event = _event(line)
                    if self.is_lean:
                        _lean(event.object)
                    yield event
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(f"watch of {resource.plural} broke: {said(error)}") from error
        except CredentialsError as error:
            raise UnavailableError(str(error)) from error

    def _headers(self) -> dict[str, str]:
        token = self._token() if callable(self._token) else self._token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _url(
        self, resource: Resource, namespace: str | None, name: str = "", subresource: str = ""
    ) -> str:
        root = f"apis/{resource.group}" if resource.group else "api"
        parts = [self._base_url, root, resource.version]
        if resource.is_namespaced and (namespace or name):
            parts += ["namespaces", namespace or "default"]
        parts.append(resource.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)

    async def _call(
        self,
        verb: _Verb,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        if self._admit is not None:
            await self._admit(verb, url.rpartition("/")[2])
        sent = self._headers() | {"Accept": "application/json"}
        data = None
        if body is not None:
            data = _encode(body)
            sent = sent | {"Content-Type": "application/json"}
        try:
            async with self._session.request(
                verb,
                url,
                params=params,
                data=data,
                headers=sent | dict(headers or {}),
                timeout=self._timeout,
            ) as response:
                answer = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(f"{verb} {url}: {said(error)}") from error
        except CredentialsError as error:
            raise UnavailableError(str(error)) from error
        if status >= 400:
            raise _error(status, answer)
        return _decode(answer)


def said(error: Exception) -> str:
    """Why a server was not reached, in words for a person."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} is not known here ({error.os_error.strerror})"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        why = os.strerror(number) if number else str(error.os_error)
        return f"{why} ({error.host} port {error.port})"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return repr(error)


def _namespace_of(obj: Raw) -> str:
    return str((obj.get("metadata") or {}).get("namespace") or "default")


def _selectors(labels: str, fields: str) -> dict[str, str]:
    wanted = {"labelSelector": labels, "fieldSelector": fields}
    return {key: value for key, value in wanted.items() if value}


def _encode(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise BadRequestError(f"the object is not JSON: {error}") from error


def _decode(answer: bytes) -> dict[str, Any]:
    try:
        raw = orjson.loads(answer)
    except orjson.JSONDecodeError as error:
        raise UnavailableError(f"the answer is not JSON: {answer[:80]!r}") from error
    if not isinstance(raw, dict):
        raise UnavailableError(f"the answer is not a JSON object: {answer[:80]!r}")
    return raw


def _error(status: int, answer: bytes) -> ApiError:
    try:
        raw = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raw = None
    if not isinstance(raw, dict) or raw.get("kind") != "Status":
        raw = {"message": answer[:200].decode("utf-8", "replace")}
    return from_status(raw | {"code": status})


def _event(line: bytes) -> WatchEvent:
    raw = _decode(line)
    obj = raw.get("object") or {}
    if raw.get("type") == "ERROR":
        error = from_status(obj)
        raise GoneError(error.message) if error.status == 410 else error
    return WatchEvent(type=raw["type"], object=obj)


def _lean(obj: dict[str, Any]) -> dict[str, Any]:
    """Without who wrote which field: a third of an object that nobody reads of many.

    What is written back without them has them again: the server goes on with its own.
    """
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return obj


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    # StreamReader.readline refuses lines over 64 KiB; an object may be larger than that.
    rest = bytearray()
    async for chunk in content.iter_any():
        rest += chunk
        while (end := rest.find(b"\n")) >= 0:
            line = bytes(rest[:end])
            del rest[: end + 1]
            if line.strip():
                yield line
