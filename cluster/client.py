"""What every client of an API server can do, whoever serves it.

For: the one port through which components read and write objects.
Must not know: HTTP, SQLite, or which of the two is behind it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from api.kinds import Resource
from api.objects import Raw

PatchKind = Literal["merge", "json", "strategic", "apply"]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEvent:
    """One change. A DELETED event carries the last state, with the deletion's resourceVersion."""

    type: EventType
    object: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectList:
    """What a list found, and the resourceVersion to start a watch from."""

    items: list[dict[str, Any]]
    resource_version: str
    continue_token: str = ""  # not empty: there is more, ask again with it
    remaining: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list: so many objects, after those that `continue_token` came with.

    A server may answer with more than `limit`. 0 means all.
    """

    limit: int = 0
    continue_token: str = ""


ALL = Page()


class Client(Protocol):
    """Reads and writes objects; every method may raise `cluster.errors.ApiError`.

    Results are shared with caches: callers must not mutate them.
    """

    async def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        """Read one object; NotFoundError."""
        ...

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        page: Page = ALL,
    ) -> ObjectList:
        """Read the objects of a kind, in one namespace or (None) in all; GoneError for a page."""
        ...

    async def create(self, resource: Resource, obj: Raw) -> dict[str, Any]:
        """Create in `obj.metadata.namespace` (or "default"); AlreadyExistsError, InvalidError."""
        ...

    async def replace(
        self, resource: Resource, obj: Raw, *, subresource: str = ""
    ) -> dict[str, Any]:
        """Write a whole object; ConflictError unless its resourceVersion is the current one."""
        ...

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
        """Change an object as `patch` says; returns the object after it."""
        ...

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
        """Delete; with `uid`, only if it is still that very object (else ConflictError)."""
        ...

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Changes after `resource_version`, in order; ends when the server ends it; GoneError."""
        ...
