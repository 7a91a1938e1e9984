"""The client by function call, to an API server in this process.

For: components and server sharing one process, at the price of a method call.
Must not know: which server it is; it takes any `RequestHandler`.
"""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from api.kinds import Resource
from api.objects import Raw
from cluster.client import ALL, ObjectList, Page, PatchKind, WatchEvent
from cluster.options import DeleteOptions, ListOptions, Selection, WatchOptions, WriteOptions


class WatchStream(Protocol):
    """An open watch; `close` may be called at any time, and more than once."""

    async def next(self) -> WatchEvent | None:
        """Wait for the next change; None when the server ended the watch; GoneError."""
        ...

    def close(self) -> None:
        """Stop listening and free what was queued."""
        ...


class RequestHandler(Protocol):
    """An API server as its own process sees it: plain calls that raise `ApiError`."""

    def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        """Read one object."""
        ...

    def list(self, resource: Resource, selection: Selection, options: ListOptions) -> ObjectList:
        """Read the objects a selection names."""
        ...

    def create(
        self, resource: Resource, namespace: str | None, obj: Raw, options: WriteOptions
    ) -> dict[str, Any]:
        """Store a new object."""
        ...

    def replace(
        self, resource: Resource, namespace: str | None, name: str, obj: Raw, options: WriteOptions
    ) -> dict[str, Any]:
        """Write a whole object, or the part `options.subresource` names."""
        ...

    def patch(
        self,
        resource: Resource,
        target: tuple[str | None, str],
        patch: Any,
        kind: PatchKind,
        options: WriteOptions,
    ) -> dict[str, Any]:
        """Change the object named by `target` (namespace, name)."""
        ...

    def delete(
        self, resource: Resource, namespace: str | None, name: str, options: DeleteOptions
    ) -> dict[str, Any]:
        """Delete, or begin to; a Status when it is gone, else the object that is going."""
        ...

    def watch(self, resource: Resource, selection: Selection, options: WatchOptions) -> WatchStream:
        """Open a watch; GoneError when the start is too old."""
        ...


class DirectClient:
    """A `cluster.client.Client`. `user` is who the server's admission sees writing."""

    def __init__(self, handler: RequestHandler, *, user: str = "relight") -> None:
        self._handler = handler
        self._plain = WriteOptions(user=user)
        self._parts = {
            part: WriteOptions(user=user, subresource=part) for part in ("status", "scale")
        }
        self._user = user

    def _options(self, subresource: str) -> WriteOptions:
        if not subresource:
            return self._plain
        return self._parts.get(subresource) or WriteOptions(
            user=self._user, subresource=subresource
        )

    async def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        """Read one object; NotFoundError."""
        return self._handler.get(resource, namespace, name)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        page: Page = ALL,
    ) -> ObjectList:
        """Read the objects of a kind: all of them, for they are the server's own already."""
        del page
        selection = Selection(namespace=namespace, labels=label_selector, fields=field_selector)
        return self._handler.list(resource, selection, ListOptions())

    async def create(self, resource: Resource, obj: Raw) -> dict[str, Any]:
        """Create in `obj.metadata.namespace`, or in "default"."""
        return self._handler.create(resource, _namespace_of(resource, obj), obj, self._plain)

    async def replace(
        self, resource: Resource, obj: Raw, *, subresource: str = ""
    ) -> dict[str, Any]:
        """Write a whole object, or one part of it."""
        name = str((obj.get("metadata") or {}).get("name") or "")
        namespace = _namespace_of(resource, obj)
        return self._handler.replace(resource, namespace, name, obj, self._options(subresource))

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
        options = self._options(subresource)
        if kind == "apply":
            options = WriteOptions(
                user=self._user, subresource=subresource, field_manager=self._user, is_forced=True
            )
        return self._handler.patch(resource, (namespace, name), patch, kind, options)

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
        options = DeleteOptions(propagation=propagation, uid=uid, grace_period_s=grace_period_s)
        self._handler.delete(resource, namespace, name, options)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Changes after `resource_version`, in order."""
        selection = Selection(namespace=namespace, labels=label_selector, fields=field_selector)
        options = WatchOptions(resource_version=resource_version)
        stream = self._handler.watch(resource, selection, options)
        try:
            while (event := await stream.next()) is not None:
                yield event
        finally:
            stream.close()


def _namespace_of(resource: Resource, obj: Raw) -> str | None:
    if not resource.is_namespaced:
        return None
    return str((obj.get("metadata") or {}).get("namespace") or "default")
