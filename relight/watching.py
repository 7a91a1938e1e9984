"""What a selection of objects holds now, and each change of it.

For: every verb that waits or follows: one list, then changes, over watches that end.
Must not know: what is waited for, or who is told about it.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from api.kinds import Resource
from cluster.client import Client, EventType, WatchEvent
from cluster.errors import GoneError

Key = tuple[str, str]  # namespace, name


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object that appeared, changed or went; the last state of one that went."""

    type: EventType
    object: dict[str, Any]


class View:
    """What a selection of one kind holds now. A failure to reach the server ends it."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        namespace: str | None,
        *,
        label_selector: str = "",
        name: str = "",
    ) -> None:
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = f"metadata.name={name}" if name else ""
        self.objects: dict[Key, dict[str, Any]] = {}
        self.is_listed = False

    async def changes(self) -> AsyncGenerator[list[Change], None]:
        """First everything there is, as one (maybe empty) list; then each change."""
        while True:
            found = await self._client.list(
                self._resource,
                self._namespace,
                label_selector=self._label_selector,
                field_selector=self._field_selector,
            )
            yield self._relist(found.items)
            try:
                async with aclosing(self._events(found.resource_version)) as events:
                    async for event in events:
                        yield [self._apply(event)]
            except GoneError:
                continue  # the server forgot that far back: list again

    async def _events(self, version: str) -> AsyncGenerator[WatchEvent, None]:
        """Every change after `version`, over as many watches as the server cares to close."""
        while True:
            async for event in self._client.watch(
                self._resource,
                self._namespace,
                resource_version=version,
                label_selector=self._label_selector,
                field_selector=self._field_selector,
            ):
                version = event.object["metadata"]["resourceVersion"]
                if event.type != "BOOKMARK":
                    yield event
            await asyncio.sleep(0)  # a server that closes at once must not starve the others

    def _relist(self, items: Sequence[dict[str, Any]]) -> list[Change]:
        new = {key_of(item): item for item in items}
        changes = [
            Change(type="DELETED", object=old)
            for key, old in self.objects.items()
            if key not in new
        ]
        for key, item in new.items():
            old = self.objects.get(key)
            if old is None or _version(old) != _version(item):
                changes.append(Change(type="MODIFIED" if old else "ADDED", object=item))
        self.objects = new
        self.is_listed = True
        return changes

    def _apply(self, event: WatchEvent) -> Change:
        if event.type == "DELETED":
            self.objects.pop(key_of(event.object), None)
        else:
            self.objects[key_of(event.object)] = event.object
        return Change(type=event.type, object=event.object)


def key_of(raw: dict[str, Any]) -> Key:
    """Namespace and name of an object."""
    metadata = raw["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _version(raw: dict[str, Any]) -> Any:
    return raw["metadata"].get("resourceVersion")
